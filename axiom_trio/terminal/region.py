"""The escape sequences that keep a footer below a stream which scrolls: a pure state machine.

The stream scrolls in rows 1 to H-n (DECSTBM), so the terminal's own scrollback keeps all of it; the
footer has the n rows below. The cursor is always in the stream's place: each drawing saves and
restores it (DECSC, DECRC), and room is made with IND, which keeps the column. Where the
stream's cursor is, nobody has to know, but for one thing: after a character in the last column a
terminal waits with the wrap until the next one, and most forget that when the cursor is
restored. So the column of an open line is followed, and the wrap is written out.

A terminal may get another size at any time, before we are told, and has forgotten the region then: the stream
goes on to the last row, over the footer. So the footer is drawn counting from the last row,
wherever that is, and all else is relative to the cursor; only the region's end is not. Before a footer is
drawn again, the last row is left downwards, which scrolls the lines that stand in its place up, but does
nothing below a region. When the size has changed, the footer goes, and comes again when it stands still.
"""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING, Final, final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from axiom_trio.sansio.cursor import Buffer

SHOW_CURSOR: Final = b"\x1b[?25h"
_HIDE_CURSOR: Final = b"\x1b[?25l"
_SAVE: Final = b"\x1b7"
_RESTORE: Final = b"\x1b8"
_INDEX: Final = b"\x1bD"
_LAST_ROW: Final = b"\x1b[999;1H"
_WHOLE: Final = _SAVE + b"\x1b[r" + _RESTORE  # setting a region moves the cursor home
_BELOW: Final = (
    _SAVE + b"\x1b[0m\x1b[B\r\x1b[J" + _RESTORE
)  # erases the rows below the cursor's; there must be one
_NO_WRAP: Final = b"\x1b[?7l"
_WRAP: Final = b"\x1b[?7h"
RESCUE: Final = _WHOLE + _WRAP + SHOW_CURSOR + b"\x1b[0m\x1b[J"
"""Brings a terminal back on which a footer stands, whatever its size."""
_SGR: Final = re.compile(rb"\x1b\[[0-9;:]*m")
_MEASURED: Final = 4096  # bytes of an open line, not ASCII, whose width is found out


@final
class Region:
    """Where stream and footer are on a terminal.

    Args:
        rows: Of the terminal.
        columns: Of the terminal.
    """

    def __init__(self, rows: int, columns: int) -> None:
        self.rows = rows
        self.columns = columns
        self._footer: list[bytes] = []
        self._column: int | None = 0
        """Of the cursor, in an open line: `columns` where the next character wraps; None if not known."""
        self._character = b""  # the beginning of one, at the end of an open line
        self._to_come = rows  # newlines until the cursor is in the stream's last row for certain

    @property
    def height(self) -> int:
        """Rows that the footer takes; 0 if there is none."""
        return len(self._footer)

    @property
    def line_open(self) -> bool:
        """Whether the stream's last line has not ended."""
        return self._column != 0

    def stream(self, pieces: Sequence[Buffer]) -> list[Buffer]:
        """What to write for some text of the stream: nearly always the same."""
        written = list(pieces)
        if self._column == self.columns and _begins_visibly(pieces):
            written.insert(0, b"\r\n")
        if pieces:
            if self._to_come > 0:
                self._to_come -= sum(bytes(piece).count(b"\n") for piece in pieces)
            if bytes(pieces[-1][-1:]) == b"\n":
                self._column = 0
                self._character = b""
            else:
                self._follow(pieces)
        return written

    def draw(self, footer: Sequence[bytes]) -> bytes:
        """What shows these rows as the footer, however many it had; nothing if it shows them already.

        Each must fit into the terminal's width, else it's cut; two rows at least are the stream's. Where
        the stream's cursor can't be kept, the footer stays as it is until the line has ended.
        """
        footer = footer[: max(0, self.rows - 2)]  # no region is smaller
        if not footer:
            return self.clear()
        if footer == self._footer or self._column is None:
            return b""
        count, had = len(footer), self.height
        pieces: list[bytes] = []
        if count > had:
            pieces.append(_make_room(count - had))
        if not had:
            pieces += (_HIDE_CURSOR, _BELOW)
        pieces += (_SAVE, _NO_WRAP)
        safe = count == had and self._to_come <= 0
        if safe:
            pieces += (b"\x1b[0m" + _LAST_ROW, _INDEX * count)
        if count != had:
            pieces.append(b"\x1b[1;%dr\x1b[0m" % (self.rows - count))
        if count < had:
            pieces += (_LAST_ROW + b"\x1b[%dA\x1b[K" % (row - 1) for row in range(had, count, -1))
            self._to_come = max(0, self._to_come) + had - count
        for place, row in enumerate(footer):
            if count != had or row != self._footer[place]:
                up = count - place - 1
                pieces += (_LAST_ROW, b"\x1b[%dA" % up if up else b"", b"\x1b[0m\x1b[K", row)
        pieces += (_WRAP, _RESTORE)
        if safe:  # the stream's last row, wherever it is now
            pieces.append(_LAST_ROW + b"\x1b[%dA\x1b[%dG" % (count, min(self._column + 1, self.columns)))
        self._footer = list(footer)
        return b"".join(pieces)

    def clear(self) -> bytes:
        """What takes the footer away: its rows are erased, all rows scroll, the cursor shows."""
        if not self._footer:
            return b""
        self._to_come = max(0, self._to_come) + self.height
        self._footer = []
        return _WHOLE + _make_room(1) + _BELOW + SHOW_CURSOR

    def resized(self, rows: int, columns: int) -> bytes:
        """The terminal has another size, or had one meanwhile: what takes the footer away.

        Where it stands now depends on the terminal, but it's below the cursor.
        """
        self.rows, self.columns = rows, columns
        self._to_come = rows
        if self._column:
            self._column = None
        if not self._footer:
            return b""
        self._footer = []
        return _WHOLE + _make_room(1) + _BELOW + SHOW_CURSOR

    def _follow(self, pieces: Sequence[Buffer]) -> None:
        """Find the column after text that ends within a line."""
        data = b"".join(pieces)
        start = data.rfind(b"\n") + 1
        if start:
            self._column = 0
            self._character = b""
        tail = self._character + _SGR.sub(b"", data[start:])
        self._character = b""
        if self._column is None or len(tail) == 0:
            return
        if tail.isascii() and tail.decode().isprintable():
            self._column = (self._column + len(tail) - 1) % self.columns + 1
        elif len(tail) > _MEASURED:
            self._column = None
        else:
            text, used = codecs.utf_8_decode(tail, "replace")
            self._character = tail[used:]
            self._measure(text)

    def _measure(self, text: str) -> None:
        column = self._column
        assert column is not None
        for ch in text:
            if ch == "\r":
                column = 0
            elif ch == "\t":
                column = min(column // 8 * 8 + 8, max(column, self.columns - 1))
            elif width := _width(ch):
                column = width if column + width > self.columns else column + width
        self._column = column


def _make_room(rows: int) -> bytes:
    """Have so many rows below the cursor: all scrolls up if there are fewer."""
    return _INDEX * rows + b"\x1b[%dA" % rows


def _begins_visibly(pieces: Sequence[Buffer]) -> bool:
    """Whether the text begins with a character that would wrap, colours apart."""
    head = b"".join(bytes(piece[:256]) for piece in pieces[:8])
    while match := _SGR.match(head):
        head = head[match.end() :]
    if not head or head[0] < 0x20:
        return False
    first = head[:4].decode("utf-8", "replace")[0]
    return _width(first) > 0


def _width(ch: str) -> int:
    """The columns that a character takes, as most terminals have it."""
    if ch < "\x7f":
        return int(ch >= " ")
    from unicodedata import category, east_asian_width  # only open lines need it

    if category(ch) in ("Mn", "Me", "Cf", "Cc"):
        return 0
    return 2 if east_asian_width(ch) in "WF" else 1
