"""Loading a grammar of `grammar/` into Lark, compiled once and kept in the user's cache folder."""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lark import Lark, Token

__all__ = ["cache_folder", "load", "text"]


def text(name: str) -> str:
    """The text of a grammar, for example `ztopo.lark`."""
    return (resources.files("topo.grammar") / name).read_text(encoding="utf-8")


def cache_folder() -> Path | None:
    """A folder that only this user can write to, or None if there is none: compiled grammars are pickles."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    if not os.path.isabs(base):
        return None
    folder = Path(base) / "ztopo"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
    except OSError:
        return None
    private = not hasattr(os, "getuid") or (status.st_uid == os.getuid() and not status.st_mode & 0o022)
    return folder if private and os.access(folder, os.W_OK) else None


def load(
    name: str,
    transformer: Any,
    callbacks: Mapping[str, Callable[[Token], Token]] | None = None,
    starts: Sequence[str] = ("start",),
) -> Lark:
    """A parser for the grammar `name` that can begin with any rule of `starts`; `transformer` makes the trees as it goes."""
    import lark

    folder = cache_folder()
    return lark.Lark(
        text(name),
        start=list(starts),
        parser="lalr",
        lexer="basic",
        maybe_placeholders=True,
        transformer=transformer,
        lexer_callbacks=dict(callbacks or {}),
        cache=str(folder / f"{Path(name).stem}.grammar") if folder is not None else False,
    )
