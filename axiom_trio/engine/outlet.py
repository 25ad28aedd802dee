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
from axiom_trio.sansio.text import TextFormatter

if TYPE_CHECKING:
    from axiom_trio.abc import Sink
    from axiom_trio.sansio.log import EventLog


@attrs.frozen
class SinkFailure:
    """A sink that did not get everything, and why."""

    sink: Sink
    error: Exception


class Outlet:
    """Serves one sink."""

    def __init__(self, sink: Sink, log: EventLog, *, shares_text: bool, flush_interval: float) -> None:
        self.sink = sink
        self.failure: SinkFailure | None = None
        self._log = log
        self._flush_interval = flush_interval
        self._formatter = None if sink.text is None or shares_text else TextFormatter(sink.text)
        self.cursor = log.cursor(
            lossless=sink.lossless, text=sink.text is not None and self._formatter is None
        )
        self._scope = trio.CancelScope(shield=True)
        self.finished = False

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
            self.failure = SinkFailure(self.sink, error)
        if self._scope.cancelled_caught:
            self.failure = SinkFailure(self.sink, TimeoutError("it took nothing any more"))
        self.cursor.close()
        with trio.move_on_after(1, shield=True) as scope:
            try:
                await self.sink.aclose()
            except Exception as error:  # noqa: BLE001 (nor must one that fails at its end)
                self.failure = self.failure or SinkFailure(self.sink, error)
        if scope.cancelled_caught:
            self.failure = self.failure or SinkFailure(self.sink, TimeoutError("closing took too long"))
        self.finished = True

    async def _serve(self) -> None:
        wakeup = Wakeup()
        while True:
            batch = await next_batch(self.cursor, self._log, wakeup)
            if batch is None:
                return
            if self._flush_interval and not self._log.closed and not self._log.full:
                await self._collect()
                batch = self.cursor.peek()
            if self._formatter is not None:
                for event in batch.events:
                    batch.text += self._formatter.event(event)
            await self.sink.write(batch)
            self.cursor.advance(batch)

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
