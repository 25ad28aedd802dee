"""The Claude Agent SDK itself, where it is installed, with Claude Code; see test_real_agents.py."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from axiom_trio import Child, SdkExecutor, open_aggregator
from axiom_trio.testing import MemorySink
from tests.agents.fakeapi import DONE, fake_api
from tests.agents.test_real_agents import find, nowhere
from tests.commands import PATIENCE

sdk = pytest.importorskip("claude_agent_sdk", reason="the extra claude is not installed")
pytestmark = pytest.mark.slow


@asynccontextmanager
async def asked(prompt: str, folder: Path) -> AsyncIterator[tuple[SdkExecutor, Child, MemorySink]]:
    """One that was asked this runs."""
    home, work = folder / "home", folder / "work"
    home.mkdir()
    work.mkdir()
    sink = MemorySink()
    with fake_api() as api, trio.fail_after(2 * PATIENCE):
        options = sdk.ClaudeAgentOptions(
            cli_path=find("claude"),
            cwd=work,
            env=nowhere(home, api.url),
            allowed_tools=["Bash"],
            include_partial_messages=True,
        )
        executor = SdkExecutor(sdk.query(prompt=prompt, options=options))
        async with open_aggregator([sink], subreaper=True) as aggregator:
            yield executor, await aggregator.start(executor, name="claude"), sink


async def test_what_it_says_and_does_is_shown(tmp_path: Path) -> None:
    prompt = "PLEASE RUN touch a.txt THEN SAY all is well"
    async with asked(prompt, tmp_path) as (executor, child, sink):
        completed = await child.wait()
    said = sink.data(child.id).decode()
    assert completed.ok, (completed, said)
    assert (tmp_path / "work" / "a.txt").exists()
    assert "→ Bash: touch a.txt" in said
    assert said.count("all is well") == 1, said
    assert executor.answer == "all is well"
    assert executor.session


async def test_it_is_ended_when_the_child_is_stopped(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    os.mkfifo(begun)
    async with asked(f"PLEASE RUN echo > {begun}; sleep 600", tmp_path) as (_, child, sink):
        await trio.to_thread.run_sync(begun.read_bytes, abandon_on_cancel=True)
        child.stop()
        completed = await child.wait()
    assert completed.reason == "stopped"
    assert DONE not in sink.data(child.id).decode()
