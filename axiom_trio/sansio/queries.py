r"""What a terminal owes the program that runs on it: answers, and knowing its modes.

Programs ask their terminal (where is the cursor, what are you, which colours have you)
and wait for the answer as input; without one, vim, fish or an agent's interface waits in
vain. `TerminalModes` finds the queries in a child's raw output and gives the answers;
`QueryFilter` removes them from output that goes on to a real terminal, which would answer
a second time.

Any ESC ends what was begun before it, so nothing has to be known of strings that are not
queries. What is held between two pieces, and what is answered to one, is bounded.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Final, final

if TYPE_CHECKING:
    from collections.abc import Callable

ANSWERS: Final = 512
"""Bytes of answers to one piece of output; more queries than that are a flood."""

_BACK: Final = 256  # bytes before a cursor query that are looked at for where the cursor may be
_ASKS = re.compile(
    rb"\x1b(?:"
    rb"\[(?P<mark>[?>=!]?)(?P<params>[0-9;]{0,64}+)(?P<final>\$?[hlncqtp])"
    rb"|\](?P<colour>1[0-2]);\?(?P<more>(?:;\?){0,2})(?P<end>\x07|\x1b\\)"
    rb"|P(?P<dcs>[+$])q[^\x07\x18\x1a\x1b]{0,256}\x1b\\"
    rb"|(?P<reset>c))"
)
# Nothing is asked by colours, moves, and the cursor's showing: they're passed over several times as fast.
_ODD = re.compile(rb"\x1b(?!\[(?:[0-9;]*+[mKHJABCDGLMPSTXdr@]|\?25[hl]))")
_BEGUN = re.compile(
    rb"\x1b(?:\[[?>=!]?[0-9;]{0,64}\$?"
    rb"|\](?:1(?:[0-2](?:;(?:\?(?:;\?){0,2};?)?)?)?)?\x1b?"
    rb"|P(?:[+$](?:q[^\x07\x18\x1a\x1b]{0,256}\x1b?)?)?)?\Z"
)
_MOVES = re.compile(
    rb"\x1b\[([0-9]{0,5})(?:;([0-9]{0,5}))?([A-HGdf])"
    rb"|\x1b(?:\[[ -?]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])|\r|\n|([^\x00-\x1f]+)"
)
_NOTHING: Final = b"\x18"  # CAN: nothing that a query has interrupted goes on behind it
_COLOURS: Final = {10: b"dddd/dddd/dddd", 11: b"0000/0000/0000", 12: b"dddd/dddd/dddd"}
_ALTERNATE: Final = frozenset({b"1049", b"1047", b"47"})


@cache
def _answered() -> tuple[re.Pattern[bytes], re.Pattern[bytes]]:
    """Whatever a terminal may answer, which is more than is answered here; and the beginnings of it."""
    return re.compile(
        rb"\x1b(?:"
        rb"\[(?:\??[0-9;]{0,64}n|[>=]?[0-9;]{0,64}c|>[0-9;]{0,64}q|\?[0-9;]{0,64}[mSu]|[0-9;]{0,64}x"
        rb"|(?:1[13-9]|2[01])t|\??[0-9;]{0,64}(?:\$[pwu]|\*y|&u))"
        rb"|\][^\x07\x18\x1a\x1b]{0,4096}(?:(?<=;\?)|(?:;\?;[^\x07\x18\x1a\x1b]{0,64}))(?:\x07|\x1b\\)"
        rb"|\]1337;Report[^\x07\x18\x1a\x1b]{0,256}(?:\x07|\x1b\\)"
        rb"|P[+$]q[^\x07\x18\x1a\x1b]{0,4096}\x1b\\"
        rb"|_G[^\x18\x1a\x1b]{0,256}a=q[^\x18\x1a\x1b]{0,4096}\x1b\\"
        rb"|Z)"
        rb"|\x05"
    ), re.compile(
        rb"\x1b(?:\[[?>=]?[0-9;]{0,64}[$*&]?|\][^\x07\x18\x1a\x1b]{0,4096}\x1b?"
        rb"|P(?:[+$](?:q[^\x07\x18\x1a\x1b]{0,4096}\x1b?)?)?"
        rb"|_(?:G[^\x18\x1a\x1b]{0,4096}\x1b?)?)?\Z"
    )


def _width(char: str) -> int:
    import unicodedata  # most never ask where the cursor is

    return 0 if not char.isprintable() else 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _begun(data: bytes, pattern: re.Pattern[bytes]) -> int:
    """Where a sequence begins that the end of `data` cuts; its length if there is none.

    It's begun by the last ESC, or the one before, if the last may begin its string terminator.
    """
    last = data.rfind(b"\x1b")
    if last < 0:
        return len(data)
    if (
        last == len(data) - 1
        and (before := data.rfind(b"\x1b", 0, last)) >= 0
        and pattern.match(data, before)
    ):
        return before
    return last if pattern.match(data, last) else len(data)


@final
class TerminalModes:
    """The answering side of one child's terminal: pure, fed its raw output in pieces cut anywhere.

    Args:
        rows: Of its window.
        columns: Of its window.
    """

    __slots__ = (
        *("_begun", "_before", "_row", "_fed", "_set", "columns", "cursor", "rows"),
        *("alternate_screen", "synchronized"),
    )

    def __init__(self, rows: int, columns: int) -> None:
        self.rows = rows
        self.columns = columns
        self.cursor: Callable[[], tuple[int, int, int] | None] | None = None
        """Says the row and column, from 1, and after how many bytes: of someone who follows; else None."""
        self._fed = 0
        self._begun = b""
        self._before = b""
        self._row = 1
        self._reset()

    def _reset(self) -> None:
        self._set: set[bytes] = set()
        self.alternate_screen = False
        """Whether it's on the alternate screen, as full-screen programs are."""
        self.synchronized = False
        """Whether it's in the middle of an update that is to be seen at once (2026)."""

    @property
    def bracketed_paste(self) -> bool:
        """Whether it wants to be told where a paste begins and ends (2004)."""
        return b"2004" in self._set

    @property
    def application_cursor(self) -> bool:
        """Whether it expects cursor keys as `ESC O A` (DECCKM)."""
        return b"1" in self._set

    def resize(self, rows: int, columns: int) -> None:
        """Its window has another size now."""
        self.rows = rows
        self.columns = columns
        self._row = min(self._row, rows)

    def feed(self, data: bytes) -> bytes:
        """Take in output, and return what to write back, mostly nothing."""
        if not self._begun and b"\x1b" not in data:
            self._passed(data)
            return b""
        if self._begun:
            data = self._begun + data
        first = _ODD.search(data)
        if first is None:
            self._begun = b""
            self._passed(data)
            return b""
        end = _begun(data, _BEGUN)
        self._begun = data[end:]
        answers = b""
        done = 0
        for match in _ASKS.finditer(data, first.start(), end):
            if match["reset"]:
                self._reset()
            elif match["final"] in (b"h", b"l"):
                if match["mark"] == b"?":
                    self._switch(match["params"].split(b";"), on=match["final"] == b"h")
            elif len(answers) < ANSWERS:
                if match["final"] == b"n" and match["params"] == b"6":
                    self._passed(data[done : match.start()])
                    done = match.start()
                answers += self._answer(match)
        self._passed(data[done:end])
        return answers

    def _passed(self, data: bytes) -> None:
        """Keep what's needed to say where the cursor may be."""
        self._fed += len(data)
        if self._row < self.rows:
            self._row = min(self.rows, self._row + data.count(b"\n"))
        self._before = data[-_BACK:] if len(data) >= _BACK else (self._before + data)[-_BACK:]

    def _switch(self, modes: list[bytes], *, on: bool) -> None:
        for mode in modes:
            if mode in _ALTERNATE:
                self.alternate_screen = on
            elif mode == b"2026":
                self.synchronized = on
            elif mode in (b"1", b"2004"):
                (self._set.add if on else self._set.discard)(mode)

    def _answer(self, match: re.Match[bytes]) -> bytes:
        if match["colour"]:
            first = int(match["colour"])
            codes = [code for code in range(first, first + 1 + len(match["more"]) // 2) if code <= 12]
            return b"".join(b"\x1b]%d;rgb:%b%b" % (code, _COLOURS[code], match["end"]) for code in codes)
        if match["dcs"]:  # asked for a capability, or a setting: unknown
            return b"\x1bP0%br\x1b\\" % match["dcs"]
        if match["final"] is None:
            return b""
        mark, params, last = match["mark"], match["params"], match["final"]
        if last == b"n":
            if params == b"6" and mark in (b"", b"?"):
                return b"\x1b[%b%d;%dR" % (mark, *self._where())
            if params == b"996" and mark == b"?":  # dark or light?
                return b"\x1b[?997;1n"
            return b"\x1b[0n" if params == b"5" and not mark else b""
        if last == b"$p":
            known = {b"4": 2, b"20": 2} if not mark else {} if mark != b"?" else self._known()
            return b"\x1b[%b%b;%d$y" % (mark, params, known.get(params, 0)) if params.isdigit() else b""
        if last == b"t" and not mark:
            kind = {b"18": b"8", b"19": b"9"}.get(params)
            return b"" if kind is None else b"\x1b[%b;%d;%dt" % (kind, self.rows, self.columns)
        if params.strip(b"0"):
            return b""
        return {
            (b"", b"c"): b"\x1b[?62;22c",  # a VT220 with colours
            (b">", b"c"): b"\x1b[>1;10;0c",
            (b"=", b"c"): b"\x1bP!|00000000\x1b\\",
            (b">", b"q"): b"\x1bP>|axiom-trio\x1b\\",
        }.get((mark, last), b"")

    def _known(self) -> dict[bytes, int]:
        states = {mode: mode in self._set for mode in (b"1", b"2004")}
        states |= dict.fromkeys(_ALTERNATE, self.alternate_screen)
        states[b"2026"] = self.synchronized
        return {mode: 1 if on else 2 for mode, on in states.items()} | {b"7": 1}

    def _where(self) -> tuple[int, int]:
        """Row and column of the cursor, or where it may well be.

        What came just before is followed: enough for who measures the window by going to 999;999, or
        the width of a character. Before that counts what someone knows who follows all; else all lines
        count as printed from the top.
        """
        before = self._before
        row, column = self._row - before.count(b"\n"), 1
        known = None if self.cursor is None else self.cursor()
        if known is not None and 0 <= (since := self._fed - known[2]) <= len(before):
            row, column, _ = known
            before = before[len(before) - since :]
        for match in _MOVES.finditer(before):
            first, second, final, text = match.groups()
            count = int(first or 1) or 1
            if final in (b"H", b"f"):
                row, column = count, int(second or 1) or 1
            elif final in (b"A", b"F"):
                row = max(1, row - count)
            elif final in (b"B", b"E", b"d"):
                row = count if final == b"d" else row + count
            elif final in (b"C", b"D"):
                column = max(1, column + (count if final == b"C" else -count))
            elif final == b"G":
                column = count
            elif match[0] == b"\n":
                row += 1
            elif text:
                column += sum(map(_width, text.decode(errors="ignore")))
            if final in (b"E", b"F") or match[0] in (b"\n", b"\r"):
                column = 1
            row, column = min(row, self.rows), min(column, self.columns)
        return max(1, row), column


@final
class QueryFilter:
    """Removes all that a terminal would answer from output that goes on to one, in pieces cut anywhere."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """Return what may go on; a sequence that isn't finished is held, up to 4 KiB."""
        if not self._held and b"\x1b" not in data and b"\x05" not in data:
            return data
        answered, unfinished = _answered()
        data = self._held + data
        end = _begun(data, unfinished)
        self._held = data[end:]
        return answered.sub(_NOTHING, data[:end])


def without_queries(data: bytes) -> bytes:
    """Whole output without what a terminal would answer; for pieces of it there's `QueryFilter`."""
    return _answered()[0].sub(_NOTHING, data)
