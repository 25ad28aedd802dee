"""Which child runs when: places (`jobs`), order (`after`), and the halt of the rest.

A child awaits those it comes after, then queues for a place, then is launched. If one
that it comes after has failed, it's skipped.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from axiom_trio.sansio.errors import NotRunningError, SpecificationError
from axiom_trio.sansio.events import Exit
from axiom_trio.sansio.halt import parse_halt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from axiom_trio.engine.child import Child
    from axiom_trio.sansio.events import Completed


class Schedule:
    """The children that have not been launched, and what decides when they are.

    Args:
        jobs: Places; None: as many as there are children.
        halt: See `open_aggregator`.
        launch: Called with a child to be run.
        stop: Called with those to be stopped because of the halt; it takes the waiting among
            them out by `withdraw`.

    Raises:
        SpecificationError: An argument can't be.
    """

    def __init__(
        self,
        jobs: int | None,
        halt: str,
        *,
        launch: Callable[[Child], None],
        stop: Callable[[Iterable[Child]], None],
    ) -> None:
        if jobs is not None and jobs < 1:
            raise SpecificationError(f"jobs is {jobs}: at least one child must be allowed to run")
        try:
            self._halt = parse_halt(halt)
        except ValueError as error:
            raise SpecificationError(str(error)) from None
        self.halted = False
        """Whether no more children are started."""
        self._jobs = jobs
        self._launch = launch
        self._stop = stop
        self._running = 0
        self._children: list[Child] = []
        self._queue: deque[Child] = deque()
        self._awaiting: list[Child] = []
        self._watched: set[Child] = set()

    @property
    def waiting(self) -> int:
        """How many have not been launched."""
        return len(self._queue) + len(self._awaiting)

    def add(self, child: Child, after: Sequence[Child]) -> None:
        """One more child, to be launched when its time has come."""
        self._children.append(child)
        failed = next((other for other in after if other._settled.is_set() and not other._is_ready), None)
        if self.halted:
            self._stop([child])
        elif failed is not None:
            _skip(child, failed)
        else:
            child._awaits.update(other for other in after if not other._settled.is_set())
            (self._awaiting if child._awaits else self._queue).append(child)
            self._fill()

    def withdraw(self, child: Child) -> None:
        """The child is not to be launched any more."""
        for waiting in (self._queue, self._awaiting):
            if child in waiting:
                waiting.remove(child)

    def settle(self, child: Child, *, ready: bool) -> None:
        """It's ready, or never will be: launch or skip those that come after it. Counts once."""
        if child._settled.is_set():
            return
        child._is_ready = ready
        child._settled.set()
        for other in [other for other in self._awaiting if child in other._awaits]:
            other._awaits.discard(child)
            if not ready:
                self._awaiting.remove(other)
                _skip(other, child)
            elif not other._awaits:
                self._awaiting.remove(other)
                self._queue.append(other)
        self._fill()

    async def watch_ready(self, child: Child, launched: int) -> None:
        """Settle it when its output, after this cursor, says that it's ready; or has been looked through."""
        assert child.supervision.ready is not None
        ready = False
        try:
            with suppress(NotRunningError):
                await child.wait_for(child.supervision.ready, after=launched)
                ready = True
        finally:
            self._watched.discard(child)
            if ready or child.completed is not None:  # else its end settles it
                self.settle(child, ready=ready)

    def ended(self, child: Child, event: Completed) -> None:
        """It has ended: its place is free, unless that was enough for a halt."""
        if child._launched:
            self._running -= 1
        if self._halt is not None and event.reason not in ("stopped", "cancelled"):
            verdict = self._halt.ended(ok=event.ok, total=len(self._children))
            if verdict is not None:
                self.halted = True
                self._stop([c for c in self._children if verdict == "now" or not c._launched or c._pausing])
        if child not in self._watched:
            self.settle(child, ready=event.ok and child.supervision.ready is None)
        self._fill()

    def _fill(self) -> None:
        while self._queue and (self._jobs is None or self._running < self._jobs):
            child = self._queue.popleft()
            child._launched = True
            self._running += 1
            if child.supervision.ready is not None:
                self._watched.add(child)  # it may end before all it wrote has been looked through
            self._launch(child)


def _skip(child: Child, failed: Child) -> None:
    ended = Exit(None, error=f"not started: {failed.name} comes before it, and has not succeeded")
    child._port.end_attempt(ended)
    child._port.finish(ended, "skipped", 0)
