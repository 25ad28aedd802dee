"""The figures of a child under any sequence of times."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from axiom_trio.sansio.events import ChildStatistics
from axiom_trio.sansio.meters import Meter

times = st.lists(st.floats(0, 1e9), min_size=1, max_size=8).map(sorted)


def test_before_the_start_all_is_zero() -> None:
    meter = Meter()
    assert (meter.uptime(10.0), meter.idle(10.0)) == (0.0, 0.0)


def test_idle_counts_from_the_last_output_or_the_start() -> None:
    meter = Meter()
    meter.start(100.0)
    assert (meter.uptime(103.0), meter.idle(103.0)) == (3.0, 3.0)
    meter.last_output = 102.5
    assert (meter.uptime(103.0), meter.idle(103.0)) == (3.0, 0.5)
    meter.ended = 104.0
    assert (meter.uptime(999.0), meter.idle(999.0)) == (4.0, 0.0)


def test_an_attempt_begins_a_new_silence_and_uptime_goes_on() -> None:
    meter = Meter()
    meter.start(100.0)
    meter.last_output = 101.0
    meter.attempt = None
    assert (meter.uptime(105.0), meter.idle(105.0)) == (5.0, 0.0)
    meter.start(110.0)
    assert (meter.uptime(112.0), meter.idle(112.0)) == (12.0, 2.0)


def test_the_totals_survive_the_end() -> None:
    meter = Meter()
    meter.start(100.0)
    meter.bytes, meter.lines, meter.interventions = 10, 2, 1
    meter.ended = 101.0
    figures = ChildStatistics(
        child="id", name="api", bytes=10, lines=2, interventions=1, uptime=1.0, idle=0.0
    )
    assert meter.statistics("id", "api", 500.0) == figures


@settings(deadline=None)
@given(times, st.data())
def test_uptime_grows_and_idle_is_never_more(moments: list[float], data: st.DataObject) -> None:
    """Against the naive model: a list of what happened when; equal times are allowed."""
    meter = Meter()
    meter.start(moments[0])
    outputs: list[float] = []
    uptime = 0.0
    for now in moments:
        if data.draw(st.booleans()):
            meter.last_output = now
            outputs.append(now)
        assert meter.uptime(now) == now - moments[0] >= uptime
        assert meter.idle(now) == now - max([moments[0], *outputs])
        assert 0 <= meter.idle(now) <= meter.uptime(now)
        uptime = meter.uptime(now)
    meter.ended = moments[-1]
    assert meter.uptime(moments[-1] + 1) == uptime
    assert meter.idle(moments[-1] + 1) == 0


@settings(deadline=None)
@given(st.floats(0, 1e9), st.floats(0, 1e9), st.floats(0, 1e9))
def test_a_clock_read_too_early_gives_no_negative_time(started: float, output: float, now: float) -> None:
    meter = Meter()
    meter.started, meter.last_output = started, output
    assert meter.uptime(now) >= 0
    assert meter.idle(now) >= 0
