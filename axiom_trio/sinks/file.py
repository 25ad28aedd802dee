"""The stream in a file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, final

from axiom_trio.abc import Sink
from axiom_trio.sansio.text import TextFormat
from axiom_trio.sinks.writer import DescriptorWriter

if TYPE_CHECKING:
    from axiom_trio.sansio.cursor import Batch


@final
class FileSink(Sink):
    """Appends the text of the stream to a file, readable by its owner only if it is made here.

    Args:
        path: The file.
        text: How lines look; default: prefix, no colour, bytes as they came.
    """

    def __init__(self, path: str | os.PathLike[str], text: TextFormat | None = None) -> None:
        self.text: TextFormat = TextFormat() if text is None else text
        self._path = path
        self._writer: DescriptorWriter | None = None

    @property
    def progress(self) -> int:  # type: ignore[override]
        """Bytes written so far."""
        return self._writer.progress if self._writer else 0

    async def open(self) -> None:
        """See `Sink.open`. Raises OSError if the file can't be opened."""
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            self._writer = DescriptorWriter(descriptor)
        finally:
            os.close(descriptor)

    async def write(self, batch: Batch) -> None:
        """See `Sink.write`."""
        assert self._writer is not None
        if batch.text:
            await self._writer.write(batch.text)

    async def aclose(self) -> None:
        """See `Sink.aclose`."""
        if self._writer is not None:
            self._writer.close()
