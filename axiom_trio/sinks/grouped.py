"""The stream by child: one is live, the others wait for their turn."""

from __future__ import annotations

import tempfile
from typing import IO, TYPE_CHECKING, final

from axiom_trio.sansio.events import Completed, Started
from axiom_trio.sansio.text import TextFormatter
from axiom_trio.sinks.descriptor import DescriptorSink

if TYPE_CHECKING:
    from collections.abc import Callable

    from axiom_trio.sansio.cursor import Batch, Buffer
    from axiom_trio.sansio.linefilter import LineFilter
    from axiom_trio.sansio.text import TextFormat

_IN_MEMORY = 16 * 1024  # bytes of a waiting child's text kept out of a file
_PIECE = 256 * 1024


@final
class GroupedSink(DescriptorSink):
    """Writes each child's text in one piece: one child live, then the others in order of ending.

    What waits is spooled to files without a name, in the folder for temporary files;
    a crash leaves nothing behind.

    Args:
        text: How lines look.
        descriptor: Where to write; it stays open.
        lines: Which lines are shown; default: all.
    """

    def __init__(self, text: TextFormat, *, descriptor: int = 1, lines: LineFilter | None = None) -> None:
        self._format = text
        self._lines = lines
        super().__init__(descriptor)
        self._labels: dict[str, str] = {}
        self._formatters: dict[str, TextFormatter] = {}
        self._spools: dict[str, IO[bytes]] = {}
        self._ended: list[str] = []
        self._indexes: dict[str, int] = {}
        self._live: str | None = None
        self.ending: Callable[[Completed], bytes] | None = None
        """What is to be said behind the text of a child that has ended: lines, or nothing."""

    async def write(self, batch: Batch) -> None:
        """See `Sink.write`."""
        for event in batch.events if self._lines is None else self._lines.events(batch.events):
            child = getattr(event, "child", None)
            if child is None:
                continue
            if type(event) is Started and child not in self._formatters:
                self._formatters[child] = TextFormatter(self._format, self._labels)
                self._indexes[child] = event.index
            formatter = self._formatters.get(child)
            if formatter is None:
                continue
            await self._put(child, formatter.event(event))
            if type(event) is Completed:
                if self.ending is not None and (said := self.ending(event)):
                    await self._put(child, [said])
                del self._formatters[child]
                if child in self._spools:
                    self._ended.append(child)
                if child == self._live:
                    await self._next()

    async def aclose(self) -> None:
        """See `Sink.aclose`."""
        for spool in self._spools.values():
            spool.close()
        await super().aclose()

    async def _put(self, child: str, pieces: list[Buffer]) -> None:
        if not pieces:
            return
        if self._live is None:
            self._live = self._oldest()
        if child == self._live:
            await self._writer.write(pieces)
        else:
            spool = self._spools.get(child)
            if spool is None:
                spool = self._spools[child] = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 (closed when shown)
            for piece in pieces:
                spool.write(piece)

    async def _next(self) -> None:
        """The live child has ended: show those that ended meanwhile, then the oldest that runs."""
        for child in self._ended:
            await self._show(child)
        self._ended.clear()
        self._live = self._oldest()
        if self._live is not None:
            await self._show(self._live)

    def _oldest(self) -> str | None:
        return min(self._formatters, key=self._indexes.__getitem__, default=None)

    async def _show(self, child: str) -> None:
        spool = self._spools.pop(child, None)
        if spool is None:
            return
        with spool:
            spool.seek(0)
            while piece := spool.read(_PIECE):
                await self._writer.write([piece])
