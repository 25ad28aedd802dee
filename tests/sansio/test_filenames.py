"""Safe file names: for any name, nothing but a plain file, and none twice."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axiom_trio.sansio.filenames import FileNames, safe_name

names = st.one_of(
    st.text(max_size=100),
    st.text("aA./%-\0", max_size=4),
    st.sampled_from(
        ["", ".", "..", "../../x", "a" * 300, "\x1b[2J", "/", "-rf", "A", "a", "é", "É", "\udc80"]
    ),
)
SAFE = re.compile(r"[A-Za-z0-9%][A-Za-z0-9._%-]{0,63}")
PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@given(names)
def test_any_name_becomes_a_plain_one(name: str) -> None:
    safe = safe_name(name)
    assert SAFE.fullmatch(safe)
    assert (safe == name) == bool(PLAIN.fullmatch(name))
    assert safe_name(safe) == safe or "%" in safe


@given(st.lists(names, max_size=30))
def test_none_is_given_out_twice_even_if_case_does_not_count(given_names: list[str]) -> None:
    allocated = FileNames()
    taken = [allocated.take(name) for name in given_names]
    assert len({name.casefold() for name in taken}) == len(taken)
    assert all(SAFE.fullmatch(name) for name in taken)


@given(names, names)
def test_the_digest_tells_names_apart(one: str, other: str) -> None:
    assert one == other or safe_name(one) != safe_name(other)


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("api", "api"),
        ("api-2.old_x", "api-2.old_x"),
        ("", "e3b0c442"),
        ("..", "%2E.-5ec1f7e7"),
        ("../../x", "%2E.%2F..%2Fx-"),
        (".bashrc", "%2Ebashrc-"),
        ("a b", "a%20b-"),
        ("a\0b", "a%00b-"),
        ("é", "%C3%A9-"),
        ("x" * 64, "x" * 64),
        ("x" * 65, "x" * 55 + "-"),
        ("\x1b[2J", "%1B%5B2J-"),
    ],
)
def test_examples(name: str, safe: str) -> None:
    assert safe_name(name).startswith(safe)


def test_equal_names_are_told_apart() -> None:
    files = FileNames()
    digest = safe_name("..")[-8:]
    assert [files.take(name) for name in ("..", "..")] == [f"%2E.-{digest}", f"%2E.-{digest}-2"]
    first, second, third = (files.take(name) for name in ("A", "a", "a"))
    assert first == "A"
    assert re.fullmatch(r"a-[0-9a-f]{8}", second)
    assert third == second + "-2"
