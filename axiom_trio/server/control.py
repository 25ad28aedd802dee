"""The control socket of a run: a private unix socket with the same protocol as the WebSocket."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Final, final

import trio

from axiom_trio.server import runtime
from axiom_trio.server.lines import LONGEST_REQUEST, LineConnection

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

MOST: Final = 64
"""Connections at once."""
_EMPTY_HANDED: Final = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS)
_PAUSE: Final = 0.1  # seconds, when there are no descriptors
_FAREWELL: Final = 2.0  # seconds that viewers have for what is left at the end


@final
class ControlSocket:
    """Accepts connections, each of which is served by a task.

    Args:
        run_id: Of the run.
        serve: Serves one connection to its end.

    Raises:
        RuntimeDirectoryError: It can't be made.
        OSError: It can't be made.
    """

    def __init__(self, run_id: str, serve: Callable[[LineConnection], Awaitable[None]]) -> None:
        self._serve = serve
        self._listening = runtime.Listening(run_id)
        self._open = 0
        self._none_left = trio.Event()
        self._none_left.set()

    async def run(self) -> None:
        """Accept until cancelled."""
        listener = trio.socket.from_stdlib_socket(self._listening.socket)
        async with trio.open_nursery() as nursery:
            while True:
                try:
                    sock, _ = await listener.accept()
                except OSError as error:
                    if error.errno not in _EMPTY_HANDED:
                        raise
                    await trio.sleep(_PAUSE)
                    continue
                plain = sock.detach()
                connection = _connection(plain)
                if connection is None or self._open >= MOST:
                    if connection is not None:
                        connection.abort()
                    continue
                if not self._open:
                    self._none_left = trio.Event()
                self._open += 1
                nursery.start_soon(self._one, connection)

    async def _one(self, connection: LineConnection) -> None:
        try:
            await self._serve(connection)
        finally:
            connection.abort()
            self._open -= 1
            if not self._open:
                self._none_left.set()

    async def finish(self) -> None:
        """The run has ended: nobody else may come, and who is there gets what is left, for a moment."""
        self._listening.remove()
        with trio.move_on_after(_FAREWELL):
            await self._none_left.wait()

    def close(self) -> None:
        """Remove it."""
        self._listening.close()


def _connection(descriptor: int) -> LineConnection | None:
    """A connection to somebody who may; None if it's another user."""
    import socket

    sock = socket.socket(fileno=descriptor)
    if runtime.peer(sock)[1] not in (0, os.geteuid()):
        sock.close()
        return None
    sock.setblocking(False)
    return LineConnection(sock, longest=LONGEST_REQUEST)
