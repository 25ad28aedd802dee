"""Durations: what is read, what is refused, how they are written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axiom_trio.sansio.durations import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("500ms", 0.5),
        ("1ms", 0.001),
        ("10s", 10.0),
        ("1.5s", 1.5),
        (".5s", 0.5),
        ("5m", 300.0),
        ("2h", 7200.0),
        ("0", 0.0),
        ("0s", 0.0),
        ("7", 7.0),
        ("0.25", 0.25),
        (" 3 s ", 3.0),
    ],
)
def test_parse(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "s",
        ".",
        "-1",
        "-1s",
        "+1",
        "nan",
        "inf",
        "infs",
        "1e3",
        "1_0",
        "1.2.3",
        "5 parsecs",
        "5S",
        "1d",
        "1h30m",
        "١s",
        "²",
        "0x10",
        "1,5s",
        "ms",
        "9" * 400,
        "9" * 400 + "h",
    ],
)
def test_refuse(text: str) -> None:
    with pytest.raises(ValueError, match="duration; write 500ms, ") as caught:
        parse_duration(text)
    assert len(str(caught.value)) < 500


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        seconds = parse_duration(text)
    except ValueError:
        return
    assert 0 <= seconds < float("inf")


@given(st.integers(0, 10**9), st.sampled_from([("ms", 0.001), ("s", 1), ("", 1), ("m", 60), ("h", 3600)]))
def test_units(number: int, unit: tuple[str, float]) -> None:
    assert parse_duration(f"{number}{unit[0]}") == pytest.approx(number * unit[1])


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (-0.3, "0.0 s"),
        (0.2, "0.2 s"),
        (4.2, "4.2 s"),
        (59.94, "59.9 s"),
        (59.96, "1 m 00 s"),
        (65, "1 m 05 s"),
        (3599.4, "59 m 59 s"),
        (3599.6, "1 h 00 m"),
        (7380, "2 h 03 m"),
        (100 * 3600, "100 h 00 m"),
    ],
)
def test_format(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@given(st.floats(0, 1e7))
def test_format_stays_near(seconds: float) -> None:
    factors = {"s": 1, "m": 60, "h": 3600}
    words = format_duration(seconds).split()
    shown = sum(float(n) * factors[unit] for n, unit in zip(words[::2], words[1::2], strict=True))
    assert abs(shown - seconds) <= 0.500001 * (60 if "h" in words else 1 if "m" in words else 0.1)
    assert not {("60", "m"), ("60", "s"), ("60.0", "s")} & {*zip(words[::2], words[1::2], strict=True)}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, "0 s"), (0.9, "0 s"), (59.99, "59 s"), (65, "1 m 05 s"), (3599.9, "59 m 59 s"), (7380, "2 h 03 m")],
)
def test_what_goes_on_is_in_whole_seconds(seconds: float, text: str) -> None:
    assert format_duration(seconds, running=True) == text
