"""The children of an aggregator in the order in which they end."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, final

from axiom_trio.engine.wakeup import Wakeup

if TYPE_CHECKING:
    from typing import Self

    from axiom_trio.engine.child import Child


@final
class Completions:
    """An async iterator without end, made by `StreamAggregator.as_completed`; just stop iterating.

    Not an async generator: one that is left in the middle would have to be closed.
    """

    def __init__(self) -> None:
        self._ended: deque[Child] = deque()
        self._wakeup = Wakeup()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Child:
        """Wait for the next child that ends."""
        while not self._ended:
            await self._wakeup.wait()
        return self._ended.popleft()

    def add(self, child: Child) -> None:
        """Take note that a child has ended."""
        self._ended.append(child)
        self._wakeup.set()
