"""Names: defaults, uniqueness, cutting, and that nothing in them reaches a terminal."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from axiom_trio.sansio.names import default_name, printable, shorten, unique

few = st.text("ab-2…", max_size=6)
"""Names from few characters, so that they collide."""
any_text = st.text(st.characters(exclude_categories=()))


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("sleep 10", "sleep"),
        ("  /usr/bin/make -j4", "make"),
        ("./api", "api"),
        ("./dir/", "dir"),
        ("PORT=80 ./api --x", "api"),
        ("A=1 B='x y' C+=2 run", "run"),
        ("env make", "make"),
        ("/usr/bin/env -i A=1 -u HOME -C /tmp node x.js", "node"),
        ("env --unset HOME python -m x", "python"),
        ("env", "env"),
        ("env A=1", "env"),
        ("A=1 env B=2 /bin/x", "x"),
        ("'/opt/my tool/run me' now", "run me"),
        ('"/opt/my tool/x" now', "x"),
        (r"my\ tool x", "my tool"),
        (r"'a\b' x", r"a\b"),
        ("echo>log", "echo"),
        ("a;b", "a"),
        ("(cd x && make)", "cd"),
        ("make|tee log", "make"),
        ("'unclosed quote", "unclosed quote"),
        ("trailing\\", "trailing"),
        ("=x", "=x"),
        ("./a=b", "a=b"),
        ("2x=1 y", "2x=1"),
        ("", "task"),
        ("   ", "task"),
        ("''", "task"),
        ("A=1", "task"),
        ("/", "task"),
        ("&|;", "task"),
    ],
)
def test_default_name(command: str, name: str) -> None:
    assert default_name(command) == name


@given(any_text)
def test_default_name_copes_with_anything(command: str) -> None:
    assert default_name(command)
    assert default_name(command) == default_name(f" \t{command}")


@pytest.mark.parametrize(
    ("names", "result"),
    [
        ([], []),
        (["sleep", "sleep", "sleep"], ["sleep", "sleep-2", "sleep-3"]),
        (["sleep", "sleep", "sleep-2"], ["sleep", "sleep-3", "sleep-2"]),
        (["a", "b", "a", "b"], ["a", "b", "a-2", "b-2"]),
        (["a-2", "a", "a", "a-2"], ["a-2", "a", "a-3", "a-2-2"]),
    ],
)
def test_unique(names: list[str], result: list[str]) -> None:
    assert unique(names) == result


def test_unique_leaves_taken_names() -> None:
    assert unique(["sleep", "make", "sleep"], ["sleep", "sleep-2"]) == ["sleep-3", "make", "sleep-4"]


@given(st.lists(few), st.sets(few))
def test_unique_is_unique_and_stable(names: list[str], taken: set[str]) -> None:
    result = unique(names, taken)
    assert len(result) == len(names) == len({*result})
    assert not {*result} & taken
    assert unique(result, taken) == result
    for place, (name, new) in enumerate(zip(names, result, strict=True)):
        assert (new == name) == (name not in taken and name not in names[:place])
        assert new == name or (new.startswith(f"{name}-") and new not in names)


def test_thousands_of_equal_names_are_cheap() -> None:
    assert unique(["x"] * 20_000)[-1] == "x-20000"
    cut = shorten([f"{'x' * 20}{n:05}{'x' * 20}" for n in range(20_000)], 12)
    assert len({*cut}) == 20_000
    assert max(map(len, cut)) == 12


@pytest.mark.parametrize(
    ("names", "length", "result"),
    [
        (["integration-tests"], 9, ["inte…ests"]),
        (["integration-tests"], 10, ["integ…ests"]),
        (["short", "integration-tests"], 5, ["short", "in…ts"]),
        (["integration-tests", "internal-bests"], 9, ["inte…ests", "interna…2"]),
        (["feature-a-x", "feature-b-x", "feature-c-x"], 7, ["fea…a-x", "fea…b-x", "fea…c-x"]),
        (["inte…ests", "integration-tests"], 9, ["inte…ests", "integra…2"]),
        (["ab", "cd", "ef"], 1, ["…", "2", "3"]),
        (["ab"], 2, ["ab"]),
        (["abc"], 2, ["a…"]),
    ],
)
def test_shorten(names: list[str], length: int, result: list[str]) -> None:
    assert shorten(names, length) == result


@given(st.lists(few, unique=True, max_size=40), st.integers(1, 7))
@example([chr(97 + n // 26) + chr(97 + n % 26) for n in range(30)], 1)
def test_shorten_is_unique_and_short(names: list[str], length: int) -> None:
    result = shorten(names, length)
    assert len({*result}) == len(names) == len(result)
    room = max(length, len(str(len(names) + 1)))  # one character can't tell thirty names apart
    assert all(len(new) <= room for new in result)
    assert all(new == name for name, new in zip(names, result, strict=True) if len(name) <= length)
    if length >= 3:
        assert all(len(new) == length for name, new in zip(names, result, strict=True) if len(name) > length)


@given(st.lists(few, unique=True), few, st.integers(1, 7))
def test_a_long_newcomer_changes_no_shown_name(names: list[str], more: str, length: int) -> None:
    more += "x" * 8
    assert shorten([*names, more], length)[:-1] == shorten(names, length)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("plain name", "plain name"),
        ("größe→日本", "größe→日本"),
        ("\x1b[2J", "^[[2J"),
        ("a\nb\r\tc\0\x7f", "a^Jb^M^Ic^@^?"),
        ("\x9b31m", r"\x9b31m"),
        ("\u202egpj.exe", r"\u202egpj.exe"),
        ("a\u2028b\u00a0c", r"a\u2028b\xa0c"),
        ("\udcff", r"\udcff"),
        ("\U000e0041", r"\U000e0041"),
        ("", ""),
    ],
)
def test_printable(name: str, shown: str) -> None:
    assert printable(name) == shown


@given(any_text)
def test_printable_is_harmless(name: str) -> None:
    shown = printable(name)
    assert shown.isprintable()
    assert shown.encode("utf-8").decode() == shown
    assert printable(shown) == shown
