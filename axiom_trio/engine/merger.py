"""The merger: the one task that orders, counts and formats.

It serves the children that have something in turn, one chunk each, and appends
events to the log. It writes to no file descriptor and waits for no viewer: only a
full log (a slow lossless cursor) stops it, and so the children.

A child whose open line has grown beyond `LINE_HOLD` has the floor: it alone is
served until its newline, unless it has nothing to say for 100 ms, lets others wait
for 5 s in all, or goes on for 128 MiB. So an over-long line comes out whole and nobody
holds it in memory.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

import trio

from axiom_trio.engine.chunks import OpenLine, RestartMark
from axiom_trio.engine.wakeup import Wakeup
from axiom_trio.sansio import markers
from axiom_trio.sansio.events import AllCompleted, Completed, Exit, Intervention, Output, Restarting
from axiom_trio.sansio.text import LINE_HOLD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from axiom_trio.engine.chunks import Chunk
    from axiom_trio.engine.port import ChildPort
    from axiom_trio.sansio.echo import EchoFilter
    from axiom_trio.sansio.events import Kind
    from axiom_trio.sansio.log import EventLog
    from axiom_trio.sansio.text import TextFormatter

ROUND: Final = 256 * 1024  # bytes taken before sinks get their turn
FLOOR_SILENCE: Final = 0.1
FLOOR_TOTAL: Final = 5.0  # else one that drips would freeze all others
FLOOR_BYTES: Final = 128 * 1024 * 1024
READ_BUDGET: Final = 1536 * 1024  # bytes of read buffers, over all children
READ_MIN: Final = 8 * 1024
READ_MAX: Final = 64 * 1024
RECENT: Final = 8 * 1024  # bytes kept for `Child.tail`
_HEAD: Final = 1024  # bytes of an open line searched for a marker


class Merger:
    """Merges the channels of all children into the log."""

    def __init__(
        self,
        log: EventLog,
        formatter: TextFormatter | None,
        wall_offset: float,
        *,
        only_blocks: bool = False,
    ) -> None:
        self.chunk_size = READ_MAX
        self.step_size = ROUND
        """Bytes taken before they are published."""
        self.active = 0
        """Children that have been added and not completed."""
        self.completed = 0
        self.failed = 0
        self.bytes = 0
        self.lines = 0
        self.interventions = 0
        self._log = log
        self._formatter = formatter
        self._only_blocks = only_blocks
        self._wants_text = True
        self._wall_offset = wall_offset
        self._ready: deque[ChildPort] = deque()
        self._wakeup = Wakeup()
        self._room = Wakeup()
        self._floor: ChildPort | None = None
        self._floor_line = OpenLine()
        self._ending = False
        self.on_completed: Callable[[ChildPort, Completed], None] = lambda _port, _event: None
        self.on_restarting: Callable[[Restarting], None] = lambda _event: None
        self.on_output: Callable[[str, bytes], None] | None = None
        """Called with each block of a child; mostly nobody wants it."""
        self.urgent: Callable[[bytes], object] | None = None
        """Says of a read whether an open line in it is wanted at once."""

    # --- for the engine

    def added(self) -> None:
        """One more child is to come."""
        self.active += 1
        self._share_reads()

    def mark(self, port: ChildPort) -> None:
        """A child has something to take."""
        if not port.ready:
            port.ready = True
            self._ready.append(port)
            self._wakeup.set()

    def end(self) -> None:
        """No more children come: close the log when all have been read to the end."""
        self._ending = True
        self._wakeup.set()

    def intervened(self, port: ChildPort, event: Intervention) -> None:
        """Put an intervention into the log, at once."""
        port.meter.interventions += 1
        self.interventions += 1
        self._log.append(event, self._formatter.intervention(event) if self._formatter else ())

    async def run(self) -> None:
        """Merge until `end` was called and the last child has completed."""
        log = self._log
        while True:
            self._serve_round()
            log.publish()
            if log.full:
                log.room = self._room.set
                await self._room.wait()
            elif self._floor is not None and not self._floor.ready:
                await self._await_floor(self._floor)
            elif self._ready:
                await trio.lowlevel.cancel_shielded_checkpoint()
            elif self._ending and not self.active:
                break
            else:
                await self._wakeup.wait()
        log.close()

    # --- serving

    def _serve_round(self) -> None:
        served = 0
        step = self.step_size
        if self._only_blocks:
            self._wants_text = self._log.wants_text
        while self._ready and served < ROUND and not self._log.full:
            port = self._floor
            if port is None:
                port = self._ready.popleft()
            elif port.ready:
                self._ready.remove(port)
            else:
                return
            try:
                chunk = port.take()
            except trio.EndOfChannel:
                port.ready = False
                self._complete(port)
                continue
            if chunk is None:
                port.ready = False
                continue
            self._ready.append(port)
            self._merge(port, chunk)
            served += chunk.size
            if served >= step:
                step = served + self.step_size
                self._log.publish()

    async def _await_floor(self, port: ChildPort) -> None:
        line = self._floor_line
        began = trio.current_time()
        with trio.move_on_after(FLOOR_SILENCE):
            while not port.ready:
                await self._wakeup.wait()
        if len(self._ready) > port.ready:  # others wait, too
            line.waited += trio.current_time() - began
        if not port.ready or line.waited >= FLOOR_TOTAL:
            self._floor = None

    def _merge(self, port: ChildPort, chunk: Chunk) -> None:
        data = chunk.data
        if not (chunk.partial or port.open_lines or (b"[" in data and markers.has_marker(data))):
            self._append(port, data, chunk.kind, chunk.time, partial=False)
            return
        if type(chunk) is RestartMark:
            self._restart(port, chunk)
            return
        error = chunk.kind == "error"
        line = port.open_lines.pop(error, None) or OpenLine()
        for kind, piece in self._cut(port, line, chunk, data):
            self._append(port, piece, kind, chunk.time, partial=chunk.partial)
        if chunk.partial:
            port.open_lines[error] = line
            line.size += len(data)
            if line.size >= LINE_HOLD and self._draws(port):
                line.size = 1
            elif line.size >= LINE_HOLD:
                self._floor = port if line.size < FLOOR_BYTES and line.waited < FLOOR_TOTAL else None
                self._floor_line = line
        elif self._floor is port:
            self._floor = None

    def _draws(self, port: ChildPort) -> bool:
        """Whether it has a screen, where there's no line to be whole."""
        return port.at_once or (self._formatter is not None and self._formatter.is_screen(port.child))

    def _cut(
        self, port: ChildPort, line: OpenLine, chunk: Chunk, data: bytes
    ) -> Iterator[tuple[Kind, bytes]]:
        """Cut around marked lines; one that came in pieces is judged by its beginning.

        An `Intervention` is appended right before its line, or its line's end. Errors stay
        errors: they are a stream of their own, whose lines are not to be joined with the other's.
        """
        is_error = chunk.kind == "error"
        if chunk.partial or line.size:
            first = data[: data.find(b"\n") + 1] or data
            line.head = (line.head + first)[:_HEAD]
            marked = markers.kind_of(line.head)
            if not chunk.partial:
                self._end_line(port, line, chunk.time)
            yield chunk.kind if is_error or marked == "output" else marked, first
            data = data[len(first) :]
        for kind, piece in markers.cut(data, chunk.kind):
            if kind == "intervention":
                self._detected(port, piece, chunk.time)
            yield "error" if is_error else kind, piece

    def _end_line(self, port: ChildPort, line: OpenLine, time: float) -> None:
        if markers.kind_of(line.head) == "intervention":
            self._detected(port, line.head, time)

    def _detected(self, port: ChildPort, line: bytes, time: float) -> None:
        event = Intervention(
            cursor=self._log.next,
            time=time + self._wall_offset,
            child=port.child,
            count=port.meter.interventions + 1,
            origin="detected",
            text=markers.claimed_text(line),
        )
        self.intervened(port, event)

    def _append(self, port: ChildPort, data: bytes, kind: Kind, time: float, *, partial: bool) -> None:
        meter = port.meter
        wall_time = time + self._wall_offset
        formatter, made = self._formatter, None
        if formatter is not None and not self._only_blocks:
            made = formatter.output(port.child, data, kind, wall_time, partial=partial)
        elif formatter is not None and self._wants_text:  # else sinks make it
            made = formatter.block(port.child, data, kind, wall_time, partial=partial)
        text, lines = made if made is not None else ((), len(data) - len(data.replace(b"\n", b"")))
        if not partial and not data.endswith(b"\n"):
            lines += 1  # the last line of all: the child's end closes it
        self._log.append(
            Output(
                cursor=self._log.next,
                time=wall_time,
                child=port.child,
                seq=meter.lines,
                kind=kind,
                data=data,
                lines=lines,
                partial=partial,
            ),
            text,
        )
        if self.on_output is not None:
            self.on_output(port.child, data)
        size = len(data)
        meter.bytes += size
        meter.lines += lines
        echo = port.echo
        if echo is None or echo.idle or kind == "error" or _speaks(echo, data, time, self._log.next - 1):
            meter.last_output = time
        self.bytes += size
        self.lines += lines
        port.recent = data[-RECENT:] if size >= RECENT else (port.recent + data)[-RECENT:]

    # --- ends

    def _end_lines(self, port: ChildPort, now: float) -> None:
        for line in port.open_lines.values():  # they were published open; they end here
            port.meter.lines += 1
            self.lines += 1
            self._end_line(port, line, now)
        port.open_lines.clear()
        if self._floor is port:
            self._floor = None

    def _restart(self, port: ChildPort, mark: RestartMark) -> None:
        now = trio.current_time()
        self._end_lines(port, now)
        event = Restarting(
            cursor=self._log.next,
            time=now + self._wall_offset,
            child=port.child,
            attempt=mark.attempt,
            delay=mark.delay,
            exit=mark.exit,
            reason=mark.reason,
        )
        self._log.append(event, self._formatter.end_lines(port.child) if self._formatter else ())
        self.on_restarting(event)
        mark.merged.set()

    def _complete(self, port: ChildPort) -> None:
        meter = port.meter
        now = trio.current_time()
        self._end_lines(port, now)
        meter.ended = now
        ended = port.exit or Exit(None, error="it ended without saying how")
        event = Completed(
            cursor=self._log.next,
            time=now + self._wall_offset,
            child=port.child,
            exit=ended,
            reason=port.reason,
            duration=meter.uptime(now),
            bytes=meter.bytes,
            lines=meter.lines,
            interventions=meter.interventions,
            attempts=port.attempts,
            escaped=port.escaped,
        )
        self._log.append(event, self._formatter.end(port.child) if self._formatter else ())
        self.active -= 1
        self.completed += 1
        self._share_reads()
        self.on_completed(port, event)
        if not self.active:
            self._log.append(
                AllCompleted(
                    cursor=self._log.next,
                    time=event.time,
                    children=self.completed,
                    failed=self.failed,
                    bytes=self.bytes,
                    lines=self.lines,
                    interventions=self.interventions,
                )
            )

    def _share_reads(self) -> None:
        self.chunk_size = min(READ_MAX, max(READ_MIN, READ_BUDGET // max(1, self.active)))


def _speaks(echo: EchoFilter, data: bytes, time: float, cursor: int) -> bool:
    """Whether an event has more in it than the echo of what was typed."""
    rest, active = echo.feed(data, time)
    if rest != data or not active:
        echo.keep(cursor, rest, active=active)
    return active
