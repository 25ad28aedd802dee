"""The stream in a file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, final

from axiom_trio.sansio.text import TextFormat
from axiom_trio.sinks.descriptor import DescriptorSink

if TYPE_CHECKING:
    from axiom_trio.sansio.cursor import Batch


@final
class FileSink(DescriptorSink):
    """Appends the text of the stream to a file, readable by its owner only if it is made here.

    One that can't be opened or written fails as sinks do: `SinkError` on leaving the block.

    Args:
        path: The file.
        text: How lines look; default: prefix, no colour, bytes as they came.
    """

    def __init__(self, path: str | os.PathLike[str], text: TextFormat | None = None) -> None:
        self.text: TextFormat = TextFormat() if text is None else text
        super().__init__(-1)  # known when it's opened
        self._path = path

    async def open(self) -> None:
        """See `Sink.open`. Raises OSError if the file can't be opened."""
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            await super().open()
        finally:
            os.close(self._descriptor)  # the writer has a duplicate

    async def write(self, batch: Batch) -> None:
        """See `Sink.write`."""
        if batch.text:
            await self._writer.write(batch.text)
