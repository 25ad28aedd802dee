"""The echo of what was typed, told from what the child says: against streams of which both are known."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axiom_trio.sansio.echo import PATIENCE, SURE, EchoFilter, terminal_echo
from axiom_trio.sansio.plain import PlainText, plain
from axiom_trio.testing.strategies import cuttings

words = st.text("ab ", max_size=12).map(str.encode)
output = st.lists(
    st.sampled_from([b"a", b"b", b"ab", b"aab\n", b" ", b"\r\n", b"\x1b[1m", b"x"]), max_size=12
)
SKIPPED = re.compile(rb"\x1b\[[0-9]*[a-zA-Z]|[\r\n\b ]")


def feed(echo: EchoFilter, pieces: list[bytes], now: float = 0.0) -> tuple[bytes, list[bool]]:
    rest, active = b"", []
    for piece in pieces:
        more, acts = echo.feed(piece, now)
        rest += more
        active.append(acts)
    return rest, active


@given(st.data(), output, st.text("ab\t", min_size=1, max_size=30).map(str.encode), output)
def test_a_terminals_echo_is_taken_out_wherever_it_is_cut(data, before, text, after) -> None:
    shown = terminal_echo(text)
    stream = b"".join(before) + shown + b"".join(after)
    echo = EchoFilter()
    expected = echo.typing(shown, 0.0, loose=False, quiet=False)
    echo.entered(0.0, line_end=False)
    rest, _ = feed(echo, data.draw(cuttings(stream)))
    assert expected.seen
    assert rest == stream.replace(shown, b"", 1)
    assert echo.idle


@given(st.data(), st.text("abc ", min_size=1, max_size=30).map(str.encode), output)
def test_an_editors_echo_is_found_between_its_sequences(data, text, after) -> None:
    between = st.sampled_from([b"", b"", b"\x1b[K", b"\x1b[1m", b" \r", b"\b", b"\r\n"])
    drawn = b"".join(bytes([byte]) + data.draw(between) for byte in text)
    echo = EchoFilter()
    expected = echo.typing(text, 0.0, loose=True, quiet=False)
    if not text.strip():
        assert expected is None
        return
    stream = b"> " + drawn + b"".join(after)
    rest, _ = feed(echo, data.draw(cuttings(stream)))
    assert expected.seen
    left = SKIPPED.sub(b"", rest + echo._held)
    assert left == SKIPPED.sub(b"", stream).replace(SKIPPED.sub(b"", text), b"", 1)


@given(st.data(), output, words)
def test_nothing_is_lost_where_no_echo_comes(data, pieces, text) -> None:
    stream = b"".join(pieces)
    echo = EchoFilter()
    echo.typing(b"c" + text, 0.0, loose=data.draw(st.booleans()), quiet=False)
    echo.entered(0.0, line_end=False)
    rest, _ = feed(echo, data.draw(cuttings(stream)))
    late, _ = echo.feed(b"", 2 * PATIENCE + 1)
    assert rest + late == stream
    assert echo.idle


def test_pieces_of_a_long_echo_with_something_between() -> None:
    text = bytes(range(0x30, 0x70))
    echo = EchoFilter()
    expected = echo.typing(text, 0.0, loose=False, quiet=False)
    rest, active = feed(echo, [text[: SURE + 4], b"child!", text[SURE + 4 :]])
    assert (rest, expected.seen, active) == (b"child!", True, [False, True, False])


@pytest.mark.parametrize(
    "pieces", [[b"hello\r\nhello\r\n"], [b"hel", b"lo\r", b"\nhello\r\n"], [b"hello", b"\r\n", b"hello\r\n"]]
)
def test_the_same_text_from_the_child_itself_is_output(pieces) -> None:
    echo = EchoFilter()
    echo.typing(b"hello", 0.0, loose=False, quiet=False)
    echo.entered(0.0, line_end=True)
    rest, active = feed(echo, pieces)
    assert rest == b"\r\nhello\r\n"
    assert active[-1]
    assert not any(active[:-1])


def test_the_newline_of_enter_ends_the_line_and_is_no_activity() -> None:
    echo = EchoFilter()
    echo.typing(b"y", 0.0, loose=True, quiet=False)
    assert echo.feed(b"y", 0.1) == (b"", False)
    echo.entered(0.12, line_end=True)
    assert echo.feed(b"\r\n\x1b[?2004l\r", 0.13) == (b"\r\n\x1b[?2004l\r", False)
    assert echo.feed(b"\r\n", 0.2) == (b"\r\n", True)
    assert echo.idle


def test_what_comes_after_enter_in_raw_mode_is_the_answer() -> None:
    echo = EchoFilter()
    expected = echo.typing(b"status", 0.0, loose=True, quiet=False)
    echo.entered(0.12, line_end=True)
    assert echo.feed(b"status: fine\r\n", 0.2) == (b"status: fine\r\n", True)
    assert not expected.seen


def test_what_may_be_the_beginning_of_an_echo_is_not_held_for_ever() -> None:
    echo = EchoFilter()
    echo.typing(b"yes", 0.0, loose=True, quiet=False)
    rest, held = b"", 0
    pieces = [b"y", *[b"\x1b[m" * 1000] * 20]
    for piece in pieces:
        rest += echo.feed(piece, 0.0)[0]
        held = max(held, len(echo._held))
    assert held < 20_000
    assert rest == b"".join(pieces)


def test_a_redraw_while_it_is_typed_to_is_no_activity() -> None:
    echo = EchoFilter()
    echo.typing(b"hi", 0.0, loose=True, quiet=True)
    assert echo.feed(b"\x1b[2J+----+\r\n| hi |", 0.05)[1] is False
    echo.entered(0.12, line_end=True)
    assert echo.feed(b"thinking", 0.2)[1] is True


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        (b"ls\t-l\r", b"ls\t-l\r\n"),
        (b"\x03", b"^C"),
        (b"\x7f\x1b[A", b"\b \b^[[A"),
        ("ü".encode(), "ü".encode()),
    ],
)
def test_what_a_terminal_shows(typed: bytes, shown: bytes) -> None:
    assert terminal_echo(typed) == shown


# --- text without sequences

PIECES = [
    b"a",
    b"\r\n",
    b"\r",
    b"\n",
    b"\x07",
    b"\x1b[31m",
    b"\x1b[?2004h",
    b"\x1b]0;title\x07",
    b"\x1bP1$r\x1b\\",
    b"\x1b7",
]


@given(st.data(), st.lists(st.sampled_from(PIECES)))
def test_text_is_what_is_left_without_the_sequences(data, pieces) -> None:
    stream = b"".join(pieces)
    text = PlainText()
    got = b"".join(text.feed(piece) for piece in data.draw(cuttings(stream))) + text.feed(b"", final=True)
    shown = b"".join(piece for piece in pieces if piece[0] not in (0x1B, 0x07))
    assert got == re.sub(rb"\r+\n", b"\n", shown)
    assert plain(stream) == got


def test_an_unfinished_sequence_is_not_waited_for_for_ever() -> None:
    text = PlainText()
    assert text.feed(b"\x1b]" + b"x" * 10_000) + text.feed(b"y")
