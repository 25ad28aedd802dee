"""Viewers over a WebSocket: those who break the protocol, take nothing, go, or come back."""

from __future__ import annotations

import base64
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing

import axiom_trio
from axiom_trio.server import stream, websocket
from axiom_trio.testing import Pause, ScriptedExecutor, Send
from tests.raw import BINARY, CLOSE, CONTROL, PATIENCE, PING, PONG, TEXT, VIEW, Raw, frame, head, raw, viewer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from axiom_trio import Server, StreamAggregator

SUBSCRIBE = frame(TEXT, b'{"type":"subscribe","data":{"stats":0}}')
REPLY = b'{"type":"reply","data":{"id":"x"}}\n'


@asynccontextmanager
async def served(**options: Any) -> AsyncIterator[tuple[StreamAggregator, Server]]:
    async with (
        axiom_trio.open_aggregator(**options) as aggregator,
        axiom_trio.serve(aggregator, tokens=(VIEW, CONTROL)) as server,
    ):
        aggregator.start_soon(ScriptedExecutor([Pause(1000)]), name="quiet")
        try:
            yield aggregator, server
        finally:
            aggregator.stop(grace=0.1)


def ping(id_: str = "x") -> bytes:
    return frame(TEXT, json.dumps({"type": "ping", "data": {"id": id_}}).encode())


def flood(count: int, size: int = 10_000) -> ScriptedExecutor:
    return ScriptedExecutor([Send(b"%06d " % number + b"x" * size + b"\n") for number in range(count)])


# --- who breaks the protocol


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (frame(TEXT, b"x" * 65_537), 1009),
        (frame(TEXT, b"x" * (2 << 20)), 1009),
        (frame(TEXT, b"x" * 40_000, fin=False) + frame(0, b"x" * 40_000), 1009),
        (frame(TEXT, b"x" * 70_000, length=1 << 62), 1009),
        (frame(TEXT, b"x", length=1 << 63), 1002),
        (frame(TEXT, b"\xff\xfe"), 1007),
        (frame(TEXT, b"\xed\xa0\x80"), 1007),
        (frame(3, b""), 1002),
        (frame(0, b"x"), 1002),
        (frame(PING, b"x" * 126), 1002),
        (frame(PING, b"", fin=False), 1002),
        (frame(TEXT, b"a", fin=False) + frame(TEXT, b"b"), 1002),
        (b"\xf1\x80\0\0\0\0", 1002),
        (b"\x81\x01x", 1002),
        (frame(CLOSE, b"\x03"), 1002),
        (frame(CLOSE, b"\x03\xed"), 1002),
        (frame(CLOSE, b"\x03\xe8\xff"), 1007),
        (frame(CLOSE, b"\x03\xe8bye"), 1000),
        (frame(CLOSE, b""), 1000),
    ],
)
async def test_codes(sent: bytes, code: int) -> None:
    async with served() as (_, server), viewer(server.port) as client:
        with trio.move_on_after(PATIENCE):
            await client.send(sent)
        opcode, payload = await client.frame()
        assert opcode == CLOSE
        assert int.from_bytes(payload[:2] or b"\x03\xe8", "big") == code
        assert await client.rest() == b""
        async with viewer(server.port) as other:  # harms nobody else
            await other.send(ping())
            assert (await other.frame())[1] == REPLY


async def test_rubbish_is_answered_and_binary_is_text() -> None:
    async with served() as (_, server), viewer(server.port) as client:
        for sent in (b"rubbish", b"[]", b'{"type":"subscribe","data":{"after":"x"}}', b'{"type":"nonsense"}'):
            await client.send(frame(TEXT, sent))
            assert (await client.event("error"))["data"]["message"]
        for sent in (b'{"type":"\xff"}', b"[" * 60_000, b'{"type":"stop","data":{"grace":1%0400d}}' % 0):
            await client.send(frame(BINARY, sent))
            assert (await client.event("error"))["data"]["code"] == "bad-message"
        await client.send(frame(BINARY, b'{"type":"ping","data":{"id":"x"}}'))
        assert (await client.frame())[1] == REPLY
        await client.send(frame(TEXT, b'{"type":"ping","da', fin=False) + frame(PING, b"p"))
        await client.send(frame(0, b'ta":{"id":"x"}}'))
        assert await client.frame() == (PONG, b"p")
        assert (await client.frame())[1] == REPLY


@pytest.mark.parametrize(
    "data",
    [
        *({"after": "x"}, {"after": 1.5}, {"after": True}, {"after": -2}, {"tick": "x"}, {"tick": -1}),
        *(
            {"tick": 1e9},
            {"stats": 10**400},
            {"stats": "x"},
            {"stats": -1},
            {"tasks": "a"},
            {"tasks": [1]},
            {"tick": ["x"]},
        ),
    ],
)
async def test_a_subscription_that_can_not_be(data: dict[str, Any]) -> None:
    async with served() as (_, server), viewer(server.port) as client:
        await client.send(frame(TEXT, json.dumps({"type": "subscribe", "data": data}).encode()))
        assert (await client.event("error"))["data"]["code"] == "bad-message"
        await client.send(ping())
        assert (await client.frame())[1] == REPLY


async def test_a_flood_of_pings_is_harmless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "_AT_ONCE", 64 * 1024)

    async def pings(client: Raw) -> None:
        while True:
            await client.send(frame(PING, b"") * 1000)

    async def pongs(client: Raw) -> None:
        while True:
            assert await client.frame() == (PONG, b"")

    async with (
        served() as (aggregator, server),
        viewer(server.port) as client,
        viewer(server.port) as other,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(pings, client)
        nursery.start_soon(pongs, client)
        child = aggregator.start_soon(flood(100), name="a")
        await child.wait()
        for _ in range(20):
            await other.send(ping())
            assert (await other.frame())[1] == REPLY
        nursery.cancel_scope.cancel()


async def test_who_asks_and_never_listens_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    async with served() as (_, server), viewer(server.port) as client:
        await client.send(frame(TEXT, b'{"type":"status"}\n' * 1000))
        assert await client.close_code() == 1008
        assert await client.rest() == b""


async def test_who_does_not_agree_to_the_end_is_cut() -> None:
    async with served() as (_, server), viewer(server.port) as client:
        await client.send(SUBSCRIBE)
        await client.event("started")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.finish)
            await client.event("end")
            assert await client.close_code() == 1000
            assert await client.rest() == b""  # though we have not answered


async def test_who_vanishes_is_found_by_a_ping(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "PING_EVERY", 0.1)
    monkeypatch.setattr(websocket, "PONG_WITHIN", 0.3)
    async with served() as (_, server), viewer(server.port) as client:
        opcode, payload = await client.frame()
        assert opcode == PING
        await client.send(frame(PONG, payload))
        assert (await client.frame())[0] == PING  # and now we are silent
        assert await client.close_code() == 4408
        assert await client.rest() == b""


async def test_who_does_not_wait_for_the_answer() -> None:
    async with served() as (_, server), raw(server.port, head(server.port) + ping() + ping("y")) as client:
        assert (await client.answer()).status == 101
        assert [(await client.event("reply"))["data"]["id"] for _ in range(2)] == ["x", "y"]


# --- who takes nothing, or little


async def test_who_takes_nothing_is_cut_and_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "PATIENCE", 0.5)
    async with served(history=1 << 20) as (aggregator, server):  # noqa: SIM117 (the port)
        async with viewer(server.port, buffer=4096) as stalled, viewer(server.port) as other:
            await stalled.send(SUBSCRIBE)
            await other.send(SUBSCRIBE)
            child = aggregator.start_soon(flood(2000), name="a")
            lines = 0
            while True:
                message = await other.event("stream", "gap", "complete")
                if message["type"] == "complete":
                    break
                lines += message["data"]["lines"]
            assert lines == 2000 == child.statistics().lines
            while len(server._listener._viewers) > 1:
                aggregator.start_soon(flood(10), name="more")  # there's always something to take
                await trio.sleep(0.1)
            assert len(await stalled.rest()) < 4 << 20
            await other.send(ping("y"))
            assert (await other.event("reply"))["data"]["id"] == "y"


async def test_who_takes_a_little_now_and_then_is_not_missed(
    mock_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    mock_clock.autojump_threshold = 0.02  # the kernel needs some real time
    monkeypatch.setattr("tests.raw.PATIENCE", 1000.0)
    monkeypatch.setattr(stream, "_IN_FLIGHT", 4096)
    async with (
        served(history=8 << 20) as (aggregator, server),
        viewer(server.port, buffer=1 << 13) as client,
    ):
        child = aggregator.start_soon(flood(100, size=20_000), name="a")
        await child.wait()
        await client.send(SUBSCRIBE)
        for _ in range(2 * int(websocket.PING_EVERY + websocket.PONG_WITHIN)):
            await client.more(4000)  # and no ping is answered: they stand behind it
            await trio.sleep(1)
        mock_clock.rate = 1
        lines = 0
        while (message := await client.event("stream", "gap", "complete"))["type"] != "complete":
            lines += message["data"]["lines"]
        assert lines == 100


async def test_a_new_subscription_tears_no_frame() -> None:
    async with served(history=1 << 20) as (aggregator, server), viewer(server.port, buffer=4096) as client:
        child = aggregator.start_soon(flood(200), name="a")
        await child.wait()
        await client.send(SUBSCRIBE)
        await trio.sleep(0.2)  # it's in the middle of a frame now, if ever
        await client.send(SUBSCRIBE + ping())
        cursors = []
        answered = False
        while not answered or cursors.count(cursors[0]) < 2 or cursors[-1] < max(cursors):
            opcode, payload = await client.frame()
            assert opcode == TEXT
            for line in payload.splitlines():
                message = json.loads(line)
                if message["type"] == "reply":
                    answered = True
                else:
                    cursors.append(message["cursor"])
        again = cursors.index(cursors[0], 1)
        assert cursors[again:] == sorted({*cursors[again:]})


async def test_a_stalled_viewer_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("axiom_trio.server.listener._FAREWELL", 0.3)
    monkeypatch.setattr(stream, "PATIENCE", 1000.0)
    async with served() as (aggregator, server), viewer(server.port, buffer=4096) as client:
        await client.send(SUBSCRIBE)
        child = aggregator.start_soon(flood(500), name="a")
        await child.wait()
        with trio.fail_after(PATIENCE):
            await server.finish()


# --- who comes, and comes back


async def test_history_then_live_then_the_end() -> None:
    async with served() as (aggregator, server), viewer(server.port) as client:
        first = aggregator.start_soon(ScriptedExecutor([Send(b"one\n")]), name="a")
        await first.wait()
        await client.send(SUBSCRIBE)
        assert (await client.event("stream"))["data"]["text"] == "one\n"
        aggregator.start_soon(ScriptedExecutor([Send(b"two\n"), Send(b"three\n")]), name="b")
        text = ""
        while text != "two\nthree\n":
            text += (await client.event("stream"))["data"]["text"]
        aggregator.stop(grace=0.1)
        cursor = (await client.event("allComplete"))["cursor"]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.finish)
            assert (await client.event("end"))["cursor"] == cursor


async def test_two_viewers_see_the_same() -> None:
    """Also what another has asked for before, and in another form."""
    async with served(history=4 << 20) as (aggregator, server):
        child = aggregator.start_soon(flood(100, size=30_000), name="a")
        await child.wait()
        seen: list[list[Any]] = [[], [], []]

        async def look(events: list[Any], more: dict[str, Any]) -> None:
            async with viewer(server.port) as client:
                request = {"type": "subscribe", "data": {"stats": 0, **more}}
                await client.send(frame(TEXT, json.dumps(request).encode()))
                while not events or events[-1]["type"] != "complete":
                    events.append(await client.event("started", "stream", "complete"))

        async with trio.open_nursery() as nursery:
            for events, more in zip(seen, ({}, {"tasks": [child.id]}, {"exact": True}), strict=True):
                nursery.start_soon(look, events, more)
        assert [event["cursor"] for event in seen[0]] == [*range(len(seen[0]))]
        assert seen[1] == [event for event in seen[0] if event["data"]["taskId"] == child.id]
        for event in seen[2]:
            raw_bytes = event["data"].pop("raw", "")
            assert event["type"] != "stream" or base64.b64decode(raw_bytes).decode() == event["data"]["text"]
        assert seen[2] == seen[0]


async def test_who_has_fallen_out_of_the_history_is_told_what_is_missing() -> None:
    async with served(history=100_000) as (aggregator, server), viewer(server.port) as client:
        child = aggregator.start_soon(flood(100), name="a")
        await child.wait()
        await client.send(frame(TEXT, b'{"type":"subscribe","data":{"after":0,"stats":0}}'))
        gap = (await client.event("gap", "stream"))["data"]
        assert gap["fromCursor"] == 1
        lines = 0
        while True:
            message = await client.event("stream", "gap", "complete")
            if message["type"] == "complete":
                break
            lines += message["data"]["lines"]
        assert gap["lines"] + lines == 100


async def test_a_view_token_steers_nothing() -> None:
    async with served() as (aggregator, server), viewer(server.port, token=VIEW) as client:
        for kind in ("intervene", "press", "write", "interrupt", "stop", "restart", "resize", "add"):
            request = {"type": kind, "data": {"id": "x", "task": "quiet", "text": "x", "command": "true"}}
            await client.send(frame(TEXT, json.dumps(request).encode()))
            assert (await client.event("error", "reply"))["data"]["code"] == "forbidden"
        assert aggregator.children[0].completed is None


async def test_the_screen_of_a_full_screen_child() -> None:
    full = ScriptedExecutor([Pause(0.3), Send(b"\x1b[?1049h\x1b[2J\x1b[2;3Hhello")] * 1000)
    full.tty = True  # type: ignore[misc]  # (of a class, and here of one object)
    async with served() as (aggregator, server), viewer(server.port, token=VIEW) as client:
        aggregator.start_soon(full, name="full")
        screen = None
        while screen is None:
            await client.send(frame(TEXT, b'{"type":"screen","data":{"id":"x","task":"full"}}'))
            screen = (await client.event("reply"))["data"]["screen"]
        assert screen["text"][1] == "  hello"
        assert screen["cursor"] == [2, 8]
        assert screen["size"] == [24, 80]


async def test_statistics_come_though_nothing_else_does() -> None:
    async with served() as (_, server), viewer(server.port) as client:
        await client.send(frame(TEXT, b'{"type":"subscribe","data":{"after":"now","stats":250}}'))
        for _ in range(2):
            stats = await client.event("stats")
            assert stats["data"]["activeCount"] == 1
            assert stats["data"]["streams"][0]["name"] == "quiet"
            assert "metadata" not in stats["data"]["streams"][0]
