r"""The rules of a run at work: one service, there only if there's a rule.

Theory of operation:

* **It reads losslessly**, from a cursor of its own, and never waits while it reads: what a rule
  does is done by a task of its own. So no prompt is missed, and the run waits for the searching
  itself but never for a slow function or a person who is asked. A lossy reader would be overtaken
  by the first flood and leave a child waiting for an answer for ever.
* **Each rule has its own position** in each child's output (`RuleState`), from when the rule was
  added or the child started. It's given text without escapes, and without the echo of what was typed:
  the newline that Enter makes goes with what comes next, so that no echo looks like new output.
* **One message at a time for each child.** The next one is looked at again when the child has said
  something since, or has had time to.
* **At the moment of sending**, with the child's input to itself, a rule is checked once more against all
  that has come by then. A person who types comes first.
* Whatever becomes of a rule that was due is an event.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Final, final

import trio

from axiom_trio.engine.rule_actions import HUMAN, Actions, Entry, Watched, rows_of
from axiom_trio.engine.wakeup import Wakeup
from axiom_trio.sansio.events import Completed, Output, Restarting, Started
from axiom_trio.sansio.plain import PlainText, plain
from axiom_trio.sansio.rules import Fired
from axiom_trio.sansio.supervision import Absences

if TYPE_CHECKING:
    from axiom_trio.engine.aggregator import StreamAggregator
    from axiom_trio.engine.child import Child
    from axiom_trio.sansio.events import Event
    from axiom_trio.sansio.rules import Rule

_ABSENCE: Final = 0.5
_SHORTEST: Final = 0.01
_ROW: Final = 4096
_SCREEN_AGAIN: Final = 0.1
_SCREEN_LATE: Final = 2.0  # seconds by which what is known of a screen may be late
_LAST: Final = 8192


@final
class Rulebook:
    """The rules of one aggregator."""

    def __init__(self, aggregator: StreamAggregator) -> None:
        self._aggregator = aggregator
        self._log = aggregator._log
        self._cursor = self._log.cursor(self._log.next, lossless=True)
        self._rules: list[Rule] = []
        self._added: list[int] = []  # the cursor of the first event that each looks at
        self._watched: dict[str, Watched] = {}
        self._touched: dict[Watched, None] = {}
        self._due: list[tuple[float, int, Watched]] = []
        self._count = 0
        self._wakeup = Wakeup()
        self._absences = Absences()
        self._away = 0.0
        self._actions = Actions(
            aggregator, self._rules, clock=self._now, catch_up=self._catch_up, touch=self._touch
        )
        for child in aggregator.children:
            if child.completed is None and child._port.meter.attempt is not None:
                self._watched[child.id] = Watched(child)

    def add(self, rule: Rule) -> None:
        """One more rule; it looks at what comes from now on."""
        self._rules.append(rule)
        self._added.append(self._log.next)
        if rule.on == "screen":
            _ = self._aggregator.screens  # from now on they're followed
        for watched in self._watched.values():
            self._enter(watched, rule, self._log.next)
            self._touched[watched] = None
        self._wakeup.set()

    def _touch(self, watched: Watched) -> None:
        self._touched[watched] = None
        self._wakeup.set()

    def remove(self, rule: Rule) -> None:
        """One less. Raises ValueError if there's no such rule."""
        if rule not in self._rules:
            raise ValueError(f"there is no rule {rule.name!r}")
        place = self._rules.index(rule)
        del self._rules[place], self._added[place]
        for watched in self._watched.values():
            watched.entries = [entry for entry in watched.entries if entry.rule is not rule]

    def _enter(self, watched: Watched, rule: Rule, since: int) -> None:
        if rule.mode != "off" and rule.applies_to(watched.child.name):
            watched.entries.append(Entry(rule, self._now(), since))

    def _now(self) -> float:
        """A clock that stands still while this program is stopped."""
        return trio.current_time() - self._away

    # --- the service

    async def run(self) -> None:
        """Serve until cancelled, or all is read of a run that is over."""
        try:
            async with trio.open_nursery() as self._actions.nursery:
                while not (self._log.closed and self._cursor.position >= self._log.next):
                    await self._wait()
                    self._read()
                    self._look_around()
        finally:
            self._cursor.close()

    async def finish(self) -> None:
        """Wait until all that has come is read, and what the rules do is done."""
        while self._cursor.position < self._log.next or self._touched or self._actions.acting:  # noqa: ASYNC110 (no one event tells of all three)
            await trio.sleep(_SHORTEST)

    async def _wait(self) -> None:
        if self._cursor.pending or self._touched:
            await trio.lowlevel.checkpoint()
            return
        self._cursor.wake = self._wakeup.set
        began = trio.current_time()
        due = self._due[0][0] + self._away if self._due else float("inf")
        with trio.move_on_at(due) as scope:
            await self._wakeup.wait()
        now = trio.current_time()
        if scope.cancelled_caught and now - due > _ABSENCE:
            # The program was stopped, or the machine slept, nobody knows since when: none of it counts.
            self._absences.add(now, now - began)
            self._away += now - began

    def _read(self) -> None:
        """Read one batch, if there is one."""
        if self._cursor.pending and not self._cursor.closed:
            batch = self._cursor.peek()
            for event in batch.events:
                self._take(event)
            self._cursor.advance(batch)

    def _catch_up(self) -> None:
        while self._cursor.pending and not self._cursor.closed:
            self._read()

    def _take(self, event: Event) -> None:
        if isinstance(event, Output):
            watched = self._watched.get(event.child)
            if watched is not None and watched.entries:
                self._hear(watched, event)
        elif isinstance(event, Started):
            self._started(event)
        elif isinstance(event, Restarting | Completed):
            watched = self._watched.get(event.child)
            if watched is not None:
                ok = event.ok if isinstance(event, Completed) else event.exit.ok
                if event.reason not in ("stopped", "cancelled", "skipped"):
                    self._ended(watched, ok=ok)
            if isinstance(event, Completed):
                self._watched.pop(event.child, None)

    def _started(self, event: Started) -> None:
        watched = self._watched.get(event.child)
        if watched is not None:
            watched.plain = PlainText()
            watched.error = watched.later = watched.open = b""
            for entry in watched.entries:
                if event.cursor >= entry.since:
                    entry.state.restarted(self._now())
        else:
            watched = self._watched[event.child] = Watched(self._aggregator.child(event.child))
            # What it has said since it started may be in the log already.
            for rule, added in zip(self._rules, self._added, strict=True):
                self._enter(watched, rule, max(added, event.cursor))
        self._touched[watched] = None

    def _hear(self, watched: Watched, event: Output) -> None:
        data, active = event.data, True
        echo = watched.child._port.echo
        if echo is not None and event.cursor in echo.kept:
            data, active = echo.kept.pop(event.cursor)
        if event.kind == "error":  # whole lines of it, so that they're not mixed with the other's
            lines, newline, rest = (watched.error + data).rpartition(b"\n")
            watched.error = rest[-_LAST:]
            text = plain(lines + newline)
        else:
            text = watched.plain.feed(data, final=not event.partial and not event.data.endswith(b"\n"))
            watched.open = (watched.open + text).rpartition(b"\n")[2][-_ROW:]
        text = watched.later + text
        watched.later = b""
        if not active:
            watched.later = text[-_LAST:]
            return
        if not text:
            return
        watched.spoken += 1
        now = self._now()
        # Read once for all rules: that takes as long as all the rest.
        looks = any(entry.rule.on == "screen" for entry in watched.entries)
        screen = rows_of(self._aggregator, watched.child) if looks else None
        for entry in watched.entries:
            if event.cursor >= entry.since:
                if entry.rule.on == "screen":
                    entry.screen = screen
                entry.state.output(text, now, open_line=watched.open, screen=entry.screen)
        self._touched[watched] = None

    def _ended(self, watched: Watched, *, ok: bool) -> None:
        now = self._now()
        for entry in watched.entries:
            if entry.rule.exit is not None:
                entry.state.ended(ok, now)
                self._ask(watched, entry, now, 0.0)

    # --- what is due

    def _look_around(self) -> None:
        now = self._now()
        while self._due and self._due[0][0] <= now:
            at, _, watched = heapq.heappop(self._due)
            if watched.scheduled == at:
                watched.scheduled = float("inf")
                self._touched[watched] = None
        touched, self._touched = self._touched, {}
        for watched in touched:
            if self._watched.get(watched.child.id) is watched:
                self._schedule(watched, now + max(_SHORTEST, self._look(watched, now)))

    def _schedule(self, watched: Watched, at: float) -> None:
        if at < watched.scheduled:  # what is scheduled earlier looks again, and finds when
            watched.scheduled = at
            self._count += 1
            heapq.heappush(self._due, (at, self._count, watched))

    def _look(self, watched: Watched, now: float) -> float:
        """Look at all rules of a child; seconds until the next look is worthwhile."""
        child = watched.child
        if child._stop_reason is not None or child._port.meter.attempt is None:
            return float("inf")
        silent = self._silence(child)
        typing = HUMAN - (trio.current_time() - child._typed_at)
        least = float("inf")
        for entry in list(watched.entries):
            if entry.busy or entry.rule.exit is not None:
                continue
            if entry.writes and watched.waits(now):
                if not watched.sending:
                    least = min(least, watched.answer_until - now)
                continue
            if typing > 0 and entry.rule.action != "notify" and entry.rule.mode != "notify":
                if entry.state.due(now, silent) <= 0 and entry.told != child._typed_at:
                    entry.told = child._typed_at
                    self._actions.tell(child, entry.rule, "suppressed", "somebody is typing")
                least = min(least, typing)
                continue
            if entry.rule.on == "screen":
                least = min(least, self._look_at_screen(watched, entry, now, silent))
            self._ask(watched, entry, now, silent)
            if not entry.busy:
                least = min(least, entry.state.due(now, silent))
        return least

    def _look_at_screen(self, watched: Watched, entry: Entry, now: float, silent: float) -> float:
        """A screen is followed at its own pace: look at it again for a while after there was output."""
        screen = rows_of(self._aggregator, watched.child)
        if screen != entry.screen:
            entry.screen = screen
            entry.state.output(b"", now, open_line=watched.open, screen=screen)
        return _SCREEN_AGAIN if silent < _SCREEN_LATE else float("inf")

    def _silence(self, child: Child) -> float:
        meter = child._port.meter
        if child._port.behind or meter.attempt is None:
            return 0.0
        since = max(meter.attempt, meter.last_output or meter.attempt)
        return max(0.0, self._absences.elapsed(since, trio.current_time()))

    def _ask(self, watched: Watched, entry: Entry, now: float, silent: float) -> None:
        while not entry.busy and (found := entry.state.look(now, silent)) is not None:
            if isinstance(found, Fired):
                self._actions.fire(watched, entry, found)
            else:
                self._actions.tell(watched.child, entry.rule, "suppressed", found.reason)
