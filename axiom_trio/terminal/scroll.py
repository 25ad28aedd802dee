"""Looking back: what has scrolled away, page by page; new output doesn't move it.

The lines come from the log, formatted as the stream is, and where there's a journal from
there, further and further back.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, final

import trio

from axiom_trio.sansio.escapes import EscapeFilter
from axiom_trio.sansio.events import Gap
from axiom_trio.sansio.text import TextFormat, TextFormatter
from axiom_trio.terminal.editor import Editor, Submit, cells, width
from axiom_trio.terminal.keyboard import Presses
from axiom_trio.terminal.keys import Key, Text

if TYPE_CHECKING:
    from axiom_trio.engine.aggregator import StreamAggregator
    from axiom_trio.engine.child import Child
    from axiom_trio.terminal.keyboard import Keyboard
    from axiom_trio.terminal.keys import Press
    from axiom_trio.terminal.sink import RawTerminal, TerminalSink

_EARLIER: Final = 200  # events that are read from the journal at once
_PATIENCE: Final = 2.0  # seconds for the journal to have what is in the log
_TAB: Final = 8
_SGR: Final = re.compile(r"\x1b\[[0-9;:]*m")
_KEYS_SHOWN: Final = "q leaves · / searches upwards, n again"


def wrap(line: bytes, columns: int) -> list[bytes]:
    """The rows that a line of text and colours takes, at least one."""
    rows: list[str] = []
    row: list[str] = []
    colors: list[str] = []
    used = 0
    text = line.decode("utf-8", "replace")
    place = 0
    while place < len(text):
        color = _SGR.search(text, place)
        plain = text[place : color.start() if color else len(text)]
        for cell in cells(plain):
            size = _TAB - used % _TAB if cell == "\t" else width(cell)
            if used + size > columns and used:
                rows.append("".join(row))
                row, used = [*colors], 0
            row.append(" " * min(size, columns) if cell == "\t" else cell)
            used += size
        if color is None:
            break
        row.append(color[0])
        colors = [] if color[0] in ("\x1b[m", "\x1b[0m") else [*colors, color[0]][-8:]
        place = color.end()
    return [(piece + "\x1b[0m").encode() for piece in (*rows, "".join(row))]


@final
class Pages:
    """Lines, the part of them that is shown, and the ways through them. Pure.

    Args:
        lines: All of them, without newlines.
    """

    def __init__(self, lines: list[bytes]) -> None:
        self.lines = lines
        self.rows, self.columns = 1, 80
        self.top = 0
        """The first line that is shown."""
        self.skipped = 0
        """How many of its rows are above the screen."""

    def resize(self, rows: int, columns: int) -> None:
        """The part that is shown has another size; the same line stays at its top."""
        self.rows, self.columns = max(1, rows), max(1, columns)
        self.skipped = min(self.skipped, self._height(self.top) - 1)
        self.move(0)

    def shown(self) -> list[bytes]:
        """The rows that are shown."""
        found: list[bytes] = []
        place, skipped = self.top, self.skipped
        while place < len(self.lines) and len(found) < self.rows:
            found += wrap(self.lines[place], self.columns)[skipped:]
            place, skipped = place + 1, 0
        return found[: self.rows]

    def move(self, rows: int) -> None:
        """Go so many rows down, or up if it's less than 0; not beyond the ends."""
        while rows > 0:
            below = self._height(self.top) - self.skipped
            if rows < below:
                self.skipped += rows
                break
            if self.top + 1 >= len(self.lines):
                self.skipped += below - 1
                break
            rows -= below
            self.top, self.skipped = self.top + 1, 0
        while rows < 0:
            if -rows <= self.skipped:
                self.skipped += rows
                break
            rows += self.skipped
            self.skipped = 0
            if self.top == 0:
                break
            self.top -= 1
            self.skipped = self._height(self.top)
        self._stay()

    def end(self) -> None:
        """Go to the last page."""
        self.top = max(0, len(self.lines) - 1)
        self.skipped = self._height(self.top) - 1
        self._stay()

    def begin(self) -> None:
        """Go to the first."""
        self.top = self.skipped = 0

    def prepend(self, lines: list[bytes]) -> None:
        """Lines that come before the others; what is shown stays."""
        self.lines[:0] = lines
        self.top += len(lines)

    def find(self, text: str, *, up: bool, seen: bool = False) -> bool:
        """Go to the next line that has the text in it, in any case of letters.

        Args:
            text: What to look for.
            up: Whether to go up.
            seen: Whether to begin with the last line that is shown, not with the one at the top.
        """
        wanted = text.lower()
        first = self._last() + 1 if seen else self.top
        places = range(first - 1, -1, -1) if up else range(first + 1, len(self.lines))
        for place in places:
            if wanted in _SGR.sub("", self.lines[place].decode("utf-8", "replace")).lower():
                self.top, self.skipped = place, 0
                return True
        return False

    def _last(self) -> int:
        """The last line that is shown."""
        place, rows = self.top, -self.skipped
        while (rows := rows + self._height(place)) < self.rows and place + 1 < len(self.lines):
            place += 1
        return min(place, len(self.lines) - 1)

    def _height(self, place: int) -> int:
        return len(wrap(self.lines[place], self.columns)) if place < len(self.lines) else 1

    def _stay(self) -> None:
        """Go up if there's room below the last line."""
        rows = -self.skipped
        for place in range(self.top, len(self.lines)):
            rows += self._height(place)
            if rows >= self.rows:
                return
        missing = self.rows - rows
        while missing > 0 and (self.top > 0 or self.skipped > 0):
            if self.skipped == 0:
                self.top -= 1
                self.skipped = self._height(self.top)
            step = min(missing, self.skipped)
            self.skipped -= step
            missing -= step


async def look_back(
    aggregator: StreamAggregator, sink: TerminalSink, keyboard: Keyboard, child: Child | None = None
) -> None:
    """Show what has been, until the person has seen enough.

    Args:
        aggregator: The run.
        sink: Has the terminal.
        keyboard: What moves.
        child: Only what this one has said, as it said it.
    """
    past = _Past(aggregator, sink, child)
    lines = await past.latest()
    async with sink.taken() as terminal:
        await _Viewer(past, Pages(lines), sink, terminal).run(Presses(keyboard))


class _Past:
    """Reads the log, the newest first."""

    def __init__(self, aggregator: StreamAggregator, sink: TerminalSink, child: Child | None) -> None:
        self._aggregator = aggregator
        self._child = child
        self._format = sink.format if child is None else TextFormat(prefix="", color=True)
        self._first = max(0, aggregator.statistics().oldest_cursor)

    async def latest(self) -> list[bytes]:
        """All that memory holds."""
        return await self._read(self._first, self._aggregator.statistics().next_cursor)

    async def earlier(self) -> list[bytes]:
        """What comes before that which has been read; nothing if nobody has it."""
        end = self._first
        self._first = max(0, end - _EARLIER)
        return await self._read(self._first, end) if end > 0 else []

    async def _read(self, first: int, end: int) -> list[bytes]:
        formatter = TextFormatter(self._format)
        passes = EscapeFilter("color")
        for child in self._aggregator.children:
            formatter.add(child.id, child.name, child.index, child.pid, tty=child.tty)
        pieces: list[bytes] = []
        with trio.move_on_after(_PATIENCE):
            async with self._aggregator.subscribe(after=first - 1, lossless=False) as events:
                async for event in events:
                    if isinstance(event, Gap):
                        if event.to_cursor >= end:
                            break  # it's gone
                        continue
                    if event.cursor >= end:
                        break
                    if self._child is None or getattr(event, "child", None) == self._child.id:
                        pieces += map(bytes, formatter.event(event))
                    if event.cursor == end - 1:
                        break
        text = b"".join(pieces)
        for child in self._aggregator.children:
            text += b"".join(map(bytes, formatter.end_lines(child.id)))
        if self._format.escapes == "raw":
            text = passes.feed(text) + passes.end()
        lines = text.split(b"\n")
        return lines[:-1] if not lines[-1] else lines


class _Viewer:
    """Shows pages on the terminal."""

    def __init__(self, past: _Past, pages: Pages, sink: TerminalSink, terminal: RawTerminal) -> None:
        self._past = past
        self._pages = pages
        self._sink = sink
        self._terminal = terminal
        self._search: Editor | None = None
        self._wanted = ""
        self._note = ""

    async def run(self, presses: Presses) -> None:
        rows, columns = self._sink.size
        self._pages.resize(rows - 1, columns)
        self._pages.end()
        await self._up(rows - 1)
        while True:
            await self._draw()
            self._note = ""
            for press in await presses.next():
                if self._search is not None:
                    self._type(press)
                elif not await self._act(press):
                    return

    async def _act(self, press: Press) -> bool:
        """Do what a key says; False if that's to leave."""
        pages = self._pages
        name = press.name if isinstance(press, Key) else press.text
        if name in ("q", "Q", "escape", "ctrl-]"):
            return False
        if name in ("page-up", "b", "ctrl-b"):
            await self._up(pages.rows)
        elif name in ("up", "k", "ctrl-p"):
            await self._up(1)
        elif name in ("page-down", " ", "f", "ctrl-f"):
            pages.move(pages.rows)
        elif name in ("down", "j", "enter", "ctrl-n"):
            pages.move(1)
        elif name in ("home", "g", "<"):
            pages.begin()
            await self._up(1)  # what is on disk comes piece by piece
            pages.begin()
        elif name in ("end", "G", ">"):
            pages.end()
        elif name == "/":
            self._search = Editor()
        elif name in ("n", "N") and self._wanted:
            self._find(up=name == "n")
        elif isinstance(press, Text) and len(press.text) > 1 and not press.pasted:
            for character in press.text:  # typed fast
                if self._search is not None:
                    self._type(Text(character))
                elif not await self._act(Text(character)):
                    return False
        return True

    async def _up(self, rows: int) -> None:
        pages = self._pages
        pages.move(-rows)
        if pages.top == 0 and pages.skipped == 0 and (earlier := await self._past.earlier()):
            pages.prepend(earlier)

    def _type(self, press: Press) -> None:
        assert self._search is not None
        action = self._search.press(press)
        if isinstance(action, Submit):
            self._search = None
            self._wanted = action.text or self._wanted
            if self._wanted:
                self._find(up=True, seen=True)
        elif not self._search and isinstance(press, Key):  # emptied: no search
            self._search = None

    def _find(self, *, up: bool, seen: bool = False) -> None:
        if not self._pages.find(self._wanted, up=up, seen=seen):
            self._note = f"nothing {'above' if up else 'below'} has {self._wanted!r} in it"

    async def _draw(self) -> None:
        rows, columns = self._sink.size
        pages = self._pages
        if (pages.rows, pages.columns) != (rows - 1, columns):
            pages.resize(rows - 1, columns)
        parts = [b"\x1b[?25l\x1b[H"]
        shown = pages.shown()
        for place in range(pages.rows):
            parts.append(b"\x1b[%d;1H\x1b[0m\x1b[K" % (place + 1))
            parts += shown[place : place + 1]
        if self._search is not None:
            text, column = self._search.view(columns - 2)
            status = f"\x1b[0m\x1b[K/{text}\x1b[{column + 2}G\x1b[?25h"
        else:
            note = self._note or f"line {pages.top + 1} of {len(pages.lines)} · {_KEYS_SHOWN}"
            status = f"\x1b[0m\x1b[K\x1b[7m {note[: columns - 2]} \x1b[0m"
        parts.append(b"\x1b[%d;1H%b" % (rows, status.encode()))
        await self._terminal.write(b"".join(parts))
