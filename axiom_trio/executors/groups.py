"""Whether a process group has anyone left in it besides a leader that waits to be reaped."""

from __future__ import annotations

import contextlib
import os
import time

_seen: set[int] = set()
_seen_at = 0.0
_fresh_until = 0.0


def lives(group: int, since: float) -> bool:
    """Whether a process of the group lived at most 100 ms ago, or ten times what a look takes.

    Args:
        group: Its number.
        since: When its leader died, by `time.monotonic`: what was seen before tells nothing.

    The kernel tells of a group only whether it has members, and a dead leader counts;
    so all processes are looked at, once for all that ask at the same time.
    """
    global _seen, _seen_at, _fresh_until
    began = time.monotonic()
    if began >= _fresh_until or _seen_at < since:
        _seen = _living_groups()
        _seen_at = began
        now = time.monotonic()
        _fresh_until = now + max(0.1, 10 * (now - began))
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
