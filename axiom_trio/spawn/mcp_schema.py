"""Schemas of the tools, and what is wrong with arguments, in a sentence."""

from __future__ import annotations

import difflib
import re
from typing import Any, Final, TypeVar

import msgspec

_T = TypeVar("_T")
_AT: Final = re.compile(r" - at `\$\.?(?P<path>[^`]*)`\Z")
_UNKNOWN: Final = re.compile(r"Object contains unknown field `(?P<name>.*)`\Z", re.DOTALL)
_MISSING: Final = re.compile(r"Object missing required field `(?P<name>.*)`\Z")
_LONGEST_SHOWN: Final = 60


class ArgumentError(ValueError):
    """The arguments can't be; says why in a sentence."""


def schema_of(model: type) -> dict[str, Any]:
    """Its JSON schema as hosts want it: an object at the top, and no references."""
    (schema,), definitions = msgspec.json.schema_components([model], ref_template="{name}")

    def inlined(part: Any) -> Any:
        if isinstance(part, list):
            return [inlined(item) for item in part]
        if not isinstance(part, dict):
            return part
        if "$ref" in part:
            rest = {key: value for key, value in part.items() if key != "$ref"}
            return {**inlined(definitions[part["$ref"]]), **rest}
        if "enum" in part:
            part = {"type": "string", **part}
        return {key: inlined(value) for key, value in part.items()}

    result: dict[str, Any] = inlined(schema)
    return result


def arguments(model: type[_T], given: dict[str, Any] | None, schema: dict[str, Any], tool: str) -> _T:
    """The arguments of a call. What is null counts as not given.

    Raises:
        ArgumentError: They are not what the schema says.
    """
    wanted = {key: value for key, value in (given or {}).items() if value is not None}
    if isinstance(options := wanted.get("streamingOptions"), dict):
        wanted["streamingOptions"] = {key: value for key, value in options.items() if value is not None}
    try:
        return msgspec.convert(wanted, model)
    except msgspec.ValidationError as error:
        raise ArgumentError(_complaint(str(error), wanted, schema, tool)) from None


def _complaint(error: str, given: dict[str, Any], schema: dict[str, Any], tool: str) -> str:
    found = _AT.search(error)
    path = [] if found is None else found["path"].split(".")
    text = error if found is None else error[: found.start()]
    value: Any = given
    for name in path:
        schema = schema.get("properties", {}).get(name, {})
        value = value.get(name) if isinstance(value, dict) else None
    where = ".".join(path)
    if (unknown := _UNKNOWN.match(text)) is not None:
        names = [*schema["properties"]]
        near = difflib.get_close_matches(unknown["name"], names, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}"
        return f"{where or tool} has no {_shown(unknown['name'])}; {hint}"
    if (missing := _MISSING.match(text)) is not None:
        what = schema["properties"][missing["name"]].get("description", "").rstrip(".")
        return f"{tool} needs {missing['name']}" + (f": {what[:1].lower()}{what[1:]}" if what else "")
    return f"{where or 'arguments'} must be {_wanted(schema)}, not {_shown(value)}"


def _wanted(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return "one of " + ", ".join(map(str, schema["enum"]))
    kind = schema.get("type")
    if kind == "integer":
        low, high = schema.get("minimum"), schema.get("maximum")
        if low is None:
            return "a whole number"
        return f"a whole number from {low}" + (" on" if high is None else f" to {high}")
    if kind == "string":
        low, high = schema.get("minLength", 0), schema.get("maxLength")
        if high is None:
            return f"a text of at least {low} characters" if low else "a text"
        return f"a text of {low} to {high} characters"
    return {"boolean": "true or false", "object": "an object"}.get(str(kind), f"of type {kind}")


def _shown(value: Any) -> str:
    if isinstance(value, str) and len(value) > _LONGEST_SHOWN:
        return f"a text of {len(value)} characters"
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
