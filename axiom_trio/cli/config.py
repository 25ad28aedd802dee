"""The settings of a run: what can be set, to which values, and the axiom.toml that sets them.

The command line and `[run]` of an axiom.toml share `SETTINGS`: the same names,
the same checks.
"""

from __future__ import annotations

import os

from axiom_trio.cli.tasks import TaskSpec, UsageError, in_order, near
from axiom_trio.sansio.durations import parse_duration
from axiom_trio.sansio.halt import parse_halt

TYPE_CHECKING = False  # type checkers know better; importing typing takes 5 ms
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

PREFIX_FIELDS = ("name", "id", "index", "pid", "time")
_SIZES = {"": 1, "k": 1 << 10, "ki": 1 << 10, "m": 1 << 20, "mi": 1 << 20, "g": 1 << 30, "gi": 1 << 30}
SUPERVISION = ("retries", "restart-after", "restart-window", "timeout", "idle-warn", "idle-timeout")
"""Settings of a run that a task may have for itself."""
_TASK_KEYS = ("command", "cwd", "env", "pty", "ready", "after", *SUPERVISION)

LATER = ("listen",)
"""Options the design has and this version hasn't: refused by name, never ignored."""


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
    "on": ("", str),
    "rules": ("", _file_name),
    "rule-set": ("", _names),
    "quiet": ("q", None),
}
"""Long option name: short one, and what reads its value; None for a flag."""


MANY = ("on",)
"""Settings that may be given again and again: each value is a list, of what was given, in order."""

ONCE: dict[str, tuple[str, Callable[[str], Any] | None]] = {
    "file": ("f", _file_name),
    "resume": ("", _file_name),
}
"""Options that a file can't have."""


def convert(name: str, value: object, where: str) -> Any:
    """Check the value of a setting, given as text or as a TOML value.

    Args:
        name: A key of `SETTINGS` or `ONCE`.
        value: True or False for a flag; one of `MANY` may be a list.
        where: How the user gave it, to begin the error with.
    """
    read = (SETTINGS.get(name) or ONCE[name])[1]
    if read is None:
        if not isinstance(value, bool):
            raise UsageError(f"{where}: {value!r} is not true or false")
        return value
    if name in MANY:
        return [_one(name, item, where) for item in (value if isinstance(value, list) else [value])]
    if read is _names and isinstance(value, list) and all(isinstance(item, str) for item in value):
        return value
    return _one(name, value, where)


def _one(name: str, value: object, where: str) -> Any:
    read = (SETTINGS.get(name) or ONCE[name])[1]
    assert read is not None
    numeric = read in (_count, _number, _size, _limit, _restart_after, parse_duration)
    if isinstance(value, bool) or not isinstance(value, (str, int, float) if numeric else str):
        raise UsageError(f"{where}: {value!r} is not {'a number or ' if numeric else ''}a string")
    try:
        return read(str(value))
    except ValueError as error:
        raise UsageError(f"{where}: {error}") from None


def from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """The settings that the environment makes."""
    settings: dict[str, Any] = {}
    if environ.get("NO_COLOR"):
        settings["color"] = "never"
    elif force := environ.get("FORCE_COLOR"):
        settings["color"] = "never" if force in ("0", "false") else "always"
    if environ.get("DEBUG"):
        settings["timestamps"] = True
    return settings


def join_halt(settings: dict[str, Any], where: str = "", dashes: str = "") -> None:
    """Replace `kill-others` and `kill-others-on-fail` by the `halt` they mean."""
    given = [dashes + name for name in ("halt", "kill-others", "kill-others-on-fail") if settings.get(name)]
    if len(given) > 1:
        raise UsageError(f"{where}{' and '.join(given)} exclude each other; give one of them")
    if settings.pop("kill-others", False):
        settings["halt"] = "now,done=1"
    if settings.pop("kill-others-on-fail", False):
        settings["halt"] = "now,fail=1"


def join_pty(settings: dict[str, Any], both: str) -> None:
    """Replace `pipe` by its opposite `pty`; `both` names the two in the error."""
    if "pipe" in settings:
        if "pty" in settings:
            raise UsageError(f"{both} exclude each other; give one of them")
        settings["pty"] = not settings.pop("pipe")


def join_interactive(settings: dict[str, Any], both: str) -> None:
    """Replace `no-interactive` by its opposite; `both` names the two in the error."""
    if "no-interactive" in settings:
        if "interactive" in settings:
            raise UsageError(f"{both} exclude each other; give one of them")
        settings["interactive"] = not settings.pop("no-interactive")


def from_toml(path: str, text: str) -> tuple[list[TaskSpec], dict[str, Any]]:
    """Read the text of an axiom.toml.

    Returns:
        Its tasks, and the checked settings of `[run]` under their `SETTINGS` names, with the rules of
        its `[[rules]]` as `own-rules`.
    """
    import tomllib

    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is not valid TOML: {error}") from None
    _check_keys(document, ("run", "tasks", "rules"), (), path)
    run, tasks = (_table(document.get(key, {}), f"{path}: {key}") for key in ("run", "tasks"))
    _check_keys(run, SETTINGS, LATER, f"{path}: [run]")
    settings = {key: convert(key, value, f"{path}: [run] {key}") for key, value in run.items()}
    join_pty(settings, f"{path}: [run] pty and pipe")
    join_halt(settings, f"{path}: [run] ")
    join_interactive(settings, f"{path}: [run] interactive and no-interactive")
    if "rules" in document:
        from axiom_trio.cli.rules import from_tables

        settings["own-rules"] = from_tables(path, document["rules"])
    specs = [_task(path, name, table) for name, table in tasks.items()]
    after = {name: _after(table, f"{path}: [tasks.{name}]") for name, table in tasks.items()}
    return in_order(specs, after, path), settings


def _task(path: str, name: str, value: object) -> TaskSpec:
    where = f"{path}: [tasks.{name}]"
    table = _table(value, where)
    _check_keys(table, _TASK_KEYS, (), where)
    command, cwd, env, pty, ready = (table.get(key) for key in _TASK_KEYS[:5])
    if isinstance(command, list):
        if not command or not all(isinstance(word, str) for word in command) or not command[0]:
            raise UsageError(f"{where} command: an array needs strings, the program first")
    elif not isinstance(command, str) or not command.strip():
        raise UsageError(f'{where} needs a command, such as command = "make test"')
    if cwd is not None:
        if not isinstance(cwd, str) or not cwd:
            raise UsageError(f"{where} cwd: {cwd!r} is not the name of a directory")
        cwd = os.path.join(os.path.dirname(path), cwd)
    if env is not None:
        for key, item in _table(env, f"{where} env").items():
            if not isinstance(item, str):
                raise UsageError(f'{where} env: {key} must be a string, such as {key} = "1"')
            if not key or "=" in key:
                raise UsageError(f"{where} env: {key!r} is no name of a variable")
    if pty is not None and not isinstance(pty, bool):
        raise UsageError(f"{where} pty: {pty!r} is not true or false")
    if ready is not None:
        _check_pattern(ready, f"{where} ready")
    env_texts = (text for pair in (env or {}).items() for text in pair)
    if "\0" in "".join((*command, cwd or "", *env_texts)):
        raise UsageError(f"{where}: a NUL character can't be part of a command, cwd or env")
    supervision = {
        key.replace("-", "_"): convert(key, table[key], f"{where} {key}")
        for key in SUPERVISION
        if key in table
    }
    if ready is not None:
        supervision["ready"] = ready
    return TaskSpec(command, name, cwd=cwd, env=env, pty=pty, supervision=supervision)


def _after(table: dict[str, Any], where: str) -> list[str]:
    after = table.get("after", [])
    after = [after] if isinstance(after, str) else after
    if not isinstance(after, list) or not all(isinstance(other, str) for other in after):
        raise UsageError(f'{where} after: {after!r} is not a list of names of tasks, such as ["db"]')
    return after


def _check_pattern(value: object, where: str) -> None:
    if not isinstance(value, str):
        raise UsageError(f"{where}: {value!r} is not a string")
    try:
        _regex(value)
    except ValueError as error:
        raise UsageError(f"{where}: {error}") from None


def _table(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UsageError(f"{where} must be a table")
    return value


def _check_keys(table: dict[str, Any], known: Any, later: tuple[str, ...], where: str) -> None:
    for key in table:
        if key in later:
            raise UsageError(f"{where}: {key} is not supported yet by this version")
        if key not in known:
            raise UsageError(f"{where}: there is no key {key!r}{near(key, (*known, *later))}")
