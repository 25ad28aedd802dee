"""Whether a process group has anyone left in it besides a leader that waits to be reaped."""

from __future__ import annotations

import contextlib
import os
import time

_seen: set[int] = set()
_seen_at = float("-inf")


def lives(group: int, *, within: float) -> bool:
    """Whether a process of the group lived at some time within the last seconds.

    The kernel tells of a group only whether it has members, and a dead leader counts;
    so all processes are looked at, once for all that ask at about the same time.
    """
    global _seen, _seen_at
    now = time.monotonic()
    if _seen_at < now - within:
        _seen_at = now
        _seen = _living_groups()
    return group in _seen


def _living_groups() -> set[int]:
    groups = set()
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError):  # it has ended meanwhile
                with open(f"/proc/{name}/stat", "rb") as file:
                    state, _, group = file.read().rpartition(b")")[2].split(maxsplit=3)[:3]
                if state not in (b"Z", b"X"):
                    groups.add(int(group))
    return groups
