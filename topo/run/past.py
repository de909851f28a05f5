"""What is known of topologies that do not run any more, from the logs that they have left."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from topo.run.log import home_of_logs, log_of, pieces

__all__ = ["Past", "latest", "left_by", "started_from"]

BEGUN = b'"event":"begun"'
"""What is in the first record of each run, and in no other: in a text there would be a backslash before each quote."""
GRAVE = (b'"event":"finding"', b'"event":"phase"')
"""What is in those that tell how it ended."""


class Past(msgspec.Struct, frozen=True):
    """The last run of a topology, as its log has it."""

    log: Path
    name: str
    file: str
    when: str
    """When it failed, or else the time of its last record, as in RFC 3339."""
    failure: str = ""
    """What went wrong first, if anything did."""
    ended: bool = True
    """Whether it has come to its end; if not, ztopo itself was killed."""

    @property
    def trouble(self) -> str:
        """Why it does not run any more, if that is not because somebody wanted it to stop; to be read behind its name."""
        if self.failure:
            return f"failed {self._at}: {self.failure} (see `ztopo logs {self.name}`)"
        return "" if self.ended else f"was killed {self._at} or later: its log just ends (see `ztopo logs {self.name}`)"

    @property
    def _at(self) -> str:
        """The time of this place, with the day if that is not today."""
        when = datetime.fromisoformat(self.when).astimezone()
        day = "" if when.date() == datetime.now().astimezone().date() else f"on {when.date()} "
        return f"{day}at {when.time().isoformat('seconds')}"


def left_by(name: str, environment: Mapping[str, str] = os.environ) -> Past | None:
    """The last run of the topology of that name; None if there is no log of it."""
    log = log_of(name, environment)
    return _read(log) if log is not None else None


def latest(environment: Mapping[str, str] = os.environ) -> Past | None:
    """The last run of the topology whose log was written last."""
    logs = sorted(_logs(environment), key=lambda log: log.stat().st_mtime, reverse=True)
    return next((past for log in logs if (past := _read(log)) is not None), None)


def started_from(file: str, environment: Mapping[str, str] = os.environ) -> Past | None:
    """The last run that was started from a file which may be gone by now."""
    path = os.path.abspath(file)
    found = [past for log in _logs(environment) if (past := _read(log)) is not None and past.file == path]
    return max(found, key=lambda past: past.when, default=None)


def _logs(environment: Mapping[str, str]) -> list[Path]:
    home = home_of_logs(environment)
    return [*home.glob("*/log.jsonl")] if home is not None else []


def _read(log: Path) -> Past | None:
    """The last run in a log, or what is left of it; None if there is nothing in it."""
    data = b""
    for piece in reversed(pieces(log)):
        with suppress(FileNotFoundError):  # it was given another name in between
            data = piece.read_bytes() + data
        if BEGUN in data:
            break
    begun = data.rfind(BEGUN)
    return _past(log, data[data.rfind(b"\n", 0, max(0, begun)) + 1 :].splitlines())


def _past(log: Path, lines: list[bytes]) -> Past | None:
    first, last = next(_records(lines), None), next(_records(reversed(lines)), None)
    if first is None or last is None:
        return None
    telling = list(_records(line for line in lines if any(mark in line for mark in GRAVE)))
    failures = [r for r in telling if r["event"] == "finding" and r["level"] == "error"]
    failure = failures[0] if failures else None
    return Past(
        log=log,
        name=first["topology"],
        file=first.get("data", {}).get("file", ""),
        when=(failure or last)["time"],
        failure=failure["message"] if failure else "",
        ended=any(r["event"] == "phase" and r["data"]["phase"] == "ended" for r in telling),
    )


def _records(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """The records in lines; half a line of one who was killed is none."""
    for line in lines:
        with suppress(ValueError):
            yield json.loads(line)
