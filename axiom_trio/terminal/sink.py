"""The one writer of the terminal: the stream, lines of our own, and the footer below them."""

from __future__ import annotations

import atexit
import os
import tempfile
from contextlib import asynccontextmanager, suppress
from typing import IO, TYPE_CHECKING, Final, final

import trio

from axiom_trio.engine.wakeup import Wakeup
from axiom_trio.executors import lastwords
from axiom_trio.sinks.console import ConsoleSink
from axiom_trio.sinks.writer import write_within
from axiom_trio.terminal.region import RESCUE, SHOW_CURSOR, Region

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from axiom_trio.sansio.cursor import Batch, Buffer
    from axiom_trio.sansio.linefilter import LineFilter
    from axiom_trio.sansio.text import TextFormat
    from axiom_trio.sinks.writer import DescriptorWriter

_ENTER: Final = b"\x1b[?1049h\x1b[H\x1b[2J"
# What a program may have switched on: mouse, focus, application keys, origin, charset. Bracketed paste
# is the keyboard's: off with its modes, and on again where they are, or a paste would be many messages.
_LEAVE: Final = (
    b"\x1b[r\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1004l\x1b[?1005l\x1b[?1006l\x1b[?2026l"
    b"\x1b[?1l\x1b>\x1b[?6l\x1b[?7h\x1b[4l\x1b(B\x0f\x1b[0m\x1b[?1049l\x1b[0m"
)
_PASTE_OFF: Final = b"\x1b[?2004l"
_PIECE: Final = 256 * 1024
_IN_MEMORY: Final = 1024 * 1024  # of what waits while the terminal is taken, before it goes into a file
_SETTLING: Final = 0.5  # seconds that a size must stand before a footer is drawn
_HEARD: Final = 0.5  # seconds after which we've heard of a size: tmux tells 0.25 s late
_PATIENCE: Final = 1.0  # seconds for a terminal that takes nothing to take what restores it


@final
class RawTerminal:
    """The terminal, for the one who has taken it."""

    def __init__(self, writer: DescriptorWriter) -> None:
        self._writer: DescriptorWriter | None = writer

    async def write(self, data: bytes) -> None:
        """Write bytes as they are.

        Raises:
            trio.ClosedResourceError: It was given back, as at the end of the run.
            OSError: It can't be written.
        """
        if self._writer is None:
            raise trio.ClosedResourceError("the terminal was given back")
        await self._writer.write([data])

    def _end(self) -> None:
        self._writer = None


@final
class TerminalSink(ConsoleSink):
    """A `ConsoleSink` that can keep a footer below the stream, wait, and give the terminal away.

    Without a footer it writes what a `ConsoleSink` writes, in the same way.

    Args:
        text: How lines look.
        descriptor: The terminal; it stays open.
        lines: Which lines are shown; default: all.

    Raises:
        SpecificationError: The descriptor is not open.
    """

    def __init__(
        self, text: TextFormat | None = None, *, descriptor: int = 1, lines: LineFilter | None = None
    ) -> None:
        super().__init__(text, descriptor=descriptor, lines=lines)
        self.input_line: tuple[str, int] | None = None
        """What is being typed, and the column of its cursor; the footer's last row. None: no such row."""
        self.chosen: str | None = None
        """The id of the child that the footer marks."""
        self._region = Region(*self._ask_size())
        self._redraw = Wakeup()
        self._going_on: trio.Event | None = None
        self._raw: RawTerminal | None = None
        self._spool: IO[bytes] | None = None
        self._spool_shown = 0
        self._words = b""
        self._settled = 0.0
        self._in_doubt = False  # whether the size has changed since the footer was drawn
        self._rest = b""  # what is still to be written of and about the footer
        self._restored = True

    # --- the stream

    async def open(self) -> None:
        """See `Sink.open`."""
        await super().open()
        self._restored = False
        atexit.register(self.close)

    async def write(self, batch: Batch) -> None:
        """See `Sink.write`; waits while `paused`."""
        while self._going_on is not None:
            await self._going_on.wait()
        await super().write(batch)

    async def aclose(self) -> None:
        """See `Sink.aclose`: the terminal is as before, and what had to wait is on it."""
        try:
            if self._spool is not None:
                self._leave()
                await self._write([])
        finally:
            self.close()
            await super().aclose()

    async def _put(self, pieces: list[Buffer]) -> None:
        if self._spool is not None:
            if self._raw is not None:
                self._spool.seek(0, os.SEEK_END)
                self._spool.writelines(pieces)
                return
            await self._empty(self._spool)
        if self._region.height:
            self._follow_size()
        if self._rest:
            await self._write_rest()
        await self._writer.write(self._region.stream(pieces))

    async def _empty(self, spool: IO[bytes]) -> None:
        """Write what had to wait. Cancelled, it goes on later where it was."""
        while True:
            spool.seek(self._spool_shown)
            piece = spool.read(_PIECE)
            if not piece:
                break
            before = self._writer.progress
            try:
                await self._writer.write([piece])
            finally:
                shown = self._writer.progress - before
                self._region.stream([piece[:shown]])
                self._spool_shown += shown
        spool.close()
        self._spool = None

    # --- pausing

    @property
    def paused(self) -> bool:
        """Whether the stream stands still: who writes waits, and in the end the children do."""
        return self._going_on is not None

    @paused.setter
    def paused(self, paused: bool) -> None:
        if paused and self._going_on is None:
            self._going_on = trio.Event()
        elif not paused and self._going_on is not None:
            self._going_on.set()
            self._going_on = None
        self.redraw_soon()

    # --- the footer

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns."""
        return self._region.rows, self._region.columns

    @property
    def in_foreground(self) -> bool:
        """Whether the terminal is ours to draw on: a job in the background leaves it alone."""
        try:
            return os.tcgetpgrp(self._descriptor) == os.getpgrp()
        except OSError:  # it's not our controlling terminal: nobody's jobs are controlled there
            return True

    def resized(self) -> None:
        """The terminal may have another size now."""
        self._take_size(self._ask_size())  # it may have had another meanwhile
        self.redraw_soon()

    async def draw(self, rows: list[bytes]) -> None:
        """Show these rows below the stream; none: take the footer away. Waits for its turn.

        Nothing is drawn while the terminal is taken, or given back for good.

        Raises:
            OSError: It can't be written.
        """
        async with self._turn:
            if self._opened is None or self._raw is not None or self._restored:
                return
            self._follow_size()
            if trio.current_time() >= self._settled:
                self._rest += self._region.draw(rows)
            if self._rest:
                self._guard()
                await self._write_rest()
            if self._in_doubt and self._region.height:
                self._in_doubt = False
                await self._hold()

    async def _hold(self) -> None:
        """Write nothing until we would have heard of another size: what was drawn would be in its way."""
        await trio.sleep(_HEARD)
        self._follow_size()
        if self._rest:
            await self._write_rest()

    async def _write_rest(self) -> None:
        """Write what belongs to the footer; a part alone would leave the cursor anywhere."""
        data, self._rest = self._rest, b""
        before = self._writer.progress
        try:
            await self._writer.write([data])
        finally:
            self._rest = data[self._writer.progress - before :] + self._rest

    def redraw_soon(self) -> None:
        """Something that the footer shows has changed."""
        self._redraw.set()

    async def wait_redraw(self) -> None:
        """Wait until `redraw_soon` is called; for the one that draws."""
        await self._redraw.wait()

    # --- for others

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[RawTerminal]:
        """Have the terminal for oneself: on its alternate screen, empty, without a footer.

        What the stream says meanwhile goes to a file without a name, and is written when the terminal
        is given back; nobody has to wait.

        Raises:
            RuntimeError: It is taken already.
            trio.ClosedResourceError: It's not open, or was given back for good.
            OSError: It can't be written.
        """
        if self._raw is not None:
            raise RuntimeError("the terminal is taken already")
        if self._opened is None or self._restored:
            raise trio.ClosedResourceError("the terminal was given back")
        async with self._turn:
            raw = self._raw = RawTerminal(self._writer)
            if self._spool is None:
                self._spool = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 (closed when emptied)
                self._spool_shown = 0
        try:
            self._write_now(self._region.clear())
            self._guard()
            await raw.write(_ENTER)
            yield raw
        finally:
            self._leave()
            self.redraw_soon()
        await self._write([])  # what has waited

    def _leave(self) -> None:
        """Leave the alternate screen, if it's on."""
        if self._raw is not None:
            self._raw._end()
            self._raw = None
            if not self._restored:
                self._write_now(_LEAVE + SHOW_CURSOR)
                self._guard()

    async def suspend(self) -> None:
        """Give the terminal back for as long as the program is stopped: no footer, and the cursor shows.

        Waits for what is being written, but not for long.
        """
        with trio.move_on_after(_PATIENCE / 4):
            async with self._turn:
                pass
        if self._opened is not None and not self._restored:
            self._write_now(self._region.clear() + b"\x1b[0m")
            self._guard()

    def resume(self) -> None:
        """The program goes on: the footer comes again."""
        self.resized()

    def close(self) -> None:
        """Bring the terminal back, at once and for good; may be called in any state, and again."""
        atexit.unregister(self.close)
        if self._restored:
            return
        self._leave()
        self._restored = True
        if footer := self._rest + self._region.clear():
            self._rest = b""
            self._write_now(footer + b"\x1b[0m")
        self._guard()

    # --- inside

    def _guard(self) -> None:
        """See to it that the terminal is brought back even if we're killed."""
        words = RESCUE if self._region.height else b""
        if self._raw is not None:
            words = _PASTE_OFF + _LEAVE + SHOW_CURSOR
        if words != self._words:
            self._words = words
            lastwords.leave(self._descriptor, words)

    def _write_now(self, data: bytes) -> None:
        """Write without the loop; given up if the terminal takes nothing."""
        data = self._rest + data
        self._rest = b""
        with suppress(OSError):  # it's gone
            write_within(self._descriptor, data, _PATIENCE)

    def _follow_size(self) -> None:
        size = self._ask_size()
        if size != self.size:
            self._take_size(size)

    def _take_size(self, size: tuple[int, int]) -> None:
        self._rest += self._region.resized(*size)
        self._in_doubt = True
        self._settled = trio.current_time() + _SETTLING

    def _ask_size(self) -> tuple[int, int]:
        try:
            columns, rows = os.get_terminal_size(self._descriptor)
        except OSError:  # it's gone
            return 24, 80
        return (rows, columns) if rows > 0 and columns > 0 else (24, 80)
