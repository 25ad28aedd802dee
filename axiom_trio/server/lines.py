"""A stream of JSON lines over a unix socket, as messages: the same `Connection` as a WebSocket is."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Final, final

import trio

if TYPE_CHECKING:
    from trio.socket import SocketType

LONGEST_REQUEST: Final = 64 * 1024
"""Bytes of a request: of who sends more, the connection is ended."""
PATIENCE: Final = 5.0
"""Seconds that the other side may take nothing."""
_READ: Final = 256 * 1024


@final
class LineConnection:
    """Sends and receives whole lines.

    Args:
        sock: Connected; it's ours from now on.
        longest: Bytes of a line that are accepted.
    """

    def __init__(self, sock: socket.socket, *, longest: int) -> None:
        self._socket: SocketType = trio.socket.from_stdlib_socket(sock)
        self._longest = longest
        self._held = b""
        self._turn = trio.Lock()
        self._begun = memoryview(b"")  # what is to be sent of lines that have been begun
        self._closed = False

    async def send(self, text: bytes) -> None:
        """Send whole lines; what a cancelled one has begun is finished by the next.

        Raises:
            trio.BrokenResourceError: The other side has gone, or has taken nothing for 5 s.
        """
        async with self._turn:
            self._begun = memoryview(bytes(self._begun) + text if self._begun else text)
            while self._begun:
                with trio.move_on_after(PATIENCE) as scope:
                    try:
                        self._begun = self._begun[await self._socket.send(self._begun) :]
                    except (OSError, trio.ClosedResourceError) as error:
                        raise trio.BrokenResourceError(str(error)) from error
                if scope.cancelled_caught:
                    self.abort()
                    raise trio.BrokenResourceError("it took nothing for 5 s")

    async def receive(self) -> bytes | None:
        """One or more whole lines; None at the end, or when a line is too long."""
        while True:
            cut = self._held.rfind(b"\n") + 1
            if cut:
                lines, self._held = self._held[:cut], self._held[cut:]
                return lines
            if len(self._held) > self._longest:
                return None
            try:
                data = await self._socket.recv(_READ)
            except (OSError, trio.ClosedResourceError):
                return None
            if not data:
                return None  # what has no newline was cut
            self._held = self._held + data if self._held else data

    async def close(self, code: int = 1000, reason: str = "") -> None:  # noqa: ARG002 (for WebSockets)
        """End it: what was sent arrives."""
        if self._closed:
            return
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
        self.abort()
        await trio.lowlevel.checkpoint()

    def abort(self) -> None:
        """End it at once."""
        self._closed = True
        self._socket.close()
