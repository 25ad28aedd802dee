"""The port of a run: connections are taken, checked, and served a page or a WebSocket."""

from __future__ import annotations

import logging
from contextlib import suppress
from functools import partial
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, final

import trio

from axiom_trio.sansio.gate import Gate, Refusals, allowed_names, host_names, says_who, speaks
from axiom_trio.server import http
from axiom_trio.server.http import BadHead, read_head, refuse, serve_file
from axiom_trio.server.stream import ViewerStream

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from axiom_trio.server.http import Head
    from axiom_trio.server.runtime import Tokens
    from axiom_trio.server.session import Connection

VIEWERS: Final = 32
"""WebSockets at once."""
NEWCOMERS: Final = 64
"""Connections at once that have not shown a token; of more, the oldest is cut."""
_PAUSED: Final = 16  # of them, those that wait for the answer to a wrong token
_PAUSE: Final = 0.1  # seconds, when there are no descriptors
_FAREWELL: Final = 2.0  # seconds that viewers have for what is left at the end
_ANSWER: Final = 30.0  # seconds in which an answer must have been taken

_logger: Final = logging.getLogger("axiom_trio")


@final
class Listener:
    """Takes connections.

    Args:
        sock: Listens; it's ours from now on.
        tokens: What opens it.
        serve: Serves a viewer with these rights to its end.
        allow_hosts: Other names, as HOST or HOST:PORT, by which it's asked for.
        viewers: How many WebSockets there may be at once.

    Raises:
        ValueError: One of `allow_hosts` is no name.
    """

    def __init__(
        self,
        sock: socket.socket,
        tokens: Tokens,
        serve: Callable[[Connection, Sequence[str]], Awaitable[None]],
        *,
        allow_hosts: Iterable[str] = (),
        viewers: int = VIEWERS,
    ) -> None:
        address: str = sock.getsockname()[0]
        self.port: int = sock.getsockname()[1]
        """The port that is listened on."""
        others = [name for given in allow_hosts for name in allowed_names(given, self.port)]
        self._gate = Gate(host_names(address, self.port), others, view=tokens.view, control=tokens.control)
        self._loopback = ip_address(address).is_loopback
        self._socket = trio.socket.from_stdlib_socket(sock)
        self._serve = serve
        self._most = viewers
        self._viewers: set[ViewerStream] = set()
        self._newcomers: dict[trio.CancelScope, None] = {}
        self._refusals = Refusals()
        self._paused = 0
        self._none_left = trio.Event()

    async def run(self) -> None:
        """Take connections until cancelled, or closed."""
        async with trio.open_nursery() as nursery:
            while True:
                try:
                    sock, _ = await self._socket.accept()
                except trio.ClosedResourceError:
                    break
                except OSError:  # no descriptors, or it has gone already; what is wrong for ever is closed
                    await trio.sleep(_PAUSE)
                    continue
                nursery.start_soon(self._one, ViewerStream(sock))

    async def finish(self) -> None:
        """Nobody else may come, and who looks on has 2 s for what is left."""
        self._socket.close()
        for scope in self._newcomers:
            scope.cancel(reason="the run has ended")
        with trio.move_on_after(_FAREWELL):
            while self._viewers:
                await self._none_left.wait()
        for stream in self._viewers:
            stream.abort()

    def close(self) -> None:
        """Listen no more."""
        self._socket.close()

    async def _one(self, stream: ViewerStream) -> None:
        try:
            admitted = None
            with trio.CancelScope() as scope:
                self._newcomers[scope] = None
                if len(self._newcomers) > NEWCOMERS:
                    next(iter(self._newcomers)).cancel(reason="others have come")
                try:
                    admitted = await self._admitted(stream)
                finally:
                    del self._newcomers[scope]
            if admitted is not None:
                await self._view(stream, *admitted)
        except Exception:
            _logger.exception("a viewer's connection failed")
        finally:
            stream.abort()

    async def _admitted(self, stream: ViewerStream) -> tuple[Head, tuple[str, ...]] | None:
        """Who may view, and with which rights; others have been answered."""
        with suppress(trio.BrokenResourceError, trio.TooSlowError), trio.fail_after(_ANSWER):
            try:
                head = await read_head(stream)
            except BadHead as bad:
                await refuse(stream, bad.status, str(bad))
                return None
            if head is None:
                return None
            local = None if self._loopback else f"{stream.local}:{self.port}"
            refusal = self._gate.refusal(head.target, head.headers, local)
            if refusal is not None:
                await refuse(stream, refusal.status, refusal.reason)
            elif head.path != "/ws":
                await serve_file(stream, head)
            elif not http.is_websocket(head):
                await refuse(stream, 426, "this is for WebSockets", ("Upgrade", "websocket"))
            elif not (rights := self._gate.rights(head.headers)):
                await self._refuse_token(stream, head)
            elif not speaks(head.headers):
                await refuse(stream, 400, "the subprotocol is axiom.v1")
            elif len(self._viewers) >= self._most:
                await refuse(stream, 503, f"there are {self._most} viewers already", ("Retry-After", "5"))
            else:
                self._viewers.add(stream)
                return head, rights
        return None

    async def _refuse_token(self, stream: ViewerStream, head: Head) -> None:
        if self._paused >= _PAUSED:
            await refuse(stream, 429, "there were too many wrong tokens")
            return
        self._paused += 1
        try:
            await trio.sleep(self._refusals.pause(trio.current_time()))
        finally:
            self._paused -= 1
        if says_who(head.headers):
            await refuse(stream, 401, "the token is missing, or it's another run's")
        else:
            await refuse(stream, 403, "nobody may come in without a token")

    async def _view(self, stream: ViewerStream, head: Head, rights: Sequence[str]) -> None:
        from axiom_trio.server.websocket import serve_websocket

        serve = partial(self._serve_with, rights)
        try:
            await serve_websocket(stream, http.key_of(head), head.rest, serve)
        finally:
            self._viewers.discard(stream)
            if not self._viewers:
                self._none_left.set()
                self._none_left = trio.Event()

    async def _serve_with(self, rights: Sequence[str], connection: Connection) -> None:
        await self._serve(connection, rights)
