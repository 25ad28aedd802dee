"""Rows with backspaces, beside what a terminal shows of them."""

from __future__ import annotations

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st

from axiom_trio.sansio.backspaces import settle
from axiom_trio.sansio.progress import row_text
from axiom_trio.sansio.text import TextFormat, TextFormatter


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("-\b\\\b|\b/\b done\n", " done\n"),
        ("abc\b \b\b \bx\n", "ax \n"),
        ("abc\b\x1b[K\b\x1b[Kx\n", "ax\n"),
        ("N\bNA\bA _\bu\nb\n", "NA u\nb\n"),
        ("wrapped lin \be\n", "wrapped line\n"),
        ("漢\b\bab\n漢\bx\n", "ab\n x\n"),
        ("\x1b[31ma\bb\x1b[0mc\n", "\x1b[31mb\x1b[0mc\n"),
        ("\b\ba\nb\b\n", "a\nb\n"),
        ("10%\b\b\b20%\r30%\b\b\b4\n", "20%\r40%\n"),
        ("e\u0301\bx\n", "x\n"),
    ],
)
def test_what_was_written_over_is_gone(written: str, shown: str) -> None:
    assert settle(written.encode()).decode() == shown


@given(st.lists(st.sampled_from(["a", "b", " ", "\b", "\b", "\x1b[K", "é"]), max_size=30))
def test_it_is_what_a_terminal_shows(parts: list[str]) -> None:
    text = "".join(parts)
    screen = pyte.Screen(100, 1)
    pyte.Stream(screen).feed(text)
    settled = settle(text.encode()).decode()
    assert "\b" not in settled
    again = pyte.Screen(100, 1)
    pyte.Stream(again).feed(settled)
    assert again.display[0].rstrip() == screen.display[0].rstrip()


@given(st.binary(max_size=40))
def test_any_bytes_keep_their_rows(data: bytes) -> None:
    assert settle(data).count(b"\n") == data.count(b"\n") or b"\x1b" in data
    if b"\b" not in data:
        assert settle(data) is data


def test_a_child_on_a_terminal_is_shown_so_and_one_on_a_pipe_as_it_wrote() -> None:
    for tty, shown in ((True, b"[a] x\n"), (False, b"[a] -^Hx\n")):
        text = TextFormatter(TextFormat(color=False, escapes="color"))
        text.add("a", "a", 0, None, tty=tty)
        pieces, _ = text.output("a", b"-\bx\n", "output", 0.0, partial=False)
        assert b"".join(bytes(piece) for piece in pieces) == shown


def test_the_footer_shows_the_end_of_a_spinner() -> None:
    assert row_text(b"-\b\\\b|\b") == "|"
