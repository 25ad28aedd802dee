"""What a test may not leave behind: processes, zombies, threads, descriptors (and so PTYs)."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import threading
import time
from pathlib import Path

from trio._core import _thread_cache

MARKER = "AXIOM_TEST_MARKER"
"""An environment variable that every process of a test inherits."""


def marked(marker: str) -> dict[int, str]:
    """Living processes that carry the marker: pid and command."""
    found = {}
    wanted = f"{MARKER}={marker}".encode()
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            folder = Path("/proc", entry)
            if wanted in (folder / "environ").read_bytes().split(b"\0"):
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
                found[int(entry)] = command[:200]
    return found


def children() -> dict[int, str]:
    """Our own children and their states; `Z` is a zombie."""
    found: dict[int, str] = {}
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:  # there are none at all
        return found
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                state, parent = Path("/proc", entry, "stat").read_text().rpartition(")")[2].split()[:2]
                if int(parent) == os.getpid():
                    found[int(entry)] = state
    return found


def threads() -> set[int]:
    """Native threads, without those that trio keeps to use again."""
    idle = {worker._thread.ident for worker in list(_thread_cache.THREAD_CACHE._idle_workers)}
    known = {thread.native_id for thread in threading.enumerate() if thread.ident in idle}
    return {int(name) for name in os.listdir("/proc/self/task")} - known


def descriptors() -> dict[int, str]:
    """Open descriptors and what they are."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            found[int(name)] = os.readlink(f"/proc/self/fd/{name}")
    return {fd: what for fd, what in found.items() if what != f"/proc/{os.getpid()}/fd"}


def last_process() -> str:
    """The number last given to a process or thread of this machine: unchanged if none was started."""
    return Path("/proc/loadavg").read_text().split()[-1]


class LeakCheck:
    """Taken before; `problems` tells what is there that was not."""

    def __init__(self, marker: str) -> None:
        self.marker = marker
        self._started = False
        self._last_process = last_process()
        self._children = children()
        self._threads = threads()
        self._descriptors = descriptors()

    def wait_until_gone(self, patience: float = 3.0) -> None:
        """No process of this test lives: one that was killed takes a moment to go."""
        deadline = time.monotonic() + patience
        while living := marked(self.marker):
            assert time.monotonic() < deadline, living
            time.sleep(0.01)

    def problems(self, patience: float = 3.0) -> list[str]:
        """What was left behind; something that is just ending gets a little time."""
        if last_process() != self._last_process:
            self._started = True
        deadline = time.monotonic() + patience
        while (found := self._look()) and time.monotonic() < deadline:
            gc.collect()
            time.sleep(0.02)
        for pid in marked(self.marker) if self._started else ():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return found

    def _look(self) -> list[str]:
        living = marked(self.marker) if self._started else {}
        found = [f"process {pid} lives: {command}" for pid, command in living.items()]
        found += [
            f"child {pid} is left in state {state}"
            for pid, state in children().items()
            if pid not in self._children
        ]
        found += [f"thread {thread} runs" for thread in threads() - self._threads]
        now = descriptors()
        found += [f"descriptor {fd} is open: {now[fd]}" for fd in now.keys() - self._descriptors.keys()]
        found += [f"descriptor {fd} was closed" for fd in self._descriptors.keys() - now.keys()]
        return found
