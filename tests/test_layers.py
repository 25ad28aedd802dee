"""The house rules: who may import whom, how long a module may be, what start-up costs."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

import axiom_trio

PACKAGE = Path(axiom_trio.__file__).parent
LONGEST = 350
# Packages of one row are siblings: they never import each other. Arrows point down.
ROWS = [
    {"cli"},
    {"spawn", "server", "terminal"},
    {"engine"},
    {"executors", "sinks"},
    {"abc"},
    {"sansio"},
]
RANK = {name: rank for rank, row in enumerate(ROWS) for name in row}
IMPURE = {
    *("trio", "os", "time", "socket", "select", "selectors", "threading", "asyncio", "subprocess", "signal"),
    *("multiprocessing", "concurrent", "trio_websocket", "ptyprocess", "fcntl", "pty", "termios", "tempfile"),
}


class Import(NamedTuple):
    """One `import`: of what, and whether it happens when the importing module is loaded."""

    target: str
    at_load: bool


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imports_of(source: str, module: str, *, is_package: bool, modules: set[str]) -> list[Import]:
    """All imports of a module, those in functions and under TYPE_CHECKING included."""
    found: list[Import] = []

    def visit(node: ast.AST, at_load: bool) -> None:
        if isinstance(node, ast.Import):
            found.extend(Import(alias.name, at_load) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = module.split(".")
                parents = parents[: len(parents) - node.level + is_package]
                base = ".".join([*parents, *([base] if base else [])])
            for alias in node.names:  # a module of the package, or a name in it
                inner = f"{base}.{alias.name}"
                found.append(Import(inner if inner in modules else base, at_load))
        elif isinstance(node, ast.If) and _is_type_checking(node.test):
            for child in node.body:
                visit(child, False)
            for child in node.orelse:
                visit(child, at_load)
        else:
            lazy = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            for child in ast.iter_child_nodes(node):
                visit(child, at_load and not lazy)

    visit(ast.parse(source), True)
    return found


def _is_type_checking(test: ast.expr) -> bool:
    return "TYPE_CHECKING" in (getattr(test, "id", ""), getattr(test, "attr", ""))


IMPORTS = {
    module: imports_of(path.read_text(), module, is_package=path.name == "__init__.py", modules={*FILES})
    for module, path in FILES.items()
}


def part_of(module: str) -> str:
    """`engine` of `axiom_trio.engine.port`; empty for the package itself."""
    return module.split(".")[1] if "." in module else ""


def complaint(module: str, target: str) -> str | None:
    """What is wrong with this import, if anything."""
    source = part_of(module)
    if source == "sansio" and target.split(".")[0] in IMPURE:
        return "sansio is pure"
    if target.split(".")[0] != "axiom_trio":
        return None
    wanted = part_of(target)
    if source in ("testing", wanted):
        return None if wanted != "cli" or source == "cli" else "nothing imports cli"
    if source == "__main__":
        return None if wanted == "cli" else "it only starts the command"
    if wanted == "cli":
        return "nothing imports cli"
    if wanted == "testing":
        return "nothing imports testing"
    if source == "":
        return None
    if wanted == "":
        # `__version__` and the like; public names come from where they are made.
        return None if source == "cli" else "not through the package itself"
    if wanted not in RANK or source not in RANK:
        return "a part without a place in ROWS"
    return None if RANK[source] < RANK[wanted] else "arrows point down only, and siblings are apart"


@pytest.mark.parametrize("module", FILES)
def test_arrows_point_down(module: str) -> None:
    wrong = [(target, complaint(module, target)) for target, _ in IMPORTS[module]]
    assert [pair for pair in wrong if pair[1]] == []


def test_no_module_imports_itself_in_a_circle() -> None:
    """What is imported when a module is loaded; for types and in functions it may be mutual."""
    graph = {
        module: {target for target, at_load in imports if at_load and target in FILES and target != module}
        for module, imports in IMPORTS.items()
    }
    try:
        [*TopologicalSorter(graph).static_order()]
    except CycleError as error:
        pytest.fail(" → ".join(error.args[1]))


@pytest.mark.parametrize("module", FILES)
def test_modules_are_short(module: str) -> None:
    path = FILES[module]
    lines = len(path.read_text().splitlines())
    assert lines <= LONGEST


@pytest.mark.parametrize("module", FILES)
def test_each_module_says_what_it_is(module: str) -> None:
    assert ast.get_docstring(ast.parse(FILES[module].read_text()))


def house() -> dict[str, set[str]]:
    """What `docs/design.md` names of each part."""
    design = (PACKAGE.parent / "docs" / "design.md").read_text(encoding="utf-8")
    plan = design.partition("## The house\n\n```\n")[2].partition("```")[0]
    parts = re.findall(r"^  (\w+)/ +(.+\n(?:   .+\n)*)", plan, re.MULTILINE)
    return {part: {*re.findall(r"\w+", text)} for part, text in parts}


HOUSE = house()


@pytest.mark.parametrize("part", sorted({path.parent.name for path in FILES.values()} - {PACKAGE.name}))
def test_the_design_names_each_module(part: str) -> None:
    stems = {path.stem for path in FILES.values() if path.parent.name == part} - {"__init__"}
    spoken = {re.sub("^(mcp|journal|verb)_(?!options)", "", stem) for stem in stems}
    assert spoken - HOUSE[part] == set()


def test_the_design_has_the_rows_of_parts() -> None:
    design = (PACKAGE.parent / "docs" / "design.md").read_text(encoding="utf-8")
    [arrows] = re.findall(r"^Imports point down only: (.+)\.$", design, re.MULTILINE)
    assert [{*row.split(" | ")} for row in arrows.split(" → ")] == ROWS


# --- the rules themselves have teeth


@pytest.mark.parametrize(
    ("module", "source", "wrong"),
    [
        ("axiom_trio.sansio.text", "import trio", True),
        ("axiom_trio.sansio.text", "def f():\n    import os.path", True),
        ("axiom_trio.sansio.text", "from time import monotonic", True),
        ("axiom_trio.sansio.text", "import datetime, re", False),
        ("axiom_trio.sansio.text", "from . import log", False),
        ("axiom_trio.sansio.text", "from ..engine import port", True),
        ("axiom_trio.sansio.text", "from axiom_trio import Output", True),
        ("axiom_trio.abc", "from axiom_trio.sansio.events import Exit", False),
        ("axiom_trio.abc", "from axiom_trio.engine.port import ChildPort", True),
        ("axiom_trio.executors.pty", "from axiom_trio.executors import spawn", False),
        ("axiom_trio.executors.pty", "import axiom_trio.sinks.console", True),
        (
            "axiom_trio.executors.pty",
            "if TYPE_CHECKING:\n    from axiom_trio.engine.child import Child",
            True,
        ),
        ("axiom_trio.sinks.file", "from axiom_trio.executors.pty import PtyExecutor", True),
        ("axiom_trio.engine.port", "from axiom_trio import cli", True),
        ("axiom_trio.engine.port", "from axiom_trio.testing import ScriptedExecutor", True),
        ("axiom_trio.cli.run", "from axiom_trio.engine.run import run", False),
        ("axiom_trio.spawn.plan", "from axiom_trio.server.page import Page", True),
        ("axiom_trio.testing.sinks", "from axiom_trio.engine.run import run", False),
        ("axiom_trio.testing.sinks", "from axiom_trio.cli import main", True),
        ("axiom_trio.elsewhere", "from axiom_trio.abc import Sink", True),
    ],
)
def test_the_rules(module: str, source: str, wrong: bool) -> None:
    modules = {*FILES, "axiom_trio.cli", "axiom_trio.testing"}
    found = imports_of(source, module, is_package=False, modules=modules)
    assert found
    assert any(complaint(module, target) for target, _ in found) is wrong


# --- start-up


@pytest.mark.parametrize(
    "code",
    [
        "import axiom_trio.cli",
        "from axiom_trio.cli.options import parse; parse(['run', '-n', 'a', '--grace', '5s', 'make'], {})",
        "from axiom_trio.cli.options import parse; parse(['run', 'echo {}', ':::', 'a', 'b'], {})",
        "from axiom_trio.cli.options import parse; parse(['run', '--help'], {})",
        "import axiom_trio; dir(axiom_trio); axiom_trio.__version__",
    ],
)
def test_the_command_line_is_read_before_anything_heavy_is_imported(code: str) -> None:
    heavy = "trio attr attrs msgspec ptyprocess asyncio argparse"
    code = f"import sys; {code}\nprint(*sorted({{*{heavy.split()}}} & {{*sys.modules}}))"
    shown = subprocess.run(
        [sys.executable, "-S", "-c", code], cwd=PACKAGE.parent, capture_output=True, text=True, check=True
    )
    assert shown.stdout.split() == []
