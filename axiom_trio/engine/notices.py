"""What a person may want to be told from now on, for one reader."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, TypeAlias, final

from axiom_trio.engine.wakeup import Wakeup

if TYPE_CHECKING:
    from typing import Self

    from axiom_trio.sansio.events import Completed, Delivery, Idle, Intervention, Restarting

Notice: TypeAlias = "Idle | Restarting | Completed | Intervention | Delivery"
"""What `StreamAggregator.notices` gives."""


@final
class Notices:
    """An async iterator without end, made by `StreamAggregator.notices`; just stop iterating.

    Not an async generator: one that is left in the middle would have to be closed.
    """

    def __init__(self) -> None:
        self._waiting: deque[Notice] = deque()
        self._wakeup = Wakeup()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Notice:
        """Wait for the next."""
        while not self._waiting:
            await self._wakeup.wait()
        return self._waiting.popleft()

    @property
    def waiting(self) -> int:
        """How many have not been read."""
        return len(self._waiting)

    def add(self, notice: Notice) -> None:
        """Tell it."""
        self._waiting.append(notice)
        self._wakeup.set()
