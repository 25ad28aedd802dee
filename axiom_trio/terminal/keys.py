"""From the bytes that a terminal sends to keys, however they're cut.

A lone ESC is a key, and begins what other keys send: only time tells. So the decoder
keeps it, and the caller calls `flush` when nothing has come for `ESCAPE_WAIT`.
"""

from __future__ import annotations

import codecs
import re
from typing import Final, TypeAlias, final

import attrs

ESCAPE_WAIT: Final = 0.05
"""Seconds after which an ESC was the key."""
_LONGEST: Final = 256  # bytes of a sequence; what is longer is no key
PASTE_PIECE: Final = 1024 * 1024
"""Bytes of a paste that come as one event; what is longer comes in several."""


@final
@attrs.frozen
class Text:
    """What was typed or pasted."""

    text: str
    pasted: bool = False
    """Whether it came as a bracketed paste: what is in it is text, and no key."""


@final
@attrs.frozen
class Key:
    """A key that writes nothing."""

    name: str
    """`enter`, `tab`, `escape`, `backspace`, `up`, `page-up`, `f1`, `ctrl-a`, `alt-b`, `ctrl-right` …"""


Press: TypeAlias = Text | Key

_FINALS: Final = {
    b"A": "up",
    b"B": "down",
    b"C": "right",
    b"D": "left",
    b"H": "home",
    b"F": "end",
    b"M": "enter",
    b"P": "f1",
    b"Q": "f2",
    b"R": "f3",
    b"S": "f4",
}
_NUMBERS: Final = {
    1: "home",
    2: "insert",
    3: "delete",
    4: "end",
    5: "page-up",
    6: "page-down",
    7: "home",
    8: "end",
    **dict(
        zip((11, 12, 13, 14, 15, 17, 18, 19, 20, 21, 23, 24), (f"f{n}" for n in range(1, 13)), strict=True)
    ),
}
_CONTROLS: Final = {
    **{code: f"ctrl-{chr(code + 0x60)}" for code in range(1, 27)},
    0: "ctrl-space",
    8: "backspace",
    9: "tab",
    10: "enter",
    13: "enter",
    28: "ctrl-\\",
    29: "ctrl-]",
    30: "ctrl-^",
    31: "ctrl-_",
    127: "backspace",
}
_CSI: Final = re.compile(rb"\x1b\[([0-?]*)[ -/]*([@-~])")
_CSI_OPEN: Final = re.compile(rb"\x1b\[[0-?]*[ -/]*\Z")
_STRINGS: Final = frozenset(b"]PX^_")  # OSC, DCS, SOS, PM, APC: a terminal's late answers to whoever asked
_STRING_END: Final = re.compile(rb"\x07|\x1b\\|\x18|\x1a")
_PLAIN: Final = re.compile(rb"[^\x00-\x1f\x7f]+")
_PASTE_END: Final = b"\x1b[201~"


@final
class KeyDecoder:
    """Takes bytes and gives keys."""

    def __init__(self) -> None:
        self._open = b""
        self._pasting = False
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")

    @property
    def waiting(self) -> bool:
        """Whether `flush` would tell something: an ESC has come, and nothing after it."""
        return self._open == b"\x1b" and not self._pasting

    def feed(self, data: bytes) -> list[Press]:
        """The keys that these bytes complete."""
        presses: list[Press] = []
        data = self._open + data
        place = 0
        while place < len(data):
            taken = self._paste(data, place, presses) if self._pasting else self._one(data, place, presses)
            if not taken:
                break
            place += taken
        self._open = data[place:]
        return presses

    def flush(self) -> list[Press]:
        """What time has told: an ESC that nothing followed was the key."""
        if not self.waiting:
            return []
        self._open = b""
        return [Key("escape")]

    def _paste(self, data: bytes, place: int, presses: list[Press]) -> int:
        """Take a paste to its end; nothing before that, unless it's very long."""
        end = data.find(_PASTE_END, place)
        if end >= 0:
            self._pasting = False
            text = self._utf8.decode(data[place:end], final=True)
            presses.append(Text(text, pasted=True))
            return end + len(_PASTE_END) - place
        whole = len(data) - len(_PASTE_END) + 1  # its end may have begun
        if whole - place < PASTE_PIECE:
            return 0
        presses.append(Text(self._utf8.decode(data[place:whole]), pasted=True))
        return whole - place

    def _one(self, data: bytes, place: int, presses: list[Press]) -> int:
        """Take what begins here; returns how many bytes, 0 if more must come."""
        if plain := _PLAIN.match(data, place):
            if text := self._utf8.decode(plain[0]):
                presses.append(Text(text))
            return len(plain[0])
        if rest := self._utf8.decode(b"", final=True):  # a character that was never finished
            presses.append(Text(rest))
        if data[place] != 0x1B:
            presses.append(Key(_CONTROLS[data[place]]))
            return 1
        return self._escape(data, place, presses)

    def _escape(self, data: bytes, place: int, presses: list[Press]) -> int:
        size = len(data) - place
        if size == 1:
            return 0
        second = data[place + 1]
        if second == 0x1B:
            presses.append(Key("escape"))
            return 1
        if second == ord("["):
            return self._csi(data, place, presses)
        if second == ord("O"):
            if size == 2:
                return 0
            name = _FINALS.get(data[place + 2 : place + 3])
            if name is not None:
                presses.append(Key(name))
            return 3 if name is not None or 0x20 <= data[place + 2] < 0x7F else 2
        if second in _STRINGS:
            if end := _STRING_END.search(data, place + 2):
                return end.end() - place
            return 0 if size < _LONGEST else size
        if second < 0x20 or second == 0x7F:
            presses.append(Key(f"alt-{_CONTROLS[second]}"))
            return 2
        if second < 0x80:
            presses.append(Key(f"alt-{chr(second)}"))
            return 2
        return 1  # before a character beyond ASCII it says nothing

    def _csi(self, data: bytes, place: int, presses: list[Press]) -> int:
        if data.startswith(b"\x1b[[", place):  # the Linux console's function keys: ESC [ [ A
            return 4 if len(data) - place >= 4 else 0
        found = _CSI.match(data, place)
        if found is None:
            opened = _CSI_OPEN.match(data, place)
            if opened is not None:
                return 0 if len(opened[0]) < _LONGEST else len(opened[0])
            # Something that can't be in one: what has come of it is dropped, the rest is read anew.
            bad = re.compile(rb"\x1b\[[0-?]*[ -/]*").match(data, place)
            return len(bad[0]) if bad else 2
        parameters, final_byte = found.groups()
        if final_byte == b"~" and parameters == b"200":
            self._pasting = True
        elif (key := _named(parameters, final_byte)) is not None:
            presses.append(key)
        return len(found[0])


def _named(parameters: bytes, final_byte: bytes) -> Key | None:
    if final_byte == b"Z":
        return Key("shift-tab")
    numbers = [int(part) if part.isdigit() else 0 for part in parameters.split(b";")[:3]]
    name = _NUMBERS.get(numbers[0]) if final_byte == b"~" else _FINALS.get(final_byte)
    held = max(0, numbers[1] - 1) if len(numbers) > 1 else 0
    if name is None or final_byte == b"M" or parameters[:1] in (b"<", b"=", b">", b"?"):
        return None
    if final_byte != b"~" and (numbers[0] > 1 or held > 15):  # where the cursor is, not F3
        return None
    names = [word for bit, word in ((4, "ctrl"), (2, "alt"), (1, "shift")) if held & bit]
    return Key("-".join([*names, name]))
