"""The wire form, word for word."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from axiom_trio.sansio.events import (
    AllCompleted,
    ChildStatistics,
    Completed,
    Delivery,
    Escaped,
    Event,
    Exit,
    Gap,
    Idle,
    Intervention,
    Output,
    Restarting,
    Started,
    Stats,
    TaskMetadata,
)
from axiom_trio.sansio.wire import WireEncoder

ID = "0123456789abcdef"
TIME = 1_700_000_000.1256
MS = 1_700_000_000_126

STARTED = Started(cursor=1, time=TIME, child=ID, name="api", index=2, pid=77, tty=True)
FIGURES = ChildStatistics(child=ID, name="api", bytes=10, lines=2, interventions=1, uptime=1.5, idle=0.0004)


def output(data: bytes, *, partial: bool = False, child: str = ID) -> Output:
    return Output(
        cursor=5,
        time=TIME,
        child=child,
        seq=3,
        kind="output",
        data=data,
        lines=data.count(b"\n"),
        partial=partial,
    )


def sent(encoder: WireEncoder, event: Event) -> dict[str, Any]:
    line = encoder.encode(event)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    result: dict[str, Any] = json.loads(line)
    return result


def stream(encoder: WireEncoder, event: Output) -> dict[str, Any]:
    data: dict[str, Any] = sent(encoder, event)["data"]
    return data


@pytest.mark.parametrize(
    ("event", "wire"),
    [
        (
            STARTED,
            {
                "type": "started",
                "cursor": 1,
                "data": {
                    "taskId": ID,
                    "shortId": "01234567",
                    "name": "api",
                    "index": 2,
                    "pid": 77,
                    "tty": True,
                    "timestamp": MS,
                    "metadata": None,
                },
            },
        ),
        (
            output(b"a\nb\n"),
            {
                "type": "stream",
                "cursor": 5,
                "data": {
                    "taskId": ID,
                    "shortId": "01234567",
                    "name": "api",
                    "seq": 3,
                    "kind": "output",
                    "timestamp": MS,
                    "lines": 2,
                    "text": "a\nb\n",
                },
            },
        ),
        (
            Intervention(cursor=6, time=TIME, child=ID, count=4, origin="rule", text="go\n⚡", receipt="r1"),
            {
                "type": "intervention",
                "cursor": 6,
                "data": {
                    "taskId": ID,
                    "timestamp": MS,
                    "count": 4,
                    "origin": "rule",
                    "text": "go\n⚡",
                    "receipt": "r1",
                    "rule": None,
                },
            },
        ),
        (
            Delivery(
                cursor=7, time=TIME, child=ID, receipt="r1", state="confirmed", reason="echoed", rule="go"
            ),
            {
                "type": "delivery",
                "cursor": 7,
                "data": {
                    "taskId": ID,
                    "timestamp": MS,
                    "receipt": "r1",
                    "rule": "go",
                    "state": "confirmed",
                    "reason": "echoed",
                },
            },
        ),
        (
            Idle(cursor=7, time=TIME, child=ID, idle=30.0),
            {"type": "idle", "cursor": 7, "data": {"taskId": ID, "timestamp": MS, "idleTime": 30_000}},
        ),
        (
            Stats(cursor=8, time=TIME, active=1, bytes=100, lines=20, interventions=3, children=(FIGURES,)),
            {
                "type": "stats",
                "cursor": 8,
                "data": {
                    "timestamp": MS,
                    "activeCount": 1,
                    "totalBytes": 100,
                    "totalLines": 20,
                    "totalInterventions": 3,
                    "streams": [
                        {
                            "taskId": ID,
                            "shortId": "01234567",
                            "name": "api",
                            "bytes": 10,
                            "lines": 2,
                            "interventions": 1,
                            "uptime": 1500,
                            "idle": 0,
                        }
                    ],
                },
            },
        ),
        (
            Restarting(
                cursor=9, time=TIME, child=ID, attempt=2, delay=0.25, exit=Exit(None, 9), reason="timeout"
            ),
            {
                "type": "restarting",
                "cursor": 9,
                "data": {
                    "taskId": ID,
                    "timestamp": MS,
                    "attempt": 2,
                    "delay": 250,
                    "exitCode": None,
                    "signal": 9,
                    "error": None,
                    "reason": "timeout",
                },
            },
        ),
        (
            Completed(
                cursor=10,
                time=TIME,
                child=ID,
                exit=Exit(127, error="no such command: nope"),
                reason="error",
                duration=1.25,
                bytes=10,
                lines=2,
                interventions=1,
                attempts=3,
                escaped=(Escaped(77, "sleep 9"), Escaped(78, "daemon", killed=False)),
            ),
            {
                "type": "complete",
                "cursor": 10,
                "data": {
                    "taskId": ID,
                    "timestamp": MS,
                    "exitCode": 127,
                    "signal": None,
                    "error": "no such command: nope",
                    "reason": "error",
                    "duration": 1250,
                    "bytes": 10,
                    "lines": 2,
                    "interventions": 1,
                    "attempts": 3,
                    "escaped": [
                        {"pid": 77, "command": "sleep 9", "killed": True},
                        {"pid": 78, "command": "daemon", "killed": False},
                    ],
                },
            },
        ),
        (
            AllCompleted(cursor=11, time=TIME, children=3, failed=1, bytes=10, lines=2, interventions=1),
            {
                "type": "allComplete",
                "cursor": 11,
                "data": {
                    "timestamp": MS,
                    "completed": 3,
                    "failed": 1,
                    "totalBytes": 10,
                    "totalLines": 2,
                    "totalInterventions": 1,
                },
            },
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_type(event: Event, wire: dict[str, Any]) -> None:
    encoder = WireEncoder()
    encoder.encode(STARTED)
    assert sent(encoder, event) == wire


def test_a_gap() -> None:
    """Whoever resumes after its cursor goes on with the first event that was not missed."""
    gap = Gap(from_cursor=3, to_cursor=8, events=5, lines=4, bytes=44)
    assert sent(WireEncoder(), gap) == {
        "type": "gap",
        "cursor": 7,
        "data": {"fromCursor": 3, "toCursor": 8, "events": 5, "lines": 4, "bytes": 44},
    }


def test_metadata() -> None:
    metadata = TaskMetadata(prompt="write it", index=1, depth=0, pattern="parallel", parent="p")
    event = Started(cursor=1, time=TIME, child=ID, name="api", index=2, metadata=metadata)
    data = sent(WireEncoder(), event)["data"]
    assert data["metadata"] == {
        "prompt": "write it",
        "index": 1,
        "depth": 0,
        "pattern": "parallel",
        "parent": "p",
    }
    assert (data["pid"], data["tty"]) == (None, False)


def test_a_detected_intervention_has_no_receipt() -> None:
    event = Intervention(cursor=6, time=TIME, child=ID, count=1, origin="detected", text="x")
    assert sent(WireEncoder(), event)["data"]["receipt"] is None


# --- text and raw


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from([b"a", b"\r\n", b"\n", b"\xff", b"\xc3", b"\xa9", "é".encode(), "🙂".encode()])
    ).map(b"".join)
    | st.binary(max_size=20),
    st.booleans(),
    st.booleans(),
)
@example("🙂".encode()[:2], False, True)
def test_text_and_raw(data: bytes, tty: bool, partial: bool) -> None:
    encoder = WireEncoder()
    encoder.encode(Started(cursor=1, time=TIME, child=ID, name="api", index=0, tty=tty))
    shown = stream(encoder, output(data, partial=partial))
    block = data.replace(b"\r\n", b"\n") if tty else data
    assert shown["text"] == block.decode("utf-8", "replace")
    try:
        block.decode()
    except UnicodeDecodeError:
        assert base64.b64decode(shown["raw"], validate=True) == block
    else:
        assert "raw" not in shown
        assert shown["text"].encode() == block
    assert shown.get("partial", False) is partial
    assert ("partial" in shown) is partial


def test_a_character_cut_in_two_comes_back_whole_from_raw() -> None:
    encoder = WireEncoder()
    data = "é".encode()
    pieces = [output(b"caf" + data[:1], partial=True), output(data[1:] + b"\n")]
    shown = [stream(encoder, piece) for piece in pieces]
    assert [part["text"] for part in shown] == ["caf\ufffd", "\ufffd\n"]
    assert b"".join(base64.b64decode(part["raw"]) for part in shown).decode() == "café\n"


def test_escapes_and_nul_pass_untouched() -> None:
    data = b"\x1b[2J\x00\x07\x1b]0;t\x07\t\x7f\n"
    shown = stream(WireEncoder(), output(data))
    assert shown["text"].encode() == data
    assert "raw" not in shown


def test_names_are_those_of_started_until_the_end() -> None:
    encoder = WireEncoder()
    assert stream(encoder, output(b"x\r\n"))["name"] == ID  # its start was missed
    encoder.encode(STARTED)
    assert stream(encoder, output(b"x\r\n"))["name"] == "api"
    assert stream(encoder, output(b"x\r\n"))["text"] == "x\n"
    assert stream(encoder, output(b"x\r\n", child="other"))["text"] == "x\r\n"


def test_lone_surrogates_do_not_break_the_line() -> None:
    """A name, a prompt or a path may come from undecodable arguments."""
    encoder = WireEncoder()
    event = Started(
        cursor=1, time=TIME, child=ID, name="a\udcffé", index=0, metadata=TaskMetadata(prompt="\ud83d")
    )
    data = sent(encoder, event)["data"]
    assert (data["name"], data["metadata"]["prompt"]) == ("a\ufffdé", "\ufffd")
    assert stream(encoder, output(b"x\n"))["name"] == "a\ufffdé"
    figures = ChildStatistics(
        child=ID, name="\udcff", bytes=1, lines=1, interventions=0, uptime=1.0, idle=0.0
    )
    stats = Stats(cursor=2, time=TIME, active=1, bytes=1, lines=1, interventions=0, children=(figures,))
    assert sent(encoder, stats)["data"]["streams"][0]["name"] == "\ufffd"
