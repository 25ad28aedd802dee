"""What the guides, the README and docstrings show is run, and nothing public is missing from the reference."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import textwrap
import tomllib
from functools import partial
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
import trio
import trio.testing

import axiom_trio
import axiom_trio.abc
import axiom_trio.testing
from axiom_trio.cli.rules import from_tables
from axiom_trio.testing import MemorySink, check_sink, strategies
from tests import snippets
from tests.commands import Running, wait_until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

API = "docs/api.md"
GUIDE = "docs/guide.md"
PATIENCE = 300.0
hypothesis.settings.register_profile("docs", deadline=None, max_examples=10)


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A reader's directory, with all that the examples need."""
    snippets.furnish(tmp_path, monkeypatch)
    hypothesis.settings.load_profile("docs")
    yield tmp_path
    hypothesis.settings.load_profile("axiom")


@pytest.fixture
def api(reader: Path) -> Iterator[Running]:
    """A run with a child `api`, as in another terminal."""
    with Running("--pty", "-n", "api", "./api", cwd=reader) as running:
        running.read_until(b"listening")
        sockets = reader / "run" / "axiom-trio"
        wait_until(lambda: [*sockets.glob("*.sock")], "for the control socket")
        yield running
        if running.process.poll() is None:
            running.signal(15)
        running.finish()


def run_page(page: str, capfd: pytest.CaptureFixture[str], **names: Any) -> dict[str, Any]:
    """Run the Python of a page, then the tests it defines, by a clock that jumps."""

    async def main() -> None:
        with trio.fail_after(PATIENCE):
            await snippets.run_page(page, lambda: capfd.readouterr().out, names)

    trio.run(main)
    for name, function in [*names.items()]:
        if name.startswith("test_"):
            if inspect.iscoroutinefunction(function):
                function = partial(trio.run, function, clock=trio.testing.MockClock(autojump_threshold=0))
            function()
    return names


def test_the_readme(reader: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONCE", "yes")

    async def iterable() -> AsyncIterator[str]:
        yield "a message"

    names = run_page("README.md", capfd, my_async_iterable=iterable())
    assert names["receipt"].state != "refused"
    assert names["result"].ok


def test_the_guide(
    reader: Path, api: Running, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    serve = axiom_trio.serve
    monkeypatch.setattr(axiom_trio, "serve", lambda aggregator, _port: serve(aggregator))
    names = run_page(GUIDE, capfd)
    assert trio.run(names["record_and_read"], reader / "journal") == (b"kept\n", True, ())
    [child], state = trio.run(names["reload_when_ready"])
    assert child.name == "api"
    assert state != "refused"
    trio.run(names["with_rules"])
    assert capfd.readouterr().out.count("[claude] [INTERVENTION] yes") == 1
    trio.run(names["with_a_page"])
    assert capfd.readouterr().out.count("http://127.0.0.1:") == 2
    trio.run(check_sink, names["Collect"])


def test_the_reference(api: Running, capfd: pytest.CaptureFixture[str]) -> None:
    run_page(API, capfd)


def test_embedding(reader: Path, capfd: pytest.CaptureFixture[str]) -> None:
    names = run_page("docs/embedding.md", capfd)
    assert len([name for name in names if name.startswith("test_")]) > 8


def test_the_guides_rules_are_rules() -> None:
    [text] = [block.code for block in snippets.blocks(GUIDE, "toml") if block.code.startswith("[[rules]]")]
    names = [rule.name for rule in from_tables("guide", tomllib.loads(text)["rules"])]
    assert names == ["rule 1", "rule 2", "rule 3", "claude: yes", "claude: waits for an answer"]


def documented() -> set[str]:
    """The names in the reference."""
    text = (snippets.ROOT / API).read_text(encoding="utf-8")
    return {
        name.split(".")[-1] for name in re.findall(r"^ *\.\. (?:auto)?\w+:: ([\w.]+)", text, re.MULTILINE)
    }


def shown() -> set[str]:
    """The names that the reference's examples use."""
    names: set[str] = set()
    for block in snippets.blocks(API, "python"):
        tree = ast.parse(block.code)
        # To import a name shows nothing.
        names |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        names |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return names


@pytest.mark.parametrize("module", [axiom_trio, axiom_trio.abc, axiom_trio.testing, strategies])
def test_each_public_name_is_in_the_reference_and_in_an_example(module: Any) -> None:
    strategy_members = {*strategies.__all__}  # by automodule
    assert {*module.__all__} - documented() - strategy_members == set()
    assert {*module.__all__} - shown() == set()


def examples() -> Iterator[tuple[str, str]]:
    """The examples in docstrings: where, and the code."""
    for path in sorted((snippets.ROOT / "axiom_trio").rglob("*.py")):
        module = ".".join(path.relative_to(snippets.ROOT).with_suffix("").parts)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                text = ast.get_docstring(node) or ""
                head = r"^(Example|Time passes at once under trio's `MockClock`)::\n\n"
                for found in re.finditer(rf"{head}((?:    .*\n?|\n)+)", text, re.MULTILINE):
                    name = getattr(node, "name", module)
                    yield f"{module}:{name}", textwrap.dedent(found[2])


EXAMPLES = dict(examples())


@pytest.mark.parametrize("where", EXAMPLES)
async def test_the_examples_in_docstrings(
    where: str, reader: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from axiom_trio.sansio.lines import LineSplitter

    module = importlib.import_module(where.split(":")[0].removesuffix(".__init__"))
    names: dict[str, Any] = {
        **{name: getattr(axiom_trio, name) for name in axiom_trio.__all__},
        **{name: getattr(axiom_trio.testing, name) for name in axiom_trio.testing.__all__},
        **{name: getattr(strategies, name) for name in strategies.__all__},
        **vars(module),
        "axiom_trio": axiom_trio,
        "given": hypothesis.given,
        "path": reader / "file",
        "splitter": LineSplitter(),
        "trio": trio,
    }
    code = EXAMPLES[where]
    in_docstring = snippets.Block(where, 1, "", "", "python", code)
    with trio.fail_after(PATIENCE):
        async with axiom_trio.open_aggregator([MemorySink()]) as names["aggregator"]:
            told = re.compile(r"^([\w.]+\(.*\)) +# (b\".*\")$")
            if not any(told.match(line) for line in code.splitlines()):
                await snippets.run(in_docstring, names)
                return
            for line in code.splitlines():  # each says what it gives
                if (found := told.match(line)) is not None:
                    assert eval(found[1], names) == ast.literal_eval(found[2]), line
                else:
                    exec(line, names)


def test_examples_are_found() -> None:
    assert {"axiom_trio.sansio.masks:Masker", "axiom_trio.testing.__init__:axiom_trio.testing.__init__"} <= {
        *EXAMPLES
    }
    assert len(EXAMPLES) > 10
