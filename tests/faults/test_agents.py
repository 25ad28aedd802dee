"""T52: an agent's stream that stalls, breaks off, repeats itself or ends in an error."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from axiom_trio import AgentExecutor, Completed, SdkExecutor, Supervision, open_aggregator
from axiom_trio.testing import MemorySink
from tests.commands import PATIENCE

AGENT = [sys.executable, "-I", "-S", str(Path(__file__).parents[1] / "agents" / "scripted.py"), "claude"]


async def run(prompt: str) -> tuple[list[str], Completed]:
    sink = MemorySink()
    with trio.fail_after(PATIENCE):
        async with open_aggregator([sink]) as aggregator:
            child = aggregator.start_soon(AgentExecutor(AGENT, format="claude", prompt=prompt))
    assert child.completed is not None
    return sink.data(child.id).decode().split("\n")[1:-1], child.completed


async def test_T52_what_came_of_a_stalled_stream_is_kept() -> None:
    sink = MemorySink()
    with trio.fail_after(PATIENCE):
        async with open_aggregator([sink]) as aggregator:
            executor = AgentExecutor(AGENT, format="claude", prompt="say: before\nstall")
            child = await aggregator.start(executor)
            await child.wait_for(rb"before\n")
            child.stop(grace=0)
    assert child.completed is not None
    assert child.completed.reason == "stopped"
    assert sink.data(child.id).split(b"\n")[1] == b"before"


async def test_T52_half_a_message_is_text_and_the_run_a_failure() -> None:
    lines, completed = await run("say: before\nhalf")
    assert lines[:2] == ["before", '{"type": "assistant", "mess']
    assert completed.exit.error == "its stream ended without saying how it went"


async def test_T52_what_is_streamed_again_is_shown_once() -> None:
    lines, completed = await run("twice: said once\nsay: after")
    assert lines == ["said once", "after", "■ 1 turn"]
    assert completed.ok


async def test_T52_an_error_has_its_kind() -> None:
    lines, completed = await run("fail: overloaded")
    assert lines == ["■ 1 turn", "[ERROR] overloaded"]
    assert completed.exit.code == 1


@pytest.mark.parametrize("size", [3, 9 * 1024 * 1024])
async def test_T52_no_line_is_too_long(size: int, tmp_path: Path) -> None:
    """The SDK's own limit is 1 MiB."""
    file = tmp_path / "stream"
    message = {"type": "assistant", "message": {"content": [{"type": "text", "text": "%" * size}]}}
    result = {"type": "result", "subtype": "success", "is_error": False}
    file.write_text(f"{json.dumps(message)}\n{json.dumps(result)}\n")
    sink = MemorySink()
    with trio.fail_after(PATIENCE):
        async with open_aggregator([sink]) as aggregator:
            child = aggregator.start_soon(AgentExecutor(["cat", str(file)], format="claude"))
    assert child.completed is not None
    assert child.completed.ok
    assert sink.data(child.id).count(b"%") == size


def test_T52_a_stalled_stream_is_ended_by_the_idle_policy() -> None:
    async def stalls():
        yield {"type": "assistant", "message": {"content": [{"type": "text", "text": "before"}]}}
        await trio.sleep_forever()

    async def main() -> None:
        sink = MemorySink()
        async with open_aggregator([sink], supervision=Supervision(idle_timeout=60)) as aggregator:
            child = aggregator.start_soon(SdkExecutor(stalls()))
        assert child.completed is not None
        assert child.completed.reason == "idle"
        assert not child.completed.ok
        assert sink.data(child.id).startswith(b"before\n")

    trio.run(main, clock=MockClock(autojump_threshold=0))
