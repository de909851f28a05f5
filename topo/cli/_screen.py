"""What `ztopo top` shows live: a table that scrolls, sorted and filtered by keys.

`View` is what the user has chosen, `pressed` what a key makes of it, `frame` the lines on the screen: all without a terminal.
`show` is the terminal's part, by curses of the standard library, which leaves it as it was however this ends.
"""

from __future__ import annotations

import curses
import locale
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import msgspec
from msgspec.structs import replace

from topo.board import COLUMNS, Group, fitting, groups, head, line, ordered, summary
from topo.cli import Refusal
from topo.text import ago, width
from topo.watch import Rates, only

__all__ = ["View", "frame", "pressed", "show"]

HELP = "q quit  < > sort  r reverse  / filter  p pause  arrows, PgUp, PgDn scroll"
ESCAPE, BACKSPACE, ENTER = "\x1b", ("\x7f", "\b", "KEY_BACKSPACE"), ("\n", "\r", "KEY_ENTER")
SORTS = (None, *(column.key for column in COLUMNS))


class View(msgspec.Struct, frozen=True):
    """What the user has chosen to see."""

    sort: str | None = None
    reverse: bool = False
    only: str = ""
    first: int = 0
    """The line of the table that stands at the top."""
    paused: bool = False
    typing: bool = False
    """Whether keys go to the filter."""


def pressed(view: View, key: str, page: int) -> View | None:
    """What a key makes of the view; None to end. `page` is how many lines there are to see."""
    if view.typing:
        return _typed(view, key)
    if key in ("q", "Q"):
        return None
    if key in (">", "<", "KEY_RIGHT", "KEY_LEFT"):
        step = 1 if key in (">", "KEY_RIGHT") else -1
        return replace(view, sort=SORTS[(SORTS.index(view.sort) + step) % len(SORTS)], first=0)
    moves = {"KEY_DOWN": 1, "j": 1, "KEY_UP": -1, "k": -1, "KEY_NPAGE": page, " ": page, "KEY_PPAGE": -page, "KEY_END": 10**9}
    if key in moves:
        return replace(view, first=max(0, view.first + moves[key]))
    changes: dict[str, View] = {
        "KEY_HOME": replace(view, first=0),
        "r": replace(view, reverse=not view.reverse, first=0),
        "p": replace(view, paused=not view.paused),
        "/": replace(view, typing=True),
        ESCAPE: replace(view, only="", first=0),
    }
    return changes.get(key, view)


def _typed(view: View, key: str) -> View:
    if key in ENTER:
        return replace(view, typing=False)
    if key == ESCAPE:
        return replace(view, typing=False, only="")
    if key in BACKSPACE:
        return replace(view, only=view.only[:-1], first=0)
    return replace(view, only=view.only + key, first=0) if len(key) == 1 and key.isprintable() else view


def frame(rates: Rates, view: View, cells: int, height: int) -> tuple[list[str], View]:
    """The lines of the screen, and the view, scrolled no further than there is something to see."""
    shown = only(rates, f"*{view.only}*" if view.only and "*" not in view.only else view.only)
    found = ordered(groups(shown), view.sort, view.reverse)
    columns = fitting(found, cells)
    rows = [row for group in found for row in group.rows]
    room = max(0, height - 4)
    view = replace(view, first=min(view.first, max(0, len(rows) - room)))
    lines = [
        summary(rates, ago(max(0.0, time.time() - rates.started))),
        _choices(view, found, len(rows), room),
        head(columns),
        *(line(row, columns) for row in rows[view.first : view.first + room]),
    ]
    lines += [""] * (height - 1 - len(lines))
    lines.append(f"filter: {view.only}" if view.typing else HELP)
    return [_begin(text, cells) for text in lines[:height]], view


def _begin(text: str, cells: int) -> str:
    """As much of a text as has room."""
    while width(text) > cells:
        text = text[:-1]
    return text


def _choices(view: View, found: list[Group], rows: int, room: int) -> str:
    """What the user has chosen, in a line."""
    parts = [f"sorted by {view.sort}" if view.sort else "in the order of the file"]
    parts += ["reversed"] if view.reverse else []
    parts += [f"only {view.only}"] if view.only else []
    parts += [f"lines {view.first + 1} to {min(view.first + room, rows)} of {rows}"] if rows > room else []
    parts += ["paused"] if view.paused else []
    return ", ".join(parts)


# The terminal


class Ended(BaseException):
    """A signal wants it to end. Not an error that anybody else may catch."""


@contextmanager
def _ending_by_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the block in order, so that the terminal is given back."""

    def end(number: int, frame: object) -> None:
        raise Ended(number)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def show(look: Callable[[], Rates], view: View, interval: float) -> None:
    """Show what `look` finds, again every `interval` seconds, until the user has seen enough."""
    locale.setlocale(locale.LC_ALL, "")
    os.environ.setdefault("ESCDELAY", "25")
    try:
        curses.setupterm()
    except curses.error as error:
        term = os.environ.get("TERM", "")
        raise Refusal(f"a terminal of the type {term!r} is not known here; `ztopo top --once` prints one table") from error
    first = look()  # whatever goes wrong with it is said before there is a screen
    with suppress(KeyboardInterrupt, Ended), _ending_by_signals():
        curses.wrapper(lambda window: Screen(window, look, first, view, interval).run())


class Screen:
    """The terminal, while it is shown there."""

    def __init__(self, window: curses.window, look: Callable[[], Rates], first: Rates, view: View, interval: float) -> None:
        self._window = window
        self._look = look
        self._rates = first
        self._view = view
        self._interval = interval
        with suppress(curses.error):  # a terminal that cannot
            curses.curs_set(0)
        window.timeout(0)

    def run(self) -> None:
        """Draw, hear keys, look again; until a key ends it."""
        due = time.monotonic() + self._interval
        while True:
            self._draw()
            left = due - time.monotonic()
            if left <= 0:
                if not self._view.paused:
                    self._rates = self._look()
                due = time.monotonic() + self._interval  # however long that took, keys are heard before the next one
                continue
            self._window.timeout(int(1000 * left) + 1)
            key = self._key()
            if key is not None:
                view = pressed(self._view, key, max(1, self._window.getmaxyx()[0] - 4))
                if view is None:
                    return
                self._view = view

    def _key(self) -> str | None:
        try:
            key = self._window.get_wch()
        except curses.error:
            return None  # none came, or the window has another size now
        return key if isinstance(key, str) else curses.keyname(key).decode("ascii")

    def _draw(self) -> None:
        height, width = self._window.getmaxyx()
        lines, self._view = frame(self._rates, self._view, width, height)
        self._window.erase()
        for number, text in enumerate(lines):
            looks = (
                curses.A_BOLD
                if number == 0
                else curses.A_REVERSE
                if number == 2
                else curses.A_DIM
                if number in (1, height - 1)
                else 0
            )
            with suppress(curses.error):  # the last cell cannot be written without scrolling
                self._window.addstr(number, 0, text.ljust(width) if number == 2 else text, looks)
        self._window.refresh()
