r"""How a child on a terminal writes: lines, a row that it redraws, or a whole screen.

* **lines**: text and colours, each line once.
* **progress**: it goes back within the row (`\r`, or to a column, or erases): the row's last state counts.
* **screen**: it goes elsewhere (up, to a place, to the alternate screen, scrolls a part): what it
  writes are no lines any more, and only a virtual terminal can say what it shows.

To clear the screen from its first place on, as `clear` and watchers do, is harmless, and lines follow.
Lines follow too when the alternate screen was left, or when so many lines have come without
anything else that what had been drawn is out of reach.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, final

if TYPE_CHECKING:
    from collections.abc import Sequence

Class: TypeAlias = Literal["lines", "progress", "screen"]

LAPSE: Final = 60
"""Newlines without a redraw after which lines are lines again."""

_HELD: Final = 256  # bytes held of what may be home and clear
_ODD = re.compile(rb"\x1b(?!\[[0-9;:]*+m)")
_TOKENS = re.compile(
    rb"\x1b(?:\[(?P<mark>[<=>?]?)(?P<params>[0-9;:]{0,64}+)(?P<inner>[ -/]{0,4})(?P<final>[@-~])"
    rb"|(?P<escape>[78Mc]))"
    rb"|(?P<cr>\r(?=[^\r\n]))"
)
_BEGUN = re.compile(rb"\x1b(?:\[[<=>?]?[0-9;:]{0,64}[ -/]{0,4})?\Z")
_LEAVING = re.compile(rb"\x1b(?:c|\[\?(?:[0-9]*;)*(?:47|1047|1049)[;l])")
_SCREEN: Final = frozenset(b"ABEFHLMSTdefsur")
_PROGRESS: Final = frozenset(b"@CDGJKPX`")
_ALTERNATE: Final = frozenset({b"1049", b"1047", b"47"})
_HOME: Final = frozenset({b"", b"1", b";", b"1;", b";1", b"1;1", b"0;0", b"0"})


@final
class Classifier:
    """Looks at one child's output, in pieces cut anywhere.

    Linear, and next to free for lines; at most 256 bytes are held, of an unfinished sequence
    or one whose meaning the next one decides.
    """

    __slots__ = ("_clear", "_held", "_last", "_quiet", "alternate", "kind")

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self.kind: Class = "lines"
        self.alternate = False
        """Whether it's on the alternate screen."""
        self._held = b""
        self._clear = False  # the screen was cleared, and nothing came since
        self._last = b"\n"
        self._quiet = 0

    def feed(self, data: bytes) -> Class:
        """Take in output, and say how it writes now."""
        self.split(data)
        return self.kind

    @property
    def held(self) -> bytes:
        """What is not decided yet, and comes with the next piece."""
        return self._held

    def release(self) -> bytes:
        """Return what is held, where the line is broken off; what follows is looked at without it."""
        held, self._held = self._held, b""
        return held

    def end(self) -> bytes:
        """Return what is held, at the end of the output; start afresh."""
        held = self._held
        self._reset()
        return held

    def split(self, data: bytes) -> Sequence[tuple[bool, bytes]]:
        """Take in output, and return it in pieces with whether each is a screen's.

        What it takes to become a screen is its first piece, and what ends one its last.
        """
        if self._held:
            data = self._held + data
            self._held = b""
        if (
            self.kind == "lines"
            and not self._clear
            and self._last != b"\r"
            and (b"\x1b" not in data or _ODD.search(data) is None)
            and data.count(b"\r") == data.count(b"\r\n")
        ):
            if data:
                self._last = data[-1:]
                return ((False, data),)
            return ()
        if self.alternate and _LEAVING.search(data) is None and b"\x1b" not in data[-_HELD:]:
            return ((True, data),)
        return _Scan(self, data).run()


class _Scan:
    """One piece of output being looked at."""

    __slots__ = ("data", "done", "home", "of", "pieces", "start")

    def __init__(self, of: Classifier, data: bytes) -> None:
        self.of = of
        self.data = data
        self.pieces: list[tuple[bool, bytes]] = []
        self.start = 0  # of the piece that is not cut off yet
        self.done = 0  # looked at up to here
        self.home = -1  # where it went home, and nothing came since

    def run(self) -> list[tuple[bool, bytes]]:
        of, data = self.of, self.data
        end = len(data)
        last = data.rfind(b"\x1b")
        if last >= 0 and _BEGUN.match(data, last):
            end = last
        if of._last == b"\r" and data[:1] not in b"\r\n":
            self._progress()
        for match in _TOKENS.finditer(data, 0, end):
            self._text(match.start())
            self._token(match)
            self.done = match.end()
        self._text(end)
        if self.home >= 0:
            if end - self.home <= _HELD:
                end = self.home
            else:
                self._enter(self.home)
                self.home = -1
        self._cut(end)
        if end:
            of._last = data[end - 1 : end]
        of._held = data[end:]
        return self.pieces

    def _cut(self, at: int) -> None:
        if at > self.start:
            self.pieces.append((self.of.kind == "screen", self.data[self.start : at]))
            self.start = at

    def _enter(self, at: int) -> None:
        if self.of.kind != "screen":
            self._cut(at)
            self.of.kind = "screen"
        self.of._quiet = 0

    def _leave(self, at: int) -> None:
        if self.of.kind == "screen":
            self._cut(at)
        self.of.kind = "lines"

    def _text(self, end: int) -> None:
        """What is no sequence of interest, up to `end`."""
        of = self.of
        if end <= self.done:
            return
        of._clear = False
        if self.home >= 0:
            self._enter(self.home)
            self.home = -1
        at = self.done
        while of.kind != "lines" and not of.alternate and (at := self.data.find(b"\n", at, end) + 1):
            of._quiet += 1
            if of._quiet >= LAPSE:
                self._leave(at)

    def _token(self, match: re.Match[bytes]) -> None:
        of = self.of
        mark, params, name = match["mark"], match["params"], match["final"]
        if match["cr"]:
            self._decide()
            self._progress()
        elif match["escape"]:
            self._decide()
            if match["escape"] == b"c":
                of.alternate = False
                self._leave(match.end())
            elif not of.alternate:
                self._enter(match.start())
        elif mark == b"?" and name in b"hl":
            if not _ALTERNATE.isdisjoint(params.split(b";")):
                self._decide()
                if name == b"h":
                    of.alternate = True
                    self._enter(match.start())
                elif of.alternate:
                    of.alternate = False
                    self._leave(match.end())
        elif not (mark or match["inner"] or of.alternate):
            self._move(match, params, name)

    def _move(self, match: re.Match[bytes], params: bytes, name: bytes) -> None:
        of = self.of
        if name == b"J":
            if self.home >= 0 and match.end() - self.home <= _HELD:
                self.home = -1
                of._clear = True
                self._leave(match.end())
            elif params in (b"2", b"3"):
                self._decide()
                of._clear = True
            else:
                self._decide()
                self._progress()
        elif name in b"Hf" and params in _HOME:
            self._decide()
            if of._clear:
                self._leave(match.end())
            else:
                self.home = match.start()
        elif name[0] in _SCREEN:
            self._decide()
            of._clear = False
            before = self.data[match.start() - 1 : match.start()] if match.start() else of._last
            if name == b"A" and params in (b"", b"1") and before == b"\n":
                self._progress()  # only to see to it that there's a row below
            elif name != b"r" or params.strip(b";"):
                self._enter(match.start())
        elif name[0] in _PROGRESS:
            self._decide()
            self._progress()

    def _decide(self) -> None:
        """Something else than a clearing came after home."""
        if self.home >= 0:
            self._enter(self.home)
            self.home = -1

    def _progress(self) -> None:
        if self.of.kind == "lines":
            self.of.kind = "progress"
            self.of._quiet = 0
        elif self.of.kind == "progress":
            self.of._quiet = 0
