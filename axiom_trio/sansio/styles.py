"""Cells and text: colours as SGR sequences, and rows as what shows them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final, TypeAlias

from pyte.screens import Char, wcwidth

Line: TypeAlias = "dict[int, Any]"
"""A row: its cells by column; none where it's blank."""

_PLAIN: Final = Char(" ")
_FLAGS: Final = {
    "1": ("bold", True),
    "2": ("blink", True),
    "3": ("italics", True),
    "4": ("underscore", True),
    "7": ("reverse", True),
    "9": ("strikethrough", True),
    "21": ("underscore", True),
    "23": ("italics", False),
    "24": ("underscore", False),
    "27": ("reverse", False),
    "29": ("strikethrough", False),
}
_SHOWN: Final = (
    *(("1", "bold"), ("2", "blink"), ("3", "italics"), ("4", "underscore"), ("7", "reverse")),
    ("9", "strikethrough"),
)


def _number(part: str) -> int:
    return int(part) if part.isdigit() and len(part) < 6 else 0


def _extended(parts: list[str], at: int) -> tuple[str | None, int]:
    """The colour whose operands begin at `parts[at]`, and the place after them."""
    kind = parts[at] if at < len(parts) else ""
    count = {"5": 1, "2": 3}.get(kind, 0)
    values = [_number(part) for part in parts[at + 1 : at + 1 + count]]
    if not count or len(values) < count or max(values) > 255:
        return None, len(parts)  # terminals disagree about what follows then
    return ";".join([kind, *map(str, values)]), at + 1 + count


@lru_cache(maxsize=4096)
def restyle(params: str, style: Any) -> Any:
    """The style after an SGR sequence; `fg` and `bg` are SGR parameters, `blink` stands for faint."""
    changes: dict[str, object] = {}
    parts = params.split(";")
    at = 0
    while at < len(parts):
        part, *sub = parts[at].split(":")
        at += 1
        code = str(_number(part))
        if code in ("38", "48", "58"):
            if sub:
                colour, _ = _extended([sub[0], *sub[-3:]] if sub[0] == "2" else sub, 0)
            else:
                colour, at = _extended(parts, at)
            if colour is not None and code != "58":  # the underline's colour isn't kept
                changes["fg" if code == "38" else "bg"] = f"{code};{colour}"
        elif code == "0":
            changes = _PLAIN._asdict()
        elif code == "4" and sub == ["0"]:
            changes["underscore"] = False
        elif code in _FLAGS:
            flag, on = _FLAGS[code]
            changes[flag] = on
        elif code == "22":
            changes |= {"bold": False, "blink": False}
        elif code in ("39", "49"):
            changes["fg" if code == "39" else "bg"] = "default"
        elif 30 <= int(code) <= 37 or 90 <= int(code) <= 97:
            changes["fg"] = code
        elif 40 <= int(code) <= 47 or 100 <= int(code) <= 107:
            changes["bg"] = code
    return style._replace(**changes)


@lru_cache(maxsize=4096)
def sgr(style: Any) -> str:
    """The SGR sequence that makes a style from the default one; empty for that."""
    params = [code for code, flag in _SHOWN if getattr(style, flag)]
    params += [colour for colour in (style.fg, style.bg) if colour != "default"]
    return f"\x1b[{';'.join(params)}m" if params else ""


def _shown(line: Line, columns: int) -> list[Any]:
    """The cells of a line up to its last; halves of wide characters that were overwritten are blank."""
    shown: list[Any] = []
    if not line:
        return shown
    wide = False
    for x in range(min(max(line) + 1, columns)):
        cell = line[x]
        if not cell.data and not wide:
            cell = cell._replace(data=" ")
        elif cell.data and not cell.data.isascii() and wcwidth(cell.data[0]) == 2:
            following = line.get(x + 1)
            if following is None or following.data or x + 1 >= columns:
                cell = cell._replace(data=" ")
            else:
                wide = True
                shown.append(cell)
                continue
        wide = False
        shown.append(cell)
    return shown


def plain(line: Line, columns: int) -> str:
    """A row's text, without blanks at its end."""
    return "".join([cell.data for cell in _shown(line, columns)]).rstrip()


def render(line: Line, columns: int) -> str:
    """A row with its colours, closed at its end."""
    out: list[str] = []
    now = ""
    cells = _shown(line, columns)
    while cells and cells[-1].data == " " and not sgr(cells[-1]):
        cells.pop()
    for cell in cells:
        style = sgr(cell)
        if style != now:
            if now:
                out.append("\x1b[0m")
            out.append(style)
            now = style
        out.append(cell.data)
    if now:
        out.append("\x1b[0m")
    return "".join(out)
