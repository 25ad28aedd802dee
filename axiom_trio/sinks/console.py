"""The live, prefixed stream on stdout."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, final

import trio

from axiom_trio.abc import Sink
from axiom_trio.sansio.errors import SpecificationError
from axiom_trio.sansio.text import TextFormat
from axiom_trio.sinks.writer import DescriptorWriter

if TYPE_CHECKING:
    from axiom_trio.sansio.cursor import Batch, Buffer


@final
class ConsoleSink(Sink):
    """Writes the text of the stream to a descriptor, each batch in one call.

    Args:
        text: How lines look; default: coloured if the descriptor is a terminal
            (and then only colours of the children are let through), plain otherwise.
        descriptor: Where to write; it stays open.

    Raises:
        SpecificationError: The descriptor is not open.
    """

    def __init__(self, text: TextFormat | None = None, *, descriptor: int = 1) -> None:
        try:
            terminal = os.isatty(descriptor)
            os.fstat(descriptor)
        except OSError as error:
            raise SpecificationError(f"descriptor {descriptor} can't be written: {error.strerror}") from error
        if text is None:
            text = TextFormat(color=terminal, escapes="color" if terminal else "raw")
        self.text: TextFormat = text
        self._descriptor = descriptor
        self._writer: DescriptorWriter | None = None
        self._turn: trio.Event | None = None
        self._line_open = False

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
        if batch.text:
            await self._write(batch.text)
            self._line_open = bytes(batch.text[-1][-1:]) != b"\n"

    async def notify(self, line: bytes) -> None:
        """Write a line of one's own between the lines of the stream, on a terminal that shows both.

        Raises:
            OSError: It can't be written.
        """
        if self._writer is not None:
            await self._write([b"\n", line] if self._line_open else [line])

    async def _write(self, pieces: list[Buffer]) -> None:
        while self._turn is not None:  # a lock would cost a checkpoint per batch
            await self._turn.wait()
        assert self._writer is not None
        turn = self._turn = trio.Event()
        try:
            await self._writer.write(pieces)
        finally:
            self._turn = None
            turn.set()

    async def aclose(self) -> None:
        """See `Sink.aclose`."""
        if self._writer is not None:
            self._writer.close()
