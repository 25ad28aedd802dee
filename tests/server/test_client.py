"""The client over a WebSocket, on a server that is nothing but that."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio_websocket

import axiom_trio
from axiom_trio.server.host import Host
from axiom_trio.server.remote import ConnectError
from axiom_trio.server.session import Session
from axiom_trio.testing import Pause, ScriptedExecutor, Send

if TYPE_CHECKING:
    from axiom_trio import StreamAggregator

TOKEN = "t" * 43
ABOUT = {"version": "0", "pid": os.getpid(), "cwd": "/", "command": "test", "startedAt": 1000}


class Socket:
    """A `Connection` over trio-websocket."""

    def __init__(self, connection: trio_websocket.WebSocketConnection) -> None:
        self._connection = connection

    async def send(self, text: bytes) -> None:
        try:
            await self._connection.send_message(text.decode())
        except trio_websocket.ConnectionClosed as error:
            raise trio.BrokenResourceError from error

    async def receive(self) -> bytes | None:
        try:
            message = await self._connection.get_message()
        except trio_websocket.ConnectionClosed:
            return None
        assert isinstance(message, str)
        return message.encode()

    async def close(self, code: int = 1000, reason: str = "") -> None:
        await self._connection.aclose(code, reason)


async def serve(aggregator: StreamAggregator, *, task_status: Any) -> None:
    async def handle(request: trio_websocket.WebSocketRequest) -> None:
        if request.path != "/ws" or f"axiom.token.{TOKEN}" not in request.proposed_subprotocols:
            await request.reject(401)
            return
        connection = await request.accept(subprotocol="axiom.v1")
        await Session(Socket(connection), Host(aggregator, ABOUT), ["view", "control"]).run()

    await trio_websocket.serve_websocket(handle, "127.0.0.1", 0, None, task_status=task_status)


async def test_over_a_port() -> None:
    async with trio.open_nursery() as nursery, axiom_trio.open_aggregator() as aggregator:
        server = await nursery.start(serve, aggregator)
        where = f"127.0.0.1:{server.port}"
        aggregator.start_soon(
            ScriptedExecutor([Send(b"one\n"), Pause(0.2), Send(b"two\n"), Pause(60)]), name="a"
        )
        seen = ""
        with trio.fail_after(60):
            async with axiom_trio.connect(url=f"http://{where}/#{TOKEN}") as client:
                async for event in client.subscribe(tick=0.0):
                    if event["type"] == "stream":
                        seen += event["data"]["text"]
                    if seen.endswith("two\n"):
                        break
                assert seen == "one\ntwo\n"
                await client.stop("a")
                await aggregator.children[0].wait()
            with pytest.raises(ConnectError, match="doesn't know the token"):
                async with axiom_trio.connect(url=f"http://{where}/", token="x" * 43):
                    pass
        nursery.cancel_scope.cancel()


async def test_what_is_no_run_is_said_to_be_none() -> None:
    async def rude(stream: trio.SocketStream) -> None:
        await stream.send_all(b"SSH-2.0-rude\r\n\r\n")
        await stream.aclose()

    async with trio.open_nursery() as nursery:
        [listener] = await nursery.start(partial(trio.serve_tcp, rude, 0, host="127.0.0.1"))
        port = listener.socket.getsockname()[1]
        with trio.fail_after(60), pytest.raises(ConnectError, match="no axiom-trio run|nothing answers"):
            async with axiom_trio.connect(url=f"http://127.0.0.1:{port}/#{TOKEN}"):
                pass
        nursery.cancel_scope.cancel()
