"""The handle on one child."""

from __future__ import annotations

import re
import signal
from typing import TYPE_CHECKING, Literal, TypeAlias, final

import attrs
import trio

from axiom_trio.sansio.errors import NotRunningError
from axiom_trio.sansio.events import Completed, Intervention, Output
from axiom_trio.sansio.text import SHORT_ID

if TYPE_CHECKING:
    from axiom_trio.abc import Executor
    from axiom_trio.engine.aggregator import StreamAggregator
    from axiom_trio.engine.port import ChildPort
    from axiom_trio.sansio.errors import SpawnError
    from axiom_trio.sansio.events import ChildStatistics, Exit, Reason, TaskMetadata

State: TypeAlias = Literal["queued", "starting", "running", "stopping", "completed"]

_MATCH_HOLD = 64 * 1024  # bytes searched back over, where a match may span reads


@final
@attrs.define(eq=False, repr=False, kw_only=True)
class Child:
    """One child of an aggregator; made by `StreamAggregator.start` and `start_soon`."""

    id: str
    """Unique within the run; so are its first 8 characters."""
    name: str
    """For display; need not be unique."""
    index: int
    """Its place in the order of being given to the aggregator, from 0."""
    metadata: TaskMetadata | None
    """As the caller gave it."""
    pid: int | None = attrs.field(default=None, init=False)
    """The process id, for a child that is a process, once it runs."""
    completed: Completed | None = attrs.field(default=None, init=False)
    """Its last event, once it has ended."""
    _executor: Executor
    _aggregator: StreamAggregator
    _port: ChildPort = attrs.field(init=False)
    _scope: trio.CancelScope = attrs.field(init=False, factory=lambda: trio.CancelScope(shield=True))
    _running: trio.Event = attrs.field(init=False, factory=trio.Event)
    _done: trio.Event = attrs.field(init=False, factory=trio.Event)
    _stop_reason: Reason | None = attrs.field(default=None, init=False)
    _launched: bool = attrs.field(default=False, init=False)
    _spawn_error: SpawnError | None = attrs.field(default=None, init=False)
    _input: trio.Lock | None = attrs.field(init=False, default=None)

    def __repr__(self) -> str:
        return f"<Child {self.name!r} {self.short_id} {self.state}>"

    @property
    def short_id(self) -> str:
        """The first 8 characters of the id."""
        return self.id[:SHORT_ID]

    @property
    def state(self) -> State:
        """Where it is in its life."""
        if self.completed is not None:
            return "completed"
        if self._stop_reason is not None:
            return "stopping"
        if self._port.meter.started is not None:
            return "running"
        return "starting" if self._launched else "queued"

    def statistics(self) -> ChildStatistics:
        """Its figures; the totals stay after its end."""
        return self._port.meter.statistics(self.id, self.name, trio.current_time())

    def tail(self, n: int = 20) -> list[bytes]:
        """Its last `n` lines, without their newlines, as far as they lie in its last 8 KiB of output.

        A line cut by that bound is left out, unless it is the only one.
        """
        recent = self._port.recent
        lines = recent.split(b"\n")
        if not lines[-1]:
            lines.pop()
        if len(recent) < self._port.meter.bytes and len(lines) > 1:
            del lines[0]
        return [line.removesuffix(b"\r") for line in lines[-n:]] if n > 0 else []

    async def wait(self) -> Completed:
        """Wait for its end: all its output is in the log then.

        Cancelling this does not touch the child.
        """
        await self._done.wait()
        assert self.completed is not None
        return self.completed

    async def wait_for(
        self, pattern: bytes | re.Pattern[bytes], *, after: int | None = None
    ) -> re.Match[bytes]:
        """Wait until its output matches, and return the match.

        Searches from the event after cursor `after`, or from the oldest that is
        held, over the ends of reads and open lines too; a match may span at most
        64 KiB. While it searches it reads losslessly: the run waits for it.

        Raises:
            NotRunningError: The child ended and nothing matched.
            re.error: The pattern is no regular expression.
        """
        regex = re.compile(pattern)
        match = None if self._end_is_past(after) else await self._search(regex, after)
        if match is not None:
            return match
        pattern_text = regex.pattern.decode("utf-8", "replace")
        raise NotRunningError(f"{self.name} ended and nothing it wrote matched {pattern_text!r}")

    async def _search(self, regex: re.Pattern[bytes], after: int | None) -> re.Match[bytes] | None:
        seen = b""
        async with self._aggregator.subscribe(after=after, children=[self]) as events:
            async for event in events:
                if type(event) is Output:
                    seen += event.data
                    match = regex.search(seen)
                    if match is not None:
                        return match
                    if len(seen) > 2 * _MATCH_HOLD:
                        seen = seen[-_MATCH_HOLD:]
                elif type(event) is Completed:
                    break
        return None

    def _end_is_past(self, after: int | None) -> bool:
        """Whether its end comes before all there is to read, so that it would be waited for in vain."""
        first = max(self._aggregator._log.base, 0 if after is None else after + 1)
        return self.completed is not None and self.completed.cursor < first

    async def write(self, data: bytes) -> None:
        """Write bytes into its input, as they are; several writers take turns.

        **Cancellation:** an unknown part may have been written.

        Raises:
            NotRunningError: It has not started, or has ended.
            NotWritableError: It has no input.
        """
        self._check_running()
        if self._input is None:  # made when needed: most of a thousand children are never written to
            self._input = trio.Lock()
        async with self._input:
            self._check_running()
            try:
                await self._executor.write(data)
            except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                raise NotRunningError(f"{self.name} takes no more input") from error

    async def intervene(self, text: str) -> Intervention:
        """Write a message into the running child, as if typed and sent with Enter.

        Returns the event that everyone sees. Raises as `write` does.
        """
        enter = "\r" if self._executor.tty else "\n"
        await self.write((text + enter).encode())
        return self._aggregator._intervened(self, text)

    def interrupt(self) -> None:
        """Send it SIGINT, as Ctrl-C would; one that takes no signals is cancelled."""
        if self.completed is None and not self._executor.signal(signal.SIGINT):
            self.stop()

    def stop(self, *, grace: float | None = None) -> None:
        """Ask it to end, and make it end: returns at once, `wait` waits for it.

        A process is sent TERM (on a PTY, HUP too after 1 s), and KILL after `grace`
        seconds (default: the aggregator's), with its whole group, while what it
        writes is still read. One that takes no signals is cancelled.
        """
        self._aggregator._stop([self], grace=grace)

    def _check_running(self) -> None:
        if self.completed is not None or self._port.exit is not None:
            raise NotRunningError(f"{self.name} has ended")
        if self._port.meter.started is None:
            raise NotRunningError(f"{self.name} has not started yet")

    def _exit_from(self, ended: Exit) -> Reason:
        if self._stop_reason is not None:
            return self._stop_reason
        return "signal" if ended.signal is not None else "exit"
