"""`axiom-trio logs`: what the children of a run have written, as it showed it."""

from __future__ import annotations

import os
import re
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final

import msgspec

from axiom_trio.cli import say, write_all
from axiom_trio.cli.verbs import DONE, FAILED, LOOK, child_of, connected
from axiom_trio.sansio.events import Gap, Output
from axiom_trio.sansio.linefilter import LineFilter
from axiom_trio.sansio.text import TextFormat, TextFormatter
from axiom_trio.sansio.unwire import from_wire

if TYPE_CHECKING:
    from collections.abc import Iterator

    from axiom_trio.cli.verb_options import VerbOptions
    from axiom_trio.sansio.events import Event
    from axiom_trio.server.client import Client
    from axiom_trio.server.remote import ChildInfo

_AT_ONCE: Final = 128 * 1024


async def logs(options: VerbOptions) -> int:
    """Print them; returns the exit status."""
    async with connected(options) as client:
        child = None if options.name is None else await child_of(client, options)
        return await _Logs(options, client, child).run()


class _Logs:
    def __init__(self, options: VerbOptions, client: Client, child: ChildInfo | None) -> None:
        self._options = options
        self._client = client
        self._child = child
        self._json = bool(options.get("json"))
        terminal = os.isatty(1)
        color = options.get("color", "auto")
        text = TextFormat(
            prefix=options.get("prefix", "[{name}]"),
            timestamps=bool(options.get("timestamps")),
            color=color == "always" or (color == "auto" and terminal),
            escapes="color" if terminal else "raw",
        )
        self._formatter = TextFormatter(text)
        for known in client.hello.children:
            # The wire form has a terminal's line ends as plain ones.
            self._formatter.add(known.id, known.name, known.index, known.pid, tty=False)
        grep = options.get("grep")
        self._lines = None if grep is None else LineFilter(include=re.compile(grep.encode()))
        since = options.get("since")
        self._since = 0.0 if since is None else time.time() - since
        self._tail: deque[bytes] | None = None
        if options.get("tail") is not None:
            self._tail = deque(maxlen=options.get("tail"))
        self._pending: list[bytes] = []
        self._size = 0
        self._cursor = options.get("after", -1)

    async def run(self) -> int:
        hello, follow = self._client.hello, bool(self._options.get("follow"))
        tasks = None if self._child is None else [self._child.id]
        after = self._options.get("after")
        if after is not None and after > hello.cursor:
            say(f"axiom-trio logs: the run has no event {after} yet; its newest is {hello.cursor}\n")
            return FAILED
        done = hello.cursor < 0 or after == hello.cursor
        if not (done and not follow):
            start = -1 if after is None else after  # what is no longer held is said, too
            async with self._client.subscribe(start, tasks=tasks, stats=LOOK) as events:
                async for message in events:
                    if message["type"] == "end":
                        break
                    caught_up = message["cursor"] >= hello.cursor
                    if message["cursor"] > hello.cursor and not follow:
                        break
                    self._take(message)
                    if caught_up and not done:
                        done = True
                        self._flush_tail()
                        if not follow:
                            break
                    if done or self._size >= _AT_ONCE:
                        self._write()
        self._finish()
        return DONE

    def _take(self, message: dict[str, Any]) -> None:
        kind = message["type"]
        if kind == "stats":
            return
        self._cursor = max(self._cursor, message["cursor"])
        event = from_wire(message)
        if event is None:
            return
        if isinstance(event, Gap):
            if event.events:
                say(
                    f"axiom-trio logs: the run no longer has {event.lines} lines ({event.bytes} bytes) "
                    f"from before event {event.to_cursor}\n"
                )
        elif event.time < self._since and isinstance(event, Output):
            return
        events: list[Event] = [event] if self._lines is None else self._lines.events([event])
        for shown in events:
            self._put(self._as_json(shown, message) if self._json else self._formatter.event(shown))

    def _as_json(self, event: Event, message: dict[str, Any]) -> Iterator[bytes]:
        if type(event) is Output and self._lines is not None:
            data = {**message["data"], "lines": event.lines, "text": event.data.decode("utf-8", "replace")}
            data.pop("raw", None)
            data.pop("partial", None)
            message = {**message, "data": data}
        yield msgspec.json.encode(message) + b"\n"

    def _put(self, pieces: Any) -> None:
        text = b"".join(pieces)
        if not text:
            return
        if self._tail is None:
            self._pending.append(text)
            self._size += len(text)
        else:
            if self._tail and not self._tail[-1].endswith(b"\n"):  # a line given out in pieces
                text = self._tail.pop() + text
            self._tail += re.findall(rb"[^\n]*\n|[^\n]+", text)  # what ends in \r is part of a line

    def _flush_tail(self) -> None:
        if self._tail is not None:
            self._pending = [*self._tail]
            self._tail = None
        self._write()

    def _write(self) -> None:
        if self._pending:
            data, self._pending, self._size = b"".join(self._pending), [], 0
            write_all(1, data)

    def _finish(self) -> None:
        """What is open is shown, too: it's all there is of it now."""
        if not self._json:
            for child in self._client.hello.children:
                self._put(self._formatter.end_lines(child.id))
        self._flush_tail()
        if self._options.get("cursor"):
            say(f"{self._cursor}\n")
