r"""What a full-screen child shows: a virtual terminal that is fed its output.

`settle` gives the rows that are new since it was last asked, so that a log can have what the
screen said; `paint` reproduces the screen on a real terminal. The child's bytes are nobody's
friend: all is parsed here, what pyte would misread never reaches it, what it raises is
contained and counted, and no sequence, string or character can make this grow.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from typing import TYPE_CHECKING, Any, Final, final

if TYPE_CHECKING:
    from axiom_trio.sansio.styles import Line

LARGEST: Final = (500, 1000)
"""Rows and columns beyond which nothing is followed."""
SCROLLED: Final = 500
"""Rows kept that have scrolled off and were not asked for."""

_HISTORY: Final = 1000  # rows given, known again after the screen was cleared
_LIKE: Final = 500  # kinds of rows that are known again
_NUMBERS = re.compile(r"[0-9]+(?:[.,:/][0-9]+)*")
_SPINNERS = re.compile("[\u2800-\u28ff◐◓◑◒◴◷◶◵✢✳✶✻✽✺✦✧·∙•●○◌]+|(?<!\\S)[|/\\\\-](?!\\S)")
_BARS = re.compile("[█▉▊▋▌▍▎▏▐░▒▓━╸╺#=>\\-. …]{2,}")


def _likeness(text: str) -> str:
    """What is left of a row without what only moves: numbers, spinners, bars."""
    return " ".join(_BARS.sub(" ", _SPINNERS.sub("*", _NUMBERS.sub("0", text))).strip(" .…").split())


@final
class VirtualTerminal:
    """A terminal without a window.

    Args:
        rows: Its height.
        columns: Its width.
    """

    def __init__(self, rows: int, columns: int) -> None:
        from axiom_trio.sansio.emulator import Emulator  # pyte takes 20 ms to import

        self._scrolled: deque[Line] = deque(maxlen=SCROLLED)
        self._emulator = Emulator(*_bounded(rows, columns), self._scroll_off)
        self._cells = self._emulator.cells
        self.asked = (rows, columns)
        """The size it was given; what it has may be less."""
        self._given: dict[bool, list[str]] = {False: [], True: []}
        self._history: deque[int] = deque(maxlen=_HISTORY)
        self._most: dict[tuple[bool, str], int] = {}  # how many rows of a kind were there at once, at most
        self._lost = 0
        self.fed = 0
        """Bytes it was fed."""

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns."""
        return self._cells.lines, self._cells.columns

    @property
    def cursor(self) -> tuple[int, int]:
        """Row and column of the cursor, from 1."""
        cells = self._cells
        return cells.cursor.y + 1, min(cells.cursor.x, cells.columns - 1) + 1

    @property
    def synchronized(self) -> bool:
        """Whether it's in the middle of an update that is to be seen at once (2026)."""
        return self._emulator.synchronized

    @property
    def frames(self) -> int:
        """Such updates that have ended."""
        return self._emulator.frames

    @property
    def errors(self) -> int:
        """Sequences that could not be followed."""
        return self._emulator.errors

    @property
    def alternate(self) -> bool:
        """Whether it shows the alternate screen."""
        return bool(self._cells.alternate)

    def text(self) -> list[str]:
        """The rows as plain text, without blanks at their ends."""
        from axiom_trio.sansio.styles import plain

        return [plain(self._cells.buffer[y], self._cells.columns) for y in range(self._cells.lines)]

    def resize(self, rows: int, columns: int) -> None:
        """Give it another size."""
        self.asked = (rows, columns)
        self._cells.resize(*_bounded(rows, columns))

    def start_anew(self, *, alternate: bool) -> None:
        """Something of the output was lost: an empty screen; what was given before is still known."""
        self._emulator.start_anew()
        if alternate:
            self._cells.switch(alternate=True, cursor=True)

    def feed(self, data: bytes) -> None:
        """Follow the child's output, cut anywhere. Some megabytes take a second."""
        self.fed += len(data)
        self._emulator.feed(data)

    # --- what was said

    def settle(self, *, quiet: bool = True, final: bool = False) -> list[bytes]:
        """The rows that are new since this was last asked, oldest first: text with colours, closed.

        These are the rows that have scrolled off the main screen, and those on the screen; not what
        was there before, wherever it is now, nor rows in which only a number, a bar or a spinner has
        changed, nor, while nothing scrolls off, more of a kind than were there at once before: a table
        that is sorted anew all the time says each of its rows once. Such a row comes in its last state when
        it scrolls off, or at the end.

        Args:
            quiet: The child is silent; else the row of the cursor may be half written, and is left out.
            final: The child has ended: what is there is what stays.
        """
        from axiom_trio.sansio.styles import plain

        cells = self._cells
        before = Counter(self._given[cells.alternate])
        if cells.cleared:  # it may have been drawn anew, with all that had scrolled off
            cells.cleared = False
            again = Counter(self._history)
        else:
            again = Counter()
        rows: list[bytes] = []
        if self._lost:
            rows.append(b"\xe2\x80\xa6 %d more rows" % self._lost)
            self._lost = 0

        def is_given(text: str) -> bool:
            if before[text] > 0:
                before[text] -= 1
            elif again[hash(text)] > 0:
                again[hash(text)] -= 1
            else:
                return False
            return True

        for line in self._scrolled:
            text = plain(line, cells.columns)
            if text and not is_given(text):
                rows.append(self._give(text, line))
        if self._scrolled:
            self._most.clear()  # it goes on: what is like something before is no table's row
        self._scrolled.clear()
        given: list[str] = []
        fresh: list[tuple[int, str]] = []
        for y in range(cells.lines):
            text = plain(cells.buffer[y], cells.columns)
            if not text:
                continue
            if is_given(text):
                given.append(text)
            elif quiet or final or y != cells.cursor.y:
                fresh.append((y, text))
        alike: dict[str, list[str]] = {}
        if not final:
            for old in (+before).elements():
                alike.setdefault(_likeness(old), []).append(old)
        there = Counter(map(_likeness, given))
        for y, text in fresh:
            likeness = _likeness(text)
            there[likeness] += 1
            if alike.get(likeness):
                given.append(alike[likeness].pop())
            elif final or (likeness and there[likeness] > self._most.get((cells.alternate, likeness), 0)):
                rows.append(self._give(text, cells.buffer[y]))
                given.append(text)
        self._note(cells.alternate, there)
        self._given[cells.alternate] = given
        return rows

    def _note(self, alternate: bool, there: Counter[str]) -> None:
        for likeness, count in there.items():
            key = alternate, likeness
            self._most[key] = max(count, self._most.pop(key, 0))
        while len(self._most) > _LIKE:
            del self._most[next(iter(self._most))]

    def _give(self, text: str, line: Line) -> bytes:
        from axiom_trio.sansio.styles import render

        self._history.append(hash(text))
        return render(line, self._cells.columns).encode("utf-8", "replace")

    def _scroll_off(self, line: Line) -> None:
        self._lost += len(self._scrolled) == SCROLLED
        self._scrolled.append(line)

    # --- what it looks like

    def paint(self, *, alternate: bool = True) -> bytes:
        """The sequences that show this screen on a real terminal of its size, and have it go on from there.

        Args:
            alternate: Also go to the alternate screen, if the child did.
        """
        from pyte import modes

        from axiom_trio.sansio.styles import render, sgr

        cells = self._cells
        # Whatever was: default attributes, no margins, absolute places, wrapping, no insertion.
        out = ["\x1b[?1049h" if alternate and cells.alternate else "", "\x1b[0m\x1b[r\x1b[?6l\x1b[?7h\x1b[4l"]
        out.append("\x1b(B\x1b)B\x0f\x1b[H\x1b[2J")
        rows = [render(cells.buffer[y], cells.columns) for y in range(cells.lines)]
        out += [f"\x1b[{y};1H{row}" for y, row in enumerate(rows, 1) if row]
        if cells.savepoints:
            saved = cells.savepoints[-1]
            at = saved.cursor
            out += [
                "\x1b[?6h" if saved.origin else "",
                "" if saved.wrap else "\x1b[?7l",
                f"\x1b[{at.y + 1};{min(at.x + 1, cells.columns)}H{sgr(at.attrs)}",
                _charsets(saved),
                "\x1b7\x1b[?6l\x1b[?7h\x1b[0m\x1b(B\x1b)B\x0f",
            ]
        top = 0
        if cells.margins is not None:
            out.append(f"\x1b[{cells.margins.top + 1};{cells.margins.bottom + 1}r")
            if modes.DECOM in cells.mode:
                top = cells.margins.top
                out.append("\x1b[?6h")
        out += [f"\x1b[?{mode}h" for mode in sorted(self._emulator.modes)]
        out.append("\x1b[?25h" if modes.DECTCEM in cells.mode else "\x1b[?25l")
        y, x = self.cursor
        out.append(f"\x1b[{y - top};{x}H")
        if cells.cursor.x >= cells.columns:  # it has filled the row, and wraps with what comes next
            line = cells.buffer[cells.cursor.y]
            cell = line[cells.columns - 1]
            if not cell.data:
                cell = line[cells.columns - 2]
                out.append("\b")
            out.append(f"{sgr(cell)}{cell.data or ' '}\x1b[0m")
        if modes.DECAWM not in cells.mode:
            out.append("\x1b[?7l")
        if modes.IRM in cells.mode:
            out.append("\x1b[4h")
        out.append(sgr(cells.cursor.attrs))
        out.append(_charsets(cells))
        return "".join(out).encode("utf-8", "replace")


def _charsets(state: Any) -> str:
    """What selects the character sets of the screen, or of a saved cursor."""
    from pyte import charsets

    drawing = charsets.VT100_MAP
    first, second = state.g0_charset is drawing, state.g1_charset is drawing
    return ("\x1b(0" if first else "") + ("\x1b)0" if second else "") + ("\x0e" if state.charset else "")


def _bounded(rows: int, columns: int) -> tuple[int, int]:
    return min(max(rows, 1), LARGEST[0]), min(max(columns, 1), LARGEST[1])
