"""The settings of a run: what can be set, and to which values.

The command line and `[run]` of an axiom.toml share `SETTINGS`: the same names,
the same checks.
"""

from __future__ import annotations

from axiom_trio.cli.tasks import UsageError, near
from axiom_trio.sansio.durations import parse_duration
from axiom_trio.sansio.halt import parse_halt

TYPE_CHECKING = False  # type checkers know better; importing typing takes 5 ms
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

PREFIX_FIELDS = ("name", "id", "index", "pid", "time")
_SIZES = {"": 1, "k": 1 << 10, "ki": 1 << 10, "m": 1 << 20, "mi": 1 << 20, "g": 1 << 30, "gi": 1 << 30}


def _names(text: str) -> list[str]:
    return text.split(",")


def _prefix(text: str) -> str:
    import string  # pulls in re

    known = "the fields are " + " ".join(f"{{{field}}}" for field in PREFIX_FIELDS)
    try:
        parts = list(string.Formatter().parse(text))
    except ValueError:
        raise ValueError(f"{text!r} has a lone brace; write {{{{ or }}}} for one, {known}") from None
    for _, field, form, conversion in parts:
        if field is not None and field not in PREFIX_FIELDS:
            raise ValueError(f"{{{field}}} is no field of a prefix; {known}")
        if form or conversion:
            raise ValueError(f"the field {{{field}}} takes no format; {known}")
    if "\n" in text or "\r" in text:
        raise ValueError("a prefix can't contain a line break")
    return text


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19 and int(text) > 0):
        raise ValueError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise ValueError(f"{text!r} is not a whole number")
    return int(text)


def _limit(text: str) -> float | None:
    """A duration; 0 is no limit."""
    return parse_duration(text) or None


def _restart_after(text: str) -> float | str:
    if text == "exponential":
        return text
    try:
        return parse_duration(text)
    except ValueError as error:
        raise ValueError(f"{error}, or exponential") from None


def _halt(text: str) -> str:
    parse_halt(text)
    return text


def _size(text: str) -> int:
    digits = text.rstrip("kKmMgGiIbB")
    unit = text[len(digits) :].lower()
    unit = unit.removesuffix("b") if unit == "b" or unit.endswith("ib") else unit
    if (
        unit not in _SIZES
        or not (digits.isascii() and digits.isdigit() and len(digits) < 13)
        or not int(digits)
    ):
        raise ValueError(f"{text!r} is not a size; write bytes, or 64k, 64KiB, 1M, 1MiB")
    return int(digits) * _SIZES[unit]


def _file_name(text: str) -> str:
    if not text or "\0" in text:
        raise ValueError(f"{text!r} is no file name")
    return text


def _regex(text: str) -> str:
    import re

    try:
        re.compile(text.encode())
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"{text!r} is no regular expression: {error}") from None
    return text


def _listen(text: str) -> tuple[str, int]:
    """Where to listen: host and port."""
    host, colon, port = text.rpartition(":")
    if not (port.isascii() and port.isdigit() and len(port) < 6 and int(port) < 1 << 16) or (
        colon and not host
    ):
        raise ValueError(
            f"{text!r} is no PORT or HOST:PORT, such as 8080 or 127.0.0.1:8080; 0: any free port"
        )
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        raise ValueError(f"{text!r}: an address with colons stands in brackets, such as [::1]:8080")
    return host or "127.0.0.1", int(port)


def _hosts(text: str) -> list[str]:
    from axiom_trio.sansio.gate import allowed_names  # most runs need it not

    allowed_names(text, 0)
    return [text]


def _rules(text: str) -> list[str]:
    return [text]


def _choice(*choices: str) -> Callable[[str], str]:
    def convert(text: str) -> str:
        if text not in choices:
            raise ValueError(f"{text!r} is not one of {', '.join(choices)}{near(text, choices)}")
        return text

    return convert


SETTINGS: dict[str, tuple[str, Callable[[str], Any] | None]] = {
    "names": ("n", _names),
    "prefix": ("p", _prefix),
    "prefix-length": ("l", _count),
    "pad": ("", None),
    "timestamps": ("T", None),
    "color": ("", _choice("auto", "always", "never")),
    "pty": ("", None),
    "pipe": ("", None),
    "interactive": ("i", None),
    "no-interactive": ("", None),
    "stderr": ("", _choice("join", "split")),
    "stdin": ("", _choice("null", "pipe")),
    "output": ("", _choice("lines", "grouped", "raw", "jsonl", "none")),
    "escapes": ("", _choice("color", "none", "raw")),
    "jobs": ("j", _count),
    "halt": ("", _halt),
    "kill-others": ("k", None),
    "kill-others-on-fail": ("", None),
    "success": ("s", str),
    "retries": ("", _number),
    "restart-after": ("", _restart_after),
    "restart-window": ("", _limit),
    "timeout": ("", _limit),
    "idle-warn": ("", _limit),
    "idle-timeout": ("", _limit),
    "grace": ("", parse_duration),
    "allow-daemons": ("", None),
    "stats-interval": ("", parse_duration),
    "summary": ("", _file_name),
    "joblog": ("", _file_name),
    "files": ("", _file_name),
    "mask-env": ("", _names),
    "mask-file": ("", _file_name),
    "journal": ("", _file_name),
    "pace": ("", _choice("console", "journal")),
    "fsync": ("", _choice("never", "interval", "always")),
    "journal-size": ("", _size),
    "buffer-size": ("", _size),
    "flush-interval": ("", parse_duration),
    "progress": ("", _choice("auto", "always", "never")),
    "timings": ("", None),
    "include": ("", _regex),
    "exclude": ("", _regex),
    "highlight": ("", _regex),
    "on": ("", _rules),
    "rules": ("", _file_name),
    "rule-set": ("", _names),
    "listen": ("", _listen),
    "allow-host": ("", _hosts),
    "listen-anywhere": ("", None),
    "quiet": ("q", None),
}
"""Long option name: short one, and what reads its value; None for a flag."""


ONCE: dict[str, tuple[str, Callable[[str], Any] | None]] = {
    "file": ("f", _file_name),
    "resume": ("", _file_name),
}
"""Options that a file can't have, and that may be given only once."""


def convert(name: str, value: object, where: str) -> Any:
    """Check the value that a file has for a setting.

    Args:
        name: A key of `SETTINGS`.
        value: As in TOML; where a command line makes a list, one or a list.
        where: What the error begins with.
    """
    read = SETTINGS[name][1]
    if read is None:
        if not isinstance(value, bool):
            raise UsageError(f"{where}: {value!r} is not true or false")
        return value
    if isinstance(value, list):
        if read in (_rules, _hosts):
            return [found for item in value for found in _one(read, item, where)]
        if read is _names and all(isinstance(item, str) for item in value):
            return value
    return _one(read, value, where)


def _one(read: Callable[[str], Any], value: object, where: str) -> Any:
    numeric = read in (_count, _number, _size, _limit, _restart_after, _listen, parse_duration)
    if isinstance(value, bool) or not isinstance(value, (str, int, float) if numeric else str):
        raise UsageError(f"{where}: {value!r} is not {'a number or ' if numeric else ''}a string")
    try:
        return read(str(value))
    except ValueError as error:
        raise UsageError(f"{where}: {error}") from None
