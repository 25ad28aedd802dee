"""Between a process and its port: what an agent writes goes in, what is shown of it comes out."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import trio

from axiom_trio.abc import Port

if TYPE_CHECKING:
    from collections.abc import Callable

    from axiom_trio.sansio.agents import AgentStream
    from axiom_trio.sansio.events import Kind


@final
class AdaptedPort(Port):
    """The port of a process whose stdout is an agent's stream.

    Args:
        port: Where what is shown goes.
        stream: Reads it.
        on_end: Called when the stream has said that it has ended, each time there is more.
    """

    def __init__(self, port: Port, stream: AgentStream, on_end: Callable[[], None]) -> None:
        self._port = port
        self._stream = stream
        self._on_end = on_end
        self.environment = port.environment
        self.runs = trio.Event()
        """Whether it has been started."""

    @property
    def grace(self) -> float:  # type: ignore[override]  # (read only: it's the other port's)
        """As of the port; it may change."""
        return self._port.grace

    @property
    def read_size(self) -> int:
        """See `Port.read_size`."""
        return self._port.read_size

    def started(self, *, pid: int | None = None) -> None:
        """See `Port.started`."""
        self._port.started(pid=pid)
        self.runs.set()

    def process_exited(self) -> None:
        """See `Port.process_exited`."""
        self._port.process_exited()

    def process_ended(self, pid: int, *, held: bool) -> None:
        """See `Port.process_ended`."""
        self._port.process_ended(pid, held=held)

    async def send(self, data: bytes, kind: Kind = "output") -> None:
        """See `Port.send`."""
        if kind == "output":
            shown = self._stream.feed(data)
            if self._stream.ended is not None:  # it waits for the end of its input now
                self._on_end()
            await send_all(self._port, shown)
        else:
            await self._port.send(data, kind)

    async def send_line(self, line: bytes, kind: Kind = "output") -> None:
        """See `Port.send_line`."""
        await self._port.send_line(line, kind)

    async def finish(self) -> None:
        """Hand on what is left."""
        await send_all(self._port, self._stream.close())


async def send_all(port: Port, pieces: list[tuple[Kind, bytes]]) -> None:
    """Hand on all pieces; one that was cancelled is kept by the port, and the others follow."""
    cancelled = None
    for kind, data in pieces:
        try:
            await port.send(data, kind)
        except trio.Cancelled as error:  # each send keeps what it could not hand over: go on
            cancelled = error
    if cancelled is not None:
        raise cancelled
