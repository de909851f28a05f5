"""Modules and values that come from files: found, or said why not; bounded, whatever the files say."""

from __future__ import annotations

from pathlib import Path

import pytest

from topo.compile import Compilation, compile
from topo.diagnostic import counted
from topo.source import Source
from topo.zeromq.libzmq import Libzmq


def told(tmp_path: Path, text: str) -> Compilation:
    path = tmp_path / "system.ztopo"
    path.write_text("ztopo 1\n" + text)
    return compile(Source(path.read_text(), "system.ztopo", path), libzmq=Libzmq())


def said(compilation: Compilation) -> list[tuple[str, str, int]]:
    found = []
    for diagnostic in counted(compilation.diagnostics):
        assert diagnostic.span is not None
        found.append((diagnostic.code, Path(diagnostic.span.source.name).name, diagnostic.span.position.line))
    return found


def write(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("ztopo 1\n" + text)


def test_paths_in_a_module_are_relative_to_it(tmp_path: Path) -> None:
    write(tmp_path, "inner/pool.ztopo", 'app a: PUSH bind ipc://pool.ipc { run "python a.py" }')
    compilation = told(tmp_path, 'use "inner/pool.ztopo" as pool\napp b: PULL connect pool.a')
    assert said(compilation) == []
    (app, _) = compilation.model.apps
    assert app.folder == str(tmp_path / "inner")
    assert app.sockets[0].binds[0].endpoint.text == f"ipc://{tmp_path}/inner/pool.ipc"


def test_a_mistake_in_a_module_is_said_once_at_its_place(tmp_path: Path) -> None:
    write(tmp_path, "pool.ztopo", "app a: PUSH connect nobody\napp b PUSH\n")
    compilation = told(tmp_path, 'use "pool.ztopo" as pool[3]\napp c: PULL connect pool.b')
    assert said(compilation) == [("ZT101", "pool.ztopo", 2), ("ZT010", "pool.ztopo", 3)]


def test_uses_of_a_module_that_bind_the_same_are_told_to_use_a_param(tmp_path: Path) -> None:
    write(tmp_path, "pool.ztopo", "app a: PUSH bind tcp://127.0.0.1:7000\n")
    (found,) = counted(told(tmp_path, 'use "pool.ztopo" as pool[2]').diagnostics)
    assert found.message == "`tcp://127.0.0.1:7000` is bound by `pool[0].a` and by `pool[1].a`"
    assert found.notes[1] == "a param with a value of its own for each `use` tells them apart"
    assert found.fix is None  # there is no `index` in the module


def test_the_others_of_one_are_nobody(tmp_path: Path) -> None:
    """A mesh of one is right, whatever the param is called that tells it of the others."""
    write(tmp_path, "node.ztopo", "param peers: socket\napp a: PUB bind tcp://127.0.0.1:*\napp b: PULL connect ${peers}\n")
    assert said(told(tmp_path, 'use "node.ztopo" as dc[1] { peers dc[others].a }')) == []


def test_a_module_connects_to_nothing_at_its_own_place(tmp_path: Path) -> None:
    write(tmp_path, "pool.ztopo", "app a: PUSH connect tcp://10.0.0.1:1\napp b: PULL connect a\n")
    (found,) = counted(told(tmp_path, 'use "pool.ztopo" as pool').diagnostics)
    assert (found.code, [label.span.text for label in found.labels]) == ("ZT302", ["a", "a"])


def test_a_module_that_cannot_be_read_is_said_at_the_use_and_nothing_follows(tmp_path: Path) -> None:
    (tmp_path / "binary.ztopo").write_bytes(b"ztopo 1\n\0")
    text = 'use "missing.ztopo" as one\nuse "binary.ztopo" as two\nuse "." as three\napp a: PUSH connect one.x, two.x, three.x'
    assert said(told(tmp_path, text)) == [("ZT114", "system.ztopo", n) for n in (2, 3, 4)]


@pytest.mark.parametrize("through", ["system.ztopo", "other.ztopo"])
def test_a_module_cannot_use_itself(tmp_path: Path, through: str) -> None:
    write(tmp_path, "other.ztopo", 'use "system.ztopo" as system')
    (found,) = said(told(tmp_path, f'use "{through}" as ring'))
    assert found == ("ZT115", through, 2)


def test_modules_in_a_row_are_bounded(tmp_path: Path) -> None:
    for level in range(40):
        write(tmp_path, f"m{level}.ztopo", f'use "m{level + 1}.ztopo" as next')
    ((code, _, _),) = said(told(tmp_path, 'use "m0.ztopo" as first'))
    assert code == "ZT114"


def test_a_bomb_of_modules_is_bounded(tmp_path: Path) -> None:
    for level in range(10):
        write(tmp_path, f"m{level}.ztopo", f'use "m{level + 1}.ztopo" as many[50]')
    write(tmp_path, "m10.ztopo", "app a: PUSH bind tcp://127.0.0.1:*")
    found = said(told(tmp_path, 'use "m0.ztopo" as many[50]'))
    assert {code for code, _, _ in found} <= {"ZT109", "ZT114"}
    assert found


def test_what_modules_declare_is_bounded(tmp_path: Path) -> None:
    """However often a file is used that has no replicas in it."""
    write(tmp_path, "many.ztopo", "".join(f"app a{n}: PUSH connect tcp://10.0.0.1:1\n" for n in range(2000)))
    compilation = told(tmp_path, 'use "many.ztopo" as many[10_000]')
    assert [code for code, _, _ in said(compilation)] == ["ZT114"]
    assert len(compilation.model.apps) <= 100_000


def test_nothing_follows_from_a_bind_that_has_a_mistake(tmp_path: Path) -> None:
    text = "app a: PUSH bind tcp://127.0.0.1:${missing}\napp b: PULL connect a, a.tcp\n"
    assert said(told(tmp_path, text)) == [("ZT103", "system.ztopo", 2)]


def test_a_file_as_a_value(tmp_path: Path) -> None:
    (tmp_path / "topic").write_text("AAPL\n")
    compilation = told(tmp_path, 'app a: SUB connect tcp://10.0.0.1:1 { subscribe file "topic" }')
    assert said(compilation) == []
    option = compilation.model.apps[0].sockets[0].option("subscribe")
    assert option is not None
    assert [v.value for v in option.values] == [b"AAPL"]


def test_a_file_that_cannot_be_a_value(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"x" * 70_000)
    text = 'app a: SUB connect tcp://10.0.0.1:1 { subscribe file "none" }\napp b: SUB connect tcp://10.0.0.1:1 { subscribe file "large" }'
    assert said(told(tmp_path, text)) == [("ZT116", "system.ztopo", 2), ("ZT116", "system.ztopo", 3)]
