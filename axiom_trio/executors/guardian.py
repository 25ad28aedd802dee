"""The guardian: a small process that outlives us, and then leaves nothing of our children behind.

However this program ends, by SIGKILL too, the kernel closes its end of a pipe. The
guardian, which sleeps in a read of the other end, then kills the groups of our
children, which are listed in memory that we share, what is in the command's cgroup, if
it has one, and all processes with the run's id in their environments, until there are
none. It also brings the terminal back that we had changed (`lastwords`).

It is a shell script, as that takes a millisecond to start and a megabyte of memory.
It leads a session of its own, has nothing of ours open, and doesn't run until we're
gone. After a normal end it's killed before the pipe is closed.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from typing import Final, final

from axiom_trio.executors import cgroup, groups, lastwords, spawn

_SLOT: Final = 11  # bytes in the table for the number of a group, its newline included

# A process that is just executing a program shows no environment for a moment: so the end
# is to be seen twice.
_SCRIPT: Final = """\
# the guardian of an axiom-trio run: ends its processes if it's killed
trap '' HUP INT QUIT TERM PIPE
cd /
[ -z "$2" ] || echo 0 >"${2%/*}/cgroup.procs"  # out of it
read -r never
while read -r group; do
    [ -z "$group" ] || kill -KILL "-$group"
done <&3
[ -z "$2" ] || echo 1 >"$2/cgroup.kill"
[ ! -s /dev/fd/4 ] || (. /dev/fd/4) &
[ "$1" ] || exit
clean=0 rounds=0
while [ $clean -lt 2 ] && [ $rounds -lt 100 ]; do
    clean=$((clean + 1)) rounds=$((rounds + 1))
    for file in $(grep -lsF -- "$1" /proc/[0-9]*/environ); do
        file=${file%/environ}
        kill -KILL "${file#/proc/}" && clean=0
    done
    sleep 0.05
done
[ -z "$2" ] || rmdir "$2"/*/*/ "$2"/*/ "$2"
"""


@final
class Guardian:
    """A guardian at work.

    Args:
        run_id: What processes to be killed have in their environments; None: only the
            groups are killed.

    Raises:
        OSError: It could not be started.
    """

    def __init__(self, run_id: str | None) -> None:
        self._slots: dict[int, int] = {}
        self._free: list[int] = []
        self._table = os.memfd_create("axiom-trio groups")
        reader = self._pipe = -1
        words = lastwords.hold()
        try:
            reader, self._pipe = os.pipe()
            null = os.O_RDWR
            files = [
                (os.POSIX_SPAWN_DUP2, reader, 0),
                (os.POSIX_SPAWN_OPEN, 1, os.devnull, null, 0),
                (os.POSIX_SPAWN_OPEN, 2, os.devnull, null, 0),
                (os.POSIX_SPAWN_DUP2, self._table, 3),
                (os.POSIX_SPAWN_DUP2, words, 4),
            ]
            # Nothing else of our environment, so that nobody takes it for one of theirs.
            env = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
            argv = [spawn.SHELL, "-c", _SCRIPT, "axiom-trio-guardian", run_id or "", cgroup.entered() or ""]
            self.pid = spawn.start(spawn.SHELL, argv, env, files, keep=5)
        except BaseException:
            self._close_descriptors()
            raise
        finally:
            if reader >= 0:
                os.close(reader)
        groups.guardians[self.pid] = self
        for leader in groups.leaders:
            self.add(leader)

    def add(self, group: int) -> None:
        """Guard a group."""
        slot = self._slots[group] = self._free.pop() if self._free else len(self._slots)
        self._write(slot, b"%-10d\n" % group)

    def discard(self, group: int) -> None:
        """The group has ended."""
        slot = self._slots.pop(group, None)
        if slot is not None:
            self._free.append(slot)
            self._write(slot, b"%10s\n" % b"")

    def close(self) -> None:
        """Let it go: nothing is left to be guarded."""
        del groups.guardians[self.pid]
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(self.pid, 0)
        self._close_descriptors()

    def _write(self, slot: int, data: bytes) -> None:
        with suppress(OSError):  # no memory: the run's id is left to find them by
            os.pwrite(self._table, data, slot * _SLOT)

    def _close_descriptors(self) -> None:
        for descriptor in (self._table, self._pipe):
            if descriptor >= 0:
                os.close(descriptor)
        lastwords.release()
