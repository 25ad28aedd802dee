r"""Rows in which a child goes back by backspaces, as they look in the end.

Spinners (`-\b\\b|`), the echo of what is typed and taken back (`\b \b`, `\b ESC [ K`), text struck over
to be bold, and pagers at the right margin write so. Colours and other sequences stay, where they were.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_TOKENS: Final = re.compile(
    "\x1b(?:\\[[0-?]*[ -/]*[@-~]|[\\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\\\)?|[ -/]*[0-OQ-WYZ\\\\`-~])|[\\s\\S]"
)
_ERASE: Final = ("\x1b[K", "\x1b[0K")
_LONGEST: Final = 64 * 1024  # characters of a row: longer ones stay as they are


def settle(data: bytes) -> bytes:
    r"""Take the backspaces out of text: what was written over is gone.

    None goes back beyond a `\r`, nor beyond the beginning of the row.
    """
    if b"\b" not in data:
        return data
    rows = data.decode("utf-8", "surrogateescape").split("\n")
    return "\n".join(map(_row, rows)).encode("utf-8", "surrogateescape")


def _row(row: str) -> str:
    if "\b" not in row or len(row) > _LONGEST:
        return row
    return "\r".join(map(_part, row.split("\r")))


def _part(text: str) -> str:
    if "\b" not in text:
        return text
    cells: list[list[str]] = []  # what is written there, behind the sequences before it; "" behind a wide one
    place = 0
    waiting = ""
    for token in _TOKENS.findall(text):
        if token == "\b":
            place = max(0, place - 1)
        elif token in _ERASE:
            del cells[place:]
        elif len(token) > 1 or token == "\x1b":
            waiting += token
        elif place and unicodedata.combining(token):
            cells[place - 1][1] += token
        else:
            for written in (token, "") if unicodedata.east_asian_width(token) in "WF" else (token,):
                if place == len(cells):
                    cells.append(["", ""])
                elif not cells[place][1] and written and place and cells[place - 1][1]:
                    cells[place - 1][1] = " "  # half of a wide one is left
                cells[place][0] += waiting
                cells[place][1] = written
                waiting = ""
                place += 1
            if place < len(cells) and not cells[place][1]:
                cells[place][1] = " "
    return "".join(sequences + written for sequences, written in cells) + waiting
