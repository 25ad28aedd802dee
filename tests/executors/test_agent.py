"""Agents as children: processes whose stream is shown, and the messages of an SDK."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

import axiom_trio
from axiom_trio import AgentExecutor, Completed, Exit, SdkExecutor, SpecificationError, Supervision
from axiom_trio.testing import MemorySink, check_executor
from tests.commands import PATIENCE

AGENT = [sys.executable, "-I", "-S", str(Path(__file__).parents[1] / "agents" / "scripted.py")]


async def outcome(executor: axiom_trio.Executor, **options: Any) -> tuple[str, Completed]:
    sink = MemorySink()
    with trio.fail_after(PATIENCE):
        async with axiom_trio.open_aggregator([sink], **options) as aggregator:
            child = aggregator.start_soon(executor, name="agent")
    assert child.completed is not None
    return sink.data(child.id).decode(), child.completed


def agent(prompt: str | None, form: Any = "claude") -> AgentExecutor:
    return AgentExecutor([*AGENT, "claude"], format=form, prompt=prompt)


async def test_it_is_told_by_stdin_and_its_stream_is_lines() -> None:
    executor = agent("-rf $(x) `y`\nsay: Hello you\ntool: ls\nsay: Done")
    text, completed = await outcome(executor)
    assert text == "▷ scripted · session s1\nHello you\n→ Bash: ls\nDone\n■ 1 turn\n"
    assert completed.exit == Exit(0)
    assert (executor.answer, executor.session) == ("Done", "s1")


async def test_without_a_prompt_it_reads_the_end() -> None:
    _, completed = await outcome(agent(None))
    assert completed.ok


@pytest.mark.parametrize(
    ("prompt", "code", "error"),
    [
        ("fail: no more quota", 1, "no more quota"),
        ("exit: 7", 7, None),
        ("say: x\nhalf", 1, "without saying how it went"),
    ],
)
async def test_it_fails_by_its_stream_or_its_status(prompt: str, code: int, error: str | None) -> None:
    text, completed = await outcome(agent(prompt))
    assert completed.exit.code == code
    assert (error in str(completed.exit.error)) if error else completed.exit.error is None
    assert ("[ERROR] " in text) is bool(error)


async def test_a_prompt_that_nobody_reads_is_no_failure() -> None:
    line = '{"type":"turn.completed"}'
    executor = AgentExecutor(["echo", line], format="codex", prompt="x" * 1_000_000)
    _, completed = await outcome(executor)
    assert completed.ok


async def test_what_it_says_on_stderr_is_of_kind_error() -> None:
    line = 'echo \'{"type":"turn.completed"}\'; echo oops >&2'
    sink = MemorySink()
    async with axiom_trio.open_aggregator([sink]) as aggregator:
        aggregator.start_soon(AgentExecutor(line, format="codex"))
    assert [(e.kind, e.data) for e in sink.of_type(axiom_trio.Output)] == [("error", b"oops\n")]


async def test_one_that_can_not_be_started_says_so() -> None:
    async with axiom_trio.open_aggregator() as aggregator:
        with pytest.raises(axiom_trio.SpawnError, match="no-such-agent"):
            await aggregator.start(AgentExecutor(["no-such-agent"], format="codex", prompt="x"))


async def test_it_is_run_again_from_the_beginning() -> None:
    executor = agent("twice: Hello\nfail: no")
    text, completed = await outcome(executor, supervision=Supervision(retries=1))
    assert completed.attempts == 2
    assert text.count("Hello\n") == 2


@pytest.mark.parametrize("form", ["aider", "", None])
def test_an_unknown_format_is_refused(form: Any) -> None:
    with pytest.raises(SpecificationError, match="it must be claude, codex, gemini"):
        AgentExecutor(["x"], format=form)


async def test_it_is_an_executor() -> None:
    line = '{"type":"item.completed","item":{"type":"agent_message","text":"Hello"}}'
    with trio.fail_after(PATIENCE):
        await check_executor(
            lambda: AgentExecutor(f"echo {shlex.quote(line)}; echo bad >&2; exit 3", format="codex"),
            output=b"Hello\n",
            errors=b"bad\n",
            ended=Exit(3),
            make_endless=lambda: AgentExecutor(["yes", line], format="codex"),
        )


async def test_it_is_steered_while_it_works() -> None:
    executor = AgentExecutor(
        [*AGENT, "steered"], format="claude", prompt="say: ready\nhear\nhear\nsay: done", steerable=True
    )
    sink = MemorySink()
    with trio.fail_after(PATIENCE):
        async with axiom_trio.open_aggregator([sink]) as aggregator:
            child = await aggregator.start(executor)
            await child.wait_for(rb"ready\n")
            first = await child.intervene("Stop planning,\nwrite \u2028 it")
            await child.wait_for(rb"heard Stop.*\n")
            await child.write(b"more")
            await child.write(b" of it\n")
            await child.wait()  # its input ends when its stream has said that it's done
            assert (await child.intervene("too late")).state == "refused"
    assert first.state in ("confirmed", "queued", "unconfirmed")
    text = sink.data(child.id).decode()
    assert "heard Stop planning,\nwrite" in text
    assert "heard more of it\ndone\n" in text
    assert child.completed is not None
    assert child.completed.ok


async def test_a_long_prompt_comes_whole_before_any_message() -> None:
    prompt = "say: ready\nhear\n" + "# filler\n" * 100_000
    with trio.fail_after(PATIENCE):
        async with axiom_trio.open_aggregator() as aggregator:
            executor = AgentExecutor([*AGENT, "steered"], format="claude", prompt=prompt, steerable=True)
            child = await aggregator.start(executor)
            await child.write(b"the message\n")  # at once: the prompt is on its way
    assert b"heard the message" in child.tail()


async def test_a_message_to_one_that_never_read_its_prompt_is_not_waited_for() -> None:
    with trio.fail_after(PATIENCE):
        async with axiom_trio.open_aggregator() as aggregator:
            prompt = "x" * 1_000_000
            executor = AgentExecutor(["sleep", "1000"], format="claude", prompt=prompt, steerable=True)
            child = await aggregator.start(executor)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(child.intervene, "are you there?")
                await trio.testing.wait_all_tasks_blocked()
                child.stop(grace=0)


async def test_who_can_not_be_steered_refuses() -> None:
    with pytest.raises(SpecificationError, match="codex takes no messages"):
        AgentExecutor(["x"], format="codex", steerable=True)
    with trio.fail_after(PATIENCE):
        async with axiom_trio.open_aggregator() as aggregator:
            child = await aggregator.start(agent("say: ready\nwait"))
            await child.wait_for(rb"ready")
            assert (await child.intervene("x")).reason == "it takes no input"
            with pytest.raises(axiom_trio.NotWritableError):
                await child.write(b"x")
            child.stop(grace=0)


# --- the SDK's messages


@dataclass
class TextBlock:
    text: str


@dataclass
class ToolUseBlock:
    id: str
    name: str
    input: dict[str, Any]


@dataclass
class ToolResultBlock:
    tool_use_id: str
    content: Any = None
    is_error: bool | None = None


@dataclass
class AssistantMessage:
    content: list[Any]
    model: str = "opus"
    parent_tool_use_id: str | None = None


@dataclass
class UserMessage:
    content: Any


@dataclass
class SystemMessage:
    subtype: str
    data: dict[str, Any]


@dataclass
class StreamEvent:
    uuid: str
    event: dict[str, Any]
    parent_tool_use_id: str | None = None


@dataclass
class ResultMessage:
    is_error: bool = False
    subtype: str = "success"
    num_turns: int = 1
    result: str | None = "All done"
    usage: dict[str, Any] = field(default_factory=dict)
    total_cost_usd: float = 0.5
    session_id: str = "s9"


@dataclass
class FutureMessage:
    hint: str


def delta(uuid: str, text: str) -> StreamEvent:
    event = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}
    return StreamEvent(uuid, event)


async def messages(*found: object):
    for message in found:
        await trio.lowlevel.checkpoint()
        if isinstance(message, Exception):
            raise message
        yield message


START = SystemMessage("init", {"type": "system", "subtype": "init", "session_id": "s9", "model": "opus"})
TALK = [
    START,
    delta("u1", "Hel"),
    delta("u2", "lo"),
    delta("u2", "lo"),
    AssistantMessage([TextBlock("Hello"), ToolUseBlock("t", "Bash", {"command": "ls"})]),
    UserMessage([ToolResultBlock("t", "a\nb")]),
    "a text",
    FutureMessage("x"),
    {"type": "assistant", "message": {"content": [{"type": "text", "text": "As a mapping"}]}},
]


async def test_messages_of_the_sdk() -> None:
    executor = SdkExecutor(messages(*TALK, ResultMessage()))
    text, completed = await outcome(executor)
    assert text == (
        "▷ opus · session s9\nHello\n→ Bash: ls\n← a (+1 line)\na text\nFutureMessage(hint='x')\n"
        "As a mapping\n■ 1 turn · $0.5000\n"
    )
    assert completed.ok
    assert executor.session == "s9"


@pytest.mark.parametrize(
    ("last", "error"),
    [
        (ResultMessage(is_error=True, result="overloaded"), "overloaded"),
        (UserMessage("nothing"), "without saying how it went"),
        (ConnectionError("gone"), "ConnectionError: gone"),
    ],
)
async def test_the_sdks_failures(last: object, error: str) -> None:
    text, completed = await outcome(SdkExecutor(messages(*TALK, last)))
    assert error in str(completed.exit.error)
    assert "Hello\n" in text


async def test_what_a_subagent_has_begun_to_say_is_shown_when_its_source_fails() -> None:
    said = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "half a"}}
    talk = {"type": "stream_event", "event": said, "parent_tool_use_id": "t"}
    text, completed = await outcome(SdkExecutor(messages(START, talk, ConnectionError("gone"))))
    assert "ConnectionError: gone" in str(completed.exit.error)
    assert "  half a\n" in text


async def test_messages_are_cancelled_when_the_child_is_stopped() -> None:
    closed = []

    async def endless():
        try:
            yield START
            await trio.sleep_forever()
        finally:
            closed.append(True)

    with trio.fail_after(PATIENCE):
        async with axiom_trio.open_aggregator() as aggregator:
            child = await aggregator.start(SdkExecutor(endless()))
            await child.wait_for(rb"session")
            child.stop()
    assert child.completed is not None
    assert child.completed.reason == "stopped"
    assert closed


def test_what_is_no_iterable_is_refused() -> None:
    with pytest.raises(SpecificationError, match="no async iterable"):
        SdkExecutor("x")  # type: ignore[arg-type]  # (what it must refuse)
