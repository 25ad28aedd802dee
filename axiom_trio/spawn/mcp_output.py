"""Reading what the tasks have written, a page at a time, from a cursor: each line once, whoever asks when.

Who asks keeps the place, and nobody is waited for: what memory has let go is read from the journal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

import trio

from axiom_trio.engine.wakeup import Wakeup
from axiom_trio.spawn.mcp_page import Page, cursor_of, event_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from axiom_trio.engine.aggregator import StreamAggregator

_SEARCH: Final = 1.0  # seconds at most beyond what was asked for, where there's nothing of who is asked for


@final
class Reader:
    """Reads pages.

    Args:
        aggregator: The run.
    """

    def __init__(self, aggregator: StreamAggregator) -> None:
        self._aggregator = aggregator
        self._waiting: set[Wakeup] = set()

    @property
    def end(self) -> int:
        """The cursor of what comes next."""
        return cursor_of(self._aggregator._log.next)

    def look_again(self) -> None:
        """Something has changed that is no event."""
        for wakeup in self._waiting:
            wakeup.set()

    async def read(
        self,
        cursor: int,
        limit: int,
        wait: float,
        *,
        wanted: Callable[[str], bool],
        done: Callable[[int], bool],
    ) -> Page:
        """A page from `cursor` on; empty if nothing comes for `wait` seconds, or all is `done`.

        Args:
            cursor: Where to begin, as `Page.position`; 0: at the first event.
            limit: Lines and events in it.
            wait: Seconds for which to wait for the first.
            wanted: Whose events.
            done: Whether nothing more comes of them from a position on.

        Raises:
            ValueError: There is no such cursor yet.
        """
        log = self._aggregator._log
        if cursor > self.end:
            raise ValueError(f"there is no cursor {cursor} yet: give nextCursor of the last call, or 0")
        position = max(cursor, cursor_of(log.oldest))
        page = Page(limit, position, self._aggregator.child)
        reader = log.cursor(event_of(position), lossless=False)
        wakeup = Wakeup()
        self._waiting.add(wakeup)
        deadline = trio.current_time() + wait
        try:
            while not page.full:
                batch = reader.peek()
                if not batch.events:
                    if not page.empty or log.closed or done(page.position):
                        break
                    reader.wake = wakeup.set
                    with trio.move_on_at(deadline) as scope:
                        await wakeup.wait()
                    if scope.cancelled_caught:
                        break
                    continue
                for event in batch.events:
                    page.take(event, wanted=wanted(getattr(event, "child", "")))
                    if page.full:
                        break
                else:
                    reader.advance(batch)
                await trio.lowlevel.checkpoint()
                if page.empty and trio.current_time() > deadline + _SEARCH:
                    break
            page.more = page.position < cursor_of(log.visible_to(reader))
        finally:
            self._waiting.discard(wakeup)
            reader.close()
        return page
