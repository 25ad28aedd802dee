"""The line that is being typed: editing, history, completion, and the part of it that fits.

Pure. A cursor stands before a *cell*: a character with those that combine with it, so
that no key leaves half of what the eye sees as one.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Final, final

import attrs

from axiom_trio.terminal.keys import Key, Text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from axiom_trio.terminal.keys import Press

LONGEST: Final = 64 * 1024
"""Characters of a line; what is more is not taken."""
HISTORY: Final = 500
"""Lines that are remembered."""
_JOINER: Final = "\u200d"
# Control characters become visible text, so that what is seen is what is sent; a tab stays, and a
# newline within a pasted message.
_VISIBLE: Final[dict[int, str]] = {
    **{code: f"^{chr(code ^ 0x40)}" for code in [*range(32), 0x7F] if chr(code) not in "\t\n"},
    **{code: f"\\x{code:02x}" for code in range(0x80, 0xA0)},
    **{code: f"<U+{code:04X}>" for code in (0x61C, 0x200E, 0x200F, 0x2028, 0x2029)},
    **{code: f"<U+{code:04X}>" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))},
}
_SHOWN: Final = {"\n": "⏎", "\t": "→"}


@final
@attrs.frozen
class Submit:
    """Enter: the line, which is still there; `clear` or `remember` it."""

    text: str


def width(text: str) -> int:
    """Columns that a text takes on a terminal."""
    if text.isascii():
        return len(text)
    return sum(map(_width, cells(text)))


def cells(text: str) -> list[str]:
    """The characters of a text, each with those that combine with it."""
    if text.isascii():
        return list(text)
    found: list[str] = []
    for character in text:
        combines = unicodedata.category(character) in ("Mn", "Me", "Cf")
        if found and found[-1] not in "\n\t" and (combines or found[-1].endswith(_JOINER)):
            found[-1] += character
        else:
            found.append(character)
    return found


def _width(cell: str) -> int:
    return 2 if unicodedata.east_asian_width(cell[0]) in "WF" else 1


@final
class Editor:
    """One line and its history.

    Args:
        complete: The whole words that may stand where this beginning of the line stands, for Tab.
    """

    def __init__(self, complete: Callable[[str], Sequence[str]] = lambda _: ()) -> None:
        self._complete = complete
        self._before: list[str] = []  # cells before the cursor
        self._after: list[str] = []  # cells after it, the last first: both ends grow cheaply
        self._killed = ""
        self._history: list[str] = []
        self._place = 0  # in the history; at its end is the line that is being typed
        self._draft = ""
        self._left = 0  # the first cell that is shown
        self._choices: Sequence[str] = ()
        self._choice = 0

    @property
    def text(self) -> str:
        """The line."""
        return "".join((*self._before, *reversed(self._after)))

    @property
    def cursor(self) -> int:
        """How many characters are before the cursor."""
        return sum(map(len, self._before))

    @property
    def choices(self) -> Sequence[str]:
        """What Tab has found, if it was more than one."""
        return self._choices if len(self._choices) > 1 else ()

    def __bool__(self) -> bool:
        return bool(self._before or self._after)

    def press(self, press: Press) -> Submit | bool:
        """Take a key; False if it's none of the editor's."""
        if press != Key("tab"):
            self._choices = ()
        if isinstance(press, Text):
            self.insert(press.text)
            return True
        if press.name == "enter":
            return Submit(self.text)
        action = _KEYS.get(press.name)
        if action is None:
            return False
        action(self)
        return True

    def insert(self, text: str) -> None:
        """Write at the cursor; control characters as something visible."""
        text = text.replace("\r\n", "\n").replace("\r", "\n").translate(_VISIBLE)
        room = LONGEST - len(self.text)
        fresh = cells(text[: max(0, room)])
        if fresh and self._before and unicodedata.category(fresh[0][0]) in ("Mn", "Me", "Cf"):
            fresh = cells(self._before.pop() + "".join(fresh))  # it combines with what is there
        self._before += fresh

    def clear(self) -> None:
        """Empty the line."""
        self._before, self._after, self._left = [], [], 0
        self._place, self._draft = len(self._history), ""
        self._choices = ()

    def remember(self) -> None:
        """Put the line into the history, and empty it."""
        text = self.text
        if text and self._history[-1:] != [text]:
            self._history = [*self._history[1 - HISTORY :], text]
        self.clear()

    def view(self, columns: int) -> tuple[str, int]:
        """What is shown of it in so many columns, and in which of them the cursor stands, from 0."""
        line = [_SHOWN.get(cell, cell) for cell in (*self._before, *reversed(self._after))]
        widths = [_width(cell) for cell in line]
        cursor = len(self._before)
        # Scrolls only as far as it must; what fits whole is shown whole.
        left = min(self._left, cursor)
        if sum(widths) < columns:
            left = 0
        here = widths[cursor] if cursor < len(line) else 1
        column = sum(widths[left:cursor])
        while left < cursor and column + here > columns:
            column -= widths[left]
            left += 1
        self._left = left
        shown, room = [], columns
        for cell, size in zip(line[left:], widths[left:], strict=True):
            if size > room:
                break
            room -= size
            shown.append(cell)
        return "".join(shown), min(column, max(0, columns - 1))

    # --- keys

    def _backspace(self) -> None:
        del self._before[-1:]

    def _delete(self) -> None:
        del self._after[-1:]

    def _move_left(self) -> None:
        if self._before:
            self._after.append(self._before.pop())

    def _move_right(self) -> None:
        if self._after:
            self._before.append(self._after.pop())

    def _home(self) -> None:
        self._after += reversed(self._before)
        self._before = []

    def _end(self) -> None:
        self._before += reversed(self._after)
        self._after = []

    def _word_left(self) -> None:
        while self._before and self._before[-1].isspace():
            self._move_left()
        while self._before and not self._before[-1].isspace():
            self._move_left()

    def _word_right(self) -> None:
        while self._after and self._after[-1].isspace():
            self._move_right()
        while self._after and not self._after[-1].isspace():
            self._move_right()

    def _kill_end(self) -> None:
        self._killed = "".join(reversed(self._after)) or self._killed
        self._after = []

    def _kill_line(self) -> None:
        self._killed = self.text or self._killed
        self.clear()

    def _kill_word(self) -> None:
        after = self._after
        self._after = []
        line = self._before[:]
        self._word_left()
        self._killed = "".join(line[len(self._before) :]) or self._killed
        self._after = after

    def _yank(self) -> None:
        self.insert(self._killed)

    def _earlier(self) -> None:
        if self._place > 0:
            self._go(self._place - 1)

    def _later(self) -> None:
        if self._place < len(self._history):
            self._go(self._place + 1)

    def _go(self, place: int) -> None:
        if self._place == len(self._history):
            self._draft = self.text
        self._place = place
        self._after, self._left = [], 0
        self._before = cells(self._draft if place == len(self._history) else self._history[place])

    def _tab(self) -> None:
        """Complete as far as there's no choice; pressed again, go through the choices."""
        if self._choices:
            self._choice = (self._choice + 1) % len(self._choices)
            self._before = cells(self._choices[self._choice])
            return
        beginning = "".join(self._before)
        found = self._complete(beginning)
        common = _common(found)
        if found and len(common) > len(beginning):
            self._before = cells(common)
        if len(found) > 1 and len(common) <= len(beginning):
            self._choices, self._choice = found, -1


_KEYS: Final[dict[str, Callable[[Editor], None]]] = {
    "backspace": Editor._backspace,
    "delete": Editor._delete,
    "ctrl-d": Editor._delete,
    "left": Editor._move_left,
    "right": Editor._move_right,
    "home": Editor._home,
    "end": Editor._end,
    "ctrl-b": Editor._move_left,
    "ctrl-f": Editor._move_right,
    "ctrl-a": Editor._home,
    "ctrl-e": Editor._end,
    "ctrl-k": Editor._kill_end,
    "ctrl-u": Editor._kill_line,
    "escape": Editor._kill_line,
    "ctrl-w": Editor._kill_word,
    "alt-backspace": Editor._kill_word,
    "ctrl-y": Editor._yank,
    "tab": Editor._tab,
    "ctrl-left": Editor._word_left,
    "alt-b": Editor._word_left,
    "ctrl-right": Editor._word_right,
    "alt-f": Editor._word_right,
    "up": Editor._earlier,
    "down": Editor._later,
    "ctrl-p": Editor._earlier,
    "ctrl-n": Editor._later,
}


def _common(words: Sequence[str]) -> str:
    """The beginning that all have."""
    if not words:
        return ""
    first, last = min(words), max(words)
    size = 0
    while size < min(len(first), len(last)) and first[size] == last[size]:
        size += 1
    return first[:size]
