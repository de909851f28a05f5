"""Copies of messages as lines for people: of long parts the beginning, and how long they are; as JSON all of them."""

from __future__ import annotations

import json

import pytest

from topo.render import Style, tap_jsonl, tap_text
from topo.text import width

LONG = bytes(range(128, 256)) * 1000


def line(*parts: bytes, most: int = 64, cells: int | None = None, how: str = "auto") -> str:
    return tap_text.render(0.5, "broker", "in", parts, how, Style(), most, cells).partition(" ")[2]


def test_short_parts_are_shown_as_they_are() -> None:
    assert line(b"\x00\x6b", b"", b"question") == 'broker.in 3 parts 10 B: 006b | "" | question'


@pytest.mark.parametrize(
    ("data", "beginning"),
    [(LONG, "80818283"), ("ä".encode() * 50_000, "ääää"), (json.dumps([[17] * 9999]).encode(), "[[17")],
)
def test_a_long_part_is_its_beginning_and_how_long_it_is(data: bytes, beginning: str) -> None:
    assert line(data, most=4) == f"broker.in 1 part {len(data):,} B: {beginning}… ({len(data):,} B)"


def test_a_part_of_just_so_many_bytes_is_whole() -> None:
    assert line(b"x" * 64).endswith(" " + "x" * 64)
    assert line(LONG[:64]).endswith(" " + LONG[:64].hex())


@pytest.mark.parametrize("cells", [80, 120, 300])
@pytest.mark.parametrize(
    "parts", [(LONG,), (b"\x00\x6b\x8b\x45\x67", b"", LONG), (b"id", "世界".encode() * 99, LONG), (LONG,) * 500]
)
def test_on_a_terminal_a_line_takes_one_line(parts: tuple[bytes, ...], cells: int) -> None:
    shown = tap_text.render(0.5, "broker", "in", parts, "auto", Style(), 64, cells)
    assert width(shown) <= cells
    assert len(parts) < 500 or width(shown) > cells - 35, "and uses it"


def test_short_parts_leave_their_room_to_long_ones() -> None:
    assert line(b"topic", b"x" * 200, cells=100).startswith("broker.in 2 parts 205 B: topic | xxxxxxxxxxxxxxxxxxxxxxxxxxxx")


def test_of_very_many_parts_the_last_are_counted() -> None:
    assert line(*[b"payload of a part"] * 90, cells=80).endswith(" more")


def test_as_json_all_of_it_is_there() -> None:
    document = json.loads(tap_jsonl.render(0.5, "broker", "in", [LONG], "auto", Style(), 64, 80))
    assert document["parts"] == [{"hex": LONG.hex()}]
