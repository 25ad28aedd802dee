"""A WebSocket as a `Connection`: trio-websocket behind what sessions need, and its pitfalls avoided.

* Half a frame on the wire makes nonsense of all that follows. So only one task writes, which nobody
  cancels but who ends the connection; who sends hands it a message, and may be cancelled.
* A peer that takes nothing is found by the stream, while it is being written to; one that has
  vanished in silence by our pings.
* A message is some copies of itself in wsproto: here it's a header and what the session has made.
* The close frame comes last, and arrives: see `ViewerStream.aclose`. Of what breaks the protocol
  trio-websocket says nothing to the peer: there the stream's farewell does.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final, final

import trio
from trio_websocket import ConnectionClosed, wrap_server_stream
from wsproto.utilities import ProtocolError

from axiom_trio.sansio.gate import PROTOCOL
from axiom_trio.server.lines import LONGEST_REQUEST

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from trio_websocket import WebSocketConnection

    from axiom_trio.server.stream import ViewerStream

PING_EVERY: Final = 20.0
PONG_WITHIN: Final = 10.0
_HANDSHAKE: Final = 5.0  # seconds
_FAREWELL: Final = 1.0  # seconds for the peer to agree to the end
_NO_PONG: Final = 4408


async def serve_websocket(
    stream: ViewerStream, key: str, rest: bytes, serve: Callable[[WebSocket], Awaitable[None]]
) -> None:
    """Accept a WebSocket whose request has been checked, and serve it to its end.

    Args:
        stream: What it came on; closed at the end.
        key: The `Sec-WebSocket-Key`.
        rest: What came behind the request.
        serve: Serves it.
    """
    stream.replay(
        b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %b\r\nSec-WebSocket-Protocol: %b\r\n\r\n"
        % (key.encode(), PROTOCOL.encode())
    )
    try:
        async with trio.open_nursery() as nursery:
            with trio.fail_after(_HANDSHAKE):
                request = await wrap_server_stream(
                    nursery, stream, message_queue_size=1, max_message_size=LONGEST_REQUEST
                )
                connection = await request.accept(subprotocol=PROTOCOL)
            stream.go_on(rest)  # in the middle of a handshake, trio-websocket would not look at it
            stream.farewell = partial(_farewell, connection)
            websocket = WebSocket(connection, stream)
            nursery.start_soon(websocket._write)
            nursery.start_soon(websocket._ping, nursery)
            await serve(websocket)
            nursery.cancel_scope.cancel(reason="it has been served")
    except* (ConnectionClosed, ProtocolError, trio.TooSlowError, trio.BrokenResourceError):
        pass
    except* trio.ClosedResourceError:
        pass
    finally:
        with trio.CancelScope(shield=True):
            await stream.aclose()


def _farewell(connection: WebSocketConnection) -> bytes:
    closed = connection.closed
    return _close_frame(1000 if closed is None or closed.code == 1006 else closed.code, "")


def _close_frame(code: int, reason: str) -> bytes:
    payload = code.to_bytes(2, "big") + reason.encode()[:100]
    return bytes([0x88, len(payload)]) + payload


@final
class WebSocket:
    """A connection to a viewer."""

    def __init__(self, connection: WebSocketConnection, stream: ViewerStream) -> None:
        self._connection = connection
        self._stream = stream
        self._outgoing, self._messages = trio.open_memory_channel[bytes](0)
        self._written = trio.Event()

    async def send(self, text: bytes) -> None:
        """Send whole lines, or nothing.

        Raises:
            trio.BrokenResourceError: The viewer has gone, or has taken nothing for 5 s.
        """
        await self._outgoing.send(text)

    async def _write(self) -> None:
        try:
            with self._messages, suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                async for text in self._messages:
                    await self._stream.send_text(text)
        finally:
            self._written.set()

    async def receive(self) -> bytes | None:
        """The next message; None at the end."""
        try:
            message = await self._connection.get_message()
        except ConnectionClosed:
            return None
        return message.encode() if isinstance(message, str) else message

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """End it: what was sent arrives, if the viewer takes it."""
        self._outgoing.close()
        with trio.move_on_after(_FAREWELL):
            await self._written.wait()
        with trio.move_on_after(_FAREWELL):
            await self._connection.aclose(code, reason)

    async def _ping(self, nursery: trio.Nursery) -> None:
        while True:
            await trio.sleep(PING_EVERY)
            answered = trio.Event()
            nursery.start_soon(self._pong, answered)
            while not answered.is_set():
                with trio.move_on_after(PONG_WITHIN):
                    await answered.wait()
                    continue
                # As long as it takes something, the ping may stand behind what is on its way.
                if self._stream.taken_at < trio.current_time() - PONG_WITHIN / 2:
                    self._stream.send_at_once(_close_frame(_NO_PONG, "no pong within 10 s"))
                    self._stream.shut()
                    self._stream.abort()
                    return

    async def _pong(self, answered: trio.Event) -> None:
        # Never cancelled, as that may leave half a ping behind.
        with suppress(ConnectionClosed):
            await self._connection.ping()
            answered.set()
