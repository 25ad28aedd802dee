"""File names that are safe, from any name of a child: no path, nothing hidden, none twice.

A name of letters, digits, `.`, `_` and `-` that begins with a letter or digit and has
at most 64 characters stays as it is. Any other is percent-encoded, cut, and told apart
by 8 hex digits of its SHA-256.
"""

from __future__ import annotations

import hashlib
from typing import Final

LONGEST: Final = 64
_LETTERS: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
_SAFE: Final = _LETTERS | frozenset(b"._-")


def safe_name(name: str) -> str:
    """A file name for `name`: the same for the same, and almost certainly another for another."""
    data = name.encode("utf-8", "surrogatepass")
    if 0 < len(data) <= LONGEST and data[0] in _LETTERS and _SAFE.issuperset(data):
        return name
    return _marked(name)


class FileNames:
    """Gives out file names, none twice, even where a file system takes `A` and `a` for the same."""

    __slots__ = ("_numbers", "_taken")

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._numbers: dict[str, int] = {}  # where to go on counting

    def take(self, name: str) -> str:
        """A file name for `name` that was not given out before: its safe form, or one like it."""
        chosen = safe_name(name)
        if chosen.lower() in self._taken:
            chosen = _marked(name)
        while chosen.lower() in self._taken:
            number = self._numbers[name] = self._numbers.get(name, 1) + 1
            chosen = _marked(name, f"-{number}")
        self._taken.add(chosen.lower())
        return chosen


def _marked(name: str, ending: str = "") -> str:
    """Percent-encoded, cut, with a digest."""
    data = name.encode("utf-8", "surrogatepass")
    ending = f"-{hashlib.sha256(data).hexdigest()[:8]}{ending}"
    room = LONGEST - len(ending)
    body = ""
    for place, byte in enumerate(data[:LONGEST]):
        piece = chr(byte) if byte in (_SAFE if place else _LETTERS) else f"%{byte:02X}"
        if len(body) + len(piece) > room:
            break
        body += piece
    return body + ending if body else ending[1:]
