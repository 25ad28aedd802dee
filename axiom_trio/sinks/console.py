"""The live, prefixed stream on stdout."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import trio

from axiom_trio.sansio.errors import SpecificationError
from axiom_trio.sansio.text import TextFormat, TextFormatter
from axiom_trio.sinks.descriptor import DescriptorSink

if TYPE_CHECKING:
    from axiom_trio.sansio.cursor import Batch, Buffer
    from axiom_trio.sansio.linefilter import LineFilter


class ConsoleSink(DescriptorSink):
    """Writes the text of the stream to a descriptor, each batch in one call.

    Args:
        text: How lines look; default: coloured if the descriptor is a terminal
            (and then only colours of the children are let through), plain otherwise.
        descriptor: Where to write; it stays open.
        lines: Which lines are shown; default: all.

    Raises:
        SpecificationError: The descriptor is not open.
    """

    def __init__(
        self, text: TextFormat | None = None, *, descriptor: int = 1, lines: LineFilter | None = None
    ) -> None:
        try:
            terminal = os.isatty(descriptor)
            os.fstat(descriptor)
        except OSError as error:
            raise SpecificationError(f"descriptor {descriptor} can't be written: {error.strerror}") from error
        if text is None:
            text = TextFormat(color=terminal, escapes="color" if terminal else "raw")
        self.format = text
        """How lines look."""
        self.lines = lines
        """Which of them are shown; None: all."""
        self._formatter: TextFormatter | None = None
        if lines is not None:  # its text is its own, and no other sink's
            self._formatter = TextFormatter(text)
        self.text: TextFormat | None = text if lines is None else None
        super().__init__(descriptor)
        self._turn = trio.Lock()  # fair: who has a line or a footer to write waits for one batch, not for all
        self._line_open = False
        self._position = 0  # the cursor of the first event that has not been shown
        self._shown: trio.Event | None = None  # set when that moves

    async def write(self, batch: Batch) -> None:
        """See `Sink.write`."""
        text = batch.text
        if self.lines is not None and self._formatter is not None:
            text = [
                piece for event in self.lines.events(batch.events) for piece in self._formatter.event(event)
            ]
        if text:
            await self._write(text)
            self._line_open = bytes(text[-1][-1:]) != b"\n"
        self._position = batch.end
        if self._shown is not None:
            self._shown.set()
            self._shown = None

    async def notify(self, line: bytes, *, after: int = -1) -> None:
        """Write a line of one's own between the lines of the stream, on a terminal that shows both.

        Args:
            line: It ends with a newline.
            after: The cursor of an event that is to be shown before.

        Raises:
            OSError: It can't be written.
        """
        while after >= self._position:
            if self._shown is None:
                self._shown = trio.Event()
            await self._shown.wait()
        if self._opened is not None:
            await self._write([b"\n", line] if self._line_open else [line])
            self._line_open = False

    async def _write(self, pieces: list[Buffer]) -> None:
        try:
            self._turn.acquire_nowait()  # costs no checkpoint, as most of the time nobody else writes
        except trio.WouldBlock:
            await self._turn.acquire()
        try:
            await self._put(pieces)
        finally:
            self._turn.release()

    async def _put(self, pieces: list[Buffer]) -> None:
        """Write while nobody else does."""
        await self._writer.write(pieces)
