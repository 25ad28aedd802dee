"""Durations as people write and read them: `1.5s` in, `4.2 s` out."""

from __future__ import annotations

_UNITS = (("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0))  # "ms" before its own ending "s"


def parse_duration(text: str) -> float:
    """Read a duration such as `500ms`, `10s`, `1.5m`, `2h`, or a plain number of seconds.

    Returns:
        Seconds, finite and not negative.

    Raises:
        ValueError: It is no duration; the message is one sentence for the user.
    """
    number, factor = text.strip(), 1.0
    for unit, seconds in _UNITS:
        if number.endswith(unit):
            number, factor = number.removesuffix(unit).rstrip(), seconds
            break
    # float() alone would also take signs, nan, inf, exponents, underscores and foreign digits.
    if not (number.isascii() and number.replace(".", "", 1).isdigit()):
        raise ValueError(f"{text!r} is not a duration; write 500ms, 10s, 1.5m, 2h or plain seconds")
    duration = float(number) / 1000 if factor == 0.001 else float(number) * factor
    if duration == float("inf"):
        raise ValueError(f"{text[:8] + '…'!r} is too long a duration; write 500ms, 10s, 1.5m, 2h or seconds")
    return duration


def format_duration(seconds: float, *, running: bool = False) -> str:
    """Write a duration for people: `0.2 s`, `4.2 s`, `1 m 05 s`, `2 h 03 m`.

    It is rounded first, so that no `60.0 s` comes out; below 0 counts as 0.

    Args:
        seconds: How long.
        running: It goes on: what is over of it, in whole seconds, so that it changes once in one.
    """
    seconds = max(0.0, seconds)
    if running:
        whole, minutes = int(seconds), int(seconds / 60)
        if whole < 60:
            return f"{whole} s"
    else:
        whole, minutes = round(seconds), round(seconds / 60)
        tenths = round(seconds * 10)
        if tenths < 600:
            return f"{tenths / 10:.1f} s"
    if whole < 3600:
        return f"{whole // 60} m {whole % 60:02} s"
    return f"{minutes // 60} h {minutes % 60:02} m"


def stamp(time: float) -> str:
    """Seconds since the epoch as UTC, to the millisecond."""
    from datetime import UTC, datetime

    return datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
