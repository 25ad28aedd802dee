"""Reading the events from within the program: replay and live, with nothing in between missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import trio

from axiom_trio.engine.wakeup import Wakeup
from axiom_trio.sansio.events import AllCompleted, Gap, Stats

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Self

    from axiom_trio.sansio.cursor import Batch, Cursor
    from axiom_trio.sansio.events import Event
    from axiom_trio.sansio.log import EventLog


async def next_batch(
    cursor: Cursor, log: EventLog, wakeup: Wakeup, wake: Callable[[], None] | None = None
) -> Batch | None:
    """Wait for something to read; None when the log has closed and all was read, or the cursor was closed.

    Does not move the cursor. A checkpoint unless something is there already. `wake` is called
    instead of `wakeup.set`; it may read and move, and say nothing.
    """
    while not cursor.closed:
        batch = cursor.peek()
        if batch.events:
            return batch
        if log.closed and cursor.position >= log.next:
            break
        cursor.wake = wakeup.set if wake is None else wake
        await wakeup.wait()
    return None


@final
class Subscription:
    """An async iterable of events; made by `StreamAggregator.subscribe`, to be used with `async with`.

    A lossless subscription gates: while it isn't read, the children stop, as they
    would on a trio channel. With a journal that sets the pace it doesn't, and reads on
    from disk. Iteration ends when the aggregator has; in its own block, which it waits for,
    leave the loop at a `Completed` or `AllCompleted`.
    """

    def __init__(
        self, log: EventLog, position: int | None, *, lossless: bool, children: frozenset[str] | None
    ) -> None:
        self._log = log
        self._position = position
        self._lossless = lossless
        self._children = children
        self._cursor: Cursor | None = None
        self._wakeup = Wakeup()
        self._events: Iterator[Event] = iter(())
        self._batch: Batch | None = None

    async def __aenter__(self) -> Self:
        position = self._log.oldest if self._position is None else self._position
        self._cursor = self._log.cursor(position, lossless=self._lossless)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        """The next event.

        Raises:
            StopAsyncIteration: The aggregator has ended and all was read.
            trio.ClosedResourceError: The subscription is not open, or was closed meanwhile.
        """
        cursor = self._cursor
        if cursor is None:
            raise trio.ClosedResourceError("subscribe() is to be used with `async with`")
        while True:
            for event in self._events:
                if self._wants(event):
                    return event
            if self._batch is not None:
                cursor.advance(self._batch)
                self._batch = None
            await trio.lowlevel.checkpoint()
            self._batch = await next_batch(cursor, self._log, self._wakeup)
            if cursor.closed:
                raise trio.ClosedResourceError("the subscription was closed")
            if self._batch is None:
                raise StopAsyncIteration
            self._events = iter(self._batch.events)

    def close(self) -> None:
        """Stop reading; the run no longer waits for this subscription."""
        if self._cursor is not None:
            self._cursor.close()
            self._cursor = None
        self._events = iter(())
        self._batch = None

    def _wants(self, event: Event) -> bool:
        if self._children is None or isinstance(event, Gap | Stats | AllCompleted):
            return True
        return event.child in self._children
