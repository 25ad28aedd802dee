"""The process groups of our children: who leads them, and whether anyone is left in one."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from axiom_trio.executors import processes

if TYPE_CHECKING:
    from axiom_trio.executors.guardian import Guardian

leaders: set[int] = set()
"""The processes started by executors and not reaped yet; each leads a session and a group of its own."""
guardians: dict[int, Guardian] = {}
"""The guardians of this program by their pid."""

_seen: set[int] = set()
_seen_at = float("-inf")


def begin(leader: int) -> None:
    """A process was started."""
    leaders.add(leader)
    for guardian in guardians.values():
        guardian.add(leader)


def end(leader: int) -> None:
    """It's about to be reaped, and its number may be another's from then on."""
    leaders.discard(leader)
    for guardian in guardians.values():
        guardian.discard(leader)


def lives(group: int, *, within: float) -> bool:
    """Whether a process of the group lived at some time within the last seconds.

    The kernel tells of a group only whether it has members, and a dead leader counts;
    so all processes are looked at, once for all that ask at about the same time.
    """
    global _seen, _seen_at
    now = time.monotonic()
    if _seen_at < now - within:
        _seen_at = now
        _seen = {process.group for process in processes.everyone() if process.lives}
    return group in _seen
