"""Keys as written, and texts that can be no keys."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axiom_trio.sansio.keys import neutralise, parse_keys

nasty = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from("\x1b\x9b\r\n\t\x03\x04\x1a\x7f[]201~\x00\x85\ud800\udc9b"),
    )
)


@given(nasty)
def test_no_text_is_a_key_a_signal_or_the_end_of_a_paste(text: str) -> None:
    harmless = neutralise(text)
    assert not [ch for ch in harmless if ch < " " and ch not in "\n\t"]
    assert not [ch for ch in harmless if "\x7f" <= ch <= "\x9f"]
    data = harmless.encode()  # whatever it was, it can be written
    assert b"\x1b" not in data
    assert b"\x1b[201~" not in data
    assert "\x9b" not in harmless  # the same sequences, with an 8-bit introducer


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"]) | st.sampled_from("\n\t")))
def test_what_is_text_stays(text: str) -> None:
    assert neutralise(text) == text


@given(nasty)
def test_once_is_enough(text: str) -> None:
    assert neutralise(neutralise(text)) == neutralise(text)


def test_what_is_shown_instead() -> None:
    assert neutralise("a\r\nb\rc\n") == "a\nb\nc\n"
    assert neutralise("\x1b[201~\x03\x7f\x9b\udc9b") == "^[[201~^C^?\\x9b\\x9b"


@pytest.mark.parametrize(
    ("text", "writes"),
    [
        ("1<Enter>", [b"1", b"\r"]),
        ("1<enter><C-c>\\x03", [b"1", b"\r", b"\x03", b"\x03"]),
        ("yes", [b"yes"]),
        ("<Down><Down><CR>", [b"\x1b[B", b"\x1b[B", b"\r"]),
        ("<C-@><c-A><C-[><C-?>", [b"\0", b"\x01", b"\x1b", b"\x7f"]),
        ("<M-x><A-Enter>", [b"\x1bx", b"\x1b\r"]),
        ("<F1><F5><F12><S-Tab>", [b"\x1bOP", b"\x1b[15~", b"\x1b[24~", b"\x1b[Z"]),
        ("a<lt>b<gt>c\\\\d<Space>e", [b"a<b>c\\d e"]),
        ("a < b", [b"a < b"]),
        ("a -> b", [b"a -> b"]),
        ("\\e\\n\\t\\0", [b"\x1b", b"\n", b"\t", b"\0"]),
        ("é", ["é".encode()]),
    ],
)
def test_keys(text: str, writes: list[bytes]) -> None:
    assert parse_keys(text) == writes


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "there are no keys; write such as 1<Enter>"),
        ("<Entr>", "<Entr> is no key; write such as <Enter>"),
        ("<C-é>", "<C-é> is no key; write such as"),
        ("\\q", "\\q is no key; write \\x03, \\n, \\r, \\t, \\e or \\\\"),
        ("\\x0", "\\x is no key"),
        ("a\\", "'a\\\\' ends with a lone backslash; write \\\\ for one"),
    ],
)
def test_what_is_no_key(text: str, sentence: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 (its text is looked at below)
        parse_keys(text)
    assert str(caught.value).startswith(sentence)


@given(st.text("ab<>CcMm-\\x01eEnter12 "))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        writes = parse_keys(text)
    except ValueError:
        return
    assert writes
    assert all(writes)
