"""What /proc says about a tool and the processes under it."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

GENERATORS = {b"axgen", b"generator.py"}
SHELLS = {b"sh", b"dash", b"bash"}


def words(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[:-1]
    except OSError:
        return []


def is_child(argv: list[bytes]) -> bool:
    """Whether this is what a tool was given to run: the generator, or a shell around it."""
    words = argv[:1] + argv[3:4]
    if len(argv) >= 3 and argv[1] == b"-c" and os.path.basename(argv[0]) in SHELLS:
        words += argv[2].replace(b"'", b"").split()[:4]
    return any(os.path.basename(word) in GENERATORS for word in words)


def direct_children(pid: int) -> list[int]:
    found: list[int] = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            found += map(int, Path(f"/proc/{pid}/task/{task}/children").read_text().split())
    except OSError:
        pass
    return found


class Tree:
    """The processes of one tool, without the children that it was given to run."""

    def __init__(self, root: int) -> None:
        self.root = root
        self.given: set[int] = set()

    def pids(self) -> list[int]:
        found, waiting = [], [self.root]
        while waiting:
            pid = waiting.pop()
            if pid in self.given:
                continue
            if pid != self.root and is_child(words(pid)):
                self.given.add(pid)
                continue
            found.append(pid)
            waiting += direct_children(pid)
        return found

    def pss(self) -> float:
        """Megabytes in all, shared pages divided among those who share them."""
        return sum(field(f"/proc/{pid}/smaps_rollup", "Pss:") for pid in self.pids()) / 1e6

    def rss(self) -> float:
        return sum(field(f"/proc/{pid}/status", "VmRSS:") for pid in self.pids()) / 1e6

    def peak(self) -> float:
        """The most that the tool's first process ever held, in megabytes."""
        return field(f"/proc/{self.root}/status", "VmHWM:") / 1e6


def field(path: str, name: str) -> int:
    try:
        with open(path) as file:
            for line in file:
                if line.startswith(name):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    return 0


def kill_tree(tree: Tree) -> None:
    """Ends what the harness started as one tool: its group, and what is under it in other groups."""
    pids = tree.pids()
    for kill, pid in [(os.killpg, tree.root), *((os.kill, pid) for pid in pids)]:
        with contextlib.suppress(ProcessLookupError):
            kill(pid, signal.SIGKILL)


def started(pid_file: Path) -> list[int]:
    try:
        return [int(line) for line in pid_file.read_text().split("\n")[:-1]]
    except OSError:
        return []


def survivors(pid_file: Path) -> list[int]:
    """Children of this run that live on. A pid counts only if its command line names this run's file."""
    marker = b"pids=" + os.fsencode(pid_file)
    return [pid for pid in started(pid_file) if marker in words(pid)]


def kill_survivors(pid_file: Path) -> int:
    left = survivors(pid_file)
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return len(left)
