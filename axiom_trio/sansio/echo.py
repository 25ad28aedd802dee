r"""Telling the echo of what was typed into a child from what the child itself says.

Theory of operation:

* What is about to be typed is *expected*, in order. While something is expected all output of
  the child goes through `EchoFilter.feed`, which takes the expected bytes out, wherever the
  output is cut. A beginning of the echo at the end of a piece is held until it's known what it is.
* **A terminal's own echo** (canonical mode with ECHO) comes exactly and for certain: a control
  character as `^C`, a newline as `\r\n`. It's looked for until it comes.
* **A line editor's or a full-screen program's echo** (raw mode) has escape sequences in it and is
  wrapped, so only what is seen of the text counts (`loose`). It comes before Enter or not at all:
  what a program says after Enter is its answer, even if it's the same text.
* Where nothing echoes (a pipe, ECHO off in canonical mode) nothing is expected, so output that
  equals the text is output.
* The newline that Enter makes is no output of the child's either; but it ends the line that was
  open, so it stays in the text.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import deque
from typing import Final

from axiom_trio.sansio.plain import SEQUENCE

PATIENCE: Final = 5.0
"""Seconds after which an echo isn't waited for any longer."""
SURE: Final = 16
"""Bytes of an echo after which it is one, even if something else comes in between."""
LONGEST: Final = 4096
_HELD: Final = 4 * LONGEST  # bytes of what may be the beginning of one
_KEPT: Final = 256  # blocks whose text without echo is remembered

_SKIPPED: Final = re.compile(rb"(?:" + SEQUENCE + rb"|[\r\n\b\x07 ])+")
_UNFINISHED: Final = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*|\][^\x07\x1b]{0,256}\x1b?|[ -/]*)\Z")
_LINE_END: Final = re.compile(rb"(?:" + SEQUENCE + rb"|[\r\n])*")


def terminal_echo(data: bytes) -> bytes:
    r"""What a terminal in canonical mode with ECHO shows of bytes written into it, as Linux does by default.

    Example::

        terminal_echo(b"ls\t\x03\r")  # b"ls\t^C\r\n"
    """
    shown = bytearray()
    for byte in data:
        if byte in (0x0A, 0x0D):
            shown += b"\r\n"
        elif byte == 0x7F:
            shown += b"\b \b"  # what it erases
        elif byte < 0x20 and byte not in (0x09, 0x11, 0x13):
            shown += b"^%c" % (byte + 0x40)
        elif byte not in (0x11, 0x13):
            shown.append(byte)
    return bytes(shown)


class Expected:
    """One echo that is waited for."""

    __slots__ = ("deadline", "loose", "seen", "text")

    def __init__(self, text: bytes, deadline: float, *, loose: bool) -> None:
        self.text = _SKIPPED.sub(b"", text[:LONGEST]) if loose else text[:LONGEST]
        self.loose = loose
        self.deadline = deadline
        self.seen = False
        """Whether it has come."""


class EchoFilter:
    """Takes the echo of what was typed out of one child's output.

    Feed it all output from before the first byte is typed until it's `idle`.
    """

    __slots__ = ("_expected", "_held", "_line_end", "_quiet_until", "_typing", "kept")

    def __init__(self) -> None:
        self._expected: deque[Expected] = deque()
        self._held = b""
        self._line_end = False
        self._typing = False
        self._quiet_until = float("-inf")
        self.kept: dict[int, tuple[bytes, bool]] = {}
        """Of the last events that had echo in them, by cursor: the rest, and whether that is activity."""

    @property
    def idle(self) -> bool:
        """Whether there's nothing to look for any more."""
        return not (self._expected or self._held or self._line_end or self._typing)

    def typing(self, text: bytes, now: float, *, loose: bool, quiet: bool) -> Expected | None:
        """Text is about to be typed.

        Args:
            text: What will be echoed, if anything is.
            now: The time, in seconds, as of all that follows.
            loose: Whether it's a program in raw mode that may echo it.
            quiet: Whether nothing came from that just before: then what comes until `entered`
                is its redrawing of what is typed, and no activity.
        """
        self._typing = True
        if quiet and loose:
            self._quiet_until = float("inf")
        expected = Expected(text, now + PATIENCE, loose=loose)
        if not expected.text:
            return None
        self._expected.append(expected)
        return expected

    def entered(self, now: float, *, line_end: bool) -> None:
        """All is typed, or Enter is about to be: what is read from now on is the answer.

        Args:
            now: The time.
            line_end: Whether a newline will be echoed.
        """
        self._typing = False
        self._line_end = line_end
        self._quiet_until = min(self._quiet_until, now)
        if self._expected and self._expected[-1].loose:
            self._expected[-1].deadline = now

    def feed(self, data: bytes, now: float) -> tuple[bytes, bool]:
        """Output was read at `now`: what of it is not echo, and whether that is a sign of activity."""
        held = bool(self._held)
        data = self._held + data
        self._held = b""
        rest = b""
        while self._expected:
            expected = self._expected[0]
            if now > expected.deadline + (PATIENCE if held else 0):
                self._expected.popleft()
                continue
            before, data, whole = _take(data, expected)
            rest += before
            if not whole and len(data) > _HELD:  # mostly what doesn't count: no echo is like that
                self._expected.popleft()
                held = False
                continue
            if not whole:
                self._held = data
                data = b""
                break
            expected.seen = True
            held = False
            self._expected.popleft()
        rest += data
        active = bool(rest)
        if self._line_end and rest:
            end = _LINE_END.match(rest)
            active = end is None or end.end() < len(rest)
            self._line_end = not active and b"\n" not in rest
        return rest, active and now > self._quiet_until

    def renewed(self) -> EchoFilter:
        """One for the child's next attempt: nothing is expected of that."""
        other = EchoFilter()
        other.kept = self.kept
        return other

    def keep(self, cursor: int, rest: bytes, *, active: bool) -> None:
        """Remember what an event says beside echo."""
        self.kept[cursor] = rest, active
        if len(self.kept) > _KEPT:
            del self.kept[next(iter(self.kept))]


def _take(data: bytes, expected: Expected) -> tuple[bytes, bytes, bool]:
    """What comes before the echo, what comes after, and True; or what may be its beginning, and False."""
    visible, places = _visible(data) if expected.loose else (data, None)
    wanted = expected.text
    at = visible.find(wanted)
    if at >= 0:
        start, end = _place(places, at), _place(places, at + len(wanted) - 1) + 1
        return data[:start], data[end:], True
    # Something else may come in between the pieces of a long echo.
    if len(wanted) > SURE and (at := visible.find(wanted[:SURE])) >= 0:
        size = SURE
        while at + size < len(visible) and visible[at + size] == wanted[size]:
            size += 1
        if at + size < len(visible):
            start, end = _place(places, at), _place(places, at + size - 1) + 1
            expected.text = wanted[size:]
            before, after, whole = _take(data[end:], expected)
            return data[:start] + before, after, whole
    for size in range(min(len(visible), len(wanted) - 1), 0, -1):
        if visible.endswith(wanted[:size]):
            start = _place(places, len(visible) - size)
            return data[:start], data[start:], False
    unfinished = _UNFINISHED.search(data) if expected.loose else None
    if unfinished is not None:
        return data[: unfinished.start()], data[unfinished.start() :], False
    return data, b"", False


def _visible(data: bytes) -> tuple[bytes, tuple[list[int], list[int]] | None]:
    """The text in `data`, and where it stands: places in the text, and those in the data."""
    pieces: list[bytes] = []
    inner: list[int] = []
    outer: list[int] = []
    done = size = 0
    unfinished = _UNFINISHED.search(data)
    stop = len(data) if unfinished is None else unfinished.start()
    for match in _SKIPPED.finditer(data, 0, stop):
        if match.start() > done:
            pieces.append(data[done : match.start()])
            inner.append(size)
            outer.append(done)
            size += match.start() - done
        done = match.end()
    if done < stop:
        pieces.append(data[done:stop])
        inner.append(size)
        outer.append(done)
    return b"".join(pieces), (inner, outer)


def _place(places: tuple[list[int], list[int]] | None, at: int) -> int:
    if places is None:
        return at
    inner, outer = places
    index = bisect_right(inner, at) - 1
    return outer[index] + at - inner[index]
