"""What the sessions of a run share: how it stands, and its events as each viewer wants them."""

from __future__ import annotations

import base64
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, final

from axiom_trio.sansio.events import Completed, Gap, Output, Stats
from axiom_trio.sansio.wire import WireEncoder, metadata_fields, to_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from axiom_trio.engine.aggregator import StreamAggregator
    from axiom_trio.engine.child import Child
    from axiom_trio.engine.wakeup import Wakeup
    from axiom_trio.sansio.cursor import Cursor

_KEPT: Final = 2 * 1024 * 1024  # bytes of lines made for several viewers


def about_run(command: str, began: float) -> dict[str, Any]:
    """What `hello` says of a run besides how it stands.

    Args:
        command: Its command line, as anybody may see it.
        began: When, in seconds since 1970.
    """
    try:
        directory = os.getcwd()
    except OSError:  # somebody has removed it
        directory = ""
    return {
        "version": _version(),
        "pid": os.getpid(),
        "cwd": directory,
        "command": command,
        "startedAt": round(began * 1000),
    }


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("axiom-trio")
    except PackageNotFoundError:
        return ""


@final
class Host:
    """What all sessions of a run share.

    Args:
        aggregator: The run.
        about: What `hello` says besides.
        add: Gives the run another child; None: it takes none.
        again: Starts a child that has ended again, as a new one.
    """

    def __init__(
        self,
        aggregator: StreamAggregator,
        about: dict[str, Any],
        *,
        add: Callable[[dict[str, Any]], Child] | None = None,
        again: Callable[[Child], Child] | None = None,
    ) -> None:
        self.aggregator = aggregator
        self.about = about
        self.add = add
        self.again = again
        self.lines = SharedLines(aggregator)
        self._end: int | None = None
        self._listeners: set[Wakeup] = set()

    def finish(self) -> None:
        """Have who looks on get what there is, and then the end: nobody is served any more."""
        self._end = self.aggregator._log.next
        for wakeup in self._listeners:
            wakeup.set()

    def is_over(self, cursor: Cursor) -> bool:
        """Whether a cursor that has nothing to read now will have nothing more."""
        log = self.aggregator._log
        if self._end is not None:
            return cursor.position >= self._end
        return log.closed and cursor.position >= log.next

    @contextmanager
    def read_by(self, wakeup: Wakeup) -> Iterator[None]:
        """Around the reading of one viewer, whom `finish` wakes when it waits for more."""
        self._listeners.add(wakeup)
        self.lines.viewers = len(self._listeners)
        try:
            yield
        finally:
            self._listeners.discard(wakeup)
            self.lines.viewers = len(self._listeners)
            if len(self._listeners) < 2:
                self.lines.forget()

    def child(self, child: Child) -> dict[str, Any]:
        """A CHILD of the wire form."""
        figures, ended = child.statistics(), child.completed
        return {
            "taskId": child.id,
            "shortId": child.short_id,
            "name": child.name,
            "index": child.index,
            "pid": child.pid,
            "tty": child.tty,
            "state": child.state,
            "metadata": metadata_fields(child.metadata),
            "exitCode": None if ended is None else ended.exit.code,
            "signal": None if ended is None else ended.exit.signal,
            "error": None if ended is None else ended.exit.error,
            "reason": None if ended is None else ended.reason,
            "duration": None if ended is None else round(ended.duration * 1000),
            "startedAt": round((time.time() - figures.uptime) * 1000),
            "restarts": max(0, child._port.attempts - 1),
            "bytes": figures.bytes,
            "lines": figures.lines,
            "interventions": figures.interventions,
            "uptime": round(figures.uptime * 1000),
            "idle": round(figures.idle * 1000),
        }

    def status(self) -> dict[str, Any]:
        """How the run stands."""
        figures = self.aggregator.statistics()
        return {
            "children": [self.child(child) for child in self.aggregator.children],
            "statistics": {
                "activeCount": figures.active,
                "totalBytes": figures.bytes,
                "totalLines": figures.lines,
                "totalInterventions": figures.interventions,
            },
            "journal": self.aggregator._log.archive is not None,
            "cursor": figures.next_cursor - 1,
            "oldestCursor": figures.oldest_cursor,
        }


@final
class Encoder:
    """Encodes what one viewer wants."""

    def __init__(self, host: Host, asked: dict[str, Any]) -> None:
        self._shared = host.lines
        tasks = asked.get("tasks")
        self._tasks = None if tasks is None else frozenset([*tasks, None])
        self._exact = bool(asked.get("exact"))

    def encode(self, event: Any) -> bytes:
        """A line of the wire form; nothing if it is not wanted."""
        if isinstance(event, Stats):
            return b""  # each viewer has its own
        if self._tasks is not None and getattr(event, "child", None) not in self._tasks:
            return b""
        if not (self._exact and type(event) is Output):
            return self._shared.line(event)
        return self._shared.exact_line(event)


@final
class SharedLines:
    """Events as lines of the wire form, each made once for all viewers that read it at about the same time.

    Args:
        aggregator: The run.
    """

    def __init__(self, aggregator: StreamAggregator) -> None:
        self._aggregator = aggregator
        self._wire = WireEncoder()
        self._named: set[str] = set()
        self._lines: dict[int, bytes] = {}
        self._size = 0
        self.viewers = 0
        """Those that read; what only one does is not kept."""

    def line(self, event: Any) -> bytes:
        """A line of the wire form."""
        if type(event) is Gap:  # each has its own
            return self._wire.encode(event)
        line = self._lines.get(event.cursor)
        if line is None:
            line = to_line(self._object(event))
            if self.viewers > 1:
                self._keep(event.cursor, line)
        return line

    def exact_line(self, event: Output) -> bytes:
        """The same with the bytes as they were read."""
        message: dict[str, Any] = self._object(event)
        message["data"]["raw"] = base64.b64encode(event.data).decode()
        return to_line(message)

    def _object(self, event: Any) -> dict[str, Any]:
        if type(event) is Output and event.child not in self._named:
            child = self._aggregator.child(event.child)
            self._wire.know(child.id, child.name, tty=child.tty)
            self._named.add(child.id)
        elif (
            type(event) is Completed
        ):  # the encoder forgets it, and others may still read what it has written
            self._named.discard(event.child)
        return self._wire.to_object(event)

    def _keep(self, cursor: int, line: bytes) -> None:
        self._lines[cursor] = line
        self._size += len(line)
        while self._size > _KEPT:
            self._size -= len(self._lines.pop(next(iter(self._lines))))

    def forget(self) -> None:
        """Keep nothing."""
        self._lines.clear()
        self._size = 0
