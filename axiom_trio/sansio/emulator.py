"""From a child's bytes to what they do to the cells of a screen.

All is parsed here, and what pyte would misread never reaches it: strings of any kind are
passed over, sequences with private marks do nothing but set modes, numbers and their count
are bounded. What it raises all the same is contained and counted.
"""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING, Any, Final

from axiom_trio.sansio.cells import Cells
from axiom_trio.sansio.styles import restyle

if TYPE_CHECKING:
    from collections.abc import Callable

    from axiom_trio.sansio.styles import Line

_TOKENS = re.compile(
    r"(?P<text>[^\x00-\x1f\x7f]+)"
    r"|\x1b(?:\[(?P<mark>[<=>?]?)(?P<params>[0-9:;]{0,256})(?P<inner>[ -/]{0,4})(?P<final>[@-~])"
    r"|\[[ -?]*[@-~]?"
    r"|(?P<string>[\]PX^_])[^\x07\x18\x1a\x1b]*(?P<end>[\x07\x18\x1a]?)"
    r"|(?P<escape>[ -/]{0,4}[0-~])|)"
    r"|(?P<control>[\x08-\x0f])|[\x00-\x07\x10-\x1a\x1c-\x1f\x7f]+"
)
_UNFINISHED = re.compile(r"\x1b(?:\[[<=>?]?[0-9:;]{0,256}[ -/]{0,4}|[ -/]{0,4})?\Z")
_STRING_END = re.compile(r"[\x07\x18\x1a\x1b]")
_KEPT_MODES: Final = frozenset(
    {1, 12, 66, 1000, 1002, 1003, 1004, 1005, 1006, 1007, 1015, 1016, 2004}
)  # what a terminal does for the program that shows the screen


class Emulator:
    """Follows output on a screen.

    Args:
        rows: Its height.
        columns: Its width.
        scrolled: Given each line that leaves the main screen at its top.
    """

    def __init__(self, rows: int, columns: int, scrolled: Callable[[Line], None]) -> None:
        self.cells = Cells(columns, rows, scrolled)
        self.modes: set[int] = set()
        """Private modes that are set, of those that a terminal has for the program that shows the screen."""
        self.frames = 0
        self.errors = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._begin()

    def _begin(self) -> None:
        self.synchronized = False
        self._held = ""
        self._in_string = False
        self._last = " "

    def start_anew(self) -> None:
        """Forget what was begun, and clear the screen; modes stay."""
        self._decoder.reset()
        self._begin()
        self.cells.reset()

    def feed(self, data: bytes) -> None:
        """Follow output, cut anywhere."""
        text = self._held + self._decoder.decode(data)
        self._held = ""
        start = 0
        if self._in_string:
            end = _STRING_END.search(text)
            if end is None:
                return
            self._in_string = False
            start = end.start()
        last = text.rfind("\x1b", start)
        if last >= 0 and _UNFINISHED.match(text, last):
            text, self._held = text[:last], text[last:]
        for match in _TOKENS.finditer(text, start):
            try:
                self._token(match, len(text))
            except Exception:  # noqa: BLE001 (pyte raises on odd input; what it missed is only a view)
                self.errors += 1

    def _token(self, match: re.Match[str], size: int) -> None:
        kind = match.lastgroup
        cells = self.cells
        if kind == "text":
            cells.draw(match[0])
            self._last = match[0][-1]
        elif kind == "final":
            self._control_sequence(match["mark"], match["params"], match["inner"], match["final"])
        elif kind == "control":
            _CONTROLS[match[0]](cells)
        elif kind == "escape":
            self._escape(match["escape"])
        elif match["string"] and not match["end"]:
            self._in_string = match.end() == size

    def _escape(self, name: str) -> None:
        cells = self.cells
        if name in _ESCAPES:
            _ESCAPES[name](cells)
            if name == "c":
                self.modes.clear()
                self.synchronized = False
        elif name[0] in "()":
            cells.define_charset(name[1:], mode=name[0])

    def _control_sequence(self, mark: str, params: str, inner: str, name: str) -> None:
        cells = self.cells
        if inner:
            return
        if name == "m":
            if not mark:
                cells.cursor.attrs = restyle(params, cells.cursor.attrs)._replace(data=" ")
            return
        numbers = [min(int(part or 0), 9999) if len(part) < 6 else 9999 for part in params.split(";")[:16]]
        if name in "hl":
            for number in numbers:
                self._mode(number, private=mark == "?", on=name == "h")
        elif not mark or (mark == "?" and name in "JK"):
            first, second = numbers[0], numbers[1] if len(numbers) > 1 else 0
            if name == "b":
                cells.draw(self._last * min(first or 1, cells.lines * cells.columns))
            elif name in _SEQUENCES:
                _SEQUENCES[name](cells, first, second)

    def _mode(self, number: int, *, private: bool, on: bool) -> None:
        cells = self.cells
        if not private:
            if number in (4, 20):
                (cells.set_mode if on else cells.reset_mode)(number)
        elif number in (6, 7, 25):
            (cells.set_mode if on else cells.reset_mode)(number, private=True)
        elif number in (47, 1047, 1049):
            cells.switch(alternate=on, cursor=number == 1049)
        elif number == 1048:
            (cells.save_cursor if on else cells.restore_cursor)()
        elif number == 2026:
            self.frames += self.synchronized and not on
            self.synchronized = on
        elif number in _KEPT_MODES:
            (self.modes.add if on else self.modes.discard)(number)


def _tabs(cells: Any, count: int) -> None:
    for _ in range(min(count or 1, cells.columns)):
        cells.tab()


def _tabs_back(cells: Any, count: int) -> None:
    for _ in range(min(count or 1, cells.columns)):
        cells.cursor.x = max((stop for stop in cells.tabstops if stop < cells.cursor.x), default=0)


_CONTROLS: Final[dict[str, Callable[[Any], None]]] = {
    "\b": lambda cells: cells.backspace(),
    "\t": lambda cells: cells.tab(),
    **dict.fromkeys("\n\x0b\x0c", lambda cells: cells.linefeed()),
    "\r": lambda cells: cells.carriage_return(),
    "\x0e": lambda cells: cells.shift_out(),
    "\x0f": lambda cells: cells.shift_in(),
}


def _next_line(cells: Any) -> None:
    cells.index()
    cells.carriage_return()


_ESCAPES: Final[dict[str, Callable[[Any], None]]] = {
    "7": lambda cells: cells.save_cursor(),
    "8": lambda cells: cells.restore_cursor(),
    "D": lambda cells: cells.index(),
    "E": _next_line,
    "H": lambda cells: cells.set_tab_stop(),
    "M": lambda cells: cells.reverse_index(),
    "c": lambda cells: cells.reset(),
    "#8": lambda cells: cells.alignment_display(),
}
_SEQUENCES: Final[dict[str, Callable[[Any, int, int], None]]] = {
    "@": lambda cells, count, _: cells.insert_characters(count),
    "A": lambda cells, count, _: cells.cursor_up(count),
    "B": lambda cells, count, _: cells.cursor_down(count),
    "C": lambda cells, count, _: cells.cursor_forward(count),
    "D": lambda cells, count, _: cells.cursor_back(count),
    "E": lambda cells, count, _: cells.cursor_down1(count),
    "F": lambda cells, count, _: cells.cursor_up1(count),
    "G": lambda cells, column, _: cells.cursor_to_column(column),
    "H": lambda cells, row, column: cells.cursor_position(row, column),
    "I": lambda cells, count, _: _tabs(cells, count),
    "J": lambda cells, how, _: cells.erase_in_display(how),
    "K": lambda cells, how, _: cells.erase_in_line(how),
    "L": lambda cells, count, _: cells.insert_lines(count),
    "M": lambda cells, count, _: cells.delete_lines(count),
    "P": lambda cells, count, _: cells.delete_characters(count),
    "S": lambda cells, count, _: cells.scroll(count or 1),
    "T": lambda cells, count, _: cells.scroll(-(count or 1)),
    "X": lambda cells, count, _: cells.erase_characters(count),
    "Z": lambda cells, count, _: _tabs_back(cells, count),
    "`": lambda cells, column, _: cells.cursor_to_column(column),
    "a": lambda cells, count, _: cells.cursor_forward(count),
    "d": lambda cells, row, _: cells.cursor_to_line(row),
    "e": lambda cells, count, _: cells.cursor_down(count),
    "f": lambda cells, row, column: cells.cursor_position(row, column),
    "g": lambda cells, how, _: cells.clear_tab_stop(how),
    "r": lambda cells, top, bottom: cells.set_margins(top or None, bottom or None),
    "s": lambda cells, *_: cells.save_cursor(),
    "u": lambda cells, *_: cells.restore_cursor(),
}
