"""The stream in a file."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, Final, final

import trio

from axiom_trio.sansio.text import TextFormat
from axiom_trio.sinks.descriptor import DescriptorSink

if TYPE_CHECKING:
    from axiom_trio.sansio.cursor import Batch

_LOOK_AGAIN: Final = 0.05  # seconds; nobody tells of a reader


@final
class FileSink(DescriptorSink):
    """Appends the text of the stream to a file, readable by its owner only if it is made here.

    One that can't be opened or written fails as sinks do: `SinkError` on leaving the block. A named pipe
    is waited for until somebody reads it.

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
        self._descriptor = await self._open_file()
        try:
            os.set_blocking(self._descriptor, True)  # as the writer expects it
            await super().open()
        finally:
            os.close(self._descriptor)  # the writer has a duplicate

    async def _open_file(self) -> int:
        # Non-blocking: a named pipe that nobody reads yet would stop the whole program.
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK | os.O_CLOEXEC
        while True:
            try:
                return os.open(self._path, flags, 0o600)
            except OSError as error:
                if error.errno != errno.ENXIO or not stat.S_ISFIFO(os.stat(self._path).st_mode):
                    raise
            await trio.sleep(_LOOK_AGAIN)

    async def write(self, batch: Batch) -> None:
        """See `Sink.write`."""
        if batch.text:
            await self._writer.write(batch.text)
