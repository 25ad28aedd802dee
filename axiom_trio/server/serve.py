"""`axiom_trio.serve`: a page and a WebSocket for a run, on one port."""

from __future__ import annotations

import sys
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, final

import trio

from axiom_trio.sansio.errors import SpecificationError
from axiom_trio.server import runtime
from axiom_trio.server.binding import bound, default_tokens, page_url
from axiom_trio.server.host import Host, about_run
from axiom_trio.server.listener import VIEWERS, Listener
from axiom_trio.server.session import Session

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Sequence

    from axiom_trio.engine.aggregator import StreamAggregator
    from axiom_trio.server.session import Connection


@final
class Server:
    """The port of a run; made by `serve`."""

    def __init__(self, listener: Listener, host: Host, name: str, tokens: runtime.Tokens) -> None:
        self._listener = listener
        self._host = host
        self._name = name
        self._tokens = tokens

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self._listener.port

    @property
    def url(self) -> str:
        """Of the page, for who may look on: the token is behind the `#`."""
        return page_url(self._name, self.port, self._tokens.view)

    @property
    def control_url(self) -> str:
        """Of the page, for who may write into children, and stop them."""
        return page_url(self._name, self.port, self._tokens.control)

    async def finish(self) -> None:
        """Nobody else may come, and who looks on gets what is left, within 2 s."""
        self._host.finish()
        await self._listener.finish()


@asynccontextmanager
async def serve(
    aggregator: StreamAggregator,
    port: int = 0,
    *,
    host: str = "127.0.0.1",
    tokens: tuple[str, str] | None = None,
    allow_hosts: Iterable[str] = (),
    anywhere: bool = False,
    viewers: int = VIEWERS,
) -> AsyncGenerator[Server, None]:
    """A page and a WebSocket for a run, on one port of this machine.

    Leaving the block waits for all children; then who looks on gets what is left, within 2 s.

    Example::

        async with axiom_trio.open_aggregator() as aggregator, axiom_trio.serve(aggregator) as server:
            print(server.url)

    Args:
        aggregator: The run.
        port: 0: any that's free.
        host: The address to listen on.
        tokens: What opens it: to look on, and to do all. Default: those of this port, the same each
            time, or with port 0 new ones.
        allow_hosts: Other names, as HOST or HOST:PORT, by which browsers ask for it, such as that of
            a forwarded port.
        anywhere: Whether `host` may be an address at which other machines reach this one. Nothing is
            encrypted.
        viewers: How many there may be at once.

    Raises:
        SpecificationError: It can't be listened there, or an argument can't be.
        RuntimeDirectoryError: The tokens of the port can't be kept.
    """
    if tokens is not None and (len({*tokens}) != 2 or not all(_is_token(token) for token in tokens)):
        raise SpecificationError("tokens are two different words of at least 16 letters, digits, - or _")
    sock = bound(port, host, anywhere=anywhere)
    try:
        chosen = default_tokens(port) if tokens is None else runtime.Tokens(*tokens)
        began = time.time() - trio.current_time() + aggregator.opened_at
        shared = Host(aggregator, about_run(aggregator._masked(" ".join(sys.argv)), began))

        async def view(connection: Connection, rights: Sequence[str]) -> None:
            await Session(connection, shared, rights).run()

        try:
            listener = Listener(sock, chosen, view, allow_hosts=allow_hosts, viewers=viewers)
        except ValueError as error:
            raise SpecificationError(str(error)) from None
        server = Server(listener, shared, host, chosen)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(listener.run)
                yield server
                await aggregator.wait_all_completed()
                await server.finish()
                nursery.cancel_scope.cancel(reason="the block was left")
        except BaseExceptionGroup as group:  # what the block raises comes out as it is
            if len(group.exceptions) > 1:
                raise
            raised = group.exceptions[0]
            context = raised.__context__
            try:
                raise raised
            finally:
                raised.__context__ = context
    finally:
        sock.close()


def _is_token(token: str) -> bool:
    return len(token) >= 16 and all(char.isascii() and (char.isalnum() or char in "-_") for char in token)
