"""A cgroup of the command's own, where one can be had: nothing leaves it, whatever it does.

What has left its group with setsid *and* cleared its environment is found in no other
way once we've been killed. The command moves itself into a new cgroup (v2) below its
own; all that it starts is born there. The guardian moves out, and kills what is left
in it. No controller is asked for, so nothing is limited or counted.

To move takes the kernel 10 ms the first time: it's done in a thread, while the command
imports what it needs.
"""

from __future__ import annotations

import os
from contextlib import suppress
from threading import Thread
from typing import Final

_NAME: Final = "axiom-trio-"
_directory: str | None = None
_mover: Thread | None = None


def enter_soon() -> None:
    """Move this process into a cgroup of its own, in a thread; nothing happens where that can't be."""
    global _mover
    mover = Thread(target=_enter, name="cgroup", daemon=True)
    with suppress(RuntimeError):  # there are to be no more threads: then it's done without
        mover.start()
        _mover = mover


def entered() -> str | None:
    """The directory of the cgroup made by `enter_soon`, or None; waits until that is known."""
    if _mover is not None:
        _mover.join()
    return _directory


def leave() -> None:
    """Move back, with all that is to stay alive, and remove the cgroup."""
    global _directory
    directory = entered()
    if directory is None:
        return
    _directory = None
    with suppress(OSError):
        for pid in [os.getpid(), *_members(directory)]:
            with suppress(ProcessLookupError):
                _move(pid, os.path.dirname(directory))
        os.rmdir(directory)


def _enter() -> None:
    global _directory
    with suppress(OSError):
        parent = _own()
        if parent is None:
            return
        _remove_empty(parent)
        directory = f"{parent}/{_NAME}{os.getpid()}"
        os.mkdir(directory)
        try:
            if os.path.exists(f"{directory}/cgroup.kill"):  # from Linux 5.14 on
                _move(os.getpid(), directory)
                _directory = directory
        finally:
            if _directory is None:
                os.rmdir(directory)


def _own() -> str | None:
    """The directory of this process's cgroup, if it can be had a child."""
    with open("/proc/self/cgroup") as file:
        path = next((line[3:].rstrip("\n") for line in file if line.startswith("0::")), None)
    if path is None:
        return None
    with open("/proc/self/mounts") as file:
        for line in file:
            mount, kind = line.split(" ")[1:3]
            if kind == "cgroup2":
                directory = os.path.normpath(mount + path)
                return directory if os.access(directory, os.W_OK) else None
    return None


def _remove_empty(parent: str) -> None:
    """Remove what those have left that were killed before they had a guardian."""
    for name in os.listdir(parent):
        if name.startswith(_NAME) and not os.path.exists(f"/proc/{name.removeprefix(_NAME)}"):
            with suppress(OSError):  # not if there is anybody in it
                os.rmdir(f"{parent}/{name}")


def _members(directory: str) -> list[int]:
    with open(f"{directory}/cgroup.procs") as file:
        return [int(line) for line in file]


def _move(pid: int, directory: str) -> None:
    with open(f"{directory}/cgroup.procs", "w") as file:
        file.write(str(pid))
