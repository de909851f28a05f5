"""Parts of messages as people read them: whatever the bytes, there is something to show, and JSON can say it."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from topo.cli.tap import HOWS as NAMES
from topo.payload import HOWS, Part, read_part, shown

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(-(2**63), 2**63) | st.binary(), inner),
)


@pytest.mark.parametrize("how", HOWS)
@given(data=st.binary() | values.map(msgspec.msgpack.encode) | st.text().map(str.encode))
def test_any_bytes_can_be_shown(how: str, data: bytes) -> None:
    part = read_part(data, how)
    assert isinstance(shown(part), str)
    json.loads(json.dumps({part.kind: part.value}, allow_nan=False))
    if part.kind == "hex":
        assert bytes.fromhex(part.value) == data
    if part.kind == "text":
        assert part.value.encode() == data


@given(value=values)
def test_what_is_messagepack_is_read_as_that(value: object) -> None:
    part = read_part(msgspec.msgpack.encode(value), "msgpack")
    assert part.kind == "msgpack"


@pytest.mark.parametrize(
    ("data", "how", "part"),
    [
        (b"hello", "auto", Part("text", "hello")),
        (b"", "auto", Part("text", "")),
        ("Grüße".encode(), "auto", Part("text", "Grüße")),
        (b'{"a": [1, null]}', "auto", Part("json", {"a": [1, None]})),
        (b"{not json}", "auto", Part("text", "{not json}")),
        (b"17", "auto", Part("text", "17")),
        (b"17", "json", Part("json", 17)),
        (b"\x81\xa1a\xc4\x01b", "auto", Part("msgpack", {"a": "b"})),
        (b"\x81\xa1a\xc4\x01\xff", "auto", Part("msgpack", {"a": "/w=="})),
        (b"\x81\x01\x02", "auto", Part("msgpack", {"1": 2})),
        (b"\x00\x80\x00\x41\xa7", "auto", Part("hex", "00800041a7")),
        (b"\x07", "auto", Part("hex", "07")),
        (b"\x07", "msgpack", Part("msgpack", 7)),
        (b"\xd4\x05\x01", "msgpack", Part("msgpack", {"extension": 5, "hex": "01"})),
        (b"hello", "hex", Part("hex", "68656c6c6f")),
        (b"\xff", "text", Part("hex", "ff")),
        (b"no", "json", Part("text", "no")),
        (b"\x91" * 5000 + b"\xc0", "auto", Part("hex", "91" * 5000 + "c0")),
        (b"[" * 5000, "auto", Part("text", "[" * 5000)),
    ],
)
def test_how_parts_are_read(data: bytes, how: str, part: Part) -> None:
    assert read_part(data, how) == part


def test_the_ways_to_read_are_those_that_the_command_offers() -> None:
    assert tuple(HOWS) == NAMES
