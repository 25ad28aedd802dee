r"""What a text sink shows of the control sequences in a child's output.

A child's output must not drive the terminal it is shown on. `EscapeFilter`
passes printable UTF-8, newlines, tabs and, if asked, colours; it drops complete
control sequences (CSI, OSC, DCS, APC, PM, SOS and two-byte ones) and the shifts
between character sets (SO, SI), and makes the other control characters visible: `^G`, `\x9b`, `<U+202E>`.

Terms are those of ECMA-48. Only 7-bit introducers (`ESC [`) open a sequence;
8-bit ones (U+009B or a raw 0x9B) are shown as `\x9b`, as terminals disagree
about them.
"""

from __future__ import annotations

import codecs
import re
from functools import lru_cache
from typing import Literal, TypeAlias

from axiom_trio.sansio.lines import fold

Escapes: TypeAlias = Literal["color", "none", "raw"]
"""What passes: text and colours, text only, or each byte as it is (without an `EscapeFilter`)."""

_Open: TypeAlias = tuple[tuple[int, str], ...]
"""Open attributes: pairs of the SGR parameter that ends one, and the one that opened it."""

_MAX = 4096  # characters of a sequence that never ends; what follows is text again
_RESET = "\x1b[0m"
_SAFE = bytes([0x09, 0x0A, *range(0x20, 0x7F)])

# All that needs a look but ESC; U+DC80-DCFF are what `surrogateescape` makes of invalid bytes.
_CONTROL = (
    "\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\udc80-\udcff"
)
_VISIBLE: dict[int, str] = (
    {code: f"^{chr(code ^ 0x40)}" for code in [*range(0x20), 0x7F]}
    | {code: f"\\x{code & 0xFF:02x}" for code in [*range(0x80, 0xA0), *range(0xDC80, 0xDD00)]}
    | {0x0E: "", 0x0F: ""}  # SO, SI: the latter ends each colour where TERM is screen, tmux or linux
    | {c: f"<U+{c:04X}>" for c in [0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]}
)

_SGR_BODY = r"\[([0-9;:]{0,64})m"
_SGR = re.compile("\x1b" + _SGR_BODY)
# The bodies after ESC as far as they go, and what completes them. A string ends before any ESC:
# it is either the string terminator, a two-byte sequence itself, or starts the next sequence.
_SEQUENCES = {
    rf"\[[ -?]{{0,{_MAX}}}": "[@-~]?",  # CSI
    rf"\][^\x07\x18\x1a\x1b\n]{{0,{_MAX}}}": r"\x07?",  # OSC
    rf"[PX^_][^\x18\x1a\x1b\n]{{0,{_MAX}}}": "",  # DCS, SOS, PM, APC
    rf"[ -/]{{0,{_MAX}}}": "[0-~]?",  # two-byte sequences and those with intermediates
}
_UNFINISHED = re.compile(rf"\x1b(?:{'|'.join(_SEQUENCES)})\Z")


def _tokens(skip: str) -> re.Pattern[str]:
    # A leading set, not an alternation, lets `re` scan with a table: 5 times as fast.
    sequence = "|".join(body + end for body, end in _SEQUENCES.items())
    return re.compile(rf"[\x1b{_CONTROL}](?:(?<=\x1b){skip}(?:{sequence})|(?<!\x1b)[{_CONTROL}]*)")


_TOKENS = {"color": _tokens(f"(?!{_SGR_BODY})"), "none": _tokens("")}

# SGR parameters that open something, by the one that ends it; blink (5, 6) and conceal (8) are not here.
_ENDS: dict[int, int] = {
    **dict.fromkeys(range(11, 20), 10),
    **dict.fromkeys([1, 2], 22),
    **dict.fromkeys([3, 20], 23),
    **dict.fromkeys([4, 21], 24),
    7: 27,
    9: 29,
    26: 50,
    51: 54,
    52: 54,
    53: 55,
    58: 59,
    73: 75,
    74: 75,
    **dict.fromkeys([*range(30, 39), *range(90, 98)], 39),
    **dict.fromkeys([*range(40, 49), *range(100, 108)], 49),
    **dict.fromkeys(range(60, 65), 65),
}
_CLOSING = frozenset({25, 28, *_ENDS.values()})
_EXTENDED = frozenset({38, 48, 58})
_OPERANDS = {5: 2, 2: 4}  # how many parameters follow a 38, 48 or 58, by the first of them


@lru_cache(maxsize=1024)
def _sgr(params: str, opened: _Open) -> tuple[str, _Open, bool]:
    """Return what is kept of an SGR sequence, the attributes open after it, and if some was dropped."""
    kept: list[str] = []
    state = dict(opened)
    parts = params.split(";")
    at = 0
    while at < len(parts):
        part = parts[at]
        at += 1
        head, colon, sub = part.partition(":")
        code = int(head or 0)
        if colon:
            if code != 4 and code not in _EXTENDED:
                continue
        elif code in _EXTENDED:
            count = _OPERANDS.get(int(parts[at]), 0) if at < len(parts) and parts[at].isdigit() else 0
            operands = parts[at : at + count]
            if not count or len(operands) < count or ":" in "".join(operands):
                break  # terminals disagree about which of the rest are operands
            parts[at - 1 : at + count] = [part := ";".join([part, *operands])]
        if code == 0:
            state.clear()
        elif code in _CLOSING or (code == 4 and sub == "0"):
            state.pop(_ENDS.get(code, code), None)
        elif code in _ENDS:
            state[_ENDS[code]] = part
        else:
            continue
        kept.append(part)
    return f"\x1b[{';'.join(kept)}m" if kept else "", tuple(state.items()), kept != parts


def _reopen(opened: _Open) -> str:
    return "".join(f"\x1b[{param}m" for _, param in opened)


def _is_safe(data: bytes) -> bool:
    """Return whether data is whole UTF-8 characters that all pass; linear, mostly at C speed."""
    other = data.translate(None, _SAFE)
    if not other:
        return True
    if other.isascii():
        return False
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return _TOKENS["none"].search(other.decode()) is None and b"\r" not in other


class EscapeFilter:
    r"""Filters the output of one child, fed in pieces cut anywhere.

    A colour is bounded by its line: one left open is closed before the newline.
    `\r\n` is a newline. A lone `\r` redraws the row: only what follows the last
    one that has any text after it is shown. Where the beginning of the row was
    returned by an earlier call, the lone `\r` becomes a newline instead, so that
    nothing can be written over a prefix.

    A sequence that never ends is dropped up to the newline, an invalid byte or
    4096 characters, whichever comes first. Time is linear in the input and at
    most about 4 KiB are held back.

    Attributes:
        dropped: How many sequences were dropped or changed and characters made visible so far.
    """

    def __init__(self, mode: Literal["color", "none"]) -> None:
        self.dropped = 0
        self._tokens = _TOKENS[mode]
        self._reset()

    def _reset(self) -> None:
        self._bytes = b""  # an incomplete UTF-8 character
        self._text = ""  # an unfinished sequence
        self._open: _Open = ()
        self._row = False  # text of the current row was returned
        self._cr = False  # a lone \r came, and no text since

    def feed(self, data: bytes) -> bytes:
        """Return what to show of the next piece of output; less than a character or sequence is held."""
        if not (self._bytes or self._text or self._open or self._cr):
            safe = fold(data)
            if _is_safe(safe):
                self._row = not safe.endswith(b"\n") if safe else self._row
                return safe
        return self._filter(data, final=False).encode()

    def end(self) -> bytes:
        """Return what is left at the end of the output, or where the caller breaks a line; start afresh."""
        text = self._filter(b"", final=True)
        if self._open:
            text += _RESET
        self._reset()
        return text.encode()

    def _filter(self, data: bytes, *, final: bool) -> str:
        data = self._bytes + data
        text, used = codecs.utf_8_decode(data, "surrogateescape", final)
        self._bytes = data[used:]
        text = (self._text + text).replace("\r\n", "\n")
        self._text = ""
        # No sequence has a second ESC in it, so only the last one can be unfinished.
        last = text.rfind("\x1b")
        if not final and last >= 0 and _UNFINISHED.match(text, last):
            text, self._text = text[:last], text[last:]
        text = self._tokens.sub(self._replace, text)
        text = self._rows(text) if self._cr or "\r" in text else self._color(text)
        start = text.rfind("\n") + 1
        self._row = bool(_SGR.sub("", text[start:])) or (self._row and not start)
        return text

    def _replace(self, match: re.Match[str]) -> str:
        token = match[0]
        if token[0] != "\x1b":
            self.dropped += len(token)
            return token.translate(_VISIBLE)
        if token == "\x1b\\":  # the end of a string that is counted already
            return ""
        self.dropped += 1
        return "^[" if token == "\x1b" else ""

    def _color(self, text: str) -> str:
        """Rewrite the SGR sequences and close what is open before each newline."""
        if not self._open and "\x1b" not in text:
            return text
        pieces = _SGR.split(text)  # text at even places, parameters at odd ones
        opened = self._open
        for at in range(1, len(pieces), 2):
            if opened and "\n" in pieces[at - 1]:
                pieces[at - 1] = pieces[at - 1].replace("\n", _RESET + "\n", 1)
                opened = ()
            pieces[at], opened, changed = _sgr(pieces[at], opened)
            self.dropped += changed
        if opened and "\n" in pieces[-1]:
            pieces[-1] = pieces[-1].replace("\n", _RESET + "\n", 1)
            opened = ()
        self._open = opened
        return "".join(pieces)

    def _rows(self, text: str) -> str:
        out: list[str] = []
        for row in text.split("\n"):
            if out:
                out.append(self._color("\n"))
                self._cr = False
            returned = self._row and not out
            out.append(self._redraw(row, returned) if self._cr or "\r" in row else self._color(row))
        return "".join(out)

    def _redraw(self, row: str, returned: bool) -> str:
        """Return the final state of a row, behind a newline if its beginning was returned."""
        before = shown = ""
        base = _RESET if self._open else ""  # what an earlier call left open
        for index, segment in enumerate(row.split("\r")):
            self._cr |= index > 0
            opened = self._open
            body = self._color(segment)
            if self._cr and _SGR.sub("", body):
                if returned:
                    before, base, returned = shown + (_RESET if opened else "") + "\n", "", False
                body, shown, self._cr = base + _reopen(opened) + body, "", False
            shown += body
        return before + shown
