"""The text form: every line whole, behind its own prefix, never glued to another's."""

from __future__ import annotations

import re
from typing import NamedTuple
from unittest import mock

import attrs
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from axiom_trio.sansio import text
from axiom_trio.sansio.cursor import Buffer
from axiom_trio.sansio.errors import SpecificationError
from axiom_trio.sansio.escapes import EscapeFilter, Escapes
from axiom_trio.sansio.events import (
    Completed,
    Event,
    Exit,
    Gap,
    Idle,
    Intervention,
    Kind,
    Origin,
    Output,
    Started,
)
from axiom_trio.sansio.rows import COLORS
from axiom_trio.sansio.text import TextFormat, TextFormatter

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
            if self.floor == key or (step.partial and len(self.open[key]) >= HOLD):
                self.show_piece(key)
        elif isinstance(step, End):
            for key in ((step.child, False), (step.child, True)):
                if self.open.get(key) or self.floor == key:
                    self.open[key] = self.open.get(key, b"") + b"\n"
                    self.show_line(key, "output")
        else:
            self.interrupt(None)
            for line in step.text.split("\n"):
                shown = f"[INTERVENTION] {line}"
                name = f"[{step.child}]"
                red = f"\x1b[1;31m{name}\x1b[0m \x1b[1;31m{shown}\x1b[0m\n"
                self.out += (red if self.color else f"{name} {shown}\n").encode()

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
@example(
    [
        Piece("a", False, b"\x1b[31m\x1b[31m\x1b[", partial=True),
        Piece("a", False, b"a", partial=False),
        Piece("a", True, b"\n", partial=False),
    ],
    "color",
    True,
    False,
)
@example(
    [
        Piece("a", False, b"\r\x1b[", partial=True),
        Piece("a", True, b"\n", partial=False),
        Piece("a", False, b"0123456789", partial=True),
        Piece("a", True, b"\n", partial=False),
    ],
    "color",
    True,
    False,
)
def test_against_the_model(steps: list[Step], escapes: Escapes, tty: bool, color: bool) -> None:
    steps = [*steps, *[End(child) for child in "abc" if End(child) not in steps]]
    model = Model(escapes, tty=tty, color=color)
    for step in steps:
        model.step(step)
    assert run(TextFormat(escapes=escapes, color=color), steps, tty=tty) == (model.out, model.broken)


def follow(
    text_format: TextFormat, steps: list[Step], *, tty: bool, known: list[bool], size: int
) -> tuple[bytes, int]:
    """As `run`, as one that follows a journal: it gets some blocks ready made, and `size` events at once."""
    merger, follower = TextFormatter(text_format), TextFormatter(text_format)
    for formatter in (merger, follower):
        for index, child in enumerate("abc"):
            formatter.add(child, child, index, 100 + index, tty=tty)
    events: list[Event] = []
    blocks: list[list[Buffer]] = []
    for number, step in enumerate(steps):
        made = None
        if isinstance(step, Piece):
            kind: Kind = "error" if step.error else step.kind
            event = attrs.evolve(
                output(step.data, lines=0, partial=step.partial, child=step.child), kind=kind
            )
            made = merger.block(step.child, step.data, kind, TIME, partial=step.partial)
            events.append(event)
        elif isinstance(step, End):
            assert merger.end(step.child) == [], "it has no line open"
            events.append(completed(step.child))
        else:
            events.append(message(step.child, step.text))
        blocks.append(made[0] if made is not None and known[number % len(known)] else [])
    out = b""
    with mock.patch.object(text, "LINE_HOLD", HOLD):
        for start in range(0, len(events), size):
            stop = start + size
            out += b"".join(follower.batch(events[start:stop], blocks[start:stop] if known[0] else ()))
    return out, follower.broken_lines


@settings(deadline=None, max_examples=400)
@given(
    sequences(),
    st.sampled_from(["raw", "raw", "color"]),
    st.booleans(),
    st.booleans(),
    st.lists(st.booleans(), min_size=1),
    st.integers(1, 5),
)
@example(
    [Piece("a", False, b"x", partial=True), Piece("a", False, b"y\n", partial=False)],
    "raw",
    False,
    False,
    [True],
    1,
)
@example(
    [Piece("a", False, b"x" * 20, partial=True), Piece("b", False, b"y\n", partial=False)],
    "raw",
    False,
    False,
    [True],
    2,
)
def test_whoever_has_made_a_block_the_text_is_the_same(
    steps: list[Step], escapes: Escapes, tty: bool, color: bool, known: list[bool], size: int
) -> None:
    steps = [*steps, *[End(child) for child in "abc" if End(child) not in steps]]
    text_format = TextFormat(escapes=escapes, color=color)
    expected = run(text_format, steps, tty=tty)
    assert follow(text_format, steps, tty=tty, known=known, size=size) == expected


def make(text_format: TextFormat = TextFormat(), *, tty: bool = False, children: str = "ab") -> TextFormatter:  # noqa: B008 (frozen)
    formatter = TextFormatter(text_format)
    for index, child in enumerate(children):
        formatter.add(child, child, index, 100 + index, tty=tty)
    return formatter


def show(
    formatter: TextFormatter, child: str, data: bytes, kind: Kind = "output", *, partial: bool = False
) -> bytes:
    pieces, lines = formatter.output(child, data, kind, TIME, partial=partial)
    assert lines == data.count(b"\n")
    return b"".join(pieces)


def prefix_of(text_format: TextFormat, *, id: str = "a", name: str = "a", pid: int | None = 7) -> bytes:
    formatter = TextFormatter(text_format)
    formatter.add(id, name, 3, pid, tty=False)
    return show(formatter, id, b"\n").removesuffix(b"\n")


# --- lines


def test_real_bound_of_an_open_line() -> None:
    formatter = make()
    assert show(formatter, "a", b"x" * (text.LINE_HOLD - 1), partial=True) == b""
    assert show(formatter, "a", b"y", partial=True) == b"[a] " + b"x" * (text.LINE_HOLD - 1) + b"y"
    assert show(formatter, "a", b"z", partial=True) == b"z"
    assert show(formatter, "a", b"end\nnext\n") == b"end\n[a] next\n"
    assert show(formatter, "b", b"b\n") == b"[b] b\n"
    assert formatter.broken_lines == 0


def test_an_over_long_line_is_broken_once_per_interruption() -> None:
    formatter = make()
    with mock.patch.object(text, "LINE_HOLD", 4):
        assert show(formatter, "a", b"xxxx", partial=True) == b"[a] xxxx"
        assert show(formatter, "b", b"p> ", partial=True) == b""  # held: interrupts nobody
        assert show(formatter, "b", b"1\n") == b"\n[b] p> 1\n"
        assert show(formatter, "b", b"2\n3\n") == b"[b] 2\n[b] 3\n"
        assert formatter.broken_lines == 1
        assert show(formatter, "a", b"yy", partial=True) == b""  # a line of its own, as if it began
        assert show(formatter, "a", b"yy", partial=True) == b"[a] yyyy"
        assert show(formatter, "b", b"zzzz", partial=True) == b"\n[b] zzzz"
        assert show(formatter, "a", b"\n") == b"\n[a] \n"
        assert formatter.broken_lines == 3
        assert b"".join(formatter.end("b")) == b""  # broken, and no more came: nothing is open


def test_stderr_has_open_lines_of_its_own() -> None:
    formatter = make()
    assert show(formatter, "a", b"out", partial=True) == b""
    assert show(formatter, "a", b"err", "error", partial=True) == b""
    assert show(formatter, "a", b"or\n", "error") == b"[a] error\n"
    assert show(formatter, "a", b"err", "error") == b""  # a last line
    assert b"".join(formatter.end("a")) == b"[a] out\n[a] err\n"


def test_the_end_forgets_a_child_and_may_come_twice() -> None:
    formatter = make()
    show(formatter, "a", b"x", partial=True)
    assert b"".join(formatter.end("a")) == b"[a] x\n"
    assert formatter.end("a") == []
    assert formatter.intervention(message("a", "late")) == []


def test_a_child_started_again_keeps_its_open_line() -> None:
    formatter = make()
    show(formatter, "a", b"x", partial=True)
    formatter.add("a", "a", 0, 200, tty=False)
    assert show(formatter, "a", b"y\n") == b"[a] xy\n"


def test_whole_blocks_are_copied_once_or_not_at_all() -> None:
    block = b"one\n\ntwo\n" * 3
    assert make(TextFormat(prefix="")).output("a", block, "output", TIME, partial=False) == ([block], 9)
    pieces, lines = make().output("a", block, "output", TIME, partial=False)
    assert len(pieces) == 2
    assert (b"".join(pieces), lines) == (b"[a] one\n[a] \n[a] two\n" * 3, 9)


@pytest.mark.parametrize("prefix", ["", "[{name}]"])
def test_without_prefix_lines_stay_whole_too(prefix: str) -> None:
    formatter = make(TextFormat(prefix=prefix))
    p = b"[a] " if prefix else b""
    q = b"[b] " if prefix else b""
    assert show(formatter, "a", b"half", partial=True) == b""
    assert show(formatter, "b", b"whole\n") == q + b"whole\n"
    assert show(formatter, "a", b"way\n\n") == p + b"halfway\n" + p + b"\n"
    assert show(formatter, "a", b"last") == b""
    assert b"".join(formatter.end("a")) == p + b"last\n"


# --- \r\n


@pytest.mark.parametrize(
    ("pieces", "folded"),
    [
        ([b"a\r\nb\r\n"], b"[a] a\n[a] b\n"),
        ([b"a\r", b"\n"], b"[a] a\n"),
        ([b"a\r", b"b\n"], b"[a] a\rb\n"),
        ([b"a\r\r\n"], b"[a] a\r\n"),
        ([b"0123456789abcdef\r", b"\nnext\r\n"], b"[a] 0123456789abcdef\n[a] next\n"),
        ([b"0123456789abcdef\r", b"\r", b"x\r", b"\n"], b"[a] 0123456789abcdef\r\rx\n"),
    ],
)
def test_a_terminals_line_ends_are_folded(pieces: list[bytes], folded: bytes) -> None:
    *partial, last = pieces
    with mock.patch.object(text, "LINE_HOLD", HOLD):
        on_tty = make(tty=True)
        shown = b"".join(
            [*(show(on_tty, "a", piece, partial=True) for piece in partial), show(on_tty, "a", last)]
        )
        assert shown == folded
        off_tty = make()
        shown = b"".join(
            [*(show(off_tty, "a", piece, partial=True) for piece in partial), show(off_tty, "a", last)]
        )
        assert shown.replace(b"[a] ", b"") == b"".join(pieces)


# --- prefixes


@pytest.mark.parametrize(
    ("text_format", "prefix"),
    [
        (TextFormat(), b"[a] "),
        (TextFormat(prefix=""), b""),
        (TextFormat(prefix="", timestamps=True), STAMP.encode() + b" "),
        (TextFormat(timestamps=True), STAMP.encode() + b" [a] "),
        (TextFormat(prefix="{time} {name}|"), STAMP.encode() + b" a| "),
        (TextFormat(prefix="{name}-{id}-{index}-{pid}"), b"a-a-3-7 "),
        (TextFormat(prefix="{{{name}}}"), b"{a} "),
        (TextFormat(width=6), b"[a]    "),
        (TextFormat(width=2), b"[a] "),
        (TextFormat(width=6, timestamps=True), STAMP.encode() + b" [a]    "),
        (TextFormat(color=True), b"\x1b[35m[a]\x1b[0m "),
        (TextFormat(color=True, width=6), b"\x1b[35m[a]   \x1b[0m "),
        (TextFormat(color=True, timestamps=True), STAMP.encode() + b" \x1b[35m[a]\x1b[0m "),
        (TextFormat(prefix="", color=True), b""),
        (TextFormat(prefix="é»"), "é» ".encode()),
    ],
)
def test_prefix(text_format: TextFormat, prefix: bytes) -> None:
    assert prefix_of(text_format) == prefix


def test_ids_are_cut_at_8_and_a_missing_pid_is_a_dash() -> None:
    assert prefix_of(TextFormat(prefix="{id} {pid}"), id="0123456789", pid=None) == b"01234567 - "


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a\nb", b"[a^Jb] "),
        ("\x1b[2Jx", b"[^[[2Jx] "),
        ("\u202eevil", b"[\\u202eevil] "),
        ("\udcff", b"[\\udcff] "),
    ],
)
def test_names_cannot_drive_the_terminal(name: str, shown: bytes) -> None:
    assert prefix_of(TextFormat(), name=name) == shown
    assert prefix_of(TextFormat(prefix="[{id}]"), id=name) == shown


def test_colours_are_stable_red_is_for_errors() -> None:
    formatter = TextFormatter(TextFormat(color=True))
    for index in range(25):
        formatter.add(f"{index}", "x", index, None, tty=False)
    for index in range(25):
        shown = [show(formatter, f"{index}", b"\n") for _ in range(2)]
        assert shown == [f"\x1b[{COLORS[index % 10]}m[x]\x1b[0m \n".encode()] * 2
        assert show(formatter, f"{index}", b"\n", "error") == b"\x1b[31m[x]\x1b[0m \n"
    assert "31" not in COLORS
    assert len(set(COLORS)) == len(COLORS)


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from(["api", "integration-tests", "integration-bests", "x" * 30]) | st.text(max_size=12),
        unique=True,
        max_size=14,
    ),
    st.integers(4, 12),
)
def test_cut_names_fit(names: list[str], length: int) -> None:
    assume(all(name.isprintable() and "[" not in name and "]" not in name for name in names))
    formatter = TextFormatter(TextFormat(name_length=length))
    labels = []
    for index, name in enumerate(names):
        formatter.add(str(index), name, index, None, tty=False)
        label = show(formatter, str(index), b"\n").decode()[1:-3]
        assert len(label) <= length
        labels.append(label)
    for index, label in enumerate(labels):  # and none has changed since
        assert show(formatter, str(index), b"\n").decode()[1:-3] == label


@pytest.mark.parametrize("length", [1, 2, 9])
def test_cut_names_differ_while_children_come_and_go(length: int) -> None:
    labels: dict[str, str] = {}
    formatter = TextFormatter(TextFormat(name_length=length), labels)
    for index in range(150):
        formatter.add(str(index), f"integration-{index}-tests", index, None, tty=False)
        if index % 3 == 1:
            formatter.end(str(index // 3))
        assert len(set(labels.values())) == len(labels)


def test_formatters_can_share_their_labels() -> None:
    labels: dict[str, str] = {}
    shown = []
    for index, name in enumerate(["integration-one-tests", "integration-two-tests"]):
        formatter = TextFormatter(TextFormat(name_length=9), labels)
        formatter.add(str(index), name, index, None, tty=False)
        shown.append(show(formatter, str(index), b"\n"))
    assert shown == ["[inte…ests] \n".encode(), "[integra…2] \n".encode()]


def test_equal_formats_are_equal() -> None:
    assert TextFormat(color=True, width=3) == TextFormat(color=True, width=3)
    assert hash(TextFormat()) == hash(TextFormat())
    assert TextFormat() != TextFormat(width=3)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        TextFormat().width = 3  # type: ignore[misc]  # (what it must refuse)


@pytest.mark.parametrize(
    "template", ["{", "}", "{}", "{0}", "{nme}", "{name!z}", "{index:q}", "{name.x}", "{name[x]}", "{pid:d}"]
)
def test_bad_templates(template: str) -> None:
    with pytest.raises(SpecificationError, match=r"its fields are \{name\} \{id\}"):
        TextFormat(prefix=template)


def test_times_are_the_blocks_own() -> None:
    formatter = make(TextFormat(timestamps=True))
    formatter.output("a", b"o", "output", TIME, partial=True)
    pieces, _ = formatter.output("a", b"k\n", "output", TIME + 1.5, partial=False)
    assert b"".join(pieces) == b"2023-11-14T22:13:21.625Z [a] ok\n"
    formatter.output("a", b"last", "output", TIME + 60, partial=True)
    assert b"".join(formatter.end("a")) == b"2023-11-14T22:14:20.125Z [a] last\n"


# --- marked lines, interventions, events


def message(child: str, body: str, origin: Origin = "user", count: int = 1) -> Intervention:
    return Intervention(cursor=0, time=TIME, child=child, count=count, origin=origin, text=body)


@pytest.mark.parametrize(
    ("text_format", "event", "shown"),
    [
        (TextFormat(), message("a", "go"), "[a] [INTERVENTION] go\n"),
        (
            TextFormat(),
            message("a", "go\non\r\n", "rule", 3),
            "[a] [INTERVENTION] go\n[a] [INTERVENTION] on\n",
        ),
        (TextFormat(), message("a", ""), "[a] [INTERVENTION] \n"),
        (TextFormat(), message("a", "\x1b[2J\x03"), "[a] [INTERVENTION] ^[[2J^C\n"),
        (TextFormat(), message("a", "\udcff"), "[a] [INTERVENTION] \\udcff\n"),
        (TextFormat(), message("a", "go", "detected"), ""),
        (TextFormat(), message("nobody", "go"), ""),
        (TextFormat(prefix=""), message("a", "go"), ""),
        (TextFormat(timestamps=True), message("a", "go"), STAMP + " [a] [INTERVENTION] go\n"),
        (
            TextFormat(color=True),
            message("a", "go"),
            "\x1b[1;31m[a]\x1b[0m \x1b[1;31m[INTERVENTION] go\x1b[0m\n",
        ),
    ],
)
def test_interventions(text_format: TextFormat, event: Intervention, shown: str) -> None:
    assert b"".join(make(text_format).intervention(event)) == shown.encode()


def test_an_intervention_does_not_tear_an_open_line() -> None:
    formatter = make()
    show(formatter, "a", b"half", partial=True)
    assert b"".join(formatter.intervention(message("a", "go"))) == b"[a] [INTERVENTION] go\n"
    assert show(formatter, "a", b"way\n") == b"[a] halfway\n"
    assert formatter.broken_lines == 0


def test_what_was_sent_is_told_apart_from_a_child_that_prints_the_marker() -> None:
    formatter = make(TextFormat(color=True))
    ours = b"".join(formatter.intervention(message("a", "go")))
    claimed = show(formatter, "a", b"[INTERVENTION] go\n", "intervention")
    assert ours == b"\x1b[1;31m[a]\x1b[0m \x1b[1;31m[INTERVENTION] go\x1b[0m\n"
    assert claimed == b"\x1b[36m[a]\x1b[0m \x1b[1;33m[INTERVENTION] go\x1b[0m\n"
    forged = show(formatter, "a", b"\x1b[1;31m[a]\x1b[0m [INTERVENTION] go\n", "intervention")
    assert forged.startswith(b"\x1b[36m[a]\x1b[0m "), "its own prefix stands before it, whatever it prints"


def test_marked_lines_are_highlighted() -> None:
    line = b"[INTERVENTION] \x1b[31mred\x1b[0m text\n"
    shown = show(make(TextFormat(color=True)), "a", line, "intervention")
    assert shown == b"\x1b[36m[a]\x1b[0m \x1b[1;33m[INTERVENTION] \x1b[31mred\x1b[0;1;33m text\x1b[0m\n"
    assert show(make(), "a", line, "intervention") == b"[a] " + line


def test_any_event() -> None:
    formatter = TextFormatter(TextFormat())

    def shown(event: Event) -> bytes:
        return b"".join(formatter.event(event))

    assert shown(Started(cursor=0, time=TIME, child="a", name="api", index=0)) == b""
    assert shown(output(b"one\ntwo\n", lines=2)) == b"[api] one\n[api] two\n"
    assert shown(output(b"half", lines=0, partial=True)) == b""
    assert shown(Idle(cursor=3, time=TIME, child="a", idle=30)) == b""
    assert shown(message("a", "go")) == b"[api] [INTERVENTION] go\n"
    assert shown(completed("a")) == b"[api] half\n"


def test_a_gap_glues_nothing_and_a_child_whose_start_was_missed_is_shown() -> None:
    formatter = make(TextFormat(color=True))
    formatter.event(output(b"half", lines=0, partial=True))
    gap = Gap(from_cursor=3, to_cursor=9, events=6, lines=4, bytes=400)
    assert b"".join(formatter.event(gap)) == b"\x1b[36m[a]\x1b[0m half\n"
    assert b"".join(formatter.event(output(b"rest\n", lines=1))) == b"\x1b[36m[a]\x1b[0m rest\n"
    assert b"".join(formatter.event(output(b"x\n", lines=1, child="0123456789"))) == (
        b"\x1b[36m[01234567]\x1b[0m x\n"
    )
    assert formatter.event(completed("0123456789")) == []


def output(data: bytes, *, lines: int, partial: bool = False, child: str = "a") -> Output:
    return Output(
        cursor=0, time=TIME, child=child, seq=0, kind="output", data=data, lines=lines, partial=partial
    )


def completed(child: str) -> Completed:
    return Completed(
        cursor=0,
        time=TIME,
        child=child,
        exit=Exit(),
        reason="exit",
        duration=1.0,
        bytes=0,
        lines=0,
        interventions=0,
    )
