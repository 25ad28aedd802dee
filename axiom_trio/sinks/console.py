"""The live, prefixed stream on stdout."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, final

import trio

from axiom_trio.sansio.errors import SpecificationError
from axiom_trio.sansio.text import TextFormat
from axiom_trio.sinks.descriptor import DescriptorSink

if TYPE_CHECKING:
    from axiom_trio.sansio.cursor import Batch, Buffer


@final
class ConsoleSink(DescriptorSink):
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
        super().__init__(descriptor)
        self._turn: trio.Event | None = None
        self._line_open = False

    async def write(self, batch: Batch) -> None:
        """See `Sink.write`."""
        if batch.text:
            await self._write(batch.text)
            self._line_open = bytes(batch.text[-1][-1:]) != b"\n"

    async def notify(self, line: bytes) -> None:
        """Write a line of one's own between the lines of the stream, on a terminal that shows both.

        Raises:
            OSError: It can't be written.
        """
        if self._opened is not None:
            await self._write([b"\n", line] if self._line_open else [line])

    async def _write(self, pieces: list[Buffer]) -> None:
        while self._turn is not None:  # a lock would cost a checkpoint per batch
            await self._turn.wait()
        turn = self._turn = trio.Event()
        try:
            await self._writer.write(pieces)
        finally:
            self._turn = None
            turn.set()
