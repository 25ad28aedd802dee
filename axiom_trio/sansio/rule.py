"""When X, send Y: rules that steer a child, as values."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, final

import attrs

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

On: TypeAlias = Literal["any", "line", "tail", "screen"]
"""Where `match` is searched: in each completed line; in the open line (a prompt); in both (`any`); or
in the last lines and the open line as one text, where only a match that nothing follows counts."""

Action: TypeAlias = Literal["interrupt", "stop", "restart", "notify"]
"""What a rule can do to a child but send it something."""

Mode: TypeAlias = Literal["auto", "confirm", "notify", "off"]
"""Whether a rule acts by itself, after a person agreed, only tells that it would, or rests."""

_ON: Final = ("any", "line", "tail", "screen")
_ACTIONS: Final = ("interrupt", "stop", "restart", "notify")
_MODES: Final = ("auto", "confirm", "notify", "off")
_EXITS: Final = ("success", "failure", "any")
GROUP: Final = re.compile(r"\\(?:g<(\w+)>|([1-9]\d?)|\\)")
"""A group of the match in `send`, or a backslash."""


def _pattern(name: str, value: Any) -> re.Pattern[bytes] | None:
    if value is None:
        return None
    source, flags = value, 0
    if isinstance(value, re.Pattern):
        if isinstance(value.pattern, bytes):
            return value
        source, flags = value.pattern, value.flags & ~re.UNICODE
    if not isinstance(source, (str, bytes)):
        raise ValueError(f"{name} is {value!r}: it must be a regular expression")  # noqa: TRY004 (whatever is wrong with a rule is one)
    try:
        return re.compile(source.encode() if isinstance(source, str) else source, flags)
    except (re.error, OverflowError, RecursionError, ValueError) as error:
        raise ValueError(f"{name}: {source!r} is no regular expression: {error}") from None


def _match(value: Any) -> re.Pattern[bytes] | None:
    return _pattern("match", value)


def _progress(value: Any) -> re.Pattern[bytes] | None:
    return _pattern("progress", value)


def _unless(value: Any) -> re.Pattern[bytes] | None:
    return _pattern("unless", value)


def _seconds(_instance: object, field: attrs.Attribute[Any], value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < float("inf"):
        raise ValueError(f"{field.name} is {value!r}: it must be seconds, 0 or more")


def _positive(_instance: object, field: attrs.Attribute[Any], value: Any) -> None:
    if value is not None and (
        isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < float("inf")
    ):
        raise ValueError(f"{field.name} is {value!r}: it must be more than 0 seconds, or None")


def _one_of(*choices: str, optional: bool = False) -> Callable[[object, attrs.Attribute[Any], Any], None]:
    def check(_instance: object, field: attrs.Attribute[Any], value: Any) -> None:
        if value not in choices and not (optional and value is None):
            raise ValueError(f"{field.name} is {value!r}: it must be one of {', '.join(choices)}")

    return check


def _text(_instance: object, field: attrs.Attribute[Any], value: Any) -> None:
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{field.name} is {value!r}: it must be a text")


@final
@attrs.frozen(kw_only=True)
class Rule:
    r"""When a child does this, do that. Times are seconds; all conditions given must hold together.

    At least one condition (`match`, `idle`, `no_progress`, `every`, `exit`) and exactly one of
    `send`, `keys`, `action`, `call`.

    Raises:
        ValueError: A value can't be; the text is one sentence.

    Example::

        Rule(name="proceed", match=r"Proceed\? \[y/N\] $", on="tail", send="y")
    """

    name: str = attrs.field(validator=_text)
    tasks: str = attrs.field(default="*", validator=_text)
    """Which children, by name: a glob (`claude*`), or several with commas between."""
    match: re.Pattern[bytes] | None = attrs.field(default=None, converter=_match)
    """A regular expression (str, bytes or compiled), searched in the child's text without escapes, line by
    line; only `on="screen"` sees several lines. A match may span at most 64 KiB."""
    on: On = attrs.field(default="any", validator=_one_of(*_ON))
    """Where `match` is searched, see `On`."""
    idle: float | None = attrs.field(default=None, validator=_positive)
    """It has been silent for so long; what we typed and its echo is no output of its own."""
    no_progress: float | None = attrs.field(default=None, validator=_positive)
    """So long since a line matched `progress`, or since its start."""
    progress: re.Pattern[bytes] | None = attrs.field(default=None, converter=_progress)
    """What counts as progress; None: any line."""
    every: float | None = attrs.field(default=None, validator=_positive)
    """So long since its start, or since this rule fired last; and it has written something since."""
    exit: Literal["success", "failure", "any"] | None = attrs.field(
        default=None, validator=_one_of(*_EXITS, optional=True)
    )
    """It has ended so."""
    unless: re.Pattern[bytes] | None = attrs.field(default=None, converter=_unless)
    """The veto: nothing is done where this is found in the last lines (8 KiB) or the open line."""
    settle: float = attrs.field(default=0.25, validator=_seconds)
    """A prompt (`tail`, `screen`) must stand so long without new output; a line's match waits so long."""
    cooldown: float = attrs.field(default=2.0, validator=_seconds)
    """Least time from one attempt to the next. A line that matches meanwhile is passed over; a prompt or
    a silence that lasts is answered afterwards."""
    limit: int | None = attrs.field(default=10)
    """Attempts per child, restarts included; None for no limit."""
    send: str | None = attrs.field(default=None, validator=_text)
    r"""A message to write into it, then Enter. With `match`, `\1` and `\g<name>` are its groups,
    `\\` is `\`."""
    keys: str | None = attrs.field(default=None, validator=_text)
    r"""Keys to press, as `parse_keys` reads them: `1<Enter>`, `<C-c>`, `\x03`."""
    action: Action | None = attrs.field(default=None, validator=_one_of(*_ACTIONS, optional=True))
    """Something to do to it."""
    call: Callable[[Any, Fired], Awaitable[None] | None] | None = None
    """A function, async or not, that is given the `Child` and the `Fired`."""
    mode: Mode = attrs.field(default="auto", validator=_one_of(*_MODES))
    """What happens when it's due."""
    secret: bool = False
    """Whether it may write where the child reads a password (echo off)."""

    @name.validator
    def _check_name(self, _field: attrs.Attribute[Any], value: str) -> None:
        if not value.strip() or not value.isprintable():
            raise ValueError(f"name is {value!r}: a rule needs a name that can be shown")

    @tasks.validator
    def _check_tasks(self, _field: attrs.Attribute[Any], value: str) -> None:
        if not all(part.strip() for part in value.split(",")):
            raise ValueError(f"tasks is {value!r}: write names or globs, with commas between")

    @limit.validator
    def _check_limit(self, _field: attrs.Attribute[Any], value: Any) -> None:
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise ValueError(f"limit is {value!r}: it must be a whole number of at least 1, or None")

    def __attrs_post_init__(self) -> None:
        timed = self.idle is not None or self.no_progress is not None or self.every is not None
        if self.match is None and not timed and self.exit is None:
            raise ValueError("a rule needs a condition: match, idle, no_progress, every or exit")
        if self.progress is not None and self.no_progress is None:
            raise ValueError("progress says what no_progress waits for; give no_progress too")
        what = ("send", "keys", "action", "call")
        given = [name for name in what if getattr(self, name) is not None]
        if len(given) != 1:
            found = " and ".join(given) or "none"
            raise ValueError(f"a rule does exactly one thing: send, keys, action or call; it has {found}")
        if self.exit is not None:
            if timed:
                raise ValueError("exit can't be joined with idle, no_progress or every; what ended is silent")
            if self.send is not None or self.keys is not None or self.action not in (None, "notify"):
                raise ValueError(
                    "with exit, give action notify, or call: what has ended takes nothing, "
                    "and it's retries that start it again"
                )
        if self.call is not None and not callable(self.call):
            raise ValueError(f"call is {self.call!r}: it must be a function")
        if self.keys is not None:
            from axiom_trio.sansio.keys import parse_keys

            try:
                parse_keys(self.keys)
            except ValueError as error:
                raise ValueError(f"keys: {error}") from None
        if self.match is not None and self.send is not None:
            for name, number in GROUP.findall(self.send):
                if (name and name not in self.match.groupindex) or int(number or 0) > self.match.groups:
                    raise ValueError(f"send: match has no group {name or number}; write \\\\ for a backslash")

    def applies_to(self, name: str) -> bool:
        """Whether it's meant for the child of that name."""
        return any(fnmatchcase(name, part.strip()) for part in self.tasks.split(","))


@final
@attrs.frozen
class Fired:
    """A rule is due: its conditions hold, and nothing stands against it."""

    rule: Rule
    match: str
    """The text that matched, at most 4096 bytes of it; empty without `match`."""
    text: str | None
    """`send` with the groups of the match in it; None for a rule that sends none."""


@final
@attrs.frozen
class Suppressed:
    """A rule would be due, but something stands against it."""

    rule: Rule
    reason: str
    """One phrase: `cooldown`, `its veto matched`, `limit of 10 reached`, `too many matches at once`."""
