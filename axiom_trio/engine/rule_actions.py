"""What the rules of a run do: each in a task of its own, checked once more at the moment of doing it."""

from __future__ import annotations

import inspect
from functools import partial
from typing import TYPE_CHECKING, Final, final

import trio

from axiom_trio.engine.interventions import Message, deliver
from axiom_trio.engine.recorder import random_id
from axiom_trio.sansio.errors import NotRunningError, sentence
from axiom_trio.sansio.events import Receipt
from axiom_trio.sansio.keys import parse_keys
from axiom_trio.sansio.plain import PlainText, plain
from axiom_trio.sansio.rules import RuleState

if TYPE_CHECKING:
    from collections.abc import Callable, Container

    from axiom_trio.engine.aggregator import StreamAggregator
    from axiom_trio.engine.child import Child
    from axiom_trio.sansio.events import DeliveryState
    from axiom_trio.sansio.rules import Fired, Rule

HUMAN: Final = 2.0
"""Seconds after a person wrote to a child in which no rule acts on it."""
ANSWER: Final = 10.0
"""Seconds that a child may take to say something after a rule's message, before the next one's."""


class Entry:
    """One rule with one child."""

    __slots__ = ("busy", "rule", "screen", "since", "state", "told")

    def __init__(self, rule: Rule, now: float, since: int) -> None:
        self.rule = rule
        self.state = RuleState(rule, now)
        self.since = since
        self.busy = False
        self.screen: bytes | None = None
        self.told = float("-inf")

    @property
    def writes(self) -> bool:
        """Whether it writes into the child."""
        return self.rule.send is not None or self.rule.keys is not None


class Watched:
    """What the rules know of one child."""

    __slots__ = (
        *("answer_until", "answered", "child", "entries", "error", "later", "open"),
        *("plain", "scheduled", "sending", "spoken"),
    )

    def __init__(self, child: Child) -> None:
        self.child = child
        self.entries: list[Entry] = []
        self.plain = PlainText()
        self.error = b""
        self.later = b""
        self.open = b""
        self.spoken = 0
        """How often it has said something itself."""
        self.sending = False
        self.answered = -1
        """`spoken` at the last message of a rule."""
        self.answer_until = float("-inf")
        self.scheduled = float("inf")

    def waits(self, now: float) -> bool:
        """Whether the last message of a rule may still be answered."""
        return self.sending or (self.spoken == self.answered and now < self.answer_until)


@final
class Actions:
    """Does what rules say.

    Args:
        aggregator: Whose children they are.
        rules: Those that are there.
        clock: The rules' time.
        catch_up: Reads all that has come.
        touch: Has a child's rules looked at.
    """

    def __init__(
        self,
        aggregator: StreamAggregator,
        rules: Container[Rule],
        *,
        clock: Callable[[], float],
        catch_up: Callable[[], None],
        touch: Callable[[Watched], None],
    ) -> None:
        self.nursery: trio.Nursery | None = None
        self.acting = 0
        """How many are being done."""
        self._aggregator = aggregator
        self._rules = rules
        self._clock = clock
        self._catch_up = catch_up
        self._touch = touch

    def fire(self, watched: Watched, entry: Entry, fired: Fired) -> None:
        """A rule is due."""
        rule = entry.rule
        if self._aggregator.rules_paused:
            self.tell(watched.child, rule, "suppressed", "the rules are paused")
        elif rule.mode == "notify" or rule.action == "notify":
            entry.state.attempted(self._clock())
            why = f"matched {fired.match!r}" if fired.match else "its condition holds"
            self.tell(watched.child, rule, "suppressed", f"it only tells: {why}")
        else:
            entry.busy = True
            watched.sending |= entry.writes and rule.mode == "auto"
            self.acting += 1
            assert self.nursery is not None
            self.nursery.start_soon(self._act, watched, entry, fired, watched.spoken, watched.open)

    # --- what they do

    async def _act(self, watched: Watched, entry: Entry, fired: Fired, spoken: int, open_line: bytes) -> None:
        child, rule = watched.child, entry.rule
        hold = partial(self._hold, watched, entry, spoken, open_line)
        try:
            if rule.mode == "confirm" and (why := await self._confirm(child, fired)) is not None:
                self.tell(child, rule, "suppressed", why)
            elif entry.writes:
                if rule.mode == "confirm" and watched.waits(self._clock()):
                    self.tell(child, rule, "suppressed", "another rule has written to it meanwhile")
                    return
                watched.sending = True
                keys = None if rule.keys is None else parse_keys(rule.keys)
                text = rule.keys if rule.keys is not None else fired.text or ""
                gone = partial(self._gone, child, fired) if rule.on == "screen" and fired.match else None
                message = Message(
                    random_id(), text, keys=keys, secret=rule.secret, rule=rule.name, hold=hold, gone=gone
                )
                await deliver(child, message)
                watched.sending = False
            elif (why := hold()) is not None:
                self.tell(child, rule, "suppressed", why)
            elif rule.call is not None:
                await self._call(child, fired)
            else:
                self._do(child, rule)
        finally:
            self.acting -= 1
            entry.busy = False
            self._touch(watched)

    def _gone(self, child: Child, fired: Fired) -> bool:
        """Whether the prompt has left the screen."""
        terminal = self._aggregator.screens.of(child)
        if terminal is None or terminal.synchronized:
            return False
        return fired.match not in "\n".join(terminal.text())

    async def _confirm(self, child: Child, fired: Fired) -> str | None:
        confirm = self._aggregator.confirm
        if confirm is None:
            return "nobody to confirm it"
        try:
            return None if await confirm(child, fired) else "not confirmed"
        except Exception as error:  # noqa: BLE001 (what asks must not harm the run)
            return f"nobody could confirm it: {self._sentence(error)}"

    def _hold(self, watched: Watched, entry: Entry, spoken: int, open_line: bytes) -> str | None:
        """Why a rule that was due is not to act after all, by all that is known now."""
        self._catch_up()
        child, rule = watched.child, entry.rule
        if self._aggregator.rules_paused:
            return "the rules are paused"
        if rule not in self._rules:
            return "the rule was removed"
        if rule.exit is None:
            if child._stop_reason is not None:
                return "it is being stopped"
            if trio.current_time() - child._typed_at < HUMAN:
                return "somebody is typing"
            timed = rule.idle is not None or rule.on in ("tail", "screen")
            stood = timed or (rule.match is not None and rule.match.search(open_line) is not None)
            if stood and watched.spoken != spoken:
                return "it went on meanwhile"
        if rule.unless is not None and rule.unless.search(self._shown(child, rule)):
            return "its veto matched"
        entry.state.attempted(self._clock())
        if entry.writes:
            watched.answered = watched.spoken
            watched.answer_until = self._clock() + ANSWER
        return None

    def _shown(self, child: Child, rule: Rule) -> bytes:
        """Where a veto is looked for: on the screen, if the rule looks there, else in the last lines."""
        screen = rows_of(self._aggregator, child) if rule.on == "screen" else None
        return plain(child._port.recent) if screen is None else screen

    async def _call(self, child: Child, fired: Fired) -> None:
        rule = fired.rule
        assert rule.call is not None
        try:
            result = rule.call(child, fired)
            if inspect.isawaitable(result):
                await result
        except Exception as error:  # noqa: BLE001 (a rule's function must not harm the run)
            self.tell(child, rule, "refused", f"its function raised {self._sentence(error)}", random_id())
        else:
            self.tell(child, rule, "confirmed", "its function was called", random_id())

    def _do(self, child: Child, rule: Rule) -> None:
        receipt = random_id()
        self._aggregator._recorder.intervened(child, f"({rule.action})", receipt, rule.name)
        try:
            if rule.action == "interrupt":
                child.interrupt()
            elif rule.action == "stop":
                child.stop()
            else:
                child.restart()
        except NotRunningError as error:
            self.tell(child, rule, "refused", "it" + str(error).removeprefix(child.name), receipt)
        else:
            self.tell(child, rule, "confirmed", "it was done", receipt)

    def tell(
        self, child: Child, rule: Rule, state: DeliveryState, reason: str, receipt: str | None = None
    ) -> None:
        """Make it known what became of a rule that was due."""
        self._aggregator._recorder.delivered(child, Receipt(receipt or "", state, reason), rule.name)

    def _sentence(self, error: Exception) -> str:
        return self._aggregator._masked(sentence(error))


def rows_of(aggregator: StreamAggregator, child: Child) -> bytes | None:
    """The rows of a child's screen, if it has one."""
    terminal = aggregator.screens.of(child)
    return None if terminal is None else "\n".join(terminal.text()).rstrip().encode()
