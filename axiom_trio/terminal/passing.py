r"""A child's raw output, made fit to be passed on to the user's own terminal, which it has on loan.

What draws passes. What makes a terminal answer doesn't: a child's queries are answered
once, by the engine. Nor does what would outlast the loan, or break it: titles, colours,
the clipboard, keyboard protocols, the window's size, the switch to the other screen.
"""

from __future__ import annotations

import re
from typing import Final, final

_LONGEST: Final = 64 * 1024  # bytes of a sequence that is held until it's whole
_STRING: Final = rb"\x1b[\]PX^_][^\x07\x18\x1a\x1b]*"
_SEQUENCE: Final = re.compile(
    rb"\x1b\[(?P<parameters>[0-?]*)(?P<between>[ -/]*)(?P<final>[@-~])"
    rb"|(?P<string>" + _STRING + rb"(?:\x07|\x1b\\|[\x18\x1a]|(?=\x1b[^\\])))"
    rb"|\x1b(?P<short>[ -/]*[0-OQ-WYZ\\`-~])"
    rb"|\xc2[\x80-\x9f]|\x05"
)
_UNFINISHED: Final = re.compile(
    rb"(?:" + _STRING + rb"\x1b?|\x1b(?:\[[0-?]*[ -/]*|[ -/]*)|\xc2)\Z",
)
_STRING_END: Final = re.compile(rb"\x07|\x1b\\|\x18|\x1a")
_OTHER_SCREEN: Final = frozenset([b"47", b"1047", b"1049"])
_KEPT_MODES: Final = frozenset([*_OTHER_SCREEN, b"3", b"1015", b"1016", b"9001"])
CLEAR: Final = b"\x1b[0m\x1b[r\x1b[H\x1b[2J"


@final
class PassFilter:
    """Takes raw output, cut anywhere, and gives what may be passed on."""

    def __init__(self) -> None:
        self._held = b""
        self._skipping = False  # in a string too long to be held

    def feed(self, data: bytes) -> bytes:
        """What may be written now."""
        if self._skipping:
            end = _STRING_END.search(data)
            if end is None:
                return b""
            self._skipping = False
            data = data[end.end() :]
        if self._held:
            data = self._held + data
            self._held = b""
        # It begins at the last ESC, or at the one before if that is the last byte.
        if unfinished := _UNFINISHED.search(data, max(0, data.rfind(b"\x1b", 0, len(data) - 1))):
            self._held = data[unfinished.start() :]
            data = data[: unfinished.start()]
            if len(self._held) > _LONGEST:
                self._skipping = True
                self._held = b""
        return _SEQUENCE.sub(_allowed, data)


def _allowed(found: re.Match[bytes]) -> bytes:
    if found["final"] is not None:
        return _control(found[0], found["parameters"], found["between"], found["final"])
    if found["string"] is not None:
        return found[0] if found["string"].startswith(b"\x1b]8;") else b""
    short = found["short"]
    if short is None or short == b"Z":  # an 8-bit control character, ENQ; DECID
        return b""
    return CLEAR if short == b"c" else found[0]


def _control(sequence: bytes, parameters: bytes, between: bytes, final_byte: bytes) -> bytes:
    """What passes of a CSI sequence."""
    private = parameters[:1] in (b"<", b"=", b">", b"?")
    answered = final_byte in b"cn" or (final_byte == b"x" and not between) or between == b"$"
    keyboard = (final_byte == b"u" and private) or (final_byte == b"m" and private)
    # XTVERSION; with a space it's the cursor's shape. And what moves, or asks for, the window.
    if answered or keyboard or (final_byte == b"q" and not between) or final_byte == b"t":
        return b""
    if final_byte in b"hl" and parameters.startswith(b"?"):
        modes = parameters[1:].split(b";")
        kept = [mode for mode in modes if mode not in _KEPT_MODES]
        passed = b"\x1b[?" + b";".join(kept) + final_byte if kept else b""
        return CLEAR + passed if _OTHER_SCREEN.intersection(modes) else passed
    return sequence
