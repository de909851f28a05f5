"""The whole of ztopo on one page: text -> tree -> model -> graph -> checks -> plan.

Each arrow is one function from one noun to the next; what it has to say it returns beside what it made. What comes after
the plan, running and watching, is in `topo/run/`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from errno import EISDIR
from pathlib import Path

import msgspec

from topo import allow, check, collector, plan
from topo.allow import Allow
from topo.diagnostic import Diagnostic, has_errors, in_order
from topo.graph import Graph
from topo.host import Host
from topo.model import Model
from topo.plan import Plan
from topo.resolve import resolve
from topo.source import Places, Source
from topo.syntax import tree
from topo.syntax.mistakes import not_a_text
from topo.syntax.parse import parse
from topo.timing import Watch, unwatched
from topo.zeromq.libzmq import Libzmq, at_hand

__all__ = ["LARGEST_FILE", "Compilation", "compile", "compile_tree", "judge_host", "make_plan", "read", "tree_of"]

LARGEST_FILE = 32 * 1024 * 1024
"""The largest file that is looked at, in bytes."""


Reader = Callable[[Path, str], "Source | Diagnostic"]
"""Reads a file, to be shown under the name given. Raises OSError if it cannot be read."""


class Compilation(msgspec.Struct, frozen=True):
    """What became of a text: everything that could be made of it, and everything that there is to say."""

    source: Source
    diagnostics: tuple[Diagnostic, ...]
    tree: tree.File
    model: Model
    graph: Graph
    silenced: tuple[Diagnostic, ...] = ()
    """What the text allows, with its reasons."""
    allows: tuple[Allow, ...] = ()
    """What the text allows beyond that: findings about the host, which is not asked here."""

    @property
    def valid(self) -> bool:
        """Whether it may be started."""
        return not has_errors(self.diagnostics)


def compile(
    source: Source,
    params: Mapping[str, object] | None = None,
    libzmq: Libzmq | None = None,
    *,
    fragment: bool = False,
    reader: Reader | None = None,
    watch: Watch = unwatched,
) -> Compilation:
    """Everything that can be said about a text before launch.

    `params` are set from outside, as texts or Python values. `libzmq` is the one to judge by, pyzmq's if None. A
    `fragment` need not begin with the version of the language. `reader` reads the files that are used as modules, `read` if
    None. `watch` sees how long each part takes. Nothing is raised for what is wrong with the text.
    """
    with collector.paused():
        with watch("parse"):
            file, said = tree_of(source, fragment=fragment)
        return compile_tree(file, params, libzmq, said, reader, watch)


def tree_of(source: Source, *, fragment: bool = False) -> tuple[tree.File, list[Diagnostic]]:
    """What a text says, be it in ztopo or in JSON, and what is wrong with it."""
    if source.is_json:
        from topo.syntax import json_reader  # which is not needed for most

        return json_reader.read(source)
    return parse(source, fragment=fragment)


def compile_tree(
    file: tree.File,
    params: Mapping[str, object] | None = None,
    libzmq: Libzmq | None = None,
    said: list[Diagnostic] | None = None,
    reader: Reader | None = None,
    watch: Watch = unwatched,
) -> Compilation:
    """The same from a tree, for whoever has made one without a text."""
    modules = Modules(reader or _read_module)
    with collector.paused():
        with watch("resolve, and read the modules"):
            model, named = resolve(file, params, modules)
        with watch("find the links"):
            graph = Graph(model)
        found = check.run(graph, libzmq or at_hand(), watch)
        with watch("put the findings in order"):
            return _compilation(file, [*(said or ()), *modules.said, *named], found, model, graph, modules.files)


def _compilation(
    file: tree.File, before: list[Diagnostic], found: list[Diagnostic], model: Model, graph: Graph, modules: list[tree.File]
) -> Compilation:
    """What is said in the end, in order: `before` of the text itself, and of what was `found` in it what is not allowed."""
    allows = [a for f in (file, *modules) for a in allow.find(f)]
    doubtful = Places(model.doubtful)
    judged = allow.silence([*_first_of_each(d for d in found if not _follows_from(d, doubtful))], allows)
    useless = () if has_errors(before) else allow.useless(judged.unused)  # what is wrong may hide what is allowed
    diagnostics = in_order([*before, *judged.said, *allow.unreadable(allows), *useless])
    return Compilation(
        file.source, tuple(map(_without_edits, diagnostics)), file, model, graph, tuple(judged.silenced), tuple(judged.unused)
    )


def judge_host(
    compilation: Compilation, host: Host, libzmq: Libzmq | None = None, watch: Watch = unwatched
) -> tuple[Diagnostic, ...]:
    """Everything that there is to say of a host that the topology is to run on."""
    found = check.run_host(compilation.graph, libzmq or at_hand(), host, watch)
    doubtful = Places(compilation.graph.model.doubtful)
    judged = allow.silence([*_first_of_each(d for d in found if not _follows_from(d, doubtful))], compilation.allows)
    useless = allow.useless(judged.unused, host=True) if compilation.valid else ()
    return tuple(map(_without_edits, in_order([*judged.said, *useless])))


def make_plan(compilation: Compilation) -> Plan:
    """What is to run. Only a valid compilation has a plan."""
    assert compilation.valid, "the caller looks at the diagnostics first"
    return plan.make(compilation.graph)


def read(path: Path, name: str | None = None) -> Source | Diagnostic:
    """The text of a file, or why it is none.

    Raises OSError if the file cannot be read.
    """
    shown = name or str(path)
    with path.open("rb") as stream:
        data = stream.read(LARGEST_FILE + 1)
    return text_of(data, shown, path.resolve())


def _read_module(path: Path, name: str) -> Source | Diagnostic:
    """The text of a module, which is a file: nobody waits for a pipe that a text names."""
    if path.exists() and not path.is_file():
        raise IsADirectoryError(EISDIR, "it is a folder or a device")
    return read(path, name)


def text_of(data: bytes, name: str, path: Path | None) -> Source | Diagnostic:
    """The source that bytes are, or why they are none."""
    if len(data) > LARGEST_FILE:
        return not_a_text(name, f"is larger than {LARGEST_FILE // 1024 // 1024} MiB: it is not looked at")
    if b"\0" in data:
        return not_a_text(name, "is not a text: it has NUL characters")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return not_a_text(name, f"is not UTF-8: byte {data[error.start]:#04x} in line {line}")
    return Source(text, name, path)


class Modules:
    """Reads the files that a topology uses as modules, each once. `said` is what is wrong with their texts."""

    def __init__(self, reader: Reader) -> None:
        self.said: list[Diagnostic] = []
        self._reader = reader
        self._files: dict[Path, tree.File | str] = {}

    @property
    def files(self) -> list[tree.File]:
        """The trees of those that could be read."""
        return [file for file in self._files.values() if isinstance(file, tree.File)]

    def __call__(self, path: Path) -> tree.File | str:
        """The tree of a file, or why there is none."""
        if path not in self._files:
            self._files[path] = self._read(path)
        return self._files[path]

    def _read(self, path: Path) -> tree.File | str:
        try:
            source = self._reader(path, os.path.relpath(path))
        except (OSError, ValueError) as error:
            return f"{path.name} cannot be read: {error.strerror if isinstance(error, OSError) else error}"
        if isinstance(source, Diagnostic):
            return source.message
        file, said = tree_of(source)
        self.said.extend(said)
        return file


def _without_edits(diagnostic: Diagnostic) -> Diagnostic:
    """The fix of a program, or of JSON, as a note: its edits are in ztopo's language, and these are not."""
    fix = diagnostic.fix
    if fix is None or not any(edit.span.source.program or edit.span.source.is_json for edit in fix.edits):
        return diagnostic
    said = any(fix.title.removeprefix("write ") in note for note in diagnostic.notes)
    return msgspec.structs.replace(diagnostic, fix=None, notes=diagnostic.notes if said else (*diagnostic.notes, fix.title))


def _follows_from(diagnostic: Diagnostic, doubtful: Places) -> bool:
    """Whether a finding is about a declaration that has a mistake already."""
    return any(label.span in doubtful for label in diagnostic.labels)


def _first_of_each(diagnostics: Iterable[Diagnostic]) -> Iterator[Diagnostic]:
    """What is said of many replicas at one place is said once."""
    seen: set[tuple[str, Source | None, int, str]] = set()
    for diagnostic in diagnostics:
        span = diagnostic.span
        message = diagnostic.message if span is None or span.source.program else ""
        place = (diagnostic.code, span.source if span else None, span.start if span else -1, message)
        if place not in seen:
            seen.add(place)
            yield diagnostic
