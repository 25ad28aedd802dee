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

from types import MappingProxyType
from typing import TYPE_CHECKING

import attrs
import trio

from axiom_trio.abc import Port
from axiom_trio.engine.chunks import Chunk, RestartMark, Splitter
from axiom_trio.sansio.meters import Meter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from axiom_trio.engine.chunks import OpenLine
    from axiom_trio.engine.merger import Merger
    from axiom_trio.engine.tails import TailClock
    from axiom_trio.sansio.echo import EchoFilter
    from axiom_trio.sansio.events import Escaped, Exit, Kind, Reason
    from axiom_trio.sansio.masks import Masks

_MAX_PARTS = 1024  # pieces in a chunk: bounds the overhead of tiny ones
_ROW = 4096  # bytes of an open line, for those who look at it
_CHECKPOINT_EVERY = 64  # sends that found room, before others get their turn


class ChildPort(Port):
    """The port of one child; shared by its executor, the merger and the tail clock."""

    environment: Mapping[str, str] = MappingProxyType({})
    grace: float = Port.grace

    def __init__(
        self,
        child: str,
        merger: Merger,
        tails: TailClock,
        on_started: Callable[[int | None], None],
        masks: Masks | None = None,
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
        self.attempts = 1
        self.at_once = False
        """Whether an open line is handed on as it comes: someone follows its screen."""
        self.exited = False
        """Whether its process has exited; its output may wait for the run."""
        self.leader: int | None = None
        """The process that has ended, for a child that is one."""
        self.held = False
        """Whether its output was held by another then."""
        self.escaped: tuple[Escaped, ...] = ()
        """What had left its group."""
        self.echo: EchoFilter | None = None
        """Tells what was typed from what it says; only once something was typed that may be echoed."""
        self._merger = merger
        self._tails = tails
        self._on_started = on_started
        self._masks = masks
        self._send, self._receive = trio.open_memory_channel[Chunk](1)
        self._splitters = {False: self._new_splitter("output")}
        self._last: Chunk | None = None
        self._sends = 0
        self._sending = 0

    @property
    def behind(self) -> bool:
        """Whether it has written what could not be taken yet."""
        return bool(self._sending or self.left or (self._last is not None and not self._last.taken))

    @property
    def read_size(self) -> int:
        """Bytes worth reading at once."""
        return self._merger.chunk_size

    def open_row(self) -> bytes:
        """What there is of the open line: in what was merged, in what waits, and held back."""
        row = self.recent.rpartition(b"\n")[2] if False in self.open_lines else b""
        waiting = self.left if self._last is None or self._last.taken else [self._last, *self.left]
        for chunk in waiting:
            if chunk.kind != "error":
                _, newline, rest = chunk.data.rpartition(b"\n")
                row = rest if newline else row + rest
        return (row + self._splitters[False].peek())[-_ROW:]

    # --- for the executor

    def started(self, *, pid: int | None = None) -> None:
        """See `Port.started`; only the first call of an attempt counts."""
        if self.meter.attempt is None:
            self.exited = False
            self._on_started(pid)

    def process_exited(self) -> None:
        """See `Port.process_exited`."""
        self.exited = True

    def process_ended(self, pid: int, *, held: bool) -> None:
        """See `Port.process_ended`."""
        self.leader = pid
        self.held = held

    async def send(self, data: bytes, kind: Kind = "output") -> None:
        """See `Port.send`."""
        if self.meter.attempt is None:
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
        try:
            if block:
                await self._put(Chunk(block, kind, now, partial=False))
            urgent = self._merger.urgent
            if splitter.pending >= limit or (
                splitter.pending and (self.at_once or (urgent is not None and urgent(data)))
            ):
                piece = splitter.take()
                if piece:  # else all of it is held back
                    await self._put(Chunk(piece, kind, now, partial=True))
        finally:  # one that is cancelled may fall silent, too
            if splitter.pending and not splitter.watched:
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
            splitter = self._splitters[error] = self._new_splitter(kind)
        return splitter

    def _new_splitter(self, kind: Kind) -> Splitter:
        if self._masks is None:
            return Splitter(kind)
        from axiom_trio.engine.masking import MaskingSplitter  # needs this module

        return MaskingSplitter(kind, self._masks)

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
        if self.behind:
            return False
        splitter.silent()
        piece = splitter.take()
        if piece:
            self._last = Chunk(piece, splitter.kind, splitter.changed, partial=True)
            self._send.send_nowait(self._last)
            self._merger.mark(self)
        return True

    def publish_open(self) -> None:
        """Send the open line on its way, without waiting for silence."""
        splitter = self._splitters[False]
        if splitter.pending:
            self.publish_tail(splitter)

    # --- for the supervisor

    def masked(self, ended: Exit) -> Exit:
        """How it ended, without secrets."""
        if self._masks is None or ended.error is None:
            return ended
        return attrs.evolve(ended, error=self._masks.text(ended.error))

    def end_attempt(self, ended: Exit) -> None:
        """Hand on what is left of an attempt, an error as its last words. Never blocks."""
        self.started()  # one that could not be started has an attempt, too
        if ended.error is not None:
            last_words = b"[ERROR] " + ended.error.encode("utf-8", "replace") + b"\n"
            self._keep((b"\n" if self._splitter("error").open else b"") + last_words, "error")
        now = trio.current_time()
        for splitter in self._splitters.values():
            rest = splitter.take(final=True)
            if rest:
                self.left.append(Chunk(rest, splitter.kind, now, partial=False))
        self.meter.attempt = None

    def restart(self, ended: Exit, reason: Reason, attempt: int, delay: float) -> trio.Event:
        """Announce the next attempt; the event is set when all of this one has been merged."""
        mark = RestartMark(ended, reason, attempt, delay)
        self.left.append(mark)
        self._merger.mark(self)
        return mark.merged

    def finish(self, ended: Exit, reason: Reason, attempts: int = 1) -> None:
        """Close the channel: no more comes. Never blocks."""
        self.exit = ended
        self.reason = reason
        self.attempts = attempts
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
        if chunk is self._last:
            self._last = None  # else each child would keep its last 64 KiB
        return chunk

    def abandon(self) -> None:
        """Nobody reads any more: a blocked sender gets a BrokenResourceError."""
        self._receive.close()
