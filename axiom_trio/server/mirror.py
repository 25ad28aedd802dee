"""A child of another program's run, as views of it need it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, final

from axiom_trio.sansio.errors import NotRunningError
from axiom_trio.sansio.events import Receipt
from axiom_trio.server.remote import ConnectError, RequestError

if TYPE_CHECKING:
    import trio

    from axiom_trio.sansio.queries import TerminalModes
    from axiom_trio.server.client import Client
    from axiom_trio.server.remote import ChildInfo


@final
class RemoteChild:
    """What is done to it is done by requests.

    Args:
        client: Connected to its run.
        info: As it stood.
        nursery: Runs requests that nobody waits for.
    """

    def __init__(self, client: Client, info: ChildInfo, nursery: trio.Nursery) -> None:
        self._client = client
        self._nursery = nursery
        self._size: tuple[int, int] | None = None
        self.id = info.id
        self.name = info.name
        self.tty = info.tty
        self.completed = info.exit
        """Not None if it has ended."""
        self.terminal_modes: TerminalModes | None = None

    @property
    def short_id(self) -> str:
        """The first 8 characters of the id."""
        return self.id[:8]

    @property
    def writable(self) -> bool:
        """Whether it may take input; the run knows."""
        return self.completed is None

    async def write(self, data: bytes) -> None:
        """Write into its input. Raises NotRunningError."""
        try:
            await self._client.write(self.id, data)
        except (RequestError, ConnectError) as error:
            raise NotRunningError(str(error)) from error

    async def intervene(self, text: str) -> Receipt:
        """Send it a message."""
        try:
            return await self._client.intervene(self.id, text)
        except (RequestError, ConnectError) as error:
            return Receipt("", "refused", str(error))

    def resize(self, rows: int, columns: int) -> None:
        """Give its terminal another size, if it has not been given that one."""
        if self._size != (rows, columns):
            self._size = rows, columns
            self._nursery.start_soon(self._resize, rows, columns)

    async def _resize(self, rows: int, columns: int) -> None:
        with suppress(RequestError, ConnectError):  # it has ended, or the run has: that's told otherwise
            await self._client.resize(self.id, rows, columns)

    def publish_open_line(self) -> None:
        """The run does it for who subscribes with `exact`."""
