"""The children of an aggregator in the order in which they end."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, final

from axiom_trio.sansio.events import Completed

if TYPE_CHECKING:
    from typing import Self

    from axiom_trio.engine.aggregator import StreamAggregator
    from axiom_trio.engine.child import Child


@final
class Completions:
    """An async iterator made by `StreamAggregator.as_completed`; it may be left in the middle.

    Not an async generator: one that is left in the middle would have to be closed.
    """

    def __init__(self, aggregator: StreamAggregator) -> None:
        self._aggregator = aggregator
        ended = [(child.completed.cursor, child) for child in aggregator.children if child.completed]
        self._ended = deque(child for _, child in sorted(ended, key=lambda pair: pair[0]))
        self._notices = aggregator.notices()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Child:
        """The next child that has ended.

        Raises:
            StopAsyncIteration: None is active.
        """
        if self._ended:
            return self._ended.popleft()
        while self._notices.waiting or self._aggregator._merger.active:
            event = await anext(self._notices)
            if isinstance(event, Completed):
                return self._aggregator.child(event.child)
        raise StopAsyncIteration
