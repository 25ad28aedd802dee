r"""Cutting a byte stream into blocks of whole lines.

A line ends with `\n` (and so with `\r\n`); a lone `\r` ends nothing. Whatever
way the input is cut, the same lines come out, and the cost is linear in the
input: an unfinished line is kept as pieces, and what is joined already grows in place.
"""

from __future__ import annotations

_COMPACT = 64  # pieces kept of an open line before they're joined; bounds the overhead of tiny reads


def fold(data: bytes) -> bytes:
    """Make each `\\r\\n` a `\\n`, as a terminal's line end reads in text; other `\\r` stay.

    Single bytes are dropped and replaced ten times faster than pairs, so it's tried
    whether that comes to the same: it does when all lines end with `\\r\\n`.
    """
    dropped = data.replace(b"\r", b"")
    if len(dropped) == len(data) or dropped.replace(b"\n", b"\r\n") == data:
        return dropped
    return data.replace(b"\r\n", b"\n")


class LineSplitter:
    r"""Cuts what is fed to it into whole lines and an open rest.

    Example::

        splitter.feed(b"one\ntw")   # b"one\n"
        splitter.feed(b"o\nthree")  # b"two\n"
        splitter.take()             # b"three"
    """

    __slots__ = ("_pieces", "_taken", "pending")

    def __init__(self) -> None:
        self._pieces: list[bytes | bytearray] = []
        self._taken = False
        self.pending = 0
        """Bytes of the open line that have not been handed out."""

    @property
    def open(self) -> bool:
        """Whether a line has begun and not ended, handed out or not."""
        return self._taken or self.pending > 0

    def feed(self, data: bytes) -> bytes:
        """Take in bytes, cut anywhere; return the whole lines they complete, maybe none.

        The first of them continues what `take` has handed out before.
        """
        cut = data.rfind(b"\n") + 1
        if cut == 0:
            if data:
                self.pending += len(data)
                self._pieces.append(data)
                if len(self._pieces) > _COMPACT:
                    first, *others = self._pieces
                    first = first if type(first) is bytearray else bytearray(first)
                    first += b"".join(others)
                    self._pieces = [first]
            return b""
        self._taken = False
        rest = data[cut:]
        if self._pieces:
            pieces: list[bytes | bytearray | memoryview] = [*self._pieces, memoryview(data)[:cut]]
            block = b"".join(pieces)
            self._pieces.clear()
        else:
            block = data[:cut] if rest else data
        if rest:
            self._pieces.append(rest)
        self.pending = len(rest)
        return block

    def peek(self) -> bytes:
        """The open line's pending bytes; they stay pending."""
        return b"".join(self._pieces)

    def take(self, *, final: bool = False) -> bytes:
        r"""Hand out the open line's pending bytes, as a piece of a line that goes on.

        A `\r` at the very end stays pending until it's known whether it belongs to
        a `\r\n`, unless this is the end (`final`).
        """
        piece = b"".join(self._pieces)
        self._pieces.clear()
        if not final and piece.endswith(b"\r"):
            self._pieces.append(b"\r")
            piece = piece[:-1]
        self.pending = len(self._pieces)
        self._taken = not final and (self._taken or bool(piece))
        return piece
