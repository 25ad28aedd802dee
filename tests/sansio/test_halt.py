"""When to stop the rest, and who has to succeed."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axiom_trio.sansio.halt import parse_halt
from axiom_trio.sansio.success import check_success, default_success, is_success

outcomes = st.lists(st.booleans(), min_size=1, max_size=12)


@given(
    outcomes,
    st.sampled_from(["soon", "now"]),
    st.sampled_from(["fail", "success", "done"]),
    st.integers(1, 100),
    st.booleans(),
)
def test_it_halts_with_the_first_end_that_makes_enough(
    oks: list[bool], when: str, what: str, number: int, percent: bool
) -> None:
    halt = parse_halt(f"{when},{what}={number}{'%' * percent}")
    assert halt is not None
    total = len(oks)
    enough = max(1, math.ceil(total * number / 100)) if percent else number
    for place, ok in enumerate(oks, 1):
        counted = {"fail": oks[:place].count(False), "success": oks[:place].count(True), "done": place}[what]
        assert halt.ended(ok=ok, total=total) == (when if counted >= enough else None)


def test_never() -> None:
    assert parse_halt("never") is None


@pytest.mark.parametrize(
    "text",
    [
        *("", "now", "soon", "now,", "now,fail", "now,fail=", "later,fail=1", "now,fails=1", "now,fail=0"),
        *("now,fail=-1", "now,fail=1.5", "now,fail=0%", "now,fail=101%", "now,fail=%", "now,fail=1%%"),
        *("now;fail=1", " now,fail=1", "now,fail=²", "never,fail=1", "now,fail=99999999999"),
    ],
)
def test_what_is_no_policy_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match=r"no halt policy; write never, or such as soon,fail=1"):
        parse_halt(text)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.booleans()), max_size=8))
def test_success_is_judged_by_those_that_ended_by_themselves(ended: list[tuple[str, bool, bool]]) -> None:
    own = [ok for _, ok, by_itself in ended if by_itself]
    assert is_success("all", ended) == (False not in own)
    assert is_success("any", ended) == (True in own)
    assert is_success("first", ended) == (own[0] if own else True)
    assert is_success("last", ended) == (own[-1] if own else True)
    assert is_success("b", ended) == (("b", True) in [(name, ok) for name, ok, _ in ended])


def test_words_and_names() -> None:
    for word in ("all", "any", "first", "last", "api"):
        check_success(word, ["api"])
    with pytest.raises(ValueError, match="'web' is not all, any, first or last, nor the name of a child"):
        check_success("web", ["api"])
    assert default_success("now,success=1") == "any"
    assert default_success("now,fail=1") == default_success("never") == "all"
