"""Finding the processes of a run that are led by none of our children any more, wherever they went.

There are two ways:

* As a *subreaper* we become the parent of every process below us whose own parent has
  ended. So all children of this process that no executor has started are strays; they
  are found at the price of reading one file, and what is dead among them is reaped.
* Else all processes of the machine are looked at, for the run's mark in their
  environments. It finds what can be found without changing this process.

The mark is a variable of its own name, `AXIOM_RUN_<run id>`, so that a run within a
run does not hide it; its value is the child's id.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from typing import Final, NamedTuple, final

from axiom_trio.executors import groups, processes

_PR_SET_CHILD_SUBREAPER: Final = 36


class Stray(NamedTuple):
    """A living process of the run."""

    process: processes.Process
    child: str | None
    """The id of the child that it comes from, if its environment tells."""


@final
class Tracker:
    """Finds the strays of one run.

    Args:
        run_id: Random, and so found nowhere by chance.
        subreaper: Whether to adopt them.
    """

    def __init__(self, run_id: str, *, subreaper: bool) -> None:
        self.subreaper = subreaper
        self._run_id = run_id
        self._mark = f"AXIOM_RUN_{run_id}"
        self._before: frozenset[int] = frozenset()

    def open(self) -> None:
        """Begin to adopt, if that was asked for."""
        if self.subreaper:
            # What was a child of ours before is none of theirs: a shell may have become this program.
            known = groups.leaders | groups.guardians.keys()
            self._before = frozenset(map(int, processes.children().split())) - known
            _adopt(True)
        _open.append(self)

    def close(self) -> None:
        """Adopt no more."""
        _open.remove(self)
        if self.subreaper and not any(tracker.subreaper for tracker in _open):
            _adopt(False)

    def environment(self, child: str) -> dict[str, str]:
        """What to add to the environment of a child's processes."""
        value = child.encode("ascii", "backslashreplace").decode().replace("\0", "\\x00")
        return {"AXIOM_RUN_ID": self._run_id, "AXIOM_TASK_ID": value, self._mark: value}

    def look(self) -> list[Stray]:
        """All strays that live now; without a subreaper, all processes of the run."""
        return self._adopted() if self.subreaper else self._marked()

    def signal(self, stray: Stray, signum: int) -> bool:
        """Send a signal; False if it's not permitted."""
        pid = stray.process.pid
        # One that is not our child may be gone by now, and its number another's.
        if not self.subreaper and self._child_in(processes.environment(pid)) is None:
            return True
        try:
            os.kill(pid, signum)
            if signum == signal.SIGTERM:
                os.kill(pid, signal.SIGCONT)  # a stopped one acts on nothing else
        except ProcessLookupError:
            pass
        except PermissionError:
            return False
        return True

    def _adopted(self) -> list[Stray]:
        # Not only counted: one that was there before may be gone, and other threads have leaders, too.
        pids = set(map(int, processes.children().split())) - groups.leaders
        if not pids:
            return []
        own_session = os.getsid(0)
        strays = []
        for pid in sorted(pids.difference(groups.guardians, self._before)):
            process = processes.find(pid)
            if process is None or process.session == own_session:  # a child of this program's own
                continue
            if not process.lives:
                with suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)
            elif process.session not in groups.leaders:  # else its child lives
                environment = processes.environment(pid)
                child = self._child_in(environment)
                if child is not None or not (self._before or _is_of_another(environment)):
                    strays.append(Stray(process, child))
        return strays

    def _marked(self) -> list[Stray]:
        strays = []
        for pid in processes.numbers():
            child = self._child_in(processes.environment(pid))
            process = None if child is None else processes.find(pid)
            if process is not None and process.lives:
                strays.append(Stray(process, child))
        return strays

    def _child_in(self, environment: bytes) -> str | None:
        _, found, behind = environment.partition(self._mark.encode() + b"=")
        return behind.partition(b"\0")[0].decode("ascii", "replace") if found else None


_open: list[Tracker] = []


def _is_of_another(environment: bytes) -> bool:
    """Whether it bears the mark of any run of this process."""
    return any(tracker._mark.encode() in environment for tracker in _open)


def _adopt(adopts: bool) -> None:
    import ctypes  # trio has it already

    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, int(adopts), 0, 0, 0)
