"""The Claude Agent SDK itself, where it is installed, with Claude Code; see test_real_agents.py."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from axiom_trio import SdkExecutor, open_aggregator
from axiom_trio.testing import MemorySink
from tests.agents.fakeapi import DONE, FakeApi, fake_api
from tests.agents.test_real_agents import find, nowhere
from tests.commands import PATIENCE

sdk = pytest.importorskip("claude_agent_sdk", reason="the extra claude is not installed")
pytestmark = pytest.mark.slow


def asking(prompt: str, folder: Path, api: FakeApi) -> SdkExecutor:
    home, work = folder / "home", folder / "work"
    home.mkdir()
    work.mkdir()
    options = sdk.ClaudeAgentOptions(
        cli_path=find("claude"),
        cwd=work,
        env=nowhere(home, api.url),
        allowed_tools=["Bash"],
        include_partial_messages=True,
    )
    return SdkExecutor(sdk.query(prompt=prompt, options=options))


async def test_what_it_says_and_does_is_shown(tmp_path: Path) -> None:
    find("claude")
    with fake_api() as api, trio.fail_after(2 * PATIENCE):
        sink = MemorySink()
        async with open_aggregator([sink], subreaper=True) as aggregator:
            executor = asking("PLEASE RUN touch a.txt THEN SAY all is well", tmp_path, api)
            child = await aggregator.start(executor, name="claude")
            completed = await child.wait()
        said = sink.data(child.id).decode()
    assert completed.ok, (completed, said)
    assert (tmp_path / "work" / "a.txt").exists()
    assert "→ Bash: touch a.txt" in said
    assert said.count("all is well") == 1, said
    assert executor.answer == "all is well"
    assert executor.session


async def test_it_is_ended_when_the_child_is_stopped(tmp_path: Path) -> None:
    find("claude")
    with fake_api() as api, trio.fail_after(2 * PATIENCE):
        sink = MemorySink()
        async with open_aggregator([sink], subreaper=True) as aggregator:
            executor = asking("PLEASE RUN touch begun; sleep 600", tmp_path, api)
            child = await aggregator.start(executor, name="claude")
            while not (tmp_path / "work" / "begun").exists():  # noqa: ASYNC110 (nobody tells)
                await trio.sleep(0.05)
            child.stop()
            completed = await child.wait()
    assert completed.reason == "stopped"
    assert DONE not in sink.data(child.id).decode()
