"""How a child is looked after: restarts, time limits, silence, readiness."""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, final

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable

Delay: TypeAlias = float | Literal["exponential"]
"""Seconds, or 1, 2, 4 … 60 s."""

LONGEST_DELAY: Final = 60.0
"""Seconds, of `exponential`."""


def _not_negative(_instance: object, attribute: attrs.Attribute[Any], value: float | None) -> None:
    if value is not None and not value >= 0:
        raise ValueError(f"{attribute.name} is {value}: it can't be negative")


def _positive(_instance: object, attribute: attrs.Attribute[Any], value: float | None) -> None:
    if value is not None and not value > 0:
        raise ValueError(f"{attribute.name} is {value}: it must be more than 0, or None for no limit")


def _delay(instance: object, attribute: attrs.Attribute[Any], value: Delay) -> None:
    if isinstance(value, str):
        if value != "exponential":
            raise ValueError(f"{attribute.name} is {value!r}: it must be seconds or 'exponential'")
    else:
        _not_negative(instance, attribute, value)


def _pattern(value: str | bytes | re.Pattern[bytes] | None) -> re.Pattern[bytes] | None:
    if value is None or isinstance(value, re.Pattern):
        return value
    try:
        return re.compile(value.encode() if isinstance(value, str) else value)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"{value!r} is no regular expression: {error}") from None


@final
@attrs.frozen(kw_only=True)
class Supervision:
    """How a child is looked after. Times are seconds.

    Time during which this program itself was stopped or asleep counts for no limit.

    Raises:
        ValueError: A value can't be.
    """

    retries: int = attrs.field(default=0, validator=_not_negative)
    """How often it's started again after it failed."""
    restart_after: Delay = attrs.field(default=0.0, validator=_delay)
    """How long to wait before; `exponential`: 1, 2, 4 … 60 s."""
    restart_window: float | None = attrs.field(default=None, validator=_positive)
    """Count only restarts of the last so many seconds: one that fails now and then goes on for
    ever, one that fails `retries` + 1 times within the window has failed. None: count all."""
    timeout: float | None = attrs.field(default=None, validator=_positive)
    """How long an attempt may take; then it's stopped, and has failed."""
    idle_warn: float | None = attrs.field(default=None, validator=_positive)
    """Silence after which an `Idle` event tells of it, once until it speaks again."""
    idle_timeout: float | None = attrs.field(default=None, validator=_positive)
    """Silence after which it's stopped, and has failed."""
    ready: re.Pattern[bytes] | None = attrs.field(default=None, converter=_pattern)
    """A regular expression: when the output matches, those that come `after` it may start."""

    @property
    def watched(self) -> bool:
        """Whether its time or its silence matters."""
        return not (self.timeout is None and self.idle_warn is None and self.idle_timeout is None)


class Restarts:
    """The attempts of one child."""

    __slots__ = ("_policy", "_times", "attempt")

    def __init__(self, policy: Supervision) -> None:
        self._policy = policy
        self._times: deque[float] = deque()
        self.attempt = 1
        """The number of the present one."""

    def next_delay(self, now: float) -> float | None:
        """The attempt has failed: seconds until the next one, or None for no more."""
        policy = self._policy
        if policy.restart_window is not None:
            while self._times and self._times[0] <= now - policy.restart_window:
                self._times.popleft()
        if len(self._times) >= policy.retries:
            return None
        before = len(self._times)
        self._times.append(now)
        self.attempt += 1
        if policy.restart_after == "exponential":
            return min(LONGEST_DELAY, 2.0 ** min(before, 10))
        return policy.restart_after


class Absences:
    """When this program did not run itself, stopped by SIGTSTP or with the whole machine."""

    __slots__ = ("_absences",)

    def __init__(self) -> None:
        self._absences: list[tuple[float, float]] = []

    def add(self, end: float, length: float) -> None:
        """Take note of one that ended at `end`."""
        self._absences.append((end, length))

    def elapsed(self, since: float, now: float) -> float:
        """Seconds from `since` to `now`, without the absences between."""
        return now - since - sum(length for end, length in self._absences if end > since)


class Watch:
    """What time does to one attempt of a child."""

    __slots__ = ("_policy", "_warned")

    def __init__(self, policy: Supervision) -> None:
        self._policy = policy
        self._warned = False

    def look(self, running: float, silent: float) -> Iterable[Literal["warn", "idle", "timeout"]]:
        """What is due, after so many seconds of running and of silence.

        `warn` comes once per episode of silence.
        """
        policy = self._policy
        if policy.timeout is not None and running >= policy.timeout:
            return ("timeout",)
        if policy.idle_timeout is not None and silent >= policy.idle_timeout:
            return ("idle",)
        if policy.idle_warn is not None:
            if silent < policy.idle_warn:
                self._warned = False
            elif not self._warned:
                self._warned = True
                return ("warn",)
        return ()

    def due(self, running: float, silent: float) -> float:
        """Seconds until the next look is worthwhile, if nothing happens."""
        policy = self._policy
        limits = []
        if policy.timeout is not None:
            limits.append(policy.timeout - running)
        if policy.idle_timeout is not None:
            limits.append(policy.idle_timeout - silent)
        if policy.idle_warn is not None and not self._warned:
            limits.append(policy.idle_warn - silent)
        return max(0.0, min(limits, default=float("inf")))
