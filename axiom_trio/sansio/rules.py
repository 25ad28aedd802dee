r"""When X, send Y: rules that steer a child, as values, and the state of one rule with one child.

Pure: a `RuleState` is told what the child wrote and what time it is, and says what is due. It
never does anything; who owns it does, and tells it by `attempted`. What it promises:

* A match is consumed: the same bytes never fire twice, however they were cut into pieces.
* All conditions of a rule must hold together.
* A prompt is answered only if it still stands after `settle` seconds without new output.
* One firing per episode of silence or of no progress; a new episode begins only with real output.
* `cooldown` and `limit` count attempts, so a reply that triggers itself ends.
* What is held back is told once per episode, with its reason.
"""

from __future__ import annotations

from collections import deque
from math import inf
from typing import TYPE_CHECKING, Final

from axiom_trio.sansio.matching import LineSearch, Matcher
from axiom_trio.sansio.rule import GROUP
from axiom_trio.sansio.rule import Fired as Fired
from axiom_trio.sansio.rule import Rule as Rule
from axiom_trio.sansio.rule import Suppressed as Suppressed

if TYPE_CHECKING:
    import re

    from axiom_trio.sansio.matching import Found

_MOST_WAITING: Final = 100  # matches of lines that wait to be answered
_EPISODE: Final = 60.0  # seconds; where no silence or prompt says what an episode is
_VETO_AGAIN: Final = 1.0  # seconds; a veto is looked for again no sooner


class RuleState:
    """One rule with one child.

    Times are seconds of any one clock; it should stand still while this program is stopped.

    Args:
        rule: The rule.
        now: When the child started, or the rule was added.
    """

    __slots__ = (
        *("_attempts", "_changed", "_held_until", "_idle_done", "_lost", "_matcher", "_now_ok", "_over"),
        *("_progress", "_progress_done", "_progressed", "_rule", "_since", "_spoke", "_told", "_waiting"),
    )

    def __init__(self, rule: Rule, now: float) -> None:
        self._rule = rule
        self._attempts = 0
        self._over = False  # the limit was reached, and told
        self._held_until = now  # no cooldown yet
        self._now_ok: bool | None  # whether it ended with success; None while it runs
        self._since: float  # from when `every` counts
        self._progressed: float
        self._changed: float  # when there was new output last
        self._told: dict[str, float] = {}  # reasons told in this episode, and when
        combined = sum(
            value is not None for value in (rule.match, rule.idle, rule.no_progress, rule.every, rule.exit)
        )
        # Joined with another condition, a match is one state that holds, not many events.
        self._waiting: deque[tuple[float, Found]] = deque(maxlen=1 if combined > 1 else None)
        self._matcher = Matcher(rule.match, rule.on, recent=rule.unless is not None)
        self._progress = LineSearch(rule.progress) if rule.progress is not None else None
        self.restarted(now)

    def output(self, text: bytes, now: float, *, open_line: bytes = b"", screen: bytes | None = None) -> None:
        r"""The child has written something itself.

        Args:
            text: All that is new, in order, each byte once, cut anywhere, the pieces of an open line
                too; without escapes and without the echo of what was written into the child.
            now: The time.
            open_line: Its open line as it stands now, from its beginning, without escapes: may be
                ahead of what `text` has had so far. At 4096 bytes and more it's ignored.
            screen: The rows of its screen, if it has a virtual terminal, joined by `\\n`, without the
                blank ones at the end: stands for the last lines and the open line in what
                `on="screen"` and `unless` see. None: they are taken from `text`.
        """
        rule = self._rule
        if self._over or rule.mode == "off":
            return
        found = self._matcher.feed(text, open_line, screen)
        if self._matcher.changed:
            self._changed = now
        if rule.no_progress is not None:
            search = self._progress
            if b"\n" in text if search is None else search.feed(text):
                self._progressed = now
                self._progress_done = False
                self._told.clear()
        if text and not text.isspace():  # a cursor that blinks is no new episode
            self._spoke = True
            self._idle_done = False
            if rule.idle is not None:
                self._told.clear()
        for match in found:
            if self._waiting.maxlen is None and len(self._waiting) >= _MOST_WAITING:
                self._lost = True
            else:
                self._waiting.append((now + rule.settle, match))

    def look(self, now: float, silent: float) -> Fired | Suppressed | None:
        """What is due now; it's consumed by being returned. Call again until it's None.

        After a `Fired` the cooldown runs at once, even if nothing comes of it; call `attempted` when
        something is done, which counts towards `limit`.

        Args:
            now: The time.
            silent: For how many seconds the child has written nothing itself.
        """
        rule = self._rule
        if self._lost:
            self._lost = False
            return self._suppressed("too many matches at once", now)
        while not self._over and self._conditions(now, silent) <= 0:
            line = self._line(now)
            prompt = None if line is not None or rule.match is None else self._prompt(now)
            if rule.match is not None and line is None and prompt is None:
                return None
            if rule.limit is not None and self._attempts >= rule.limit:
                self._over = True
                return Suppressed(rule, f"limit of {rule.limit} reached")
            if line is not None and now < self._held_until:
                self._consume(line, prompt)
                if (told := self._suppressed("cooldown", now)) is not None:
                    return told
                continue
            if now < self._held_until:  # a prompt or a silence that lasts is answered afterwards
                return self._suppressed("cooldown", now)
            if rule.unless is not None and rule.unless.search(self._matcher.veto_text()):
                if rule.match is None and rule.idle is None and rule.exit is None:
                    # More output may take away what stands against it.
                    self._since = max(self._since, now + _VETO_AGAIN - (rule.every or 0.0))
                    self._progressed = max(self._progressed, now + _VETO_AGAIN - (rule.no_progress or 0.0))
                else:
                    self._consume(line, prompt)
                if prompt is not None:
                    self._told.clear()  # each prompt is an episode of its own
                told = self._suppressed("its veto matched", now)
                if told is not None or line is None:
                    return told
                continue
            found = line or prompt
            self._consume(line, prompt)
            self._since = now
            self._spoke = False
            self._held_until = now + rule.cooldown
            self._told.clear()
            return Fired(rule, "" if found is None else _shown(found.text), _expanded(rule, found))
        return None

    def due(self, now: float, silent: float) -> float:
        """Seconds until the next look is worthwhile if nothing more is written; inf for never."""
        rule = self._rule
        if self._lost:
            return 0.0
        if self._over:
            return inf
        wait = self._conditions(now, silent)
        # Who was told of the cooldown need not look before its end, but for lines that are passed over.
        held = self._held_until - now if "cooldown" in self._told else 0.0
        if rule.match is None:
            return max(0.0, wait, held)
        standing = inf
        if self._matcher.unsearched or self._matcher.standing:
            standing = max(held, self._changed + rule.settle - now)
        if self._waiting:
            standing = min(standing, self._waiting[0][0] - now)
        return max(0.0, wait, standing)

    def ended(self, ok: bool, now: float) -> None:
        """The child's attempt has ended, with success or not: only `exit` rules can be due now."""
        self._now_ok = ok
        self._waiting = deque(((now, found) for _, found in self._waiting), maxlen=self._waiting.maxlen)
        self._changed = min(self._changed, now - self._rule.settle)

    def restarted(self, now: float) -> None:
        """It runs again: all conditions begin anew; cooldown and limit go on."""
        self._matcher.reset()
        if self._progress is not None:
            self._progress.reset()
        self._waiting.clear()
        self._lost = False  # whether more matched than can wait
        self._now_ok = None
        self._changed = self._progressed = self._since = now
        self._idle_done = self._progress_done = self._spoke = False

    def attempted(self, now: float) -> None:
        """Something is being done for the last `Fired`: cooldown and limit count from here."""
        self._attempts += 1
        self._held_until = now + self._rule.cooldown

    def _conditions(self, now: float, silent: float) -> float:
        """Seconds until all conditions but `match` hold; 0 or less: they do."""
        rule = self._rule
        wait = 0.0
        if rule.mode == "off":
            return inf
        if rule.exit is None:
            if self._now_ok is not None:
                return inf
        elif self._now_ok is None or rule.exit == ("failure" if self._now_ok else "success"):
            return inf
        if rule.idle is not None:
            wait = inf if self._idle_done else rule.idle - silent
        if rule.no_progress is not None:
            wait = max(wait, inf if self._progress_done else self._progressed + rule.no_progress - now)
        if rule.every is not None:
            wait = max(wait, self._since + rule.every - now if self._spoke else inf)
        return wait

    def _line(self, now: float) -> Found | None:
        return self._waiting[0][1] if self._waiting and self._waiting[0][0] <= now else None

    def _prompt(self, now: float) -> Found | None:
        return self._matcher.prompt() if now >= self._changed + self._rule.settle else None

    def _consume(self, line: Found | None, prompt: Found | None) -> None:
        """What was decided on is done with, whatever was decided."""
        if line is not None:
            self._waiting.popleft()
        if prompt is not None:
            self._matcher.consume(prompt)
        self._idle_done = True
        self._progress_done = True
        if self._rule.exit is not None:
            self._now_ok = None

    def _suppressed(self, reason: str, now: float) -> Suppressed | None:
        """Told once per episode: of a silence, or a prompt; where there is none, of a minute."""
        last = self._told.get(reason)
        if last is not None and now - last < (inf if self._rule.match is None else _EPISODE):
            return None
        self._told[reason] = now
        return Suppressed(self._rule, reason)


def _shown(text: bytes) -> str:
    return text[:4096].decode("utf-8", "replace")


def _expanded(rule: Rule, found: Found | None) -> str | None:
    if rule.send is None or found is None:
        return rule.send
    groups = found.groups

    def group(token: re.Match[str]) -> str:
        name, number = token.groups()
        key: str | int = name or int(number or 0)
        return "\\" if key == 0 else (groups.get(key) or b"").decode("utf-8", "replace")

    return GROUP.sub(group, rule.send)
