"""What /proc tells of processes; nothing where there is no /proc."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_COMMAND_LENGTH: Final = 200


class Process(NamedTuple):
    """A process as it was at the time of a look."""

    pid: int
    state: str
    """One letter; `Z` and `X` are dead."""
    parent: int
    group: int
    session: int
    started: int
    """Since the boot, in the kernel's ticks."""

    @property
    def key(self) -> tuple[int, int]:
        """What no other process has, before or after it."""
        return self.pid, self.started

    @property
    def lives(self) -> bool:
        """Whether it has not ended."""
        return self.state not in "ZX"


def numbers() -> list[int]:
    """The numbers of all processes."""
    with suppress(OSError):
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]
    return []


def everyone() -> Iterator[Process]:
    """All processes, dead ones that nobody has reaped included."""
    for pid in numbers():
        process = find(pid)
        if process is not None:
            yield process


def find(pid: int) -> Process | None:
    """A process by its number, or None if it's gone."""
    fields = _read(f"/proc/{pid}/stat").rpartition(b")")[2].split(maxsplit=20)
    if len(fields) < 20:
        return None
    parent, group, session, started = map(int, (*fields[1:4], fields[19]))
    return Process(pid, fields[0].decode(), parent, group, session, started)


def children() -> bytes:
    """The numbers of our own children, each with a space behind it; zombies included.

    They are those of the main thread: its are all that we adopt.
    """
    pid = os.getpid()
    path = f"/proc/{pid}/task/{pid}/children"
    listed = _read(path)
    if not listed and not os.path.exists(path):  # a kernel built without it
        listed = b"".join(b"%d " % process.pid for process in everyone() if process.parent == pid)
    return listed


def environment(pid: int) -> bytes:
    """The environment that a process began with, NUL-terminated; empty if it's dead or not ours to know."""
    return _read(f"/proc/{pid}/environ")


def command(pid: int, masked: Callable[[str], str] = str) -> str:
    """Its command line for display, of 200 characters at most; the kernel's short name if it has none.

    It's the process that says what stands there: what could drive a terminal is replaced. `masked`
    takes the secrets out, and is given all of it: of one that was cut, a part would stay.
    """
    line = _read(f"/proc/{pid}/cmdline").rstrip(b"\0").replace(b"\0", b" ").strip()
    text = masked((line or _read(f"/proc/{pid}/comm").strip()).decode("utf-8", "surrogateescape"))
    text = "".join(c if c.isprintable() else "\ufffd" for c in text[: _COMMAND_LENGTH + 1])
    return text if len(text) <= _COMMAND_LENGTH else text[: _COMMAND_LENGTH - 1] + "…"


def _read(path: str) -> bytes:
    parts = []
    with suppress(OSError):  # gone, or not ours to read
        descriptor = os.open(path, os.O_RDONLY)
        try:
            while part := os.read(descriptor, 65536):
                parts.append(part)
        finally:
            os.close(descriptor)
    return b"".join(parts)
