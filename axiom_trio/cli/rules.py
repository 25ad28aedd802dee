"""Rules as the command line and TOML files write them. Imported only where there are some."""

from __future__ import annotations

import inspect
import re
import tomllib
from difflib import get_close_matches
from typing import Any

from axiom_trio.cli.tasks import UsageError, near, read_text
from axiom_trio.sansio.durations import parse_duration
from axiom_trio.sansio.keys import KEY_NAMES, parse_keys
from axiom_trio.sansio.names import printable, unique
from axiom_trio.sansio.rule import Rule

_DURATIONS = ("idle", "no-progress", "every", "settle", "cooldown", "after")
_KEYS = (
    *("name", "tasks", "match", "on", "idle", "no-progress", "progress", "every", "exit", "unless", "settle"),
    *("cooldown", "limit", "send", "keys", "action", "mode", "secret"),
)
_KEY = re.compile(r"<[A-Za-z][A-Za-z0-9]*>|<[CcMmAaSs]-[^\s>]+>")


def from_options(texts: list[str]) -> list[Rule]:
    """Make rules of the values of `--on`: `REGEX => TEXT`, or keys such as `REGEX => 1<Enter>`."""
    rules = []
    names = unique([printable(text.partition(" => ")[0].strip())[:40] or "on" for text in texts])
    for text, name in zip(texts, names, strict=True):
        match, arrow, reply = (part.strip() for part in text.partition(" => "))
        if not arrow or not match or not reply:
            raise UsageError(f"--on: {text!r} is not of the form 'REGEX => TEXT', such as 'Proceed\\? => y'")
        does = "keys" if any(_is_key(token, text) for token in _KEY.findall(reply)) else "send"
        rules.append(_rule({"name": name, "match": match, does: reply}, "--on"))
    return rules


def from_file(path: str) -> list[Rule]:
    """Read the `[[rules]]` of a TOML file that has nothing else."""
    try:
        document = tomllib.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is not valid TOML: {error}") from None
    for key in document:
        if key != "rules":
            raise UsageError(
                f"{path}: there is no key {key!r}; a file of rules has [[rules]] and nothing else"
            )
    return from_tables(path, document.get("rules", []))


def from_tables(path: str, tables: object) -> list[Rule]:
    """Make rules of the `[[rules]]` of a TOML file.

    Args:
        path: The file, for errors.
        tables: What stands under `rules` in it.
    """
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise UsageError(f"{path}: rules must be tables, each headed by [[rules]]")
    rules = []
    for number, table in enumerate(tables, 1):
        where = f"{path}: [[rules]] {number}"
        if "set" in table:
            rules += _from_set(table, where)
            continue
        for key in table:
            if key not in _KEYS:
                raise UsageError(f"{where}: there is no key {key!r}{near(key, (*_KEYS, 'set'))}")
        rules.append(_rule({"name": f"rule {number}", **_fields(table, where)}, where))
    return rules


def from_sets(names: list[str]) -> list[Rule]:
    """The rules of the built-in sets of these names."""
    return [rule for name in names for rule in _set(name, "--rule-set")()]


def _is_key(token: str, text: str) -> bool:
    """Whether it names a key. Raises UsageError where one was probably meant."""
    try:
        return parse_keys(token) != [token.encode()]
    except ValueError:
        meant = get_close_matches(token[1:-1].lower(), KEY_NAMES, n=1, cutoff=0.75)
        if meant:
            name = meant[0].capitalize()
            raise UsageError(
                f"--on: {text!r}: {token} is no key; did you mean <{name}>? "
                f"As text, write <lt>{token[1:]}<Enter>"
            ) from None
        return False


def _set(name: object, where: str) -> Any:
    from axiom_trio.sansio.presets import RULE_SETS

    if not isinstance(name, str) or name not in RULE_SETS:
        known = ", ".join(RULE_SETS)
        raise UsageError(
            f"{where}: there is no rule set {name!r}{near(str(name), RULE_SETS)}; there are {known}"
        )
    return RULE_SETS[name]


def _from_set(table: dict[str, Any], where: str) -> list[Rule]:
    make = _set(table["set"], f"{where} set")
    known = [name.replace("_", "-") for name in inspect.signature(make).parameters]
    for key in table:
        if key != "set" and key not in known:
            raise UsageError(f"{where}: a set has no key {key!r}; {table['set']} has {', '.join(known)}")
    fields = _fields({key: value for key, value in table.items() if key != "set"}, where)
    try:
        rules: list[Rule] = make(**fields)
    except ValueError as error:
        raise UsageError(f"{where}: {error}") from None
    return rules


def _fields(table: dict[str, Any], where: str) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for key, value in table.items():
        if key in _DURATIONS:
            if isinstance(value, bool) or not isinstance(value, (str, int, float)):
                raise UsageError(f"{where} {key}: {value!r} is not a number or a string")
            try:
                value = parse_duration(str(value))
            except ValueError as error:
                raise UsageError(f"{where} {key}: {error}") from None
        elif key == "secret" and not isinstance(value, bool):
            raise UsageError(f"{where} secret: {value!r} is not true or false")
        elif key == "limit":
            if type(value) is not int or value < 0:
                must = "it must be a whole number of at least 1, or 0 for no limit"
                raise UsageError(f"{where}: limit is {value!r}: {must}")
            value = value or None
        elif key != "secret" and not isinstance(value, str):
            raise UsageError(f"{where} {key}: {value!r} is not a string")
        fields[key.replace("-", "_")] = value
    return fields


def _rule(fields: dict[str, Any], where: str) -> Rule:
    try:
        return Rule(**fields)
    except ValueError as error:
        raise UsageError(f"{where}: {error}") from None
