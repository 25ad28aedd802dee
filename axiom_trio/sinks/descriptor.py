"""What sinks that write to a descriptor share: opening, progress and closing."""

from __future__ import annotations

from axiom_trio.abc import Sink
from axiom_trio.sinks.writer import DescriptorWriter


class DescriptorSink(Sink):
    """A sink with a `DescriptorWriter`; a subclass implements `write`.

    Args:
        descriptor: Where to write; it stays open.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._opened: DescriptorWriter | None = None

    @property
    def progress(self) -> int:
        """Bytes written so far."""
        return self._opened.progress if self._opened is not None else 0

    @property
    def _writer(self) -> DescriptorWriter:
        assert self._opened is not None, "open() comes first"
        return self._opened

    async def open(self) -> None:
        """See `Sink.open`."""
        self._opened = DescriptorWriter(self._descriptor)

    async def aclose(self) -> None:
        """See `Sink.aclose`."""
        if self._opened is not None:
            self._opened.close()
