"""From the JSON lines that an agent writes to lines that a person reads, and how it ended.

What is no JSON object of a known type passes through as it is: a bad line is text, an unknown
message is shown raw. However the input is cut, the same bytes come out.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, final

from axiom_trio.sansio.agent_claude import ClaudeReader
from axiom_trio.sansio.agent_codex import CodexReader
from axiom_trio.sansio.agent_events import (
    AgentEvent,
    Begun,
    Ended,
    Said,
    Thought,
    ToolCall,
    ToolOutput,
    Usage,
    Warned,
)
from axiom_trio.sansio.agent_gemini import GeminiReader
from axiom_trio.sansio.lines import LineSplitter
from axiom_trio.sansio.names import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from axiom_trio.sansio.agent_events import Reader
    from axiom_trio.sansio.events import Kind

LONGEST: Final = 8 * 1024 * 1024
"""Bytes of a line that is read as JSON; a longer one passes through."""
FORMATS: Final[Mapping[str, Callable[[], Reader]]] = {
    "claude": ClaudeReader,
    "codex": CodexReader,
    "gemini": GeminiReader,
}
"""The readers by the name of their agent."""
_DETAIL: Final = 160  # characters of a tool's arguments, or of what it gave back
_ANSWER: Final = 64 * 1024  # characters of its last words that are kept
_SOURCES: Final = 64  # subagents whose open line is held
_HELD: Final = 64 * 1024  # characters of that


@final
class AgentStream:
    """One run of an agent.

    Args:
        reader: Reads its messages; one of `FORMATS`.

    Example::

        stream = AgentStream(CodexReader())
        for kind, data in stream.feed(b'{"type": "turn.completed", "usage": {"output_tokens": 5}}\\n'):
            print(kind, data)
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._splitter = LineSplitter()
        self._cut = False  # within a line that is too long
        self._out: list[tuple[Kind, bytes]] = []
        self._open = False
        self._half = ""  # the first half of a character that was cut in two
        self._held: dict[str, str] = {}
        self._said: list[str] = []
        self._said_size = 0
        self._said_ends = True
        self.ended: Ended | None = None
        """How its last turn ended; None: its stream has not said so."""
        self.session = ""
        """What identifies the session to the agent; empty until it is told."""

    @property
    def answer(self) -> str:
        """What it said last: the last message, at most 64 KiB of it."""
        said = "".join(self._said)
        if not said and self.ended is not None and self.ended.answer:
            said = self.ended.answer
        return said[-_ANSWER:]

    def feed(self, data: bytes) -> list[tuple[Kind, bytes]]:
        """Take in what it wrote, cut anywhere; what is to be shown of it, by kind."""
        block = self._splitter.feed(data)
        if block:
            lines = block.split(b"\n")
            lines.pop()
            for line in lines:
                self._line(line)
        if self._cut or self._splitter.pending > LONGEST:
            self._pass(self._splitter.take())
        return self._take()

    def message(self, message: Mapping[str, Any]) -> list[tuple[Kind, bytes]]:
        """Take in a message that has been decoded."""
        if not self._read(message):
            self._whole(json.dumps(message, ensure_ascii=False, default=str))
        return self._take()

    def text(self, text: str) -> list[tuple[Kind, bytes]]:
        """Take in what is no message."""
        self._whole(text)
        return self._take()

    def close(self) -> list[tuple[Kind, bytes]]:
        """Its output has ended: what is left."""
        rest = self._splitter.take(final=True)
        if rest or self._cut:
            self._line(rest)
        for source in [*self._held]:
            self._end_held(source)
        self._end_line()
        return self._take()

    # --- lines

    def _line(self, line: bytes) -> None:
        if self._cut:
            self._pass(line)
            self._cut = False
            self._end_line()
        elif len(line) > LONGEST or not self._is_message(line):
            self._end_line()
            self._add(line + b"\n")

    def _pass(self, piece: bytes) -> None:
        """A piece of a line that is too long to be read."""
        if not self._cut:
            self._cut = True
            self._end_line()
        if piece:
            self._add(piece)
            self._open = True

    def _is_message(self, line: bytes) -> bool:
        if not line.startswith(b"{"):
            return False
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            return False
        return isinstance(message, dict) and self._read(message)

    def _read(self, message: Mapping[str, Any]) -> bool:
        """Whether it's known; then it's shown as it should be."""
        events = self._reader.read(message)
        for event in events or ():
            self._show(event)
        return events is not None

    # --- what is shown

    def _show(self, event: AgentEvent) -> None:
        if isinstance(event, Said):
            if event.source is None:
                self._say(event.text, ends=event.ends)
            else:
                self._hold(event.source, event.text, ends=event.ends)
        elif isinstance(event, Thought):
            for line in event.text.strip().split("\n"):
                if line.strip():
                    self._whole(f"… {line.rstrip()}", event.source)
        elif isinstance(event, ToolCall):
            self._whole(f"→ {_brief(event.name)}: {_brief(event.detail)}".removesuffix(": "), event.source)
        elif isinstance(event, ToolOutput):
            self._whole(f"← {'' if event.ok else 'failed: '}{_gist(event.text)}", event.source)
        elif isinstance(event, Warned):
            self._out.append(("error", _encode(f"! {_brief(event.text, 1000)}\n")))
        elif isinstance(event, Begun):
            self.session = event.session
            parts = [part for part in (event.model, event.session and f"session {event.session}") if part]
            self._whole(f"▷ {_brief(' · '.join(parts))}")
        else:
            self.ended = event
            if spent := _spent(event.usage):
                self._whole(f"■ {spent}")

    def _say(self, text: str, *, ends: bool) -> None:
        if text:
            if self._said_ends:
                self._said, self._said_size = [], 0
            self._said.append(text)
            self._said_size += len(text)
            if self._said_size > 2 * _ANSWER:
                self._said = ["".join(self._said)[-_ANSWER:]]
                self._said_size = _ANSWER
            self._said_ends = False
            text, self._half = self._half + text, ""
            if "\ud800" <= text[-1] <= "\udbff":
                text, self._half = text[:-1], text[-1]
            data = _encode(text)
            if data:
                self._add(data)
                self._open = not data.endswith(b"\n")
        if ends:
            self._said_ends = True
            self._end_line()

    def _hold(self, source: str, text: str, *, ends: bool) -> None:
        """What a subagent says comes in whole lines, as several may speak at once."""
        if text:
            *lines, rest = (self._held.pop(source, "") + text).split("\n")
            for line in lines:
                self._whole(line, source)
            if rest:
                self._held[source] = rest
            if len(rest) > _HELD:
                self._end_held(source)
            if len(self._held) > _SOURCES:
                self._end_held(next(iter(self._held)))
        if ends:
            self._end_held(source)

    def _end_held(self, source: str) -> None:
        if rest := self._held.pop(source, ""):
            self._whole(rest, source)

    def _whole(self, line: str, source: str | None = None) -> None:
        self._end_line()
        self._add(_encode(f"{'' if source is None else '  '}{line}\n"))

    def _end_line(self) -> None:
        if self._half:
            self._half = ""
            self._add("\ufffd".encode())
            self._open = True
        if self._open:
            self._open = False
            self._add(b"\n")

    def _add(self, data: bytes) -> None:
        self._out.append(("output", data))

    def _take(self) -> list[tuple[Kind, bytes]]:
        """What has come together, joined where the kind is the same."""
        joined: list[tuple[Kind, list[bytes]]] = []
        for kind, data in self._out:
            if joined and joined[-1][0] == kind:
                joined[-1][1].append(data)
            else:
                joined.append((kind, [data]))
        self._out.clear()
        return [(kind, b"".join(parts)) for kind, parts in joined]


def _encode(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:  # half a character, or two that are halves of one
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def _brief(text: str, most: int = _DETAIL) -> str:
    """A text in one line, cut."""
    text = printable(" ".join(text[: 2 * most].split()))
    return text if len(text) <= most else text[: most - 1] + "…"


def _gist(text: str) -> str:
    """The first line of a text that says something, and how many more there are."""
    lines = [line for line in text.split("\n") if line.strip()]
    if not lines:
        return "(nothing)"
    more = len(lines) - 1
    return _brief(lines[0]) + (f" (+{more} line{'s' * (more > 1)})" if more else "")


def _spent(usage: Usage) -> str:
    parts = []
    if usage.turns is not None:
        parts.append(f"{usage.turns} turn{'s' * (usage.turns != 1)}")
    if usage.input_tokens is not None or usage.output_tokens is not None:
        parts.append(f"{usage.input_tokens or 0:,} tokens in, {usage.output_tokens or 0:,} out")
    if usage.cost:
        parts.append(f"${usage.cost:.4f}")
    return " · ".join(parts)
