"""The stream as JSON lines, in the wire form."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from axiom_trio.abc import Sink
from axiom_trio.sansio.wire import WireEncoder
from axiom_trio.sinks.writer import DescriptorWriter

if TYPE_CHECKING:
    from axiom_trio.sansio.cursor import Batch


@final
class JsonlSink(Sink):
    """Writes each event as one line of JSON to a descriptor.

    Args:
        descriptor: Where to write; it stays open.
    """

    def __init__(self, *, descriptor: int = 1) -> None:
        self._descriptor = descriptor
        self._encoder = WireEncoder()
        self._writer: DescriptorWriter | None = None

    @property
    def progress(self) -> int:  # type: ignore[override]
        """Bytes written so far."""
        return self._writer.progress if self._writer else 0

    async def open(self) -> None:
        """See `Sink.open`."""
        self._writer = DescriptorWriter(self._descriptor)

    async def write(self, batch: Batch) -> None:
        """See `Sink.write`."""
        assert self._writer is not None
        await self._writer.write([self._encoder.encode(event) for event in batch.events])

    async def aclose(self) -> None:
        """See `Sink.aclose`."""
        if self._writer is not None:
            self._writer.close()
