"""The text form: every line whole, behind its own prefix, never glued to another's."""

from __future__ import annotations

import re
from typing import NamedTuple
from unittest import mock

from hypothesis import example, given, settings
from hypothesis import strategies as st

from axiom_trio.sansio import text
from axiom_trio.sansio.escapes import EscapeFilter, Escapes
from axiom_trio.sansio.events import Intervention, Kind
from axiom_trio.sansio.text import COLORS, TextFormat, TextFormatter

TIME = 1_700_000_000.125
STAMP = "2023-11-14T22:13:20.125Z"
HOLD = 12  # LINE_HOLD, made small


class Piece(NamedTuple):
    """A step: what the merger hands to the formatter."""

    child: str
    error: bool
    data: bytes
    partial: bool
    kind: Kind = "output"


class End(NamedTuple):
    child: str


class Message(NamedTuple):
    child: str
    text: str


Step = Piece | End | Message
Key = tuple[str, bool]


class Model:
    """Line by line and byte by byte, in the simplest way: an open line is shown when it ends.

    One beyond HOLD is shown piece by piece, until another's text comes to be shown.
    """

    def __init__(self, escapes: Escapes, *, tty: bool, color: bool = False) -> None:
        self.escapes = escapes
        self.tty = tty
        self.color = color
        self.out = b""
        self.broken = 0
        self.open: dict[Key, bytes] = {}
        self.floor: Key | None = None
        self.filter = _Filter(escapes)  # of the line on the floor

    def step(self, step: Step) -> None:
        if isinstance(step, Piece):
            key = (step.child, step.error)
            for line in re.findall(rb"[^\n]*\n|[^\n]+", step.data):
                self.open[key] = self.open.get(key, b"") + line
                if line.endswith(b"\n"):
                    self.show_line(key, step.kind)
            if step.partial and (len(self.open[key]) >= HOLD or self.floor == key):
                self.show_piece(key)
        elif isinstance(step, End):
            for key in ((step.child, False), (step.child, True)):
                if self.open.get(key) or self.floor == key:
                    self.open[key] = self.open.get(key, b"") + b"\n"
                    self.show_line(key, "output")
        else:
            self.interrupt(None)
            for line in step.text.split("\n"):
                shown = f"⚡ #1 {line}"
                self.out += self.prefix((step.child, False))
                self.out += (f"\x1b[1;33m{shown}\x1b[0m" if self.color else shown).encode() + b"\n"

    def prefix(self, key: Key) -> bytes:
        child, error = key
        name = f"[{child}]".encode()
        if self.color:
            name = b"\x1b[%sm%s\x1b[0m" % (b"31" if error else COLORS[ord(child) - 97].encode(), name)
        return name + b" "

    def show_line(self, key: Key, kind: Kind) -> None:
        line = self.open.pop(key)
        if self.tty and line.endswith(b"\r\n"):
            line = line[:-2] + b"\n"
        if self.floor == key:
            self.out += self.filter.feed(line).replace(b"\n", b"\n" + self.prefix(key))
            self.out = self.out.removesuffix(self.prefix(key))
            self.floor = None
        else:
            self.interrupt(key)
            shown = _Filter(self.escapes).feed(line)
            if kind == "intervention" and self.color:
                shown = b"\x1b[1;33m" + shown[:-1].replace(b"\x1b[0m", b"\x1b[0;1;33m") + b"\x1b[0m\n"
            self.out += self.prefix(key) + shown

    def show_piece(self, key: Key) -> None:
        if self.floor != key:
            self.interrupt(key)
            self.out += self.prefix(key)
            self.floor = key
            self.filter = _Filter(self.escapes)
        piece = self.open.pop(key)
        if self.tty and piece.endswith(b"\r"):
            piece, self.open[key] = piece[:-1], b"\r"
        self.out += self.filter.feed(piece).replace(b"\n", b"\n" + self.prefix(key))

    def interrupt(self, key: Key | None) -> None:
        if self.floor is not None and self.floor != key:
            self.out += self.filter.end() + b"\n"
            self.broken += 1
            self.floor = None


class _Filter:
    """A filter, or none."""

    def __init__(self, escapes: Escapes) -> None:
        self._filter = None if escapes == "raw" else EscapeFilter(escapes)

    def feed(self, data: bytes) -> bytes:
        return data if self._filter is None else self._filter.feed(data)

    def end(self) -> bytes:
        return b"" if self._filter is None else self._filter.end()


def run(text_format: TextFormat, steps: list[Step], *, tty: bool) -> tuple[bytes, int]:
    formatter = TextFormatter(text_format)
    for index, child in enumerate("abc"):
        formatter.add(child, child, index, 100 + index, tty=tty)
    out = b""
    with mock.patch.object(text, "LINE_HOLD", HOLD):
        for step in steps:
            if isinstance(step, Piece):
                kind: Kind = "error" if step.error else step.kind
                pieces, lines = formatter.output(step.child, step.data, kind, TIME, partial=step.partial)
                assert lines == step.data.count(b"\n")
            elif isinstance(step, End):
                pieces = formatter.end(step.child)
            else:
                pieces = formatter.intervention(
                    Intervention(
                        cursor=0, time=TIME, child=step.child, count=1, origin="user", text=step.text
                    )
                )
            out += b"".join(pieces)
    return out, formatter.broken_lines


fragments = st.sampled_from(
    [b"a", b"[x]", b"\r", b"\xff", b"\xc3", b"\xa9", b"0123456789", b" ", b"\x00", b"\t"]
)
escaped = st.sampled_from(
    [b"\x1b[31m", b"\x1b[0m", b"\x1b[", b"\x1b]0;t", b"\x07", b"\x1b[2J", b"\x1b", b"m"]
)
inside = st.lists(fragments | escaped, max_size=6).map(b"".join)


@st.composite
def sequences(draw: st.DrawFn) -> list[Step]:
    """What the merger can produce: whole lines, pieces of open lines, a last line, ends, interventions."""
    steps: list[Step] = []
    over: set[Key] = set()
    ended: set[str] = set()
    for child in draw(st.lists(st.sampled_from("aabc"), max_size=14)):
        if child in ended:
            continue
        error = draw(st.integers(0, 3)) == 0
        what = draw(st.sampled_from("LLLPPPPMFEI"))
        data = draw(inside)
        if what == "E":
            steps.append(End(child))
            ended.add(child)
        elif what == "I":
            steps.append(Message(child, draw(st.sampled_from(["go", "two\nlines", ""]))))
        elif (child, error and what != "M") in over:
            continue
        elif what == "L":
            rest = draw(st.lists(inside, max_size=4))
            steps.append(Piece(child, error, b"\n".join([data, *rest]) + b"\n", partial=False))
        elif what == "M":
            steps.append(Piece(child, False, data + b"\n", partial=False, kind="intervention"))
        elif data:
            steps.append(Piece(child, error, data, partial=what == "P"))
            if what == "F":
                over.add((child, error))
    return steps


@settings(deadline=None, max_examples=400)
@given(sequences(), st.sampled_from(["raw", "color", "none"]), st.booleans(), st.booleans())
@example(
    [Piece("a", False, b"x" * 20, partial=True), Piece("b", False, b"y\n", partial=False)],
    "raw",
    False,
    False,
)
def test_against_the_model(steps: list[Step], escapes: Escapes, tty: bool, color: bool) -> None:
    steps = [*steps, *[End(child) for child in "abc" if End(child) not in steps]]
    model = Model(escapes, tty=tty, color=color)
    for step in steps:
        model.step(step)
    assert run(TextFormat(escapes=escapes, color=color), steps, tty=tty) == (model.out, model.broken)
