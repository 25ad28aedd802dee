"""Restarts, time limits and silence: the pure part."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axiom_trio.sansio.supervision import LONGEST_DELAY, Absences, Restarts, Supervision, Watch

gaps = st.lists(st.floats(0, 100), max_size=20)


@given(st.integers(0, 5), gaps)
def test_without_a_window_there_are_as_many_restarts_as_retries(retries: int, pauses: list[float]) -> None:
    restarts = Restarts(Supervision(retries=retries, restart_after=0.5))
    now = 0.0
    given_ = []
    for pause in pauses:
        now += pause
        given_.append(restarts.next_delay(now))
    assert given_ == [0.5 if n < retries else None for n in range(len(pauses))]
    assert restarts.attempt == 1 + min(retries, len(pauses))


@given(st.integers(0, 4), st.floats(1, 100), gaps)
def test_with_a_window_only_the_latest_restarts_count(
    retries: int, window: float, pauses: list[float]
) -> None:
    restarts = Restarts(Supervision(retries=retries, restart_window=window))
    now = 0.0
    times: list[float] = []
    for pause in pauses:
        now += pause
        allowed = len([time for time in times if time > now - window]) < retries
        assert (restarts.next_delay(now) is not None) == allowed
        if allowed:
            times.append(now)


def test_exponential_doubles_up_to_a_minute() -> None:
    restarts = Restarts(Supervision(retries=20, restart_after="exponential"))
    delays = [restarts.next_delay(0.0) for _ in range(20)]
    assert delays[:7] == [1, 2, 4, 8, 16, 32, LONGEST_DELAY]
    assert set(delays[7:]) == {LONGEST_DELAY}


@given(
    st.floats(0, 50),
    st.floats(0, 50),
    st.lists(st.tuples(st.floats(0, 100), st.floats(0, 5)), max_size=5),
)
def test_absences_since_then_are_taken_off(
    since: float, length: float, absences: list[tuple[float, float]]
) -> None:
    taken = Absences()
    for end, missing in absences:
        taken.add(end, missing)
    expected = length - sum(missing for end, missing in absences if end > since)
    assert taken.elapsed(since, since + length) == pytest.approx(expected, abs=1e-9)


@given(st.lists(st.tuples(st.floats(0.01, 3), st.booleans()), max_size=30))
def test_a_warning_comes_once_per_silence(steps: list[tuple[float, bool]]) -> None:
    watch = Watch(Supervision(idle_warn=2.0))
    silent = 0.0
    warned = False
    for pause, speaks in steps:
        silent = 0.0 if speaks else silent + pause
        warned = warned and silent >= 2.0
        expected = ("warn",) if silent >= 2.0 and not warned else ()
        assert tuple(watch.look(0.0, silent)) == expected
        warned = warned or bool(expected)
        due = watch.due(0.0, silent)
        assert due == (float("inf") if warned else 2.0 - silent)


def test_the_limits_come_before_the_warning_and_time_before_silence() -> None:
    watch = Watch(Supervision(timeout=10, idle_timeout=5, idle_warn=1))
    assert tuple(watch.look(1, 0.5)) == ()
    assert watch.due(1, 0.5) == 0.5
    assert tuple(watch.look(2, 1)) == ("warn",)
    assert watch.due(2, 1) == 4
    assert tuple(watch.look(6, 5)) == ("idle",)
    assert tuple(watch.look(10, 5)) == ("timeout",)
    assert watch.due(11, 5) == 0


def test_values_that_can_not_be() -> None:
    for wrong in (
        {"retries": -1},
        {"restart_after": -1},
        {"timeout": 0},
        {"idle_warn": 0},
        {"idle_timeout": -1},
    ):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            Supervision(**wrong)
    with pytest.raises(ValueError, match="must be seconds or 'exponential'"):
        Supervision(restart_after="linear")
    with pytest.raises(ValueError, match="is no regular expression"):
        Supervision(ready="(")
    assert Supervision(ready="a+").ready == re.compile(b"a+") == Supervision(ready=re.compile(b"a+")).ready
    assert not Supervision(retries=3, ready="x").watched
