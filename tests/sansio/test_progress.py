"""Progress is what a child says, never invented."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axiom_trio.sansio.progress import STALE, ProgressTracker, Rate, find_figure, row_text


def seen(*looks: bytes, is_open: bool) -> float | None:
    tracker = ProgressTracker()
    for look in looks:
        tracker.look(look, 0.0, is_open=is_open)
    return tracker.fraction(0.0)


@pytest.mark.parametrize(
    ("text", "fraction"),
    [
        ("42%", 0.42),
        ("42.5 %", 0.425),
        ("[####   ] 3/10", 0.3),
        ("12/340 files", 12 / 340),
        ("3 of 10", 0.3),
        ("1.2MB/3.4MB", 1.2 / 3.4),
        ("1.2 MiB / 3.4 MiB", 1.2 / 3.4),
        ("512kB/1MB", 0.512),
        ("1.2/3.4 MB", 1.2 / 3.4),
        (" 45%|████▌     | 45/100 [00:10<00:12,  4.47it/s]", 0.45),
        ("a 10% b 20%", 0.2),
        ("100%", 1.0),
        ("model.bin  33% |████████░░░| 161/480 MB", 0.33),
    ],
)
def test_figures(text: str, fraction: float) -> None:
    figure = find_figure(text)
    assert figure is not None
    assert figure.fraction == pytest.approx(fraction)


@pytest.mark.parametrize(
    "text",
    ["", "abc", "12/25/2026", "src/3/10", "3/0", "11/10", "150%", "1.2MB/s", "5 MB/10 s", "v1.2/3x", "10:3/4:5",
     "%d%", "http://a/1/2", "50%off", "2026-11/12"],
)  # fmt: skip
def test_what_is_no_figure(text: str) -> None:
    assert find_figure(text) is None


def test_a_row_that_is_redrawn_counts_at_once() -> None:
    assert seen(b"\rget 10%\rget 12%", is_open=True) == 0.12
    assert seen(b"get 10%\r", is_open=True) == 0.10
    assert seen(b"\x1b[32m12%\x1b[0m\r\x1b[32m13%\x1b[0m", is_open=True) == 0.13


def test_an_open_row_that_is_not_redrawn_counts_when_it_moves() -> None:
    assert seen(b"battery 85% low, go on? ", b"battery 85% low, go on? ", is_open=True) is None
    assert seen(b"10%", b"10% 20%", is_open=True) == 0.2


def test_a_marked_line_counts_at_once() -> None:
    assert seen(b"[PROGRESS] 40%", is_open=False) == 0.4
    assert seen(b"[PROGRESS] step 3/10", is_open=False) == 0.3
    assert seen(b"[PROGRESS] thinking", is_open=False) is None


@pytest.mark.parametrize(
    "lines",
    [
        (b"coverage 85%", b"coverage 86%"),
        (b"100%",),
        (b"[12/25] ate a cake", b"[12/25] slept"),
        (b"at 3/10 and 4/10", b"at 5/10"),
        (b"[45%]",),
        (b"[3/10] a", b"[3/12] b"),
        (b"(see 3/10)", b"x (see 4/10) y"),
    ],
)
def test_prose_is_no_progress(lines: tuple[bytes, ...]) -> None:
    assert seen(*lines, is_open=False) is None


@pytest.mark.parametrize(
    ("lines", "fraction"),
    [
        ((b"[ 45%] Building a.o", b"[ 46%] Building b.o"), 0.46),
        ((b"[12/340] CC a.o", b"[13/340] CC b.o"), 13 / 340),
        ((b"tests/a.py ....  [ 45%]", b"tests/b.py ....  [ 90%]"), 0.9),
        ((b"(3/10) one", b"(4/10) two"), 0.4),
    ],
)
def test_brackets_that_move_are(lines: tuple[bytes, ...], fraction: float) -> None:
    assert seen(*lines, is_open=False) == pytest.approx(fraction)


def test_a_figure_that_is_gone_is_forgotten() -> None:
    tracker = ProgressTracker()
    tracker.look(b"\r10%\r20%", 5.0, is_open=True)
    tracker.look(b"and now for something else", 6.0, is_open=False)
    assert tracker.fraction(5.0 + STALE) == 0.2
    assert tracker.fraction(5.1 + STALE) is None


@given(st.lists(st.tuples(st.binary(max_size=40) | st.from_regex(rb"[ \[\r0-9%/.MB]{0,12}"), st.booleans())))
def test_any_bytes_give_a_fraction_or_none(looks: list[tuple[bytes, bool]]) -> None:
    tracker = ProgressTracker()
    for line, is_open in looks:
        tracker.look(line, 0.0, is_open=is_open)
        fraction = tracker.fraction(0.0)
        assert fraction is None or 0 <= fraction <= 1


@given(
    st.lists(
        st.text("ab 12345[]()/.:", max_size=30).filter(
            lambda text: "%" not in text and "/" not in text and " of " not in text
        ),
        max_size=6,
    ),
    st.booleans(),
)
def test_without_a_figure_there_is_no_progress(lines: list[str], is_open: bool) -> None:
    assert seen(*(line.encode() for line in lines), is_open=is_open) is None


@given(st.integers(0, 10**6), st.integers(1, 10**6), st.text("ab ", max_size=9))
def test_a_ratio_is_what_it_says(done: int, total: int, label: str) -> None:
    figure = find_figure(f"{label} {done}/{total} files")
    if done > total:
        assert figure is None
    else:
        assert figure is not None
        assert figure.fraction == pytest.approx(done / total)


@given(st.floats(0, 1e6), st.lists(st.floats(0.01, 10), min_size=1, max_size=50))
def test_a_steady_rate_is_told_from_the_first_step(rate: float, steps: list[float]) -> None:
    meter, now, total = Rate(), 0.0, 0.0
    assert meter.feed(0.0, now) == 0.0
    for step in steps:
        now += step
        total += rate * step
        assert meter.feed(total, now) == pytest.approx(rate, abs=1e-3)


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(0, 1e6)), min_size=2, max_size=30))
def test_a_rate_lies_between_the_slowest_and_the_fastest(steps: list[tuple[float, float]]) -> None:
    meter, now, total, rates = Rate(), 0.0, 0.0, []
    meter.feed(total, now)
    for step, rate in steps:
        now, then = now + max(step, 0.01), now
        total, before = total + rate * (now - then), total
        rates.append((total - before) / (now - then))
        assert min(rates) * 0.999 - 1e-6 <= meter.feed(total, now) <= max(rates) * 1.001 + 1e-6


def test_a_rate_falls_by_half_in_its_half_life() -> None:
    meter = Rate(half_life=2.0)
    for second in range(60):
        meter.feed(100.0 * second, float(second))
    assert meter.feed(5900.0, 61.0) == pytest.approx(50.0, rel=0.01)


@pytest.mark.parametrize(
    ("row", "shown"),
    [
        (b"Proceed? [y/N] ", "Proceed? [y/N]"),
        (b"\rmodel  10%\rmodel  20%", "model  20%"),
        (b"\rmodel  10%\rmodel  20%\r", "model  20%"),
        (b"\x1b[1mbold\x1b[0m \x1b]0;title\x07\x07x", "bold ^Gx"),
        (b"", ""),
    ],
)
def test_what_an_open_row_shows(row: bytes, shown: str) -> None:
    assert row_text(row) == shown


row = st.tuples(
    st.sampled_from([b"1/9", b"2/9\r", b"[1/9] a", b"[2/9] b", b"\r5%", b"[PROGRESS] 7%", b"x"]),
    st.booleans(),
)


@given(st.lists(st.tuples(row, st.integers(1, 3)), max_size=8))
def test_what_stays_as_it_was_is_looked_at_once_to_the_same_end(
    rows: list[tuple[tuple[bytes, bool], int]],
) -> None:
    one, other, now = ProgressTracker(), ProgressTracker(), 0.0
    for (line, is_open), times in rows:
        for _ in range(times):
            now += STALE * 0.7
            one.look(line, now, is_open=is_open)
            other._looked = None
            other.look(line, now, is_open=is_open)
            assert one.fraction(now) == other.fraction(now)
            assert one.fraction(now + STALE * 0.5) == other.fraction(now + STALE * 0.5)
