"""The handle on one child."""

from __future__ import annotations

import re
import signal
from typing import TYPE_CHECKING, Literal, TypeAlias, final

import attrs
import trio

from axiom_trio.engine.recorder import random_id
from axiom_trio.sansio.errors import NotRunningError
from axiom_trio.sansio.events import Completed, Output
from axiom_trio.sansio.names import SHORT_ID

if TYPE_CHECKING:
    from axiom_trio.abc import Executor
    from axiom_trio.engine.aggregator import StreamAggregator
    from axiom_trio.engine.interventions import Inbox
    from axiom_trio.engine.port import ChildPort
    from axiom_trio.sansio.errors import SpawnError
    from axiom_trio.sansio.events import ChildStatistics, Exit, Reason, Receipt, TaskMetadata
    from axiom_trio.sansio.queries import TerminalModes
    from axiom_trio.sansio.supervision import Supervision

State: TypeAlias = Literal["queued", "starting", "running", "restarting", "stopping", "completed"]
"""Where a child is in its life; `queued` until it has a place (`jobs`, `after`)."""

_MATCH_HOLD = 64 * 1024  # bytes searched back over, where a match may span reads


def _shield() -> trio.CancelScope:
    return trio.CancelScope(shield=True)


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
    supervision: Supervision
    """How it is looked after."""
    sent: int = attrs.field(default=0, init=False)
    """Bytes written into its input so far."""
    _executor: Executor
    _aggregator: StreamAggregator
    _port: ChildPort = attrs.field(init=False)
    _scope: trio.CancelScope = attrs.field(init=False, factory=_shield)
    _running: trio.Event = attrs.field(init=False, factory=trio.Event)
    _done: trio.Event = attrs.field(init=False, factory=trio.Event)
    _stop_reason: Reason | None = attrs.field(default=None, init=False)
    _ended_first: bool = attrs.field(default=False, init=False)
    _launched: bool = attrs.field(default=False, init=False)
    _pausing: bool = attrs.field(default=False, init=False)
    _awaits: set[Child] = attrs.field(init=False, factory=set)
    _settled: trio.Event = attrs.field(init=False, factory=trio.Event)
    _is_ready: bool = attrs.field(default=False, init=False)
    _spawn_error: SpawnError | None = attrs.field(default=None, init=False)
    _again: bool = attrs.field(default=False, init=False)
    _hurry: trio.Event | None = attrs.field(default=None, init=False)
    _lock: trio.Lock | None = attrs.field(init=False, default=None)
    _inbox: Inbox | None = attrs.field(init=False, default=None)
    _typed_at: float = attrs.field(init=False, default=float("-inf"))

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
        if self._pausing:
            return "restarting"
        if self._port.meter.attempt is not None or self._port.exit is not None:
            return "running"
        return "starting" if self._launched else "queued"

    @property
    def tty(self) -> bool:
        """Whether it runs on a terminal."""
        return self._executor.tty

    @property
    def writable(self) -> bool:
        """Whether it runs, and has an input."""
        return self.state in ("running", "stopping") and self._executor.writable

    def resize(self, rows: int, columns: int) -> None:
        """Give its terminal, if it has one, another size. Raises SpecificationError if none has that size."""
        executor = self._executor
        if executor.terminal_size not in (None, (rows, columns)):
            executor.resize(rows, columns)

    @property
    def terminal_modes(self) -> TerminalModes | None:
        """What its terminal was told to do, while it runs on one."""
        modes: TerminalModes | None = getattr(self._executor, "modes", None)
        return modes

    def end_input(self) -> None:
        """End its input, if that is a pipe: it reads end of file."""
        close = getattr(self._executor, "close_stdin", None)
        if close is not None:
            close()

    def publish_open_line(self) -> None:
        """Publish what has come of its open line, without waiting for a silence; for who shows it live."""
        self._port.publish_open()

    def statistics(self) -> ChildStatistics:
        """Its figures; the totals stay after its end."""
        return self._port.meter.statistics(self.id, self.name, trio.current_time())

    def tail(self, n: int = 20) -> list[bytes]:
        """Its last `n` lines, without their newlines, as far as they lie in its last 8 KiB of output.

        A line cut by that bound is left out, unless it is the only one.
        """
        recent = self._port.recent
        lines = recent.rsplit(b"\n", max(0, n) + 1)
        whole = len(lines) <= n + 1  # otherwise what's left is no line, and not among the last
        if not lines[-1]:
            lines.pop()
        if whole and len(recent) < self._port.meter.bytes and len(lines) > 1:
            del lines[0]
        return [line.removesuffix(b"\r") for line in lines[-n:]] if n > 0 else []

    async def wait(self) -> Completed:
        """Wait for its end: all its output is in the log then.

        Cancelling this does not touch the child.
        """
        await self._done.wait()
        assert self.completed is not None
        return self.completed

    async def wait_ready(self) -> None:
        """Wait until it's ready: its output matched `Supervision.ready`; without that, it runs.

        Raises:
            NotRunningError: It ended before.
        """
        if self.supervision.ready is None:
            await self._running.wait()
            ready = self._spawn_error is None and self._port.attempts > 0
        else:
            await self._settled.wait()
            ready = self._is_ready
        if not ready:
            raise NotRunningError(f"{self.name} ended before it was ready")

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
        first = max(self._aggregator._log.oldest, 0 if after is None else after + 1)
        return self.completed is not None and self.completed.cursor < first

    async def write(self, data: bytes) -> None:
        """Write bytes into its input, as they are; several writers take turns.

        **Cancellation:** what is begun is finished if it reads on within a second; else a part was written.

        Raises:
            NotRunningError: It has not started, or has ended.
            NotWritableError: It has no input.
        """
        self._check_running()
        async with self._input:
            self._check_running()
            self._typed_at = trio.current_time()
            if self._executor.tty:
                from axiom_trio.engine.evidence import expect_typed  # most children are never typed to

                expect_typed(self, data)
            try:
                await self._put(data)
            except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                raise NotRunningError(f"{self.name} takes no more input") from error

    async def intervene(
        self,
        text: str,
        *,
        id: str | None = None,  # noqa: A002 (the field's name)
        secret: bool = False,
        enter: bool = True,
        force: bool = False,
    ) -> Receipt:
        """Write a message into the running child, as if typed and sent with Enter.

        Everyone sees it (`Intervention`) before it's written, and what became of it (`Delivery`).

        Args:
            text: What to say. Control characters in it are made visible: they're no keys.
            id: Of the receipt; the same is never sent twice to this child, what became of the
                first is returned instead. Default: random.
            secret: Whether it may answer a prompt for a password; it's shown as `***`.
            enter: Whether Enter is pressed in the end.
            force: Whether it's sent though a known dialog of an agent, open now, takes it for an answer.

        Returns:
            What became of it; refused if it has ended, has no input, or could not take it.
        """
        from axiom_trio.engine.interventions import Message, deliver  # most children are never typed to

        message = Message(id or random_id(), text, enter=enter, secret=secret, force=force)
        return await deliver(self, message)

    async def press(
        self,
        keys: str,
        *,
        id: str | None = None,  # noqa: A002 (the field's name)
        secret: bool = False,
    ) -> Receipt:
        """Press keys, such as `1<Enter>` or `<C-c>`; else as `intervene`.

        Raises:
            ValueError: There is no such key.
        """
        from axiom_trio.engine.interventions import Message, deliver
        from axiom_trio.sansio.keys import parse_keys

        return await deliver(self, Message(id or random_id(), keys, keys=parse_keys(keys), secret=secret))

    def open_row(self) -> bytes:
        """What it has written of its open line so far, its last 4 KiB, shown already or not; for views."""
        return self._port.open_row()

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

    def restart(self) -> None:
        """Ask it to end, as `stop` does, and start it again at once: returns at once.

        It counts neither as a failure nor as one of its `retries`. A `stop` overtakes it.

        Raises:
            NotRunningError: It has not been started, has ended or is being stopped.
        """
        if self.completed is not None or self._port.exit is not None:
            raise NotRunningError(f"{self.name} has ended: it can't be restarted")
        if not self._launched:
            raise NotRunningError(f"{self.name} has not been started yet")
        if self._pausing and self._hurry is not None:
            self._hurry.set()
            return
        if self._stop_reason in ("stopped", "cancelled") and not self._again:
            raise NotRunningError(f"{self.name} is being stopped")
        self._aggregator._stop([self])
        self._again = True

    async def _put(self, data: bytes) -> None:
        await self._executor.write(data)
        self.sent += len(data)

    @property
    def _input(self) -> trio.Lock:
        """Whoever writes into it has it."""
        if self._lock is None:  # made when needed: most of a thousand children are never written to
            self._lock = trio.Lock()
        return self._lock

    def _check_running(self) -> None:
        if self.completed is not None or self._port.exit is not None:
            raise NotRunningError(f"{self.name} has ended")
        if self._port.meter.attempt is None:
            when = "is being restarted" if self._pausing else "has not started yet"
            raise NotRunningError(f"{self.name} {when}")

    def _may_restart(self, ended: Exit, reason: Reason) -> bool:
        # One that raises while it's stopped has the reason `error`.
        if self._aggregator._schedule.halted or {reason, self._stop_reason} & {"stopped", "cancelled"}:
            return False
        return not ended.ok or reason in ("timeout", "idle")

    def _renew(self) -> None:
        """Something new begins for it: what it was asked before does not count."""
        self._scope = _shield()
        self._stop_reason = None
        self._again = False
        self._ended_first = False
        self._port.grace = self._aggregator._grace
