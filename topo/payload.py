"""What the parts of a message are, for people to read: text, JSON, MessagePack, or bytes that are nothing of the kind."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable
from typing import Any, Literal

import msgspec

__all__ = ["HOWS", "Part", "read_part", "shown"]

Kind = Literal["text", "hex", "json", "msgpack"]

DEEPEST = 100
"""So many levels of lists and maps are looked into."""


class Part(msgspec.Struct, frozen=True):
    """A part as it was understood. The value is a text for `text` and `hex`, else what JSON can say."""

    kind: Kind
    value: Any  # whatever the sender has written


def read_part(data: bytes, how: str) -> Part:
    """A part, read as `how` says; what cannot be read so is text, or hexadecimal if it is none."""
    for reader in HOWS[how]:
        part = reader(data)
        if part is not None:
            return part
    return Part("hex", data.hex())


def shown(part: Part) -> str:
    """A part in a line of text."""
    if part.kind in ("text", "hex"):
        return str(part.value)
    return json.dumps(part.value, ensure_ascii=False, separators=(",", ":"))


def _text(data: bytes) -> Part | None:
    try:
        return Part("text", data.decode("utf-8"))
    except UnicodeDecodeError:
        return None


def _readable(data: bytes) -> Part | None:
    """As text, if all of it can be printed."""
    part = _text(data)
    if part is None or not all(character.isprintable() or character in "\t\r\n" for character in part.value):
        return None
    return part


def _json(data: bytes) -> Part | None:
    return _valued("json", lambda: msgspec.json.decode(data))


def _json_structure(data: bytes) -> Part | None:
    """As JSON, if it is more than a number or a word, which is text as well."""
    return _json(data) if data[:1] in b"{[" and data else None


def _msgpack(data: bytes) -> Part | None:
    return _valued("msgpack", lambda: msgspec.msgpack.decode(data, ext_hook=_extension))


def _msgpack_structure(data: bytes) -> Part | None:
    """As MessagePack, if it is a list or a map: any single byte is a number in it."""
    part = _msgpack(data)
    return part if part is not None and isinstance(part.value, dict | list) else None


def _valued(kind: Kind, decode: Callable[[], Any]) -> Part | None:
    try:
        return Part(kind, _plain(decode(), DEEPEST))
    except (msgspec.DecodeError, RecursionError, TypeError, ValueError):
        return None


def _extension(code: int, data: memoryview) -> dict[str, object]:
    return {"extension": code, "hex": bytes(data).hex()}


def _plain(value: Any, depth: int) -> Any:
    """A value as JSON can say it: bytes as text where they are text, else in base64; keys as texts."""
    if depth == 0:
        raise RecursionError("too deep")
    if isinstance(value, dict):
        return {
            k if isinstance(k, str) else shown(Part("json", _plain(k, depth - 1))): _plain(v, depth - 1) for k, v in value.items()
        }
    if isinstance(value, list | tuple):
        return [_plain(item, depth - 1) for item in value]
    if isinstance(value, bytes):
        part = _readable(value)
        return part.value if part is not None else base64.b64encode(value).decode("ascii")
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, str | int | float) else str(value)


HOWS: dict[str, tuple[Callable[[bytes], Part | None], ...]] = {
    "auto": (_json_structure, _readable, _msgpack_structure),
    "text": (_text,),
    "hex": (),
    "json": (_json, _text),
    "msgpack": (_msgpack, _text),
}
"""In which ways a part is read, the first that succeeds."""
