"""What sets the settings of a run besides its command line: the environment, and an axiom.toml."""

from __future__ import annotations

import os

from axiom_trio.cli.settings import SETTINGS, convert
from axiom_trio.cli.tasks import TaskSpec, UsageError, in_order, near

TYPE_CHECKING = False  # type checkers know better; importing typing takes 5 ms
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

SUPERVISION = ("retries", "restart-after", "restart-window", "timeout", "idle-warn", "idle-timeout")
"""Settings of a run that a task may have for itself."""
_TASK_KEYS = ("command", "cwd", "env", "pty", "ready", "after", *SUPERVISION)


def from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """The settings that the environment makes."""
    settings: dict[str, Any] = {}
    if environ.get("NO_COLOR"):
        settings["color"] = "never"
    elif force := environ.get("FORCE_COLOR"):
        settings["color"] = "never" if force in ("0", "false") else "always"
    elif environ.get("TERM") == "dumb":
        settings["color"] = "never"
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
    _check_keys(document, ("run", "tasks", "rules"), path)
    run, tasks = (_table(document.get(key, {}), f"{path}: {key}") for key in ("run", "tasks"))
    _check_keys(run, SETTINGS, f"{path}: [run]")
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
    _check_keys(table, _TASK_KEYS, where)
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
    convert("include", value, where)


def _table(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UsageError(f"{where} must be a table")
    return value


def _check_keys(table: dict[str, Any], known: Any, where: str) -> None:
    for key in table:
        if key not in known:
            raise UsageError(f"{where}: there is no key {key!r}{near(key, known)}")
