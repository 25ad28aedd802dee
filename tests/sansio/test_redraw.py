"""What class a child is of, whatever way its output is cut, and what of it becomes lines."""

from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from axiom_trio.sansio.redraw import LAPSE, Class, Classifier
from axiom_trio.sansio.text import SCREEN_MARK, TextFormat, TextFormatter

BELOW = b"x\r\n" * LAPSE
# output, its class, and the pieces of it that are a screen's, joined
TABLE: list[tuple[str, bytes, Class, bytes]] = [
    ("text", b"a\r\nb\r\n", "lines", b""),
    ("colours", b"\x1b[31mred\x1b[0m\r\n", "lines", b""),
    ("a prompt", b"\x1b[?2004h$ ls\r\n", "lines", b""),
    ("title, queries, keyboard", b"\x1b]0;t\x07\x1b[6n\x1b[?u\x1b[>1u\x1b[<u\x1b[c", "lines", b""),
    ("margins reset", b"\x1b[r\r\n", "lines", b""),
    ("bar", b"10%\r20%\r\n", "progress", b""),
    ("cr cr lf", b"a\r\r\nb", "lines", b""),
    ("erased", b"ab\x1b[Kc\r\n", "progress", b""),
    ("column", b"ab\x1b[2Gc\x1b[3D\x1b[C\r\n", "progress", b""),
    ("a row below, and back", b"a\n\x1b[1Ab", "progress", b""),
    ("clear", b"\x1b[H\x1b[2Jx\r\n", "lines", b""),
    ("clear, as clear does it", b"\x1b[H\x1b[2J\x1b[3Jx\r\n", "lines", b""),
    ("clear the other way round", b"\x1b[2J\x1b[3J\x1b[1;1Hx\r\n", "lines", b""),
    ("clear below", b"\x1b[H\x1b[m\x1b[Jx\r\n", "lines", b""),
    ("full reset", b"\x1bcx\r\n", "lines", b""),
    ("home", b"a\x1b[Hx\r\n", "screen", b"\x1b[Hx\r\n"),
    ("placed", b"a\x1b[3;4fx", "screen", b"\x1b[3;4fx"),
    ("up", b"a\n\n\x1b[2Ax", "screen", b"\x1b[2Ax"),
    ("scrolled", b"a\x1b[2Sx", "screen", b"\x1b[2Sx"),
    ("margins", b"\x1b[2;9rx", "screen", b"\x1b[2;9rx"),
    ("saved", b"\x1b7x", "screen", b"\x1b7x"),
    ("back up", b"\x1bMx", "screen", b"\x1bMx"),
    ("alternate", b"a\x1b[?1049hx\r\n", "screen", b"\x1b[?1049hx\r\n"),
    ("alternate, left", b"a\x1b[?1049hx\x1b[?1049lb\r\n", "lines", b"\x1b[?1049hx\x1b[?1049l"),
    ("alternate, with others", b"\x1b[?25;47hx\x1b[?1;47lb", "lines", b"\x1b[?25;47hx\x1b[?1;47l"),
    ("alternate, never lapses", b"\x1b[?47h" + BELOW * 2, "screen", b"\x1b[?47h" + BELOW * 2),
    ("alternate, cleared", b"\x1b[?47h\x1b[H\x1b[2J", "screen", b"\x1b[?47h\x1b[H\x1b[2J"),
    ("alternate, only left", b"\x1b[?1049la\r\n", "lines", b""),
    ("screen, cleared", b"\x1b[5;5Hx\x1b[H\x1b[2Jy", "lines", b"\x1b[5;5Hx\x1b[H\x1b[2J"),
    ("screen, long ago", b"\x1b[5;5Hx" + BELOW + b"y", "lines", b"\x1b[5;5Hx" + BELOW),
    ("bar, long ago", b"1\r2" + BELOW, "lines", b""),
]
FRAGMENTS = [
    *(data for _, data, _, _ in TABLE if len(data) < 99),
    *(
        b"\x1b[A",
        b"\x1b[2A",
        b"\x1b[2J",
        b"\x1b[J",
        b"\x1b[H",
        b"\x1b[3;5H",
        b"\x1b[31m",
        b"\n",
        b"\r\n",
        b"\r",
    ),
    *(
        b"abc",
        b"\x1b[?1049h",
        b"\x1b[?1049l",
        b"\x1b[K",
        b"\x1b]0;t\x07",
        b"\x1b7",
        b"\x1bc",
        b"\n" * 50,
        b"\x1b[",
    ),
    *(b"\x1b", b"\xc3", b"\x1b[r", b"\x1b[2;3r", b"\x1b[?25h"),
]
streams = st.lists(st.sampled_from(FRAGMENTS) | st.binary(max_size=3), max_size=12).map(b"".join)
places = st.lists(st.integers(0, 10_000), max_size=6)
quick = settings(deadline=None, max_examples=500)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges)]


def classified(*pieces: bytes) -> tuple[Class, list[tuple[bool, bytes]]]:
    """The class at the end, and the pieces, those of a kind joined."""
    classifier = Classifier()
    found = [part for piece in pieces for part in classifier.split(piece)]
    kind = classifier.kind
    found.append((kind == "screen", classifier.end()))
    joined = [
        (screen, b"".join(part for _, part in parts))
        for screen, parts in itertools.groupby((part for part in found if part[1]), lambda part: part[0])
    ]
    return kind, joined


@pytest.mark.parametrize(
    ("data", "kind", "screen"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_table(data: bytes, kind: Class, screen: bytes) -> None:
    found, parts = classified(data)
    assert found == kind
    assert b"".join(part for is_screen, part in parts if is_screen) == screen
    assert classified(*[bytes([byte]) for byte in data]) == (found, parts)


@quick
@given(streams, places)
@example(b"\x1b[H" + b"\x1b[m" * 99 + b"\x1b[J", [200])
@example(b"\x1b[2J\x1b[31m\x1b[H\x1b[H\x1b[2A\n", [9])
def test_cuts_change_nothing_and_no_byte_is_lost(data: bytes, places: list[int]) -> None:
    kind, parts = classified(data)
    assert b"".join(part for _, part in parts) == data
    assert classified(*cut(data, places)) == (kind, parts)


@pytest.mark.parametrize(
    "data", [b"\x1b[H" + b"\x1b[m" * 100_000, b"\x1b[" + b"1" * 300_000, b"\r" * 300_000, b"\x1b" * 300_000]
)
def test_time_is_linear_and_little_is_held(data: bytes) -> None:
    began = time.process_time()
    for size in (1, 4096):
        classifier = Classifier()
        for at in range(0, len(data), size):
            classifier.feed(data[at : at + size])
            assert len(classifier.held) <= 330
    assert time.process_time() - began < 20  # quadratic: minutes


def test_lines_are_not_copied() -> None:
    data = b"\x1b[31mred\x1b[0m line\r\n" * 1000
    ((screen, piece),) = Classifier().split(data)
    assert not screen
    assert piece is data


# --- the text of a terminal


def shown(*steps: tuple[bytes, float] | bytes, tty: bool = True) -> str:
    """What comes of blocks; one without newline at its end is a piece of an open line."""
    formatter = TextFormatter(TextFormat(escapes="color"))
    formatter.add("a", "a", 0, None, tty=tty)
    pieces = []
    for step in steps:
        data, when = step if isinstance(step, tuple) else (step, 1.0)
        pieces += formatter.output("a", data, "output", when, partial=not data.endswith(b"\n"))[0]
    return b"".join([*map(bytes, pieces), *map(bytes, formatter.end("a"))]).decode()


MARK = f"[a] {SCREEN_MARK}\n"


def test_a_screen_is_one_line_and_lines_come_again_when_it_was_left() -> None:
    assert (
        shown(
            b"one\r\n",
            b"two \x1b[31m",
            b"red\x1b[?1049h",
            b"\x1b[5;5Hgarbage\r\n",
            b"more",
            b"\x1b[?1049lafter\r\nx",
        )
        == f"[a] one\n[a] two \x1b[31mred\x1b[0m\n{MARK}[a] after\n[a] x\n"
    )
    assert shown(b"\x1b[2;2Hx\r\n", b"\x1b[3;3Hy") == MARK
    assert shown(b"\x1b[2;2Hx" + BELOW[1:], b"y\r\n") == f"{MARK}[a] y\n"


def test_one_that_comes_and_goes_does_not_fill_the_stream() -> None:
    blink = b"\x1b[?47hx\x1b[?47ly\r\n"
    assert shown((blink, 1.0), (blink, 2.0), (blink, 10.9), (blink, 11.0), (blink, 5.0)) == (
        f"{MARK}[a] y\n[a] y\n[a] y\n{MARK}[a] y\n{MARK}[a] y\n"
    )


def test_a_bar_shows_its_last_state_behind_its_prefix() -> None:
    assert shown(b"10%\r20%", b"\r30%", b"\r\x1b[K40% done\r\n", b"next\r\n") == "[a] 40% done\n[a] next\n"


def test_what_is_held_is_shown_at_the_end() -> None:
    assert shown(b"x\x1b[") == "[a] x\n"
    assert shown(b"x\r") == "[a] x\n"
    assert shown(b"x\x1b[H") == "[a] x\n"


def test_a_pipe_has_no_screen() -> None:
    assert SCREEN_MARK not in shown(b"\x1b[?1049hx\n", tty=False)


def test_a_new_attempt_is_on_a_new_terminal() -> None:
    formatter = TextFormatter(TextFormat(escapes="color"))
    formatter.add("a", "a", 0, None, tty=True)
    text = []
    for _ in range(2):
        text += formatter.output("a", b"\x1b[?1049hx", "output", 1.0, partial=True)[0]
        text += formatter.end_lines("a")
        text += formatter.output("a", b"y\r\n", "output", 1.0, partial=False)[0]
    assert b"".join(map(bytes, text)).decode() == f"{MARK}[a] y\n" * 2
