"""What went wrong while a topology runs, in words: from what the machine reports to a diagnostic."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from topo.diagnostic import Diagnostic
from topo.plan import Place
from topo.run import mistakes
from topo.run.acts import Report
from topo.run.events import Exited, Failed, Refused, StarterLost, Stopped, TimeOver
from topo.run.mistakes import Places
from topo.run.sight import Sight
from topo.source import Source

__all__ = ["Reports"]


class Reports:
    """Finds the words for what is reported, and the places in the texts that it is about."""

    def __init__(self, sight: Sight, sources: Mapping[str, Source] | None) -> None:
        self._sight = sight
        self._sources: Mapping[str, Source] = {}
        self.know(sources or {})

    def know(self, sources: Mapping[str, Source]) -> Mapping[str, Source]:
        """Let these be the texts that places are in, and return those that were."""
        before, self._sources = self._sources, sources
        self._places = Places(sources)
        return before

    def of(self, report: Report) -> Diagnostic:
        """The diagnostic of a report. What does not end the topology is a warning."""
        restarts = self._sight.machine.restarts
        diagnostic = mistakes.tried_enough(self._of(report), [(name, restarts[name].plan) for name in report.spent])
        return msgspec.structs.replace(diagnostic, severity="warning") if report.warning else diagnostic

    def _of(self, report: Report) -> Diagnostic:
        match report.event:
            case Failed() as failed:
                return self._failed(failed)
            case Stopped(device) as stopped:
                return mistakes.device_ended(self._places, stopped, self._sight.devices[device], self._sight.counts((device,)))
            case Refused() as refused:
                return self._refused(refused)
            case Exited(name) as exited if name in self._sight.apps:
                return mistakes.app_failed(self._places, exited, self._sight.pids.get(name, 0), self._sight.apps[name])
            case Exited(name) as exited:
                lost = [self._sight.devices[d] for d in report.names or self._sight.machine.hosts[name]]
                return mistakes.process_ended(
                    self._places, exited, self._sight.pids.get(name, 0), lost, self._sight.counts(report.names)
                )
            case TimeOver() as late:
                return self._late(late, report)
        assert isinstance(report.event, StarterLost), f"nobody reports {report.event}"
        return mistakes.starter_ended(report.names)

    def _refused(self, refused: Refused) -> Diagnostic:
        app = self._sight.apps.get(refused.name)
        place = app.place if app else self._sight.plans[refused.name].devices[0].place
        return mistakes.command_refused(self._places, refused, place, app)

    def _failed(self, failed: Failed) -> Diagnostic:
        if failed.step == "bind":
            return mistakes.bind_failed(self._places, failed, self._sight.sockets[failed.socket].binds[failed.index])
        if failed.step in ("socket", "option", "connect"):
            return mistakes.socket_refused(self._places, failed, self._sight.sockets[failed.socket])
        return mistakes.device_ended(
            self._places, failed, self._sight.devices[failed.device], self._sight.counts((failed.device,))
        )

    def _late(self, late: TimeOver, report: Report) -> Diagnostic:
        limits = self._sight.machine.limits
        if late.what in ("start", "late"):
            names = ", ".join(f"`{n}`" for n in report.names[: mistakes.SHOWN])
            return self._too_long(f"not ready within {limits.start:g} s: {names}", report.names, report)
        if late.what == "stop":
            return self._too_long(
                f"{self._who(late)} did not end within {limits.stop:g} s and is killed", self._about(late), report
            )
        return self._too_long(f"{self._who(late)} did not end {limits.kill:g} s after it was killed", self._about(late), report)

    def _about(self, late: TimeOver) -> tuple[str, ...]:
        """The devices or the app that have a place in the file."""
        return (
            (late.name,)
            if late.name in self._sight.apps
            else late.devices or tuple(d.name for d in self._sight.plans[late.name].devices)
        )

    def _who(self, late: TimeOver) -> str:
        pid = self._sight.pids.get(late.name, 0)
        return f"`{late.name}`" + (f" (process {pid})" if pid else "")

    def _too_long(self, message: str, names: tuple[str, ...], report: Report) -> Diagnostic:
        places = [self._place(name) for name in names[: mistakes.SHOWN]]
        return mistakes.took_too_long(self._places, message, places, warning=report.warning)

    def _place(self, name: str) -> Place:
        return self._sight.apps[name].place if name in self._sight.apps else self._sight.devices[name].place
