"""The control socket and the client: with an aggregator in this process, over a real socket."""

from __future__ import annotations

import json
import os
import socket
from contextlib import ExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import trio

import axiom_trio
from axiom_trio.server import runtime
from axiom_trio.server.control import ControlSocket
from axiom_trio.server.feed import Feed
from axiom_trio.server.host import Host
from axiom_trio.server.remote import LostError, NoRunError, RequestError
from axiom_trio.server.session import Session
from axiom_trio.testing import Exit, Pause, ScriptedExecutor, Send

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from axiom_trio import StreamAggregator

ABOUT = {"version": "0", "pid": os.getpid(), "cwd": "/", "command": "test", "startedAt": 1000}


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path / "axiom-trio"


@asynccontextmanager
async def served(
    rights: tuple[str, ...] = ("view", "control"), **options: Any
) -> AsyncIterator[StreamAggregator]:
    with ExitStack() as stack:
        async with trio.open_nursery() as nursery:
            async with axiom_trio.open_aggregator(**options) as aggregator:
                host = Host(aggregator, ABOUT)

                async def serve(connection: Any) -> None:
                    await Session(connection, host, rights).run()

                control = ControlSocket(aggregator.run_id, serve)
                stack.callback(control.close)
                nursery.start_soon(control.run)
                try:
                    yield aggregator
                finally:
                    aggregator.stop(grace=0.1)
            await control.finish()
            nursery.cancel_scope.cancel()


def lines(count: int, *, first: int = 0) -> bytes:
    return b"".join(b"%08d\n" % number for number in range(first, first + count))


async def test_history_then_live_without_gap_or_duplicate() -> None:
    async with served() as aggregator:
        steps = [
            Send(lines(50)),
            Pause(0.2),
            *(Send(lines(10, first=50 + 10 * n)) for n in range(50)),
            Exit(0),
        ]
        aggregator.start_soon(ScriptedExecutor(steps), id="abcdefgh", name="a")
        aggregator.start_soon(ScriptedExecutor([Pause(1.5)]), id="keeps", name="k")
        with trio.fail_after(60):
            async with axiom_trio.connect() as client:
                assert client.hello.run_id == aggregator.run_id
                seen, cursors = b"", []
                async for event in client.subscribe(tasks=["abcdefgh"]):
                    cursors.append(event["cursor"])
                    if event["type"] == "stream":
                        seen += event["data"]["text"].encode()
                    if event["type"] == "complete":
                        break
    assert seen == lines(550)
    assert cursors == sorted(set(cursors))


async def test_who_comes_late_reads_the_end() -> None:
    async with axiom_trio.open_aggregator() as aggregator, trio.open_nursery() as nursery:
        del aggregator, nursery
    async with served() as aggregator:
        aggregator.start_soon(ScriptedExecutor([Pause(0.1), Send(b"last\n")]), name="a")
        async with axiom_trio.connect() as client:
            kinds = []

            async def read() -> None:
                async for event in client.subscribe():
                    kinds.append(event["type"])

            async with trio.open_nursery() as nursery:
                nursery.start_soon(read)
                await trio.sleep(0.3)
                nursery.cancel_scope.cancel()
    assert kinds == ["started", "stream", "complete", "allComplete"]


async def test_a_cut_subscription_comes_back_with_its_cursor() -> None:
    async with served() as aggregator:
        steps = [Send(lines(10)), Pause(0.3), Send(lines(10, first=10)), Pause(0.2)]
        aggregator.start_soon(ScriptedExecutor(steps), name="a")
        with trio.fail_after(60):
            async with axiom_trio.connect() as client:
                seen = b""
                events = client.subscribe()
                async for event in events:
                    if event["type"] == "stream":
                        seen += event["data"]["text"].encode()
                        if events._wire is not None and len(seen) <= 90:
                            events._wire.abort()
                    if event["type"] == "complete":
                        break
    assert seen == lines(20)


async def test_of_many_subscriptions_that_come_together_the_last_is_served(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made, begun = 0, trio.Event()
    next_frame = Feed._next_frame

    def counted(self: Feed, cursor: Any) -> tuple[bytes, bool]:
        nonlocal made
        made += 1
        begun.set()
        return next_frame(self, cursor)

    monkeypatch.setattr("axiom_trio.server.session._ANEW", 1.0)
    monkeypatch.setattr(Feed, "_next_frame", counted)
    async with served() as aggregator:
        child = aggregator.start_soon(ScriptedExecutor([Send(lines(10)), Exit(0)]), name="a")
        aggregator.start_soon(ScriptedExecutor([Pause(60)]), name="keeps")
        await child.wait()
        async with axiom_trio.connect() as client:
            with trio.fail_after(60):
                for _ in range(100):
                    await client._wire.send(b'{"type":"subscribe","data":{"stats":0}}\n' * 10)
                    await trio.lowlevel.checkpoint()
                await client.request("ping")
                await begun.wait()
            assert made < 10


async def test_a_subscription_whose_beginning_was_cancelled_begins_anew() -> None:
    async with served() as aggregator:
        aggregator.start_soon(ScriptedExecutor([Pause(60)]), name="a")
        async with axiom_trio.connect() as client:
            for steps in range(12):
                events = client.subscribe(stats=0.25)
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(anext, events)
                    for _ in range(steps):
                        await trio.lowlevel.checkpoint()
                    nursery.cancel_scope.cancel()
                with trio.fail_after(60):
                    assert (await anext(events))["type"] in ("started", "stats")
                events.close()


async def test_a_run_that_goes_is_told() -> None:
    async with served() as aggregator:
        aggregator.start_soon(ScriptedExecutor([Pause(60)]), name="a")
        async with axiom_trio.connect() as client:
            client._wire.abort()
            with trio.fail_after(60), pytest.raises(LostError):
                await client.request("ping")
    with pytest.raises(NoRunError, match="no run goes on"):
        async with axiom_trio.connect():
            pass


async def test_requests_are_refused_in_a_sentence() -> None:
    async with served() as aggregator:
        aggregator.start_soon(ScriptedExecutor([Pause(60)]), name="a")
        async with axiom_trio.connect() as client:
            for request, code in (
                ({"type": "nonsense"}, "unknown-type"),
                ({"type": "stop", "task": "b"}, "no-such-child"),
                ({"type": "stop", "task": 7}, "bad-message"),
                ({"type": "intervene", "task": "a"}, "bad-message"),
                ({"type": "resize", "task": "a", "rows": 0, "columns": 1}, "bad-message"),
                ({"type": "add", "command": "ls"}, "unsupported"),
                ({"type": "write", "task": "a", "raw": "%"}, "bad-message"),
            ):
                with pytest.raises(RequestError) as caught:
                    await client.request(**request)  # type: ignore[arg-type]  # (what it must refuse)
                assert caught.value.code == code
            assert await client.request("ping") is not None
            aggregator.children[0].stop()
            await aggregator.children[0].wait()
            for type_ in ("stop", "interrupt", "restart"):
                with pytest.raises(RequestError) as caught:
                    await client.request(type_, task="a")
                assert caught.value.code == "ended"


async def test_a_request_that_is_too_long_or_has_a_taken_id_is_refused_here() -> None:
    async with served() as aggregator:
        aggregator.start_soon(ScriptedExecutor([Pause(60)]), name="a")
        async with axiom_trio.connect() as client:
            with pytest.raises(RequestError, match="64 KiB") as caught:
                await client.intervene("a", "x" * 70_000)
            assert caught.value.code == "too-long"
            told: list[str] = []

            async def ask() -> None:
                try:
                    await client.request("ping", id="once")
                    told.append("answered")
                except RequestError as error:
                    told.append(error.code)

            with trio.fail_after(60):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(ask)
                    nursery.start_soon(ask)
            assert sorted(told) == ["answered", "busy"]


async def test_who_may_only_look_on_steers_nothing() -> None:
    async with served(("view",)) as aggregator:
        aggregator.start_soon(ScriptedExecutor([Pause(60)]), name="a")
        async with axiom_trio.connect() as client:
            assert client.hello.rights == ("view",)
            for type_ in ("intervene", "press", "write", "interrupt", "stop", "restart", "resize", "add"):
                with pytest.raises(RequestError) as caught:
                    await client.request(type_, task="a", text="x")
                assert caught.value.code == "forbidden"
            assert await client.children()


async def test_rubbish_and_too_long_lines_harm_nobody() -> None:
    async with served() as aggregator:
        aggregator.start_soon(ScriptedExecutor([Pause(60)]), name="a")
        found = runtime.runs()[0][0]
        for data in (
            b"\xff\xfe{\n",
            b"[]\n",
            b"7\n",
            b'{"type":5}\n',
            b'{"type":"ping","data":3}\n',
            b"x" * 70_000,
        ):
            sock = trio.socket.from_stdlib_socket(runtime.connected(found))
            stream = trio.SocketStream(sock)
            await stream.send_all(data)
            if data.endswith(b"\n"):
                seen = b""
                with trio.fail_after(60):
                    while seen.count(b"\n") < 2:
                        seen += await stream.receive_some()
                assert json.loads(seen.split(b"\n")[1])["type"] == "error"
            else:
                with trio.fail_after(60):
                    while True:
                        try:
                            if not await stream.receive_some():
                                break
                        except trio.BrokenResourceError:
                            break
            await stream.aclose()
        async with axiom_trio.connect() as client:
            await client.request("ping")


async def test_who_never_reads_is_cut_and_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("axiom_trio.server.lines.PATIENCE", 0.3)
    async with served() as aggregator:
        sock = runtime.connected(runtime.runs()[0][0])
        sock.send(b'{"type":"subscribe","data":{"after":null}}\n')
        with trio.fail_after(60):
            child = aggregator.start_soon(
                ScriptedExecutor([Send(b"x" * 99 + b"\n" * 1) for _ in range(20_000)]), name="a"
            )
            await child.wait()
            assert child.statistics().lines == 20_000
            await trio.sleep(1)
        sock.setblocking(False)
        size = 0
        with pytest.raises((ConnectionResetError, EOFError, BlockingIOError)) as ended:
            while data := sock.recv(1 << 16):
                size += len(data)
            raise EOFError
        assert ended.type is not BlockingIOError
        assert size < 2_000_000
        sock.close()
    assert isinstance(sock, socket.socket)
