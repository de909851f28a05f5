"""Imports point downwards: `[tool.ztopo.layers]` in pyproject.toml says for each room which rooms it may import.

Every import statement counts, wherever it stands: in a function, and for the type checker only. A room may import itself. But
files that lie side by side in a room of many of a kind do not know of each other; one whose name begins with `_` is a part of
the single one that imports it.
"""

from __future__ import annotations

import ast
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LAYERS: dict[str, list[str]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ztopo"]["layers"]
APART = ("topo.checks", "topo.hostchecks", "topo.render", "topo.cli")
"""Rooms whose files do not know of each other."""
TOP = {
    "pyproject.toml",
    "topo",
    "grammar",
    "devcore",
    "examples",
    "tests",
    "README.md",
    "LICENSE",
    "CHANGELOG.md",
    "DESIGN.md",
    "Makefile",
    ".ci",
    ".gitignore",
}


def modules() -> dict[str, Path]:
    found = {}
    for path in sorted([*(ROOT / "topo").rglob("*.py"), *(ROOT / "topo").rglob("*.py[xi]"), *linked()]):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name if path.suffix == ".py" else f"{name}{path.suffix}"] = path
    return found


def linked() -> Iterator[Path]:
    """What lies behind the symbolic links in topo/."""
    for link in (ROOT / "topo").iterdir():
        if link.is_symlink():
            yield from (
                link / p.relative_to(link.resolve()) for p in link.resolve().rglob("*.py*") if p.suffix in (".py", ".pyi")
            )


MODULES = modules()


def imports(path: Path, module: str) -> set[str]:
    """What a file imports from this project. `from topo import x` is x if that is a module, and topo if it is a name in it."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package.rsplit(".", node.level - 1)[0] if node.level else ""
            base = ".".join(filter(None, (start, node.module)))
            found.update(f"{base}.{alias.name}" if f"{base}.{alias.name}" in MODULES else base for alias in node.names)
        elif isinstance(node, ast.Call) and _is_import(node.func) and node.args and isinstance(node.args[0], ast.Constant):
            found.add(str(node.args[0].value))
    return {name for name in found if name.split(".")[0] == "topo"}


def _is_import(function: ast.expr) -> bool:
    name = function.attr if isinstance(function, ast.Attribute) else function.id if isinstance(function, ast.Name) else ""
    return name in ("import_module", "__import__")


def room_of(module: str) -> str:
    """The longest name in the table that a module is, or lies in."""
    parts = module.split(".")
    names = [".".join(parts[:n]) for n in range(len(parts), 1, -1)]
    return next((name for name in names if name in LAYERS), names[-1] if names else module)


def allowed(room: str) -> set[str]:
    """The rooms that a room may import; `topo.*` are all that do not import it themselves."""
    if "topo.*" in LAYERS[room]:
        return {other for other in LAYERS if other != room and room not in LAYERS[other]}
    return set(LAYERS[room])


def test_every_module_has_a_room() -> None:
    homeless = {name for name in MODULES if room_of(name.removesuffix(".pyi")) not in LAYERS} - {"topo"}
    assert not homeless, "say in [tool.ztopo.layers] what these may import"


def test_every_room_exists() -> None:
    assert set(LAYERS) <= set(MODULES)
    for rooms in LAYERS.values():
        assert {a for a in rooms if a != "topo.*"} <= set(LAYERS)


def test_there_is_no_ring_of_rooms() -> None:
    below = {room: allowed(room) for room in LAYERS}
    below["topo.check"] = below["topo.check"] - {"topo.checks", "topo.hostchecks"}  # it finds them by looking into the folder
    while below:
        lowest = {room for room, rooms in below.items() if not rooms & set(below)}
        assert lowest, f"these import each other: {sorted(below)}"
        below = {room: rooms for room, rooms in below.items() if room not in lowest}


@pytest.mark.parametrize("module", [name for name in MODULES if name != "topo"])
def test_imports_point_downwards(module: str) -> None:
    name = module.removesuffix(".pyi")
    room = room_of(name)
    for other in sorted(imports(MODULES[module], name)):
        if other == "topo" or room_of(other) == room:
            continue
        assert room_of(other) in allowed(room), f"{module} imports {other}, which {room} may not"


@pytest.mark.parametrize("module", [name for name in MODULES if name.startswith(tuple(f"{room}." for room in APART))])
def test_files_side_by_side_do_not_know_of_each_other(module: str) -> None:
    room = next(room for room in APART if module.startswith(f"{room}."))
    for other in imports(MODULES[module], module):
        if other.startswith(f"{room}."):
            assert other.startswith(f"{room}._"), f"{module} imports {other}"
            assert [m for m in MODULES if other in imports(MODULES[m], m)] == [module], f"{other} is shared"


def test_a_wrong_import_is_found(tmp_path: Path) -> None:
    """The test itself works: it sees imports of every form."""
    path = tmp_path / "x.py"
    path.write_text(
        "import topo.graph\n"
        "from topo import model\n"
        "from topo.source import Span\n"
        "from .. import run\n"
        "def f():\n"
        "    from topo.cli import main\n"
        "    import importlib\n"
        "    importlib.import_module('topo.plan')\n"
    )
    assert imports(path, "topo.checks.x") == {"topo.graph", "topo.model", "topo.source", "topo.run", "topo.cli", "topo.plan"}


def test_the_top_level_holds_what_it_should() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("this is not a git clone")
    top = {name.split("/")[0] for name in listed.stdout.splitlines()}
    assert top <= TOP
    for folder in ("topo", "grammar", "devcore", "examples", "tests"):
        assert (ROOT / folder).is_dir()


def test_every_package_is_in_the_wheel() -> None:
    """setuptools is told the packages by name, since two of them are symbolic links."""
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    assert sorted(packages) == sorted(name for name, path in MODULES.items() if path.name == "__init__.py")


def test_the_design_says_what_each_module_holds() -> None:
    table = (ROOT / "DESIGN.md").read_text("utf-8").partition("## Decisions")[0]
    files = {f"topo/{p.name}" for p in (ROOT / "topo").glob("[!_]*.py")}
    assert sorted(file for file in files if f"`{file}`" not in table) == []
