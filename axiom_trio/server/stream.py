"""The socket of a viewer as a stream that neither waits for ever nor loses what it sent last."""

from __future__ import annotations

import socket
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final, final

import trio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from trio.socket import SocketType

PATIENCE: Final = 5.0
"""Seconds that the other side may take nothing."""
_FAREWELL: Final = 1.0  # seconds that it may take to go, once it was told
_IN_FLIGHT: Final = 256 * 1024  # bytes that the kernel may hold of what it has not sent
_AT_ONCE: Final = 512 * 1024  # bytes that may come in together
_PER_SECOND: Final = 64 * 1024  # and after that
_RECEIVE: Final = 16 * 1024
_CLOSE_FRAME: Final = b"\x88"
_TEXT_FRAME: Final = b"\x81"


@final
class ViewerStream(trio.abc.HalfCloseableStream):
    """Sends as long as the other side takes something; closes so that what was sent arrives.

    Args:
        sock: Connected; it's ours from now on.
    """

    def __init__(self, sock: SocketType) -> None:
        self._socket = sock
        self._held = b""
        self._paused: trio.Event | None = None
        self._allowance = float(_AT_ONCE)
        self._counted = trio.current_time()
        self._half = self._closed = False
        self.taken_at = trio.current_time()
        """When it last took something."""
        self.farewell: Callable[[], bytes] | None = None
        """What is said before it's closed, unless what was sent last was a close frame."""
        self._turn = trio.Lock()
        self._last = b""
        self.torn = False
        """Whether it is in the middle of something: what is sent now has no meaning."""
        with suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if hasattr(socket, "TCP_NOTSENT_LOWAT"):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _IN_FLIGHT)

    @property
    def local(self) -> str:
        """The address at which it has come in, without the port, as in a URL."""
        address = str(self._socket.getsockname()[0])
        return f"[{address}]" if ":" in address else address

    def replay(self, head: bytes) -> None:
        """Have this be read first, and nothing more until `go_on`."""
        self._held = head
        self._paused = trio.Event()

    def go_on(self, rest: bytes) -> None:
        """Have this be read, and then what comes."""
        assert self._paused is not None
        self._held += rest
        self._paused.set()
        self._paused = None

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send it. Raises trio.BrokenResourceError, also if it takes nothing for 5 s."""
        async with self._turn:
            self._last = bytes(data[:1])
            await self._send_parts(data)

    async def send_text(self, text: bytes) -> None:
        """Send a message of text as a frame, in the midst of those that others send.

        Raises:
            trio.BrokenResourceError: As `send_all` does; also when a close frame was sent before.
        """
        async with self._turn:
            if self._last == _CLOSE_FRAME:
                raise trio.BrokenResourceError("it was closed")
            self._last = _TEXT_FRAME
            await self._send_parts(_header(len(text)), text)

    async def _send_parts(self, *parts: bytes | bytearray | memoryview) -> None:
        self.torn = True  # until all is sent
        views = [memoryview(part) for part in parts if part]
        while views:
            sent = await self._sent(partial(self._socket.sendmsg, views))
            while views and sent >= len(views[0]):
                sent -= len(views.pop(0))
            if sent:
                views[0] = views[0][sent:]
        self.torn = False

    async def _sent(self, send: Callable[[], Awaitable[int]]) -> int:
        """How many bytes it has taken. Raises trio.BrokenResourceError."""
        with trio.move_on_after(PATIENCE):
            try:
                sent = await send()
            except (OSError, trio.ClosedResourceError) as error:
                raise trio.BrokenResourceError(str(error)) from error
            self.taken_at = trio.current_time()
            return sent
        raise trio.BrokenResourceError("it took nothing for 5 s")

    async def wait_send_all_might_not_block(self) -> None:
        """Not used."""
        await trio.lowlevel.checkpoint()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """What has come; empty at the end. Raises trio.BrokenResourceError."""
        if not self._held and self._paused is not None:
            await self._paused.wait()
        if self._held:
            await trio.lowlevel.checkpoint()
            held, self._held = self._held, b""
            return held
        await self._pace()
        try:
            data = await self._socket.recv(max_bytes or _RECEIVE)
        except trio.ClosedResourceError:
            raise
        except OSError as error:
            raise trio.BrokenResourceError(str(error)) from error
        self._allowance -= len(data)
        return data

    async def _pace(self) -> None:
        """Who floods us with pings is not read faster than does no harm."""
        now = trio.current_time()
        self._allowance = min(_AT_ONCE, self._allowance + (now - self._counted) * _PER_SECOND)
        self._counted = now
        if self._allowance < 0:
            await trio.sleep(-self._allowance / _PER_SECOND)

    async def send_eof(self) -> None:
        """Say that nothing more comes."""
        await trio.lowlevel.checkpoint()
        self.shut()

    def shut(self) -> None:
        """Say that nothing more comes; what was sent arrives."""
        if not self._half:
            self._half = True
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_WR)

    def send_at_once(self, data: bytes) -> None:
        """Send a little, if that needs no waiting and still has a meaning."""
        if not (self.torn or self._half or self._closed):
            with suppress(OSError):
                self._socket._sock.send(data, socket.MSG_DONTWAIT)  # type: ignore[attr-defined]  # (trio's own can only wait)

    async def aclose(self) -> None:
        """Close it, when the other side has done so or a second later.

        What it has sent and nobody has read would make the kernel throw away what we have sent: it's read.
        """
        if self._closed:
            await trio.lowlevel.checkpoint()
            return
        try:
            with trio.move_on_after(_FAREWELL), suppress(OSError, trio.ClosedResourceError):
                async with self._turn:  # not in the middle of something
                    if self.farewell is not None and self._last != _CLOSE_FRAME:
                        self.send_at_once(self.farewell())
                self.shut()
                while await self._socket.recv(_RECEIVE):
                    pass
        finally:
            self.shut()
            self.abort()

    def abort(self) -> None:
        """Close it now."""
        self._closed = True
        self._socket.close()


def _header(size: int) -> bytes:
    """Of a whole message of text, not masked, as servers' are not."""
    if size < 126:
        return _TEXT_FRAME + bytes([size])
    if size < 1 << 16:
        return _TEXT_FRAME + b"\x7e" + size.to_bytes(2, "big")
    return _TEXT_FRAME + b"\x7f" + size.to_bytes(8, "big")
