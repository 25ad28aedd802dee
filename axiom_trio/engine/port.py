"""A child's way out: from the bytes of its executor to chunks in its memory channel.

Complications, and what follows from them:

* A cancelled `send` of a memory channel leaves the item with the sender. So the
  chunk in hand is parked here, and the merger takes it when it has read the
  channel empty. Nothing is lost by cancelling an executor.
* A chunk that waits in the channel takes in what comes next, up to one read's
  size. So the items grow with the load, a lone line goes at once, and a child has
  at most one chunk waiting and one in hand.
* An open tail is published by the tail clock, not by the executor's task, which
  may be parked in a read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from axiom_trio.abc import Port
from axiom_trio.sansio.lines import LineSplitter
from axiom_trio.sansio.meters import Meter

if TYPE_CHECKING:
    from collections.abc import Callable

    from axiom_trio.engine.merger import Merger
    from axiom_trio.engine.tails import TailClock
    from axiom_trio.sansio.events import Exit, Kind, Reason

_MAX_PARTS = 1024  # pieces in a chunk: bounds the overhead of tiny ones
_CHECKPOINT_EVERY = 64  # sends that found room, before others get their turn


class Chunk:
    """What travels on the channel: whole lines, or a piece of an open line."""

    __slots__ = ("kind", "partial", "parts", "size", "taken", "time")

    def __init__(self, data: bytes, kind: Kind, time: float, *, partial: bool) -> None:
        self.parts = [data]
        self.size = len(data)
        self.kind = kind
        self.time = time
        self.partial = partial
        self.taken = False

    @property
    def data(self) -> bytes:
        """Its bytes."""
        return self.parts[0] if len(self.parts) == 1 else b"".join(self.parts)


class Splitter(LineSplitter):
    """A line splitter that the tail clock can watch."""

    __slots__ = ("changed", "kind", "watched")

    def __init__(self, kind: Kind) -> None:
        super().__init__()
        self.kind = kind
        self.changed = 0.0
        self.watched = False


class OpenLine:
    """A line that was published in pieces and has not ended."""

    __slots__ = ("head", "size")

    def __init__(self) -> None:
        self.size = 0
        self.head = b""


class ChildPort(Port):
    """The port of one child; shared by its executor, the merger and the tail clock."""

    def __init__(
        self, child: str, merger: Merger, tails: TailClock, on_started: Callable[[int | None], None]
    ) -> None:
        self.child = child
        self.meter = Meter()
        self.ready = False
        """Whether the merger has it in its queue."""
        self.open_lines: dict[bool, OpenLine] = {}
        """What was published of lines that are open, by whether they're errors; the merger keeps it."""
        self.recent = b""
        """The last bytes, for `Child.tail`; the merger keeps it."""
        self.left: list[Chunk] = []
        """What the channel could not take yet, or ever: then the merger reads it here."""
        self.exit: Exit | None = None
        self.reason: Reason = "exit"
        self._merger = merger
        self._tails = tails
        self._on_started = on_started
        self._send, self._receive = trio.open_memory_channel[Chunk](1)
        self._splitters = {False: Splitter("output")}
        self._last: Chunk | None = None
        self._sends = 0
        self._sending = 0

    @property
    def read_size(self) -> int:
        """Bytes worth reading at once."""
        return self._merger.chunk_size

    # --- for the executor

    def started(self, *, pid: int | None = None) -> None:
        """See `Port.started`; only the first call counts."""
        if self.meter.started is None:
            self._on_started(pid)

    async def send(self, data: bytes, kind: Kind = "output") -> None:
        """See `Port.send`."""
        if self.meter.started is None:
            self._on_started(None)
        limit = self._merger.chunk_size
        if len(data) > limit:
            cancelled = None
            for start in range(0, len(data), limit):
                try:
                    await self.send(data[start : start + limit], kind)
                except trio.Cancelled as error:  # each piece is kept: go on
                    cancelled = error
            if cancelled is not None:
                raise cancelled
            return
        splitter = self._splitter(kind)
        splitter.changed = now = trio.current_time()
        block = splitter.feed(data)
        if block:
            await self._put(Chunk(block, kind, now, partial=False))
        if splitter.pending >= limit:
            await self._put(Chunk(splitter.take(), kind, now, partial=True))
        elif splitter.pending and not splitter.watched:
            self._tails.watch(self, splitter)

    async def send_line(self, line: bytes, kind: Kind = "output") -> None:
        """See `Port.send_line`."""
        if not line.endswith(b"\n"):
            line += b"\n"
        if self._splitter(kind).open:
            line = b"\n" + line
        await self.send(line, kind)

    def _splitter(self, kind: Kind) -> Splitter:
        error = kind == "error"
        splitter = self._splitters.get(error)
        if splitter is None:
            splitter = self._splitters[error] = Splitter(kind)
        return splitter

    async def _put(self, chunk: Chunk) -> None:
        last = self._last
        if (
            last is not None
            and not last.taken
            and not (last.partial or chunk.partial or self.left)
            and last.kind == chunk.kind
            and last.size + chunk.size <= self._merger.chunk_size
            and len(last.parts) < _MAX_PARTS
        ):
            last.parts += chunk.parts
            last.size += chunk.size
        else:
            # What a cancelled send has left goes first; the merger may take it meanwhile.
            self.left.append(chunk)
            while chunk in self.left:
                await self._push(self.left.pop(0))
        self._sends += 1
        if self._sends % _CHECKPOINT_EVERY == 0:
            await trio.lowlevel.checkpoint()

    async def _push(self, chunk: Chunk) -> None:
        last = self._last
        self._sending += 1
        try:
            if self._sending == 1 and (last is None or last.taken):  # the channel is empty
                self._send.send_nowait(chunk)
            else:
                await self._send.send(chunk)
        except trio.Cancelled:
            self.left.insert(0, chunk)
            self._merger.mark(self)
            raise
        finally:
            self._sending -= 1
        if not chunk.taken:  # else another sender's may be in the channel by now
            self._last = chunk
        self._merger.mark(self)

    def _keep(self, data: bytes, kind: Kind) -> None:
        """Take in what a cancelled sender can't wait for."""
        splitter = self._splitter(kind)
        block = splitter.feed(data)
        if block:
            self.left.append(Chunk(block, kind, trio.current_time(), partial=False))

    # --- for the tail clock

    def publish_tail(self, splitter: Splitter) -> bool:
        """Send an open tail on its way, unless the channel is busy: then it isn't silence."""
        if self._sending or self.left or (self._last is not None and not self._last.taken):
            return False
        piece = splitter.take()
        if piece:
            self._last = Chunk(piece, splitter.kind, splitter.changed, partial=True)
            self._send.send_nowait(self._last)
            self._merger.mark(self)
        return True

    # --- for the supervisor

    def finish(self, ended: Exit, reason: Reason, last_words: bytes = b"") -> None:
        """Close the channel: no more comes. Never blocks."""
        self.exit = ended
        self.reason = reason
        now = trio.current_time()
        if last_words:
            self._keep((b"\n" if self._splitter("error").open else b"") + last_words, "error")
        for splitter in self._splitters.values():
            rest = splitter.take(final=True)
            if rest:
                self.left.append(Chunk(rest, splitter.kind, now, partial=False))
        self._send.close()
        self._merger.mark(self)

    # --- for the merger

    def take(self) -> Chunk | None:
        """The next chunk, or None if there is none now.

        What a cancelled sender has left comes after what is in the channel.

        Raises:
            trio.EndOfChannel: There will be no more.
        """
        try:
            chunk = self._receive.receive_nowait()
        except trio.WouldBlock:
            # What a sender has in hand comes first: a cancelled one lays it back, and marks us.
            if self._sending or not self.left:
                return None
            chunk = self.left.pop(0)
        except trio.EndOfChannel:
            if not self.left:
                raise
            chunk = self.left.pop(0)
        chunk.taken = True
        return chunk

    def abandon(self) -> None:
        """Nobody reads any more: a blocked sender gets a BrokenResourceError."""
        self._receive.close()
