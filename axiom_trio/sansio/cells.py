"""The cells of a terminal's screen: pyte's model, made fit for whatever a child may send.

pyte knows margins, tabs, modes, and how lines and characters move. Added are the alternate
screen, scrolling without the cursor, colours as they were asked for, and a faint style; text
is drawn in runs. Bounded are saved cursors and combining characters. Nothing here parses.
"""

from __future__ import annotations

import copy
import unicodedata
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

import pyte
from pyte import charsets, modes
from pyte.screens import Char, Margins, StaticDefaultDict, wcwidth

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from axiom_trio.sansio.styles import Line

_JOINED: Final = 8  # characters in a cell: a letter and what combines with it
_JOINERS: Final = frozenset("\u200d\ufe0e\ufe0f")
_STYLES: Final = 256  # of which the cells of each character are kept ready


class _Ready(dict[str, Any]):
    """The cells of one style, by character."""

    def __init__(self, style: Any) -> None:
        self.style = style

    def __missing__(self, char: str) -> Any:
        cell = self.style._replace(data=char)
        if len(self) < 1024:
            self[char] = cell
        return cell


class Cells(pyte.Screen):
    """The screen and its cursor.

    Args:
        columns: Its width.
        rows: Its height.
        scrolled: Given each line that leaves the main screen at its top.
    """

    def __init__(self, columns: int, rows: int, scrolled: Callable[[Line], None]) -> None:
        self.alternate = False
        self.cleared = False
        """Whether the whole screen was cleared; who looks resets it."""
        self._scrolled = scrolled
        self._main: tuple[Any, Any] | None = None
        self._ready: dict[Any, _Ready] = {}
        super().__init__(columns, rows)

    def reset(self) -> None:
        """As it was in the beginning."""
        self.alternate = False
        self._main = None
        self.savepoints.clear()
        self.cleared = True
        super().reset()
        self.g1_charset = charsets.LAT1_MAP

    # --- text

    def draw(self, data: str) -> None:
        """Draw printable text."""
        charset = self.g1_charset if self.charset else self.g0_charset
        if charset is not charsets.LAT1_MAP:
            data = data.translate(charset)
        if data.isascii():
            self._draw_narrow(data)
            return
        for char in data:
            width = wcwidth(char)
            if width == 1:
                self._draw_narrow(char)
            elif width == 2 and self.columns > 1:
                self._draw_wide(char)
            elif width == 0 and (char in _JOINERS or unicodedata.combining(char)):
                self._join(char)

    def _cells(self) -> _Ready:
        style = self.cursor.attrs
        ready = self._ready.get(style)
        if ready is None:
            if len(self._ready) >= _STYLES:
                self._ready.clear()
            ready = self._ready[style] = _Ready(style)
        return ready

    def _draw_narrow(self, data: str) -> None:
        cursor = self.cursor
        cells = self._cells()
        at = 0
        while at < len(data):
            if cursor.x >= self.columns:
                if modes.DECAWM in self.mode:
                    self.carriage_return()
                    self.linefeed()
                else:
                    cursor.x = self.columns - 1
                    at = len(data) - 1
            part = data[at : at + self.columns - cursor.x]
            if modes.IRM in self.mode:
                self.insert_characters(len(part))
            x = cursor.x
            cursor.x += len(part)
            self.buffer[cursor.y].update(zip(range(x, cursor.x), map(cells.__getitem__, part), strict=True))
            at += len(part)

    def _draw_wide(self, char: str) -> None:
        cursor = self.cursor
        if cursor.x >= self.columns - 1:
            if modes.DECAWM in self.mode:
                self.carriage_return()
                self.linefeed()
            else:
                cursor.x = self.columns - 2
        if modes.IRM in self.mode:
            self.insert_characters(2)
        cells = self._cells()
        self.buffer[cursor.y].update({cursor.x: cells[char], cursor.x + 1: cells[""]})
        cursor.x += 2

    def _join(self, char: str) -> None:
        line = self.buffer[self.cursor.y]
        for x in (self.cursor.x - 1, self.cursor.x - 2):
            cell = line.get(x)
            if cell is not None and cell.data:
                if len(cell.data) < _JOINED:
                    line[x] = cell._replace(data=cell.data + char)
                return

    # --- erasing: a background stays, other attributes don't

    def _erase(self, line: Line, places: range) -> None:
        background = self.cursor.attrs.bg
        if background != "default":
            line.update(dict.fromkeys(places, Char(" ", bg=background)))
        else:
            for x in [x for x in line if x in places]:
                del line[x]

    def erase_in_line(self, how: int = 0, private: bool = False) -> None:  # noqa: ARG002 (pyte's)
        """From the cursor to the end (0), from the beginning (1), or all (2)."""
        x = min(self.cursor.x, self.columns - 1)
        places = {0: range(x, self.columns), 1: range(x + 1), 2: range(self.columns)}.get(how, range(0))
        self._erase(self.buffer[self.cursor.y], places)

    def erase_in_display(self, how: int = 0, *_: int, **__: bool) -> None:
        """Below (0), above (1), all (2); 3 is for what was scrolled off."""
        y = self.cursor.y
        rows: Iterable[int] = {0: range(y + 1, self.lines), 1: range(y), 2: range(self.lines)}.get(how, ())
        plain = self.cursor.attrs.bg == "default"
        for row in rows:
            if plain:
                self.buffer.pop(row, None)
            else:
                self._erase(self.buffer[row], range(self.columns))
        if how in (0, 1):
            self.erase_in_line(how)
        self.cleared |= how in (2, 3) or (how == 0 and not y and not self.cursor.x)

    def erase_characters(self, count: int | None = None) -> None:
        """So many from the cursor on."""
        x = self.cursor.x
        self._erase(self.buffer[self.cursor.y], range(x, min(x + (count or 1), self.columns)))

    # --- lines

    def index(self) -> None:
        """Down one line; at the bottom, scroll."""
        top, bottom = self.margins or Margins(0, self.lines - 1)
        if self.cursor.y == bottom and not top and not self.alternate:
            self._scrolled(self.buffer[0])
        if self.cursor.y > bottom:  # below the margins nothing scrolls; pyte would go up to them
            self.cursor.y = min(self.cursor.y + 1, self.lines - 1)
        else:
            super().index()

    def scroll(self, count: int) -> None:
        """Scroll up, or down for a negative count, the cursor staying where it is."""
        cursor = self.cursor
        y = cursor.y
        top, bottom = self.margins or Margins(0, self.lines - 1)
        cursor.y = bottom if count > 0 else top
        for _ in range(min(abs(count), self.lines)):
            (self.index if count > 0 else self.reverse_index)()
        cursor.y = y

    def resize(self, lines: int | None = None, columns: int | None = None) -> None:
        """Give it another size; what is above the cursor scrolls off where there's no more room."""
        rows, width = lines or self.lines, columns or self.columns
        surplus = max(0, self.cursor.y - (rows - 1))
        self.margins = None
        if surplus:
            self.scroll(surplus)
        self.cursor.y -= surplus
        buffers = [self.buffer] if self._main is None else [self.buffer, self._main[0]]
        for buffer in buffers:
            for y in [y for y in buffer if y >= rows]:
                del buffer[y]
            for line in buffer.values():
                for x in [x for x in line if x >= width]:
                    del line[x]
        self.lines, self.columns = rows, width
        self.tabstops = set(range(8, width, 8))
        self.cursor.x = min(self.cursor.x, width)
        self.ensure_vbounds()

    # --- the cursor and the two screens

    def cursor_to_line(self, line: int | None = None) -> None:
        """To a row, counted from the upper margin in origin mode."""
        if modes.DECOM in self.mode and self.margins is None:
            self.margins = Margins(0, self.lines - 1)  # which pyte takes for granted
        super().cursor_to_line(line)

    def save_cursor(self) -> None:
        """Remember it; only once, as terminals do."""
        self.savepoints.clear()
        super().save_cursor()

    def restore_cursor(self) -> None:
        """Put it where it was remembered, as often as asked."""
        if self.savepoints:
            saved = self.savepoints[-1]
            self.savepoints.append(saved._replace(cursor=copy.copy(saved.cursor)))
        super().restore_cursor()

    def switch(self, *, alternate: bool, cursor: bool) -> None:
        """Go to the alternate screen, which is empty then, or back; with `cursor`, back to where it was."""
        if alternate == self.alternate:
            return
        self.alternate = alternate
        if alternate:
            self._main = self.buffer, copy.copy(self.cursor)
            self.buffer = defaultdict(lambda: StaticDefaultDict(self.default_char))
        elif self._main is not None:
            self.buffer, saved = self._main
            self._main = None
            if cursor:
                self.cursor = saved
                self.ensure_hbounds()
                self.ensure_vbounds()
