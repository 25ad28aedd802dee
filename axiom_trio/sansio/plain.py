r"""A child's text without escape sequences, for those who search it.

Unlike the escape filter, which makes a text safe to show, this one only takes away what is no
text: sequences, bells, and the `\r` before a `\n`. It costs next to nothing where there are none.
"""

from __future__ import annotations

import re
from typing import Final

_LONGEST: Final = 4096  # bytes of an unfinished sequence that are waited for
SEQUENCE: Final = rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-OQ-WYZ\\`-~])"
"""An expression for one escape sequence, whole, without groups."""
_SEQUENCES: Final = re.compile(SEQUENCE + rb"|\x07")
_UNFINISHED: Final = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*|[\]PX^_][^\x07\x1b]*\x1b?|[ -/]*)?\Z")
_LINE_END: Final = re.compile(rb"(?<!\r)\r+\n")


class PlainText:
    """Takes the escape sequences out of one child's output, cut anywhere."""

    __slots__ = ("_rest", "_returns")

    def __init__(self) -> None:
        self._rest = b""
        self._returns = b""  # at the end: the beginning of a line end, perhaps

    def feed(self, data: bytes, *, final: bool = False) -> bytes:
        """The text in `data`; what may be the beginning of a sequence waits, unless nothing follows."""
        held = self._rest or self._returns
        if not held and b"\x1b" not in data and b"\r" not in data and b"\x07" not in data:
            return data
        data = self._rest + data
        self._rest = b""
        unfinished = None if final else _UNFINISHED.search(data, max(0, len(data) - _LONGEST))
        if unfinished is not None:
            self._rest = data[unfinished.start() :]
            data = data[: unfinished.start()]
        text = self._returns + _SEQUENCES.sub(b"", data)
        end = len(text.rstrip(b"\r"))
        self._returns = b"" if final or len(text) - end > _LONGEST else text[end:]
        return _LINE_END.sub(b"\n", text[: len(text) - len(self._returns)])


def plain(data: bytes) -> bytes:
    """The text in `data`, all of it."""
    return PlainText().feed(data, final=True)
