"""Agents' streams: what is shown of them, and how they ended, whatever comes and however it's cut."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from axiom_trio.sansio import agents
from axiom_trio.sansio.agents import FORMATS, AgentStream


def lines(*messages: Any) -> bytes:
    return b"".join(m if isinstance(m, bytes) else json.dumps(m).encode() + b"\n" for m in messages)


def shown(name: str, *messages: Any) -> tuple[list[tuple[str, str]], AgentStream]:
    """Each line by kind, and the stream."""
    stream = AgentStream(FORMATS[name]())
    parts: list[tuple[str, bytes]] = []
    for kind, data in stream.feed(lines(*messages)) + stream.close():
        if parts and parts[-1][0] == kind:
            data = parts.pop()[1] + data
        parts.append((kind, data))
    assert all(data.endswith(b"\n") for _, data in parts)
    order = [(kind, line) for kind, data in parts for line in data.decode().split("\n")[:-1]]
    return order, stream


def text(name: str, *messages: Any) -> list[str]:
    return [line for kind, line in shown(name, *messages)[0] if kind == "output"]


def delta(piece: str, index: int = 0, **more: Any) -> dict[str, Any]:
    inner = {"type": "content_block_delta", "index": index, "delta": {"type": "text_delta", "text": piece}}
    return {"type": "stream_event", "event": inner, **more}


def begins(ident: str, **more: Any) -> dict[str, Any]:
    return {"type": "stream_event", "event": {"type": "message_start", "message": {"id": ident}}, **more}


def block(kind: str, ident: str = "m1", **fields: Any) -> dict[str, Any]:
    more = {name: fields.pop(name) for name in ("uuid", "parent_tool_use_id") if name in fields}
    return {"type": "assistant", "message": {"id": ident, "content": [{"type": kind, **fields}]}, **more}


RESULT = {"type": "result", "subtype": "success", "is_error": False, "result": "Hello", "num_turns": 1}
STOP = {"type": "stream_event", "event": {"type": "content_block_stop", "index": 0}}

SESSIONS: dict[str, list[Any]] = {
    "claude": [
        {"type": "system", "subtype": "init", "session_id": "s1", "model": "opus", "uuid": "u0"},
        begins("m1", uuid="u1"),
        delta("Hel", uuid="u2"),
        delta("lo,\nwor", uuid="u3"),
        delta("ld", uuid="u4"),
        block("text", text="Hello,\nworld", uuid="u5"),
        STOP,
        block(
            "tool_use", id="t1", name="Bash", input={"command": "ls\n-l", "description": "look"}, uuid="u6"
        ),
        b"[SandboxDebug] noise\n",
        {
            "type": "user",
            "message": {"content": [{"type": "tool_result", "tool_use_id": "t1", "content": "a\nb"}]},
        },
        {**RESULT, "usage": {"input_tokens": 3, "cache_read_input_tokens": 4, "output_tokens": 5}},
    ],
    "codex": [
        {"type": "thread.started", "thread_id": "s1"},
        {"type": "turn.started"},
        {"type": "item.started", "item": {"id": "i0", "type": "command_execution", "command": "ls"}},
        {
            "type": "item.completed",
            "item": {
                "id": "i0",
                "type": "command_execution",
                "command": "ls",
                "aggregated_output": "a\n",
                "exit_code": 2,
                "status": "failed",
            },
        },
        {"type": "item.updated", "item": {"id": "i1", "type": "agent_message", "text": "Hel"}},
        {"type": "item.completed", "item": {"id": "i1", "type": "agent_message", "text": "Hello"}},
        {"type": "turn.completed", "usage": {"input_tokens": 7, "output_tokens": 5}},
    ],
    "gemini": [
        b"Loaded cached credentials.\n",
        {"type": "init", "session_id": "s1", "model": "auto"},
        {"type": "message", "role": "user", "content": "do it"},
        {"type": "message", "role": "assistant", "content": "Hel", "delta": True},
        {"type": "message", "role": "assistant", "content": "lo", "delta": True},
        {"type": "tool_use", "tool_name": "sh", "tool_id": "t", "parameters": {"command": "ls"}},
        {"type": "tool_result", "tool_id": "t", "status": "error", "error": {"message": "no"}},
        {"type": "message", "role": "assistant", "content": "Done", "delta": True},
        {"type": "message", "role": "assistant", "content": "Done."},
        {"type": "result", "status": "success", "stats": {"input_tokens": 7, "output_tokens": 5}},
    ],
}
EXPECTED = {
    "claude": [
        "▷ opus · session s1",
        "Hello,",
        "world",
        "→ Bash: ls -l",
        "[SandboxDebug] noise",
        "← a (+1 line)",
        "■ 1 turn · 7 tokens in, 5 out",
    ],
    "codex": ["▷ session s1", "→ shell: ls", "← failed: a", "Hello", "■ 7 tokens in, 5 out"],
    "gemini": [
        "Loaded cached credentials.",
        "▷ auto · session s1",
        "Hello",
        "→ sh: ls",
        "← failed: no",
        "Done.",
        "■ 7 tokens in, 5 out",
    ],
}


@pytest.mark.parametrize("name", SESSIONS)
def test_a_session_is_lines(name: str) -> None:
    told, stream = shown(name, *SESSIONS[name])
    assert told == [("output", line) for line in EXPECTED[name]]
    assert stream.ended is not None
    assert stream.ended.ok
    assert stream.ended.usage.input_tokens == 7
    assert stream.session == "s1"
    assert stream.answer == {"claude": "Hello,\nworld", "codex": "Hello", "gemini": "Done."}[name]


@given(st.sampled_from([*SESSIONS]), st.lists(st.integers(0, 5000)), st.booleans())
def test_however_it_is_cut_the_same_comes_out(name: str, cuts: list[int], whole: bool) -> None:
    data = lines(*SESSIONS[name]) + b'{"type": "half' + (b"\n" if whole else b"")
    places = sorted({0, len(data), *(cut % len(data) for cut in cuts)})
    one, other = AgentStream(FORMATS[name]()), AgentStream(FORMATS[name]())
    pieces = [other.feed(data[a:b]) for a, b in zip(places, places[1:], strict=False)]
    together = one.feed(data) + one.close()
    for kind in ("output", "error"):
        parts = [d for out in [*pieces, other.close()] for k, d in out if k == kind]
        assert b"".join(parts) == b"".join(d for k, d in together if k == kind)
    assert one.ended == other.ended
    assert one.answer == other.answer


@given(
    st.lists(st.binary(max_size=30) | st.sampled_from([b"\n", b"x" * 20, b"\r\n", b"{}\n"])),
    st.integers(1, 40),
)
@example([b"x" * 20, b"x" * 20, b"\n", b"{}\n"], 7)
def test_lines_too_long_to_be_read_pass_through(parts: list[bytes], step: int) -> None:
    data = b"".join(parts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(agents, "LONGEST", 16)
        stream = AgentStream(FORMATS["claude"]())
        out = [stream.feed(data[at : at + step]) for at in range(0, len(data), step)]
        assert stream._splitter.pending <= 16 + step
        out.append(stream.close())
    assert b"".join(d for part in out for _, d in part).removesuffix(b"\n") == data.removesuffix(b"\n")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "type",
                    "subtype",
                    "event",
                    "message",
                    "content",
                    "delta",
                    "text",
                    "index",
                    "item",
                    "items",
                    "id",
                    "input",
                    "error",
                    "usage",
                    "stats",
                    "role",
                    "status",
                    "result",
                    "is_error",
                    "uuid",
                    "parent_tool_use_id",
                    "content_block",
                    "command",
                    "changes",
                    "exit_code",
                    "errors",
                ]
            ),
            inner
            | st.sampled_from(
                [
                    "stream_event",
                    "assistant",
                    "user",
                    "result",
                    "system",
                    "init",
                    "content_block_delta",
                    "text_delta",
                    "message_start",
                    "text",
                    "tool_use",
                    "tool_result",
                    "thinking",
                    "item.started",
                    "item.completed",
                    "agent_message",
                    "command_execution",
                    "file_change",
                    "todo_list",
                    "mcp_tool_call",
                    "turn.failed",
                    "message",
                    "init",
                    "error",
                    "success",
                ]
            ),
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(st.sampled_from([*FORMATS]), st.lists(JSON, max_size=6))
def test_nothing_makes_a_reader_raise(name: str, messages: list[Any]) -> None:
    told, _ = shown(name, *(lines(m).replace(b"NaN", b"1") for m in messages))
    for message in messages:  # what is no message at all is there, as it was
        if not isinstance(message, dict):
            assert json.dumps(message).replace("NaN", "1") in [line for _, line in told]


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    "line",
    [
        b'{"type": "from the future", "a": 1}',
        b'{"type"',
        b"[" * 100_000,
        b'{"a":' * 60_000,
        b"\xff\xfe",
        b"17",
        b"{" + b"9" * 5000,
        b"",
    ],
)
def test_what_is_not_known_passes_through(name: str, line: bytes) -> None:
    stream = AgentStream(FORMATS[name]())
    assert stream.feed(line + b"\n") == [("output", line + b"\n")]


def test_an_error_that_is_called_a_success_is_a_failure() -> None:
    _, stream = shown(
        "claude", {"type": "result", "subtype": "success", "is_error": True, "result": "API Error: 401"}
    )
    assert stream.ended is not None
    assert (stream.ended.ok, stream.ended.reason) == (False, "API Error: 401")


@pytest.mark.parametrize(
    ("name", "message", "reason"),
    [
        ("claude", {"type": "result", "subtype": "error_max_turns", "is_error": False}, "all turns"),
        ("claude", {"type": "result", "subtype": "error_x", "errors": ["boom"]}, "boom"),
        ("codex", {"type": "turn.failed", "error": {"message": "quota"}}, "quota"),
        ("gemini", {"type": "result", "status": "error", "error": {"message": "quota"}}, "quota"),
        ("gemini", {"type": "result"}, "None"),
    ],
)
def test_failures_say_why(name: str, message: dict[str, Any], reason: str) -> None:
    _, stream = shown(name, message)
    assert stream.ended is not None
    assert not stream.ended.ok
    assert reason in str(stream.ended.reason)


def test_a_stream_that_stops_in_the_middle_has_no_end() -> None:
    told, stream = shown("claude", begins("m1"), delta("half a sen"), b'{"type":"result","sub')
    assert [line for _, line in told] == ["half a sen", '{"type":"result","sub']
    assert stream.ended is None


def test_warnings_are_errors_and_no_end() -> None:
    told, stream = shown(
        "codex", {"type": "item.completed", "item": {"id": "i", "type": "error", "message": "old"}}
    )
    assert told == [("error", "! old")]
    assert stream.ended is None


# --- what comes twice


def test_the_whole_message_adds_only_what_the_deltas_lacked() -> None:
    assert text("claude", begins("m1"), delta("one "), block("text", text="one two")) == ["one two"]
    assert text("claude", begins("m1"), delta("one"), block("text", text="another")) == ["oneanother"]
    assert text("claude", block("text", text="one")) == ["one"]
    assert text(
        "claude", begins("m1"), delta("a"), delta("b", 1), block("text", text="a"), block("text", text="b")
    ) == ["ab"]


def test_a_line_that_comes_again_is_passed_over() -> None:
    again = [message for message in SESSIONS["claude"] if isinstance(message, dict) and "uuid" in message]
    assert text("claude", *again, *again) == text("claude", *again)
    call = block("tool_use", id="t1", name="Bash", input={})
    assert text("claude", call, call) == ["→ Bash"]
    said = block("text", text="once")
    assert text("claude", said, said) == ["once"]
    items = [m for m in SESSIONS["codex"] if m["type"] == "item.completed"]
    assert text("codex", *items, *items) == text("codex", *items)
    calls = [m for m in SESSIONS["gemini"] if isinstance(m, dict) and m["type"].startswith("tool")]
    assert text("gemini", *calls, *calls) == text("gemini", *calls)


@given(st.text("ab\n", min_size=1, max_size=12), st.lists(st.integers(0, 12)), st.integers(0, 12))
def test_a_message_streamed_anew_goes_on_where_it_was(whole: str, cuts: list[int], until: int) -> None:
    places = sorted({0, len(whole), *(cut % (len(whole) + 1) for cut in cuts)})
    pieces = [delta(whole[a:b]) for a, b in zip(places, places[1:], strict=False)]
    first = delta(whole[:until])
    told = text("claude", begins("m1"), first, begins("m1"), *pieces, block("text", text=whole))
    assert told == whole.split("\n")[: None if not whole.endswith("\n") else -1]


# --- details


def test_half_a_character_waits_for_the_other() -> None:
    assert text("claude", begins("m"), delta("\ud83d"), delta("\ude00!")) == ["😀!"]
    assert text("claude", begins("m"), delta("\ud83d"), STOP) == ["\ufffd"]


def test_subagents_speak_in_whole_lines() -> None:
    told = text(
        "claude",
        begins("a", parent_tool_use_id="t1"),
        begins("b", parent_tool_use_id="t2"),
        delta("one ", parent_tool_use_id="t1"),
        delta("two ", parent_tool_use_id="t2"),
        delta("more\nrest", parent_tool_use_id="t1"),
        delta("more\n", parent_tool_use_id="t2"),
    )
    assert told == ["  one more", "  two more", "  rest"]


def test_what_a_tool_is_given_cannot_drive_the_terminal() -> None:
    [line] = text(
        "claude", block("tool_use", id="t", name="Bash\x1b[2J", input={"command": "a\x07\n" + "b" * 999})
    )
    assert line.startswith("→ Bash^[[2J: a^G bbb")
    assert len(line) < 200


def test_memory_is_bounded_however_long_one_message_is() -> None:
    stream = AgentStream(FORMATS["gemini"]())
    piece = lines({"type": "message", "role": "assistant", "content": "x" * 100_000, "delta": True})
    for _ in range(40):
        stream.feed(piece)
    assert len(stream.answer) == 64 * 1024
    assert stream._said_size < 300_000
    assert len(stream._reader._streamed.text()) < 1_200_000  # type: ignore[attr-defined]  # (a field of this reader alone)
