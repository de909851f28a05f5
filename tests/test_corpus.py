"""The corpus: right texts and what they mean, wrong ones and what is said about them, each at its place."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from topo.compile import Compilation, compile
from topo.diagnostic import counted
from topo.model import App, Device
from topo.render import Style
from topo.render.findings_concise import render
from topo.source import Source
from topo.zeromq.libzmq import Libzmq

CORPUS = Path(__file__).parent / "corpus"
Golden = Callable[[Path, str], None]


def compiled(path: Path) -> Compilation:
    # The path is a pretended one, so that what is expected does not depend on where the project lies.
    pretended = Path("/corpus") / path.relative_to(CORPUS)
    return compile(Source(path.read_text(encoding="utf-8"), path.name, pretended), libzmq=Libzmq(), reader=reading)


def reading(path: Path, name: str) -> Source:
    """Read a module of the corpus by its pretended path."""
    return Source((CORPUS / path.relative_to("/corpus")).read_text(encoding="utf-8"), path.name, path)


def described(compilation: Compilation) -> Iterator[str]:
    for component in compilation.graph.model.components:
        match component:
            case Device():
                swap = " swap" if component.swap else ""
                yield f"device {component.name}: {component.kind}{swap}, {component.placement}, prefixes {component.prefixes}"
            case App():
                how = (
                    f"run {component.run!r} in {component.folder}"
                    if component.run
                    else "inside"
                    if component.inside
                    else "outside"
                )
                yield f"app {component.name}: {how}"
        if component.doc:
            yield f"    doc {component.doc!r}"
        for socket in component.sockets:
            yield f"    {socket.id}: {socket.type} named {socket.name}"
            for bind in socket.binds:
                yield f"        bind {bind.endpoint.text}"
            for option in socket.options:
                yield f"        option {option.name} " + ", ".join(f"{v.kind} {v.value!r}" for v in option.values)
    for link in compilation.graph.links:
        yield f"link {link.a.id} -> {link.b.id} over {link.endpoint}"


@pytest.mark.parametrize("path", sorted((CORPUS / "good").glob("*.ztopo")), ids=lambda p: p.stem)
def test_good(path: Path, golden: Golden) -> None:
    compilation = compiled(path)
    assert render(counted(compilation.diagnostics), Style()) == ""
    golden(path.with_suffix(".out"), "".join(line + "\n" for line in described(compilation)))


@pytest.mark.parametrize("path", sorted((CORPUS / "bad").glob("*.ztopo")), ids=lambda p: p.stem)
def test_bad(path: Path, golden: Golden) -> None:
    diagnostics = counted(compiled(path).diagnostics)
    lines = path.read_text(encoding="utf-8").splitlines()
    expected = [(number, code) for number, line in enumerate(lines, 1) for code in re.findall(r"# error: (ZT\d+)", line)]
    found = [(d.span.position.line, d.code) for d in diagnostics if d.span is not None]
    assert sorted(found) == sorted(expected)
    golden(path.with_suffix(".out"), render(diagnostics, Style()))
