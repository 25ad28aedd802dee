"""Agents spawned by a trio program."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
import types
from pathlib import Path
from typing import Any

import pytest
import trio

import axiom_trio
from axiom_trio import (
    AgentExecutor,
    PlanError,
    SpecificationError,
    Started,
    Subtask,
    Work,
    WorktreeError,
    open_aggregator,
    spawn_agents,
)
from axiom_trio.testing import MemorySink, ScriptedExecutor, Send
from tests.commands import PATIENCE

AGENT = [sys.executable, "-I", "-S", str(Path(__file__).parents[1] / "agents" / "scripted.py")]


def scripted(work: Work) -> AgentExecutor:
    return AgentExecutor([*AGENT, "claude"], format="claude", prompt=work.prompt, cwd=work.cwd)


async def spawned(*arguments: Any, **options: Any) -> tuple[list[str], MemorySink]:
    sink = MemorySink()
    with trio.fail_after(PATIENCE):
        async with open_aggregator([sink]) as aggregator:
            children = await spawn_agents(aggregator, *arguments, **options)
            assert all(child.completed for child in children)
            assert children == aggregator.children
    return [child.name for child in children], sink


async def test_commands_and_functions_are_agents() -> None:
    template = shlex.join([*AGENT, "text", "{prompt}"])
    names, sink = await spawned("say: Hello", agent=template, count=2)
    assert len(names) == 2
    assert sorted(sink.data(event.child) for event in sink.of_type(Started)) == [b"Hello\n"] * 2
    names, sink = await spawned(
        "x", "sequential", agent=scripted, subtasks=["say: one", Subtask("say: two", "b")]
    )
    assert names == ["agent-1", "b"]
    assert [event.metadata.prompt for event in sink.of_type(Started)] == ["say: one", "say: two"]


async def test_the_planner_may_be_an_agent_whose_answer_comes_as_a_stream() -> None:
    plan = json.dumps({"subtasks": ["say: a", {"name": "b", "prompt": "say: b"}]})
    names, _ = await spawned(f"say: {plan}", "decompose", agent=scripted)
    assert names == ["plan", "agent-1", "b"]


async def test_words_in_a_prompt_ask_for_a_terminal() -> None:
    template = f"{shlex.join([sys.executable, '-c', 'import sys; print(sys.stdout.isatty())'])} {{prompt}}"
    for interactive, wanted in ((None, [b"True", b"False"]), (False, [b"False"] * 2), (True, [b"True"] * 2)):
        _, sink = await spawned(
            "x", agent=template, subtasks=["install it", "test it"], interactive=interactive
        )
        said = [
            sink.data(event.child).strip() for event in sorted(sink.of_type(Started), key=lambda e: e.index)
        ]
        assert said == wanted


async def test_what_can_not_be_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))

    def quiet(_work: Work) -> ScriptedExecutor:
        return ScriptedExecutor([Send(b"x\n")])

    for options, error in (
        ({"count": 11}, PlanError),
        ({"pattern": "all"}, PlanError),
        ({"agent": "clod"}, SpecificationError),
        ({"worktree": True}, WorktreeError),
    ):
        with pytest.raises(error):
            await spawned("x", **{"agent": quiet, **options})


# --- what the guide shows


def guide() -> dict[str, Any]:
    """The functions under its headline."""
    text = (Path(__file__).parents[2] / "docs" / "guide.md").read_text(encoding="utf-8")
    [source] = re.findall(r"^## Agents: spawn$.*?```python\n(.*?)```", text, re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {"axiom_trio": axiom_trio}
    exec(source, names)
    return names


async def test_the_guides_review(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    claude = tmp_path / "claude"
    claude.write_text(f"#!/bin/sh\nexec {shlex.join([*AGENT, 'steered'])}\n")
    claude.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with trio.fail_after(PATIENCE):
        async with open_aggregator() as aggregator:
            assert await guide()["review"](aggregator) == [True, True]
            assert [child.name for child in aggregator.children] == ["claude-1", "tests"]


async def test_the_guides_question(monkeypatch: pytest.MonkeyPatch) -> None:
    async def query(*, prompt: str) -> Any:
        yield {"type": "assistant", "message": {"content": [{"type": "text", "text": f"{prompt}? Yes."}]}}
        yield {"type": "result", "subtype": "success", "is_error": False}

    sdk = types.ModuleType("claude_agent_sdk")
    sdk.query = query  # type: ignore[attr-defined]  # (a module made here)
    monkeypatch.setitem(sys.modules, "claude_agent_sdk", sdk)
    async with open_aggregator() as aggregator:
        assert await guide()["ask"](aggregator, "Is it") == "Is it? Yes."
