"""What an agent's stream says, whoever's it is: the values its readers make of each message.

A reader is given one decoded message after the other, and never raises, whatever is in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias, TypeGuard, final

import attrs

if TYPE_CHECKING:
    from collections.abc import Mapping

_REMEMBERED_TEXT: Final = 1024 * 1024  # characters of a streamed text that are known again
_REMEMBERED: Final = 4096


@final
@attrs.frozen
class Usage:
    """What it took; None is what the agent doesn't tell."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    turns: int | None = None
    cost: float | None = None
    """US dollars."""


@final
@attrs.frozen
class Begun:
    """A session begins."""

    session: str
    model: str


@final
@attrs.frozen
class Said:
    """Text of the agent's."""

    text: str
    ends: bool = True
    """Whether a message ends here, and so its last line; else it's a delta, and more follows."""
    source: str | None = None
    """The tool call of the subagent that says it; None: the agent itself."""


@final
@attrs.frozen
class Thought:
    """What it thinks, as far as it shows that."""

    text: str
    source: str | None = None


@final
@attrs.frozen
class ToolCall:
    """It uses a tool."""

    name: str
    detail: str
    source: str | None = None


@final
@attrs.frozen
class ToolOutput:
    """What a tool gave back."""

    text: str
    ok: bool
    source: str | None = None


@final
@attrs.frozen
class Warned:
    """It warns of something, or reports an error that need not be the end."""

    text: str


@final
@attrs.frozen
class Ended:
    """Its turn has ended; more may follow only where it's told more."""

    ok: bool
    reason: str | None = None
    """One sentence, where it failed."""
    answer: str | None = None
    """Its last words, where the message repeats them."""
    usage: Usage = Usage()


AgentEvent: TypeAlias = Begun | Said | Thought | ToolCall | ToolOutput | Warned | Ended
"""Any of these."""


class Reader(Protocol):
    """Reads the messages of one kind of agent."""

    def read(self, message: Mapping[str, Any]) -> list[AgentEvent] | None:
        """What it says; None for a message that isn't known, which is shown as it is."""


class Seen:
    """Remembers the newest keys it was asked about."""

    __slots__ = ("_keys",)

    def __init__(self) -> None:
        self._keys: dict[object, None] = {}

    def __call__(self, key: object) -> bool:
        """Whether this key has come before; takes note of it."""
        if key in self._keys:
            return True
        self._keys[key] = None
        if len(self._keys) > _REMEMBERED:
            del self._keys[next(iter(self._keys))]
        return False


class Streamed:
    """A text that has come in pieces; one that is longer than a million characters is forgotten."""

    __slots__ = ("_pieces", "_size")

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._size = 0

    def begin(self, text: str) -> None:
        """It's this now."""
        self._pieces = [text]
        self._size = len(text)

    def add(self, piece: str) -> None:
        """More of it."""
        self._size += len(piece)
        if self._size > _REMEMBERED_TEXT:
            self.begin("")
        else:
            self._pieces.append(piece)

    def text(self) -> str:
        """All of it."""
        text = "".join(self._pieces)
        self._pieces = [text]
        return text


# --- what's in a message, of which nothing is sure


def table(value: object) -> Mapping[str, Any]:
    """The value if it's an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def items(value: object) -> list[Any]:
    """The value if it's a list, else an empty one."""
    return value if isinstance(value, list) else []


def text_of(value: object) -> str:
    """The text in a value: a string, or the texts of a list of blocks."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "\n".join(text for text in map(text_of, value[:1000]) if text)
    return text_of(value.get("text")) if isinstance(value, dict) else ""


def key_of(value: object) -> str | None:
    """The value if it can identify something: a string that isn't empty."""
    return value if isinstance(value, str) and value else None


def count_of(value: object) -> int | None:
    """The value if it's a whole number."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether it's a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


_TELLING: Final = (
    *("command", "cmd", "file_path", "path", "pattern", "url", "query", "subject", "description", "prompt"),
    *("skill", "name"),
)


def detail_of(arguments: object) -> str:
    """What tells most about a tool call among its arguments."""
    if isinstance(arguments, str):
        return arguments
    given = table(arguments)
    for name in _TELLING:
        value = given.get(name)
        if isinstance(value, str) and value:
            return value
        if isinstance(value, list) and value and all(isinstance(word, str) for word in value):
            return " ".join(value)
    return ", ".join(f"{name}={value}" for name, value in given.items() if not isinstance(value, dict | list))
