"""What the guide shows is run."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import trio
import trio.testing

import axiom_trio
from axiom_trio.cli.rules import from_tables
from axiom_trio.testing import check_sink

GUIDE = (Path(__file__).parents[1] / "docs" / "guide.md").read_text(encoding="utf-8")


def examples() -> dict[str, str]:
    """The Python blocks of the guide by the headline they stand under."""
    parts = re.split(r"^## (.+)$", GUIDE, flags=re.MULTILINE)
    return {
        title: "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
        for title, text in zip(parts[1::2], parts[2::2], strict=True)
    }


def test_the_guides_executors_sinks_and_tests_work() -> None:
    names: dict[str, object] = {"axiom_trio": axiom_trio, "trio": trio}
    exec(examples()["Executors and sinks of your own"], names)
    exec(examples()["Testing with it"], names)
    for name in ("test_my_view", "test_my_executor"):
        trio.run(names[name], clock=trio.testing.MockClock(autojump_threshold=0))
    trio.run(check_sink, names["Collect"])


def test_the_guides_program_is_python() -> None:
    compile(examples()["In a program"], "guide", "exec")


def test_the_guides_page_is_python() -> None:
    compile(examples()["The page and the WebSocket"], "guide", "exec")


def test_the_guides_rules_are_rules() -> None:
    [text] = re.findall(r"```toml\n(\[\[rules\]\].*?)```", GUIDE, re.DOTALL)
    names = [rule.name for rule in from_tables("guide", tomllib.loads(text)["rules"])]
    assert names == ["rule 1", "rule 2", "rule 3", "claude: yes", "claude: waits for an answer"]


def test_the_guides_journal_is_written_and_read(tmp_path: Path) -> None:
    source = examples()["In a program"]
    names: dict[str, object] = {"axiom_trio": axiom_trio}
    exec(source[source.index("async def record_and_read") :], names)
    assert trio.run(names["record_and_read"], tmp_path / "journal") == (b"kept\n", True, ())
