"""The events of a run: one closed union of frozen values.

Everything that happens to a child becomes one of these, in one order, numbered
by `cursor`. Sinks, subscriptions, the wire form and a journal all carry the
same events. Don't subclass them.

Times are seconds since the epoch (`float`), durations are seconds.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import attrs

Kind: TypeAlias = Literal["output", "error", "intervention", "progress"]
"""What an `Output` block is: plain output, a split stderr or an executor's error, or marked lines."""

Origin: TypeAlias = Literal["detected", "rule", "user"]
"""Who intervened: a child claims it in its own output, a rule did, or a person or program did."""

DeliveryState: TypeAlias = Literal["confirmed", "queued", "unconfirmed", "refused", "suppressed"]
"""What became of an intervention: the child was seen to take it; it waits in the child's input; it
was written, and more can't be known; it was not written; or a rule's was held back."""

Reason: TypeAlias = Literal["exit", "signal", "stopped", "cancelled", "error", "timeout", "idle", "skipped"]
"""Why a child ended: by itself, by a signal not ours, because it was asked to, because the program
left its `async with`, because it could not be started or its executor raised, because its time was up,
because it was silent for too long, or it never ran, as one that had to come before it has failed."""


@attrs.frozen(kw_only=True)
class TaskMetadata:
    """What a caller knows of a child beyond its command; carried on `Started`."""

    prompt: str | None = None
    """The text the child was given to work on."""
    index: int | None = None
    """Its place among its siblings, from 0."""
    depth: int | None = None
    """How many children stand between it and the first parent."""
    pattern: str | None = None
    """The spawn pattern that made it, such as `parallel`."""
    parent: str | None = None
    """The id of the child that asked for it."""


@attrs.frozen
class Exit:
    """How the work of an executor ended."""

    code: int | None = 0
    """Exit status 0–255, or None if a signal ended it."""
    signal: int | None = None
    """The number of the signal that ended it, or None."""
    error: str | None = None
    """One sentence, where it could not be started or raised."""

    @property
    def ok(self) -> bool:
        """Whether this is a success: status 0, no signal, no error."""
        return self.code == 0 and self.signal is None and self.error is None

    @property
    def status(self) -> int:
        """The exit status as a shell reports it: a signal counts 128 more."""
        return 128 + self.signal if self.signal is not None else self.code or (0 if self.ok else 1)

    def __str__(self) -> str:
        if self.error is not None:
            return self.error
        if self.signal is not None:
            return f"signal {self.signal}"
        return "no exit status" if self.code is None else f"exit {self.code}"


@attrs.frozen
class Escaped:
    """A process that had left the child's group (with setsid) and outlived it."""

    pid: int
    command: str
    """Its command line, words joined by spaces; the kernel's short name if it has none."""
    killed: bool = True
    """Whether it was killed; else it was left alone, as asked for."""


@attrs.frozen(kw_only=True)
class ChildStatistics:
    """Figures of one child; the totals stay after its end."""

    child: str
    """Its id."""
    name: str
    """Its name."""
    bytes: int
    """Bytes of output so far."""
    lines: int
    """Lines so far; a last line without newline counts once it is known to be one."""
    interventions: int
    """Interventions so far, detected ones included."""
    uptime: float
    """Seconds from its start to now, or to its end."""
    idle: float
    """Seconds since its last output, or since its start; 0 after its end."""


@attrs.frozen(kw_only=True)
class Started:
    """A child runs."""

    cursor: int
    time: float
    child: str
    name: str
    index: int
    """Its place in the order of starting, from 0."""
    pid: int | None = None
    """The process id, for a child that is a process."""
    tty: bool = False
    """Whether it runs on a PTY, where a line ends with `\\r\\n`."""
    metadata: TaskMetadata | None = None


@attrs.frozen(kw_only=True)
class Output:
    """A block of output: many whole lines, or a piece of one open line."""

    cursor: int
    time: float
    """When it was read."""
    child: str
    seq: int
    """Number of its first line within the child, from 0, without gaps."""
    kind: Kind
    data: bytes
    """The bytes as read. All `data` of a child, joined, is each of its bytes exactly once."""
    lines: int
    """Newlines in `data`, plus one for a last line that the child's end closes."""
    partial: bool = False
    """Whether the last line is still open: more of it follows in the next block."""


@attrs.frozen(kw_only=True)
class Intervention:
    """A message is being written into a child, or the child claims so in its output (`detected`)."""

    cursor: int
    time: float
    child: str
    count: int
    """The how-manieth of this child, from 1."""
    origin: Origin
    text: str
    receipt: str | None = None
    """Identifies the message, and the `Delivery` that follows; None for a detected one."""
    rule: str | None = None
    """The name of the rule that made it, for `origin` rule."""


@attrs.frozen(kw_only=True)
class Delivery:
    """What became of an intervention; or why a rule did not make one (`suppressed`)."""

    cursor: int
    time: float
    child: str
    receipt: str | None
    """Of the intervention; None for a suppressed one."""
    state: DeliveryState
    reason: str
    """One phrase: the evidence, or what stood against it."""
    rule: str | None = None
    """The name of the rule whose it is, if it is one's."""


@attrs.frozen
class Receipt:
    """What `Child.intervene` returns: the fate of one message, sent at most once."""

    id: str
    state: DeliveryState
    reason: str
    """One phrase: the evidence, or what stood against it."""


@attrs.frozen(kw_only=True)
class Idle:
    """A child has shown nothing for a while."""

    cursor: int
    time: float
    child: str
    idle: float
    """Seconds of silence."""


@attrs.frozen(kw_only=True)
class Stats:
    """The periodic figures of the whole run."""

    cursor: int
    time: float
    active: int
    """Children that have not ended."""
    bytes: int
    """Total over all children, ended ones included; so are the next two."""
    lines: int
    interventions: int
    children: tuple[ChildStatistics, ...]
    """The active ones."""


@attrs.frozen(kw_only=True)
class Restarting:
    """A child ended and will be started again."""

    cursor: int
    time: float
    child: str
    attempt: int
    """The number of the attempt to come; the first start was 1."""
    delay: float
    """Seconds until then."""
    exit: Exit
    """How the last one ended."""
    reason: Reason
    """Why it did."""


@attrs.frozen(kw_only=True)
class Gap:
    """What a lossy reader missed: the events `from_cursor` up to, not including, `to_cursor`."""

    from_cursor: int
    to_cursor: int
    events: int
    lines: int
    """Exact, as the bytes are; only where the reader began at a place gone long before, at least so many."""
    bytes: int


@attrs.frozen(kw_only=True)
class Completed:
    """A child has ended: its last event, after all its output; only a `Delivery` may follow."""

    cursor: int
    time: float
    child: str
    exit: Exit
    """Of the last attempt."""
    reason: Reason
    duration: float
    """Seconds from the first start to the end."""
    bytes: int
    """Over all attempts; so the next two."""
    lines: int
    interventions: int
    attempts: int = 1
    """How often it was started; 0 for one that never was."""
    escaped: tuple[Escaped, ...] = ()
    """Its processes that had left its group and were found after its end."""

    @property
    def ok(self) -> bool:
        """Whether this is a success: status 0, and not because its time was up or it was silent."""
        return self.exit.ok and self.reason not in ("timeout", "idle")


@attrs.frozen(kw_only=True)
class AllCompleted:
    """The number of active children fell to 0; more may be started."""

    cursor: int
    time: float
    children: int
    """How many have ended so far."""
    failed: int
    """How many of them without success."""
    bytes: int
    lines: int
    interventions: int


Event: TypeAlias = (
    Started | Output | Intervention | Delivery | Idle | Stats | Restarting | Gap | Completed | AllCompleted
)
"""Any event."""
