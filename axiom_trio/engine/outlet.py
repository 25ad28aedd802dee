"""The task behind a sink: take what is new, write it, move the cursor, repeat.

The cursor moves only after the write succeeded. While a write is under way more
collects, so batches grow with the load and a lone line goes at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import trio

from axiom_trio.engine.subscription import next_batch
from axiom_trio.engine.wakeup import Wakeup
from axiom_trio.sansio.events import Gap, Output
from axiom_trio.sansio.text import TextFormatter

if TYPE_CHECKING:
    from collections.abc import Callable

    from axiom_trio.abc import Sink
    from axiom_trio.sansio.cursor import Batch
    from axiom_trio.sansio.log import EventLog


@attrs.frozen
class SinkFailure:
    """A sink that did not get everything, and why."""

    sink: Sink
    """Which."""
    error: Exception
    """What it raised; TimeoutError if it took nothing any more."""
    missed: int = 0
    """Bytes of output that it did not get, so far."""


class Outlet:
    """Serves one sink."""

    def __init__(
        self,
        sink: Sink,
        log: EventLog,
        *,
        shares_text: bool,
        follows: bool,
        flush_interval: float,
        leader: bool = False,
    ) -> None:
        self.sink = sink
        self._error: Exception | None = None
        self._missed = 0
        self._batch: Batch | None = None
        self._got: int | None = None  # bytes of output, when it failed
        self._log = log
        self._flush_interval = flush_interval
        shares_text = shares_text and sink.text is not None
        ready_made = shares_text and not follows  # else its place, and so its open lines, are its own
        self.formatter = None if sink.text is None or ready_made else TextFormatter(sink.text)
        """Makes its text, where it isn't what the merger makes."""
        self.cursor = log.cursor(
            lossless=sink.lossless,
            text=shares_text,
            apart=follows and shares_text,
            leader=leader,
        )
        self._wakeup = Wakeup()
        at_once = leader and sink.text is None and not flush_interval
        self._wake: Callable[[], None] = self._write_now if at_once else self._wakeup.set
        self._scope = trio.CancelScope(shield=True)
        self.finished = False

    @property
    def failure(self) -> SinkFailure | None:
        """Why the sink did not get everything, and how much it did not get; None if it has not failed."""
        if self._error is None:
            return None
        later = 0 if self._got is None else self._log.counts_before(self._log.next)[1] - self._got
        return SinkFailure(self.sink, self._error, self._missed + later)

    @property
    def broken_lines(self) -> int:
        """Lines that were broken in the text made here."""
        return 0 if self.formatter is None else self.formatter.broken_lines

    @property
    def progress(self) -> tuple[int, int]:
        """Changes whenever the sink has taken something."""
        return self.cursor.position, self.sink.progress

    def give_up(self) -> None:
        """Fail the sink: it takes nothing."""
        self._scope.cancel(reason="the sink took nothing")

    async def run(self) -> None:
        """Serve until the log has closed and all is written, or the sink failed."""
        try:  # outside of the scope, where no Cancelled is among the exceptions any more
            with self._scope:
                await self.sink.open()
                await self._serve()
        except Exception as error:  # noqa: BLE001 (a failing sink must not harm the run)
            self._fail(error)
        if self._scope.cancelled_caught:
            self._fail(TimeoutError("it took nothing any more"))
        self.cursor.close()
        with trio.move_on_after(1, shield=True) as scope:
            try:
                await self.sink.aclose()
            except Exception as error:  # noqa: BLE001 (nor must one that fails at its end)
                self._error = self._error or error
        if scope.cancelled_caught:
            self._error = self._error or TimeoutError("closing took too long")
        self.finished = True

    def _fail(self, error: Exception) -> None:
        self._error = error
        done = () if self._batch is None else self._batch.events[: self._batch.done]
        self._got = self.cursor.bytes_passed + sum(len(e.data) for e in done if type(e) is Output)

    async def _serve(self) -> None:
        line_open = False
        while True:
            batch = await next_batch(self.cursor, self._log, self._wakeup, self._wake)
            if batch is None:
                return
            if self._flush_interval and not self._log.closed and not self._log.full:
                await self._collect()
                batch = self.cursor.peek()
            if self.sink.lossless and self._log.archive is not None:
                self._count_missed(batch)
            if self.formatter is not None:
                batch.text = self.formatter.batch(batch.events, batch.texts)
            elif batch.text:
                line_open = bytes(batch.text[-1][-1:]) != b"\n"
            elif line_open and type(batch.events[0]) is Gap:  # what it missed has the end of that line
                batch.text.append(b"\n")
                line_open = False
            self._batch = batch
            await self.sink.write(batch)
            self.cursor.advance(batch)
            self._batch = None

    def _write_now(self) -> None:
        """Something has come while the task waits: spare it its turn, if the sink can do without."""
        cursor, log = self.cursor, self._log
        if not (cursor.closed or log.closed):
            batch = cursor.peek()
            try:
                written = bool(batch.events) and self.sink.write_now(batch)
            except Exception:  # noqa: BLE001 (it's in the merger's task: let `write` raise it, in its own)
                written = False
            if written:
                cursor.advance(batch)
                if cursor.position == log.next:
                    cursor.wake = self._wake
                    return
        self._wakeup.set()

    def _count_missed(self, batch: Batch) -> None:
        """What the journal has lost before this one could read it is lost for this one too."""
        for event in batch.events:
            if type(event) is Gap:
                self._missed += event.bytes
                self._error = LookupError(f"{event.events} events were gone before they could be read")

    async def _collect(self) -> None:
        """Let more come together, for as long as the flush interval; less when the log is full or ends."""
        with trio.move_on_after(self._flush_interval):
            while not self._log.closed and not self._log.full:  # noqa: ASYNC110 (two things to look at)
                await trio.sleep(self._flush_interval / 8)


async def lose_patience(outlets: list[Outlet], log: EventLog, patience: float) -> None:
    """Give up those sinks and lossless readers that take nothing for `patience` seconds though they could.

    A sink fails, a lossless subscription becomes a lossy one.
    """
    seen: dict[object, tuple[object, float]] = {}
    while True:
        now = trio.current_time()
        for cursor in {*log.gating, *(outlet.cursor for outlet in outlets if not outlet.finished)}:
            outlet = next((outlet for outlet in outlets if outlet.cursor is cursor), None)
            progress = cursor.position if outlet is None else outlet.progress
            before, since = seen.get(cursor, (None, now))
            if not cursor.pending or progress != before:
                seen[cursor] = (progress, now)
            elif now - since >= patience:
                if outlet is None:
                    cursor.ungate()
                else:
                    outlet.give_up()
        await trio.sleep(patience / 8)
