"""Keys out of a terminal's bytes, cut anywhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axiom_trio.terminal.keys import PASTE_PIECE, Key, KeyDecoder, Press, Text

# What terminals send: the bytes of a key and its name. None stands for what is no key.
SEQUENCES = {
    b"\r": "enter",
    b"\n": "enter",
    b"\t": "tab",
    b"\x7f": "backspace",
    b"\x08": "backspace",
    b"\x00": "ctrl-space",
    b"\x01": "ctrl-a",
    b"\x1a": "ctrl-z",
    b"\x1d": "ctrl-]",
    b"\x1b[A": "up",
    b"\x1bOA": "up",
    b"\x1b[B": "down",
    b"\x1b[C": "right",
    b"\x1bOD": "left",
    b"\x1b[H": "home",
    b"\x1b[1~": "home",
    b"\x1bOH": "home",
    b"\x1b[7~": "home",
    b"\x1b[F": "end",
    b"\x1b[4~": "end",
    b"\x1b[8~": "end",
    b"\x1b[2~": "insert",
    b"\x1b[3~": "delete",
    b"\x1b[5~": "page-up",
    b"\x1b[6~": "page-down",
    b"\x1b[Z": "shift-tab",
    b"\x1bOP": "f1",
    b"\x1b[15~": "f5",
    b"\x1b[24~": "f12",
    b"\x1b[1;5C": "ctrl-right",
    b"\x1b[1;2A": "shift-up",
    b"\x1b[5;7~": "ctrl-alt-page-up",
    b"\x1bb": "alt-b",
    b"\x1b\x7f": "alt-backspace",
    b"\x1b[[A": None,
    b"\x1b[?1;2c": None,
    b"\x1b[12;40R": None,
    b"\x1b[99~": None,
    b"\x1b[<0;3;4M": None,
    b"\x1b]11;rgb:0/0/0\x1b\\": None,
    b"\x1b]11;rgb:0/0/0\x07": None,
    b"\x1bP>|term(1)\x1b\\": None,
}


def joined(presses: list[Press]) -> list[Press]:
    """Neighbouring pieces of typed text as one: how it's cut is not told."""
    found: list[Press] = []
    for press in presses:
        last = found[-1] if found else press
        if found and isinstance(press, Text) and isinstance(last, Text) and not (press.pasted or last.pasted):
            found[-1] = Text(last.text + press.text)
            continue
        found.append(press)
    return found


@pytest.mark.parametrize("data", SEQUENCES, ids=repr)
def test_each_key(data: bytes) -> None:
    decoder = KeyDecoder()
    name = SEQUENCES[data]
    assert decoder.feed(data) == ([] if name is None else [Key(name)])
    assert not decoder.waiting
    assert decoder.feed(b"x") == [Text("x")]


ITEMS = st.one_of(
    st.sampled_from(sorted(SEQUENCES)).map(
        lambda data: (data, [Key(SEQUENCES[data])] if SEQUENCES[data] else [])
    ),
    st.text(
        st.characters(exclude_categories=["Cs"], exclude_characters=[*map(chr, range(32)), "\x7f"]),
        min_size=1,
        max_size=8,
    ).map(lambda text: (text.encode(), [Text(text)])),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters=["\x1b"]), max_size=12).map(
        lambda text: (b"\x1b[200~" + text.encode() + b"\x1b[201~", [Text(text, pasted=True)])
    ),
)


@given(st.lists(ITEMS, max_size=12), st.data())
def test_keys_however_the_bytes_are_cut(items: list[tuple[bytes, list[Press]]], data: st.DataObject) -> None:
    stream = b"".join(item for item, _ in items)
    wanted = joined([press for _, presses in items for press in presses])
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
    decoder = KeyDecoder()
    found: list[Press] = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += decoder.feed(stream[start:end])
    assert joined(found) == wanted
    assert decoder.flush() == []


@given(st.lists(st.binary(max_size=20), max_size=10))
def test_any_bytes_cut_anywhere_say_the_same(pieces: list[bytes]) -> None:
    whole, cut = KeyDecoder(), KeyDecoder()
    at_once = whole.feed(b"".join(pieces))
    bit_by_bit = [press for piece in pieces for press in cut.feed(piece)]
    assert joined(at_once) == joined(bit_by_bit)
    assert whole.waiting == cut.waiting


def test_a_lone_escape_is_told_by_time() -> None:
    decoder = KeyDecoder()
    assert decoder.feed(b"\x1b") == []
    assert decoder.waiting
    assert decoder.flush() == [Key("escape")]
    assert not decoder.waiting
    assert decoder.feed(b"[A") == [Text("[A")]


def test_an_escape_before_an_escape() -> None:
    decoder = KeyDecoder()
    assert decoder.feed(b"\x1b\x1b[A") == [Key("escape"), Key("up")]


def test_a_sequence_that_is_slow_is_one_all_the_same() -> None:
    decoder = KeyDecoder()
    assert decoder.feed(b"\x1b[1;") == []
    assert decoder.flush() == []
    assert decoder.feed(b"5D") == [Key("ctrl-left")]


@pytest.mark.parametrize("junk", [b"\x1b[" + b"1" * 300, b"\x1b]" + b"x" * 300, b"\x1b[1\x01"])
def test_what_is_no_key_does_not_last(junk: bytes) -> None:
    decoder = KeyDecoder()
    decoder.feed(junk)
    assert joined(decoder.feed(b"\r"))[-1] == Key("enter")


def test_a_paste_is_no_keys() -> None:
    decoder = KeyDecoder()
    assert decoder.feed(b"\x1b[200~a\rb\x1b[A\x01") == []
    assert not decoder.waiting
    assert decoder.feed(b"c\x1b[201") == []
    assert decoder.feed(b"~d") == [Text("a\rb\x1b[A\x01c", pasted=True), Text("d")]


def test_a_paste_without_end_comes_in_pieces() -> None:
    decoder = KeyDecoder()
    decoder.feed(b"\x1b[200~")
    size = PASTE_PIECE * 2
    presses = decoder.feed(b"x" * size) + decoder.feed(b"\x1b[201~\r")
    assert presses[-1] == Key("enter")
    assert all(isinstance(press, Text) and press.pasted for press in presses[:-1])
    assert sum(len(press.text) for press in presses[:-1] if isinstance(press, Text)) == size
