"""Whether a JSON value has the shape that a schema asks for, and what is wrong with it, at its place.

The schema is the one that the package ships, `grammar/topology.schema.json`. A validator from elsewhere would say where in
the value a mistake is, not where in the text, and stumble at its `oneOf`. What is understood is the part of JSON Schema that
the schema needs; a keyword beyond that is an error when the schema is read. The tests hold it against a validator from elsewhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

from topo.diagnostic import Diagnostic
from topo.source import Span
from topo.syntax import mistakes
from topo.syntax.grammar import text
from topo.syntax.json_text import Json

__all__ = ["SCHEMA", "mistakes_of", "unread"]

SCHEMA = "topology.schema.json"
"""The file, in `grammar/`."""
LONGEST = 60
"""The most characters of a value that a message shows."""

TYPES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "object": ("an object", lambda v: isinstance(v, dict)),
    "array": ("a list", lambda v: isinstance(v, list)),
    "string": ("a text", lambda v: isinstance(v, str)),
    "boolean": ("true or false", lambda v: isinstance(v, bool)),
    "integer": ("a whole number", lambda v: isinstance(v, int) and not isinstance(v, bool)),
    "number": ("a number", lambda v: isinstance(v, int | float) and not isinstance(v, bool)),
    "null": ("null", lambda v: v is None),
}
"""What the types of JSON are called here, and which values have them."""

Schema = Mapping[str, Any]


def mistakes_of(value: Json) -> Iterator[Diagnostic]:
    """What keeps a value from having the shape of a topology."""
    yield from _check(_schema(), value, "the document")


@cache
def unread() -> frozenset[str]:
    """The keys whose values are written, and not read."""
    schema = _schema()
    objects = (schema, *schema["$defs"].values())
    refs = {f"#/$defs/{name}" for name, each in schema["$defs"].items() if each.get("readOnly")}
    return frozenset(key for each in objects for key, value in each.get("properties", {}).items() if value.get("$ref") in refs)


@cache
def _schema() -> Schema:
    schema: Schema = json.loads(text(SCHEMA))
    _known(schema)
    return schema


def _known(schema: Schema) -> None:
    """See to it that nothing in the schema is passed over."""
    unknown = set(schema) - KEYWORDS.keys() - SILENT
    assert not unknown, f"{SCHEMA} says {unknown}, which is not understood here"
    inner = [*schema.get("properties", {}).values(), *schema.get("$defs", {}).values(), *schema.get("oneOf", ())]
    for each in [*inner, *([schema["items"]] if "items" in schema else ())]:
        _known(each)


def _check(schema: Schema, value: Json, what: str) -> Iterator[Diagnostic]:
    """What is wrong with a value; `what` is what messages call it."""
    if "$ref" in schema:
        schema = _schema()["$defs"][schema["$ref"].rpartition("/")[2]]
    for keyword, argument in schema.items():
        ask = KEYWORDS.get(keyword)
        found = list(ask(argument, value, what, schema)) if ask else []
        yield from found
        if found and keyword in ("type", "enum", "const"):
            return  # what else is wrong with it only follows from that


Answer = Iterator[Diagnostic]


def _type(wanted: str | list[str], value: Json, what: str, schema: Schema) -> Answer:
    names = [wanted] if isinstance(wanted, str) else wanted
    if not any(TYPES[name][1](value.value) for name in names):
        right = " or ".join(TYPES[name][0] for name in names if name != "null" or len(names) == 1)
        yield mistakes.wrong_shape(_narrow(value), f"{what} is {right}, not {_kind(value)}")


def _enum(wanted: list[Any], value: Json, what: str, schema: Schema) -> Answer:
    if not any(_same(value.value, one) for one in wanted):
        known = [one for one in wanted if one is not None]
        right = " or ".join(f"`{one}`" for one in known)
        yield mistakes.wrong_shape(_narrow(value), f"{what} is {right}, not {_shown(value)}", _text_of(value), map(str, known))


def _const(wanted: Any, value: Json, what: str, schema: Schema) -> Answer:
    yield from _enum([wanted], value, what, schema)


def _pattern(wanted: str, value: Json, what: str, schema: Schema) -> Answer:
    if isinstance(value.value, str) and not _compiled(wanted).search(value.value):
        yield mistakes.wrong_shape(value.span, f"{_shown(value)} is not {schema['title']}")


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\$$", r"\\Z", pattern))  # elsewhere `$` is the very end


def _minimum(wanted: int, value: Json, what: str, schema: Schema) -> Answer:
    if TYPES["number"][1](value.value) and value.value < wanted:  # type: ignore[operator]  # a number, as was asked
        yield mistakes.wrong_shape(value.span, f"{what} is {wanted:,} or more, not {_shown(value)}")


def _maximum(wanted: int, value: Json, what: str, schema: Schema) -> Answer:
    if TYPES["number"][1](value.value) and value.value > wanted:  # type: ignore[operator]  # a number, as was asked
        yield mistakes.wrong_shape(value.span, f"{what} is {wanted:,} or less, not {_shown(value)}")


def _min_items(wanted: int, value: Json, what: str, schema: Schema) -> Answer:
    if isinstance(value.value, list) and len(value.value) < wanted:
        yield mistakes.wrong_shape(value.span, f"{what} is empty")


def _items(wanted: Schema, value: Json, what: str, schema: Schema) -> Answer:
    for item in value.value if isinstance(value.value, list) else ():
        yield from _check(wanted, item, f"what stands in {what}")


def _properties(wanted: Mapping[str, Schema], value: Json, what: str, schema: Schema) -> Answer:
    for key, member in value.value.items() if isinstance(value.value, dict) else ():
        if key in wanted:
            yield from _check(wanted[key], member.json, f"`{key}`")


def _required(wanted: list[str], value: Json, what: str, schema: Schema) -> Answer:
    for key in wanted:
        if isinstance(value.value, dict) and key not in value.value:
            yield mistakes.wrong_shape(_narrow(value), f"`{key}` is missing here")


def _additional(wanted: bool, value: Json, what: str, schema: Schema) -> Answer:
    known = schema.get("properties", {})
    for key, member in value.value.items() if isinstance(value.value, dict) else ():
        if key not in known:
            yield mistakes.wrong_shape(member.key, f"there is no key `{_cut(key)}` here", key, known)


def _one_of(wanted: list[Schema], value: Json, what: str, schema: Schema) -> Answer:
    """One must be right. Which is meant, a key says whose values are known, or the keys that it must have."""
    keys = value.value if isinstance(value.value, dict) else {}
    tag = next((key for key, each in wanted[0].get("properties", {}).items() if "enum" in each), "")
    if tag in keys:
        tags = {v: each for each in wanted for v in each["properties"][tag]["enum"]}
        said = list(_enum(list(tags), keys[tag].json, f"`{tag}`", schema))
        yield from said or _check(tags[keys[tag].json.value], value, what)
    elif not any(not any(_check(each, value, what)) for each in wanted):
        fitting = [each for each in wanted if all(key in keys for key in each.get("required", ()))]
        yield from _check((fitting or wanted)[0], value, what)


def _same(value: Any, wanted: Any) -> bool:
    return type(value) is type(wanted) and bool(value == wanted)


def _narrow(value: Json) -> Span:
    """Of a list or an object only its beginning: the rest would hide it."""
    span = value.span
    return Span(span.source, span.start, span.start + 1) if isinstance(value.value, list | dict) else span


def _text_of(value: Json) -> str:
    return value.value if isinstance(value.value, str) else ""


def _kind(value: Json) -> str:
    number = isinstance(value.value, float)
    return "a number with a fraction" if number else next(name for name, has in TYPES.values() if has(value.value))


def _shown(value: Json) -> str:
    return f"`{_cut(value.span.text)}`" if not isinstance(value.value, list | dict) else _kind(value)


def _cut(shown: str) -> str:
    return shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 3]}..."


KEYWORDS: dict[str, Callable[[Any, Json, str, Schema], Answer] | None] = {
    "$ref": None,
    "type": _type,
    "enum": _enum,
    "const": _const,
    "pattern": _pattern,
    "minimum": _minimum,
    "maximum": _maximum,
    "minItems": _min_items,
    "items": _items,
    "required": _required,
    "additionalProperties": _additional,
    "properties": _properties,
    "oneOf": _one_of,
}
"""What each keyword asks of a value."""
SILENT = {"$schema", "$defs", "title", "description", "readOnly"}
"""Keywords that ask nothing of a value."""
