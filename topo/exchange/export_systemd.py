"""From a topology to a unit of systemd that runs it: `system` for the service manager of the host, `user` for that of a user.

The unit starts the `ztopo` that has written it, on the file where that lies now. systemd hears from ztopo when everything is ready
and that it is still alive; `systemctl reload` has the file read again, and an invalid file is not started over and over.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from topo.diagnostic import Diagnostic
from topo.exchange import _mistakes as mistakes
from topo.graph import Graph

__all__ = ["FORMATS", "write"]

FORMATS = ("system", "user")
WATCHDOG = 30
"""Seconds without a sign of life after which systemd ends and restarts it."""
START, STOP = 60, 60
"""Seconds that a start and a stop may take: somewhat more than ztopo itself gives them."""
INVALID = 78
"""What `ztopo up` ends with if the file is invalid, or the host does not have what it wants: another start would do no better."""

UNIT = """\
# {name}.service: the topology {name}, as `ztopo export systemd` has written it.
#
#     {install}
#     {control} enable --now {name}
#
# {ask}
[Unit]
Description=ZeroMQ topology {name}
Documentation=file://{uri}
{after}
[Service]
Type=notify
ExecStart={start}
ExecReload=/bin/kill -HUP $MAINPID
WorkingDirectory={folder}
{folders}KillMode=mixed
TimeoutStartSec={start_time}
TimeoutStopSec={stop_time}
WatchdogSec={watchdog}
Restart=on-failure
RestartPreventExitStatus={invalid}

[Install]
WantedBy={target}
"""


SYSTEM_ASK = "`XDG_RUNTIME_DIR=/run/ztopo/{name} ztopo status` says how it is: its folders are not those of a user."
FOLDERS = """\
RuntimeDirectory=ztopo/{name}
RuntimeDirectoryMode=0700
StateDirectory=ztopo/{name}
"""
"""Where it has its socket and its log: see RUNTIME_DIRECTORY and STATE_DIRECTORY."""


def write(graph: Graph, format: str, params: Mapping[str, str] | None = None) -> tuple[str | None, list[Diagnostic]]:
    """The unit, and nothing for what systemd cannot run. `params` are those that were set from outside."""
    source = graph.model.span.source
    if source.path is None:
        return None, [mistakes.no_service(graph.model.span, f"`{graph.model.name}` has no file that systemd could start")]
    inside = next((app for app in graph.model.apps if app.inside), None)
    if inside is not None:
        message = f"`{inside.name}` runs inside an application, which systemd has to start instead"
        return None, [mistakes.no_service(inside.run_span or inside.span, message)]
    settings = (f"--set={name}={value}" for name, value in (params or {}).items())
    return _unit(graph.model.name, os.path.abspath(source.path), format == "system", tuple(settings)), []


def _unit(name: str, file: str, system: bool, settings: tuple[str, ...]) -> str:
    start = (*_command(), "up", *settings, file)
    return UNIT.format(
        name=name,
        install=f"install -m 644 {name}.service {'/etc/systemd/system' if system else '~/.config/systemd/user'}/",
        control="systemctl" if system else "systemctl --user",
        ask=SYSTEM_ASK.format(name=name) if system else f"`ztopo status {name}` says how it is.",
        uri=_escaped(quote(file)),
        after="Wants=network-online.target\nAfter=network-online.target\n" if system else "",
        start=" ".join(map(_quoted, start)),
        folder=_escaped(os.path.dirname(file)),
        folders=FOLDERS.format(name=name) if system else "",
        start_time=START,
        stop_time=STOP,
        watchdog=WATCHDOG,
        invalid=INVALID,
        target="multi-user.target" if system else "default.target",
    )


def _command() -> tuple[str, ...]:
    """How to call the program that runs here: the script beside the Python that runs it, if there is one."""
    script = Path(sys.executable).with_name("ztopo")
    return (str(script),) if script.is_file() else (sys.executable, "-P", "-m", "topo")


def _quoted(word: str) -> str:
    """A word of a command, as systemd reads it: quotes, backslashes, `%` and `$` mean something there."""
    text = _escaped(word).replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return text if re.fullmatch(r"[\w./:@=+-]+", text, re.ASCII) else f'"{text}"'


def _escaped(text: str) -> str:
    """A text in which `%` means nothing."""
    return text.replace("%", "%%")
