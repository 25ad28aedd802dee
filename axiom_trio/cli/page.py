"""The port that `--listen` asks for: taken before any child starts."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from axiom_trio.sansio.masks import Plain
from axiom_trio.server import runtime
from axiom_trio.server.binding import bound, default_tokens, page_url

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from axiom_trio.server.listener import Listener
    from axiom_trio.server.session import Connection


@final
class PagePort:
    """A port that listens, and its tokens.

    Args:
        where: Host and port; 0: any that's free.
        allow_hosts: Other names that it's asked for by.
        anywhere: Whether it may be reached from other machines.

    Raises:
        SpecificationError: It can't be.
    """

    def __init__(self, where: tuple[str, int], *, allow_hosts: Sequence[str], anywhere: bool) -> None:
        self._host, port = where
        self._allow_hosts = allow_hosts
        self._socket = bound(port, self._host, anywhere=anywhere)
        self._problem: tuple[str, ...] = ()
        try:
            self._tokens = default_tokens(port)
        except runtime.RuntimeDirectoryError as error:
            self._tokens = runtime.fresh_tokens()
            self._problem = (f"{error}; so the addresses are others each time",)

    @property
    def secrets(self) -> tuple[Plain, Plain]:
        """What is not to be shown but in `lines`."""
        return Plain(self._tokens.view), Plain(self._tokens.control)

    @property
    def lines(self) -> tuple[str, ...]:
        """What the user is told."""
        port = self._socket.getsockname()[1]
        view, control = (page_url(self._host, port, token) for token in self.secrets)
        return *self._problem, f"to look on: {view}", f"to steer, too: {control}"

    def listener(self, serve: Callable[[Connection, Sequence[str]], Awaitable[None]]) -> Listener:
        """What takes its connections; to be made where trio runs."""
        from axiom_trio.server.listener import Listener

        return Listener(self._socket, self._tokens, serve, allow_hosts=self._allow_hosts)

    def close(self) -> None:
        """Listen no more."""
        self._socket.close()
