"""--include, --exclude and --highlight: whole lines, however they come."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axiom_trio.sansio.events import Completed, Event, Exit, Gap, Intervention, Output, Restarting
from axiom_trio.sansio.linefilter import HELD, LineFilter
from axiom_trio.sansio.lines import LineSplitter

COMMON = {"cursor": 0, "time": 0.0}


def output(data: bytes, child: str = "a", *, partial: bool = False, kind: str = "output") -> Output:
    return Output(
        **COMMON, child=child, seq=0, kind=kind, data=data, lines=data.count(b"\n"), partial=partial
    )


def completed(child: str = "a") -> Completed:
    return Completed(
        **COMMON, child=child, exit=Exit(0), reason="exit", duration=0, bytes=0, lines=0, interventions=0
    )


def shown(events: list[Event], child: str = "a", **patterns: bytes) -> bytes:
    lines = LineFilter(**{name: re.compile(pattern) for name, pattern in patterns.items()})
    return b"".join(e.data for e in lines.events(events) if isinstance(e, Output) and e.child == child)


line = st.text("ab\x1b[31m 漢\r", max_size=8).map(str.encode)


@given(
    st.tuples(st.lists(line, max_size=8), st.lists(line, max_size=8)),
    st.lists(st.tuples(st.integers(0, 1), st.integers(1, 9), st.booleans())),
    st.sampled_from([(b"a", None), (None, b"b"), (b"^a|b$", b"ab"), (b"^$", None)]),
)
def test_lines_pass_whole_or_not_at_all(
    both: tuple[list[bytes], list[bytes]],
    cuts: list[tuple[int, int, bool]],
    patterns: tuple[bytes | None, bytes | None],
) -> None:
    include, exclude = (re.compile(p) if p is not None else None for p in patterns)
    left = [b"\n".join(lines) for lines in both]
    splitters = [LineSplitter(), LineSplitter()]
    events: list[Event] = []
    for n, size, tail in [*cuts, (0, 999, False), (1, 999, False)]:
        data, left[n] = left[n][:size], left[n][size:]
        if block := splitters[n].feed(data):
            events.append(output(block, "ab"[n]))
        if tail and (piece := splitters[n].take()):
            events.append(output(piece, "ab"[n], partial=True))
    for n, child in enumerate("ab"):
        if rest := splitters[n].take(final=True):
            events.append(output(rest, child))
        events.append(completed(child))
    lines = LineFilter(include=include, exclude=exclude)
    result = [event for event in events for event in lines.events([event])]
    assert [type(e) for e in result if not isinstance(e, Output)] == [Completed, Completed]
    for n, child in enumerate("ab"):
        got = b"".join(e.data for e in result if isinstance(e, Output) and e.child == child)
        text = b"\n".join(both[n])
        whole = [one for one in re.findall(rb"[^\n]*\n|[^\n]+", text) if passes(one, include, exclude)]
        assert got == b"".join(whole)


def passes(text: bytes, include: re.Pattern[bytes] | None, exclude: re.Pattern[bytes] | None) -> bool:
    plain = re.sub(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]| *[0-OQ-WYZ\\`-~])", b"", text.rstrip(b"\r\n"))
    return (include is None or bool(include.search(plain))) and not (exclude and exclude.search(plain))


def test_a_line_in_colour_is_found_and_kept_as_it_was() -> None:
    data = b"\x1b[31mer\x1b[1mror\x1b[0m: x\n"
    assert shown([output(data)], include=b"^error:") == data
    assert shown([output(data)], exclude=b"error") == b""


def test_an_over_long_line_is_judged_by_its_beginning_and_not_held() -> None:
    pieces = [output(b"a" * HELD, partial=True), output(b"b", partial=True), output(b"c" * 9, partial=True)]
    events = [*pieces, output(b"d\nbad\n")]
    assert shown(events, include=b"^a") == b"a" * HELD + b"b" + b"c" * 9 + b"d\n"
    assert shown(events, exclude=b"^a") == b"bad\n"


@pytest.mark.parametrize("ending", [
    completed(),
    Restarting(**COMMON, child="a", attempt=2, delay=0, exit=Exit(1), reason="exit"),
    Gap(from_cursor=0, to_cursor=1, events=1, lines=1, bytes=1),
])  # fmt: skip
def test_an_open_line_ends_with_what_ends_it(ending: Event) -> None:
    assert shown([output(b"half", partial=True), ending], include=b"half") == b"half"
    assert shown([output(b"half", partial=True), ending], include=b"whole") == b""
    assert shown([output(b"half", partial=True), ending, output(b"new\n")], include=b"halfnew") == b""


def test_errors_are_lines_of_their_own() -> None:
    events = [output(b"ou", partial=True), output(b"err\n", kind="error"), output(b"t\n")]
    assert shown(events, include=b"out|err") == b"err\nout\n"
    assert shown(events, include=b"^out$") == b"out\n"


def test_what_is_no_output_passes() -> None:
    event = Intervention(**COMMON, child="a", count=1, origin="user", text="x")
    assert LineFilter(include=re.compile(b"nothing")).events([event]) == [event]


@pytest.mark.parametrize(
    ("line", "marked"),
    [
        (b"an error here\n", b"an \x1b[7merror\x1b[27m here\n"),
        (b"er\x1b[31mror\n", b"\x1b[7mer\x1b[27m\x1b[31m\x1b[7mror\x1b[27m\n"),
        (b"error error\n", b"\x1b[7merror\x1b[27m \x1b[7merror\x1b[27m\n"),
        (b"none\n", b"none\n"),
        (b"error", b"error"),  # open, and it never ends
    ],
)
def test_highlight(line: bytes, marked: bytes) -> None:
    assert shown([output(line, partial=not line.endswith(b"\n"))], highlight=b"error") in (marked, b"")


@given(
    st.text("ab\x1b[31m \x1b[0m漢", max_size=20).map(str.encode),
    st.sampled_from([b"a", b"ab?", b"x*", b".", b"$"]),
)
def test_highlighting_changes_no_text(text: bytes, pattern: bytes) -> None:
    got = shown([output(text + b"\n")], highlight=pattern)
    assert got.replace(b"\x1b[7m", b"").replace(b"\x1b[27m", b"") == text + b"\n"
