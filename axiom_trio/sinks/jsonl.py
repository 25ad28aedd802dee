"""The stream as JSON lines, in the wire form."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from axiom_trio.sansio.wire import WireEncoder
from axiom_trio.sinks.descriptor import DescriptorSink

if TYPE_CHECKING:
    from axiom_trio.sansio.cursor import Batch


@final
class JsonlSink(DescriptorSink):
    """Writes each event as one line of JSON to a descriptor.

    Args:
        descriptor: Where to write; it stays open.
    """

    def __init__(self, *, descriptor: int = 1) -> None:
        super().__init__(descriptor)
        self._encoder = WireEncoder()

    async def write(self, batch: Batch) -> None:
        """See `Sink.write`."""
        await self._writer.write([self._encoder.encode(event) for event in batch.events])
