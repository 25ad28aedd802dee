"""What the guardians do to a terminal should this program be killed: kept in memory that they share."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from typing import Any

_LOWEST = 10  # the guardian's own numbers are below
_memory = -1
_guardians = 0
_scripts: dict[str, str] = {}


def hold() -> int:
    """For a guardian: the descriptor of a shell script, empty most of the time; until `release`."""
    global _memory, _guardians
    if not _guardians:
        made = os.memfd_create("axiom-trio last words")
        _memory = fcntl.fcntl(made, fcntl.F_DUPFD_CLOEXEC, _LOWEST)
        os.close(made)
        _write()
    _guardians += 1
    return _memory


def release() -> None:
    """A guardian has gone."""
    global _memory, _guardians
    _guardians -= 1
    if not _guardians:
        os.close(_memory)
        _memory = -1


def leave(terminal: int, sequence: bytes) -> None:
    """Have a sequence written to a terminal if we're killed; an empty one: nothing any more.

    Args:
        terminal: Its descriptor.
        sequence: What brings it back.
    """
    script = ""
    if sequence:
        import shlex  # most runs have no footer

        octal = "".join(f"\\{byte:03o}" for byte in sequence)
        with suppress(OSError):  # it has no name
            script = f"printf '{octal}' >{shlex.quote(os.ttyname(terminal))}\n"
    _keep("sequence", script)


def leave_modes(terminal: int, ours: list[Any] | None, before: list[Any]) -> None:
    """Have a terminal's modes restored if we're killed and they're still ours.

    Args:
        terminal: Its descriptor.
        ours: As `termios.tcgetattr` has them; None: nothing any more.
        before: The modes to restore.
    """
    script = ""
    if ours is not None:
        import shlex  # nor a keyboard

        with suppress(OSError):
            name = shlex.quote(os.ttyname(terminal))
            script = f'[ "$(stty -g <{name})" != {_saved(ours)} ] || stty {_saved(before)} <{name}\n'
    _keep("modes", script)


def _saved(modes: list[Any]) -> str:
    """Modes as `stty -g` writes them."""
    flags = [*modes[:4], *(item if isinstance(item, int) else ord(item) for item in modes[6])]
    return ":".join(f"{flag:x}" for flag in flags)


def _keep(key: str, script: str) -> None:
    if _scripts.get(key, "") != script:
        _scripts[key] = script
        if _guardians:
            _write()


def _write() -> None:
    with suppress(OSError):  # no memory
        os.ftruncate(_memory, 0)
        os.pwrite(_memory, "".join(_scripts.values()).encode(), 0)
