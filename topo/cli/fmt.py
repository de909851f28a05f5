"""`ztopo fmt`: write files in the one style."""

from __future__ import annotations

import difflib
import os
import tempfile
from contextlib import suppress
from errno import EACCES
from pathlib import Path
from typing import TYPE_CHECKING

import click

from topo.cli import Exit, Refusal, color_option, files_argument, out, report, say, source_of

if TYPE_CHECKING:
    from topo.source import Source

aliases = ("format",)


@click.command()
@files_argument
@click.option("--check", is_flag=True, help="Write nothing; end with 1 if a file would change.")
@click.option("--diff", is_flag=True, help="Write nothing; show what would change.")
@color_option
def command(files: tuple[str, ...], check: bool, diff: bool, color: str) -> Exit:
    """Write files in the one style, in place; `-` is standard input, written to standard output.

    It has no options of style, keeps every comment, and never changes what a file means. A file with errors is left as it is.
    Ends with 1 if a file has errors, or, with --check, would change.
    """
    from topo.diagnostic import Diagnostic, has_errors
    from topo.syntax.format import format
    from topo.zeromq.kinds import KINDS

    usual = {kind.name: {"in": kind.in_type, "out": kind.out_type, "monitor": kind.monitor_type} for kind in KINDS.values()}
    worst = Exit.DONE
    for file in dict.fromkeys(files):
        shown = "<stdin>" if file == "-" else file
        try:
            source = source_of(file)
        except Refusal as refusal:
            say(f"error: {refusal.format_message()}")
            worst = Exit.USAGE
            continue
        text, said = (None, [source]) if isinstance(source, Diagnostic) else format(source, usual)
        if text is None or isinstance(source, Diagnostic) or has_errors(said):
            report(said, color)
            say(f"{shown} is left as it is")
            worst = max(worst, Exit.FINDINGS)
            continue
        text = text.replace("\n", "\r\n") if "\r\n" in source.text else text
        changed = text != source.text
        if diff:
            out(_difference(source, text))
        if check or diff:
            if changed and check:
                say(f"{shown} would change")
                worst = max(worst, Exit.FINDINGS)
        elif file == "-":
            out(text)
        elif changed:
            _replace(source, text)
            say(f"{file} is formatted")
    return worst


def _difference(source: Source, text: str) -> str:
    before, after = source.text.splitlines(keepends=True), text.splitlines(keepends=True)
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ no newline at the end\n"
        for line in difflib.unified_diff(before, after, source.name, f"{source.name} (formatted)")
    )


def _replace(source: Source, text: str) -> None:
    """Put the new text in the file's place at once, so that nobody ever finds half a file there.

    A file that has several names, or an owner that the new one cannot have, is written over instead: it stays that file.
    """
    assert source.path is not None
    path = Path(source.path)
    try:
        status = path.stat()
        if not status.st_mode & 0o222:
            raise PermissionError(EACCES, "it is read-only")
        if status.st_nlink > 1 or not _put_beside(path, text, status):
            with path.open("w", encoding="utf-8", newline="") as stream:
                stream.write(text)
    except OSError as error:
        raise Refusal(f"cannot write {source.name}: {error.strerror}") from error


def _put_beside(path: Path, text: str, status: os.stat_result) -> bool:
    """Write a new file and give it the place of the old one; False if it cannot have the same owner."""
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with open(handle, "w", encoding="utf-8", newline="") as stream:
            stream.write(text)
        os.chmod(temporary, status.st_mode & 0o7777)
        made = os.stat(temporary)
        if (made.st_uid, made.st_gid) != (status.st_uid, status.st_gid):
            return False
        os.replace(temporary, path)
        return True
    finally:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
