"""What holds at a child's end and at the run's: no process is left, or it's named.

A child's group is killed by its executor. What had left the group is ended here, when
the leader has gone: SIGTERM, and SIGKILL half a second later (no later than the grace
that was asked for). It's named in the child's `Completed`; with `allow_daemons` that
is all.

Where we are a subreaper, looking for strays costs next to nothing, and it's done at
each child's end. Else it means looking at all processes of the machine: that is done
for a child that was asked to end, or whose output another process held, and once at
the end of all. Children that end together share one look.
"""

from __future__ import annotations

import signal
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TypeAlias, final

import attrs
import trio

from axiom_trio.executors import processes
from axiom_trio.executors.guardian import Guardian
from axiom_trio.executors.strays import Tracker
from axiom_trio.sansio.errors import SpecificationError
from axiom_trio.sansio.events import Escaped

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from axiom_trio.engine.child import Child
    from axiom_trio.executors.strays import Stray

Key: TypeAlias = tuple[int, int]
Found: TypeAlias = dict[Key, Escaped]

STRAY_GRACE: Final = 0.5  # seconds between SIGTERM and SIGKILL
_GIVE_UP: Final = 2.0  # seconds from SIGKILL until a process counts as one that can't be killed
_POLL: Final = 0.01
_REST: Final = 4  # times as long as a look took, until the next, where it took long
_REST_MIN: Final = 0.001
_REAP_INTERVAL: Final = 0.5


@final
class Teardown:
    """The end of processes, for one aggregator.

    Args:
        run_id: Random; marks the processes of this run.
        children: All children by their ids; may grow.
        allow_daemons: Keep what has left its group.
        subreaper: Become the parent of what loses its own.
        guardian: Have a guardian.
        masked: Takes the secrets out of a text.

    Raises:
        SpecificationError: A subreaper or a guardian is asked for and this is not Linux.
    """

    def __init__(
        self,
        run_id: str,
        children: Mapping[str, Child],
        *,
        allow_daemons: bool,
        subreaper: bool,
        guardian: bool,
        masked: Callable[[str], str],
    ) -> None:
        if (subreaper or guardian) and sys.platform != "linux":
            raise SpecificationError("only Linux has what a subreaper and a guardian need: leave them out")
        self.escaped: Found = {}
        """Those that are in no `Completed`."""
        self.guarded = False
        """Whether there is a guardian, or was."""
        self._tracker = Tracker(run_id, subreaper=subreaper)
        self._run_id = run_id
        self._children = children
        self._allow_daemons = allow_daemons
        self._wants_guardian = guardian
        self._masked = masked
        self._guardian: Guardian | None = None
        self._named: set[Key] = set()
        self._kept: set[Key] = set()
        self._seen: list[Stray] = []
        self._seen_at = float("-inf")
        self._rest_until = float("-inf")

    def open(self) -> None:
        """Get ready for the first child."""
        self._tracker.open()
        if self._wants_guardian:
            with suppress(OSError):
                self._guardian = Guardian(None if self._allow_daemons else self._run_id)
                self.guarded = True

    @property
    def adopts(self) -> bool:
        """Whether `reap` is needed."""
        return self._tracker.subreaper

    def environment(self, child: str) -> Mapping[str, str]:
        """What to add to the environment of a child's processes."""
        return self._tracker.environment(child)

    async def settle(self, child: Child) -> None:
        """The child's executor has returned: end and name what had left the group."""
        port = child._port
        leader = port.leader
        if leader is None or not (self._tracker.subreaper or port.held or child._stop_reason is not None):
            return
        marked = port.environment["AXIOM_TASK_ID"]

        def is_left(stray: Stray) -> bool:
            return stray.child == marked or stray.process.session == leader

        found: Found = {}
        await self._sweep(is_left, found, lambda: port.grace, leader)
        port.escaped += tuple(found.values())

    async def finish(self) -> None:
        """All children have ended: leave nothing behind, and let the guardian go."""
        with trio.CancelScope(shield=True):
            try:
                if self._tracker.subreaper or any(child.pid is not None for child in self._children.values()):
                    await self._sweep(lambda _stray: True, self.escaped)
            finally:
                self._tracker.close()
                if self._guardian is not None:
                    self._guardian.close()

    async def reap(self) -> None:
        """For a subreaper: reap what it has adopted, and end what outlives its child, until cancelled."""
        while True:
            await trio.sleep(_REAP_INTERVAL)
            if any(map(self._outlives_child, await self._look())) and not self._allow_daemons:
                await self._sweep(self._outlives_child, self.escaped)

    def _outlives_child(self, stray: Stray) -> bool:
        child = None if stray.child is None else self._children.get(stray.child)
        return child is not None and child.completed is not None

    async def _sweep(
        self,
        is_left: Callable[[Stray], bool],
        found: Found,
        grace: Callable[[], float] = lambda: STRAY_GRACE,
        leader: int | None = None,
    ) -> None:
        """End what is left until nothing more of it comes to light, or only name it, in `found`.

        What is in the leader's group was killed already: it's waited for, and not named.
        """
        sent: dict[Key, int] = {}
        began = trio.current_time()
        while left := [s for s in await self._look() if is_left(s) and s.process.key not in self._kept]:
            kill_after = min(STRAY_GRACE, grace())
            waited = trio.current_time() - began
            signum = signal.SIGTERM if waited < kill_after else signal.SIGKILL
            for stray in left:
                key, pid = stray.process.key, stray.process.pid
                gives_up = waited > kill_after + _GIVE_UP
                if stray.process.group == leader and not gives_up:
                    continue
                if key not in self._named:
                    self._named.add(key)
                    command = processes.command(pid, self._masked)
                    found[key] = Escaped(pid, command, killed=not self._allow_daemons)
                if self._allow_daemons:
                    self._kept.add(key)
                elif gives_up or (sent.get(key) != signum and not self._tracker.signal(stray, signum)):
                    self._kept.add(key)  # it can't be killed: another user's, or stuck in the kernel
                    if key in found:
                        found[key] = attrs.evolve(found[key], killed=False)
                sent[key] = signum
            await trio.sleep(_POLL)

    async def _look(self) -> list[Stray]:
        """All strays at a time after this was called."""
        asked = time.monotonic()
        wait = self._rest_until - asked
        await trio.sleep(wait if wait > _REST_MIN else 0)  # children that end together share one look
        if self._seen_at < asked:
            self._seen_at = time.monotonic()
            self._seen = self._tracker.look()
            now = time.monotonic()
            self._rest_until = now + _REST * (now - self._seen_at)
        return self._seen
