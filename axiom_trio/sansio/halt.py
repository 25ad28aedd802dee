"""When to stop the rest: the halt policy, in the words of GNU parallel's `--halt`."""

from __future__ import annotations

TYPE_CHECKING = False  # type checkers know better; the command line reads this before trio
if TYPE_CHECKING:
    from typing import Literal, TypeAlias

    Verdict: TypeAlias = Literal["soon", "now"]

_EXAMPLES = "write never, or such as soon,fail=1 or now,success=1 or now,done=20%"


class Halt:
    """`soon` starts no more children, `now` also stops those that run, once enough have ended in a way.

    Args:
        when: `soon` or `now`.
        what: What is counted: `fail`, `success` or `done` (either).
        count: How many.
        percent: Whether `count` is in percent of all children.
    """

    __slots__ = ("_counted", "count", "percent", "what", "when")

    def __init__(self, when: Verdict, what: str, count: int, *, percent: bool = False) -> None:
        self.when: Verdict = when
        self.what = what
        self.count = count
        self.percent = percent
        self._counted = 0

    def ended(self, *, ok: bool, total: int) -> Verdict | None:
        """Count a child that has ended by itself, of `total`; what to do if that was enough."""
        if self.what == "done" or ok == (self.what == "success"):
            self._counted += 1
        reached = self._counted * 100 >= self.count * total if self.percent else self._counted >= self.count
        return self.when if reached and self._counted else None


def parse_halt(text: str) -> Halt | None:
    """Read `never`, `soon,fail=1`, `now,success=3`, `now,done=20%`; None for never.

    Raises:
        ValueError: Its text is one sentence.
    """
    if text == "never":
        return None
    when, _, rest = text.partition(",")
    what, _, amount = rest.partition("=")
    digits = amount.removesuffix("%")
    percent = amount != digits
    if (
        when not in ("soon", "now")
        or what not in ("fail", "success", "done")
        or not (digits.isascii() and digits.isdigit() and 0 < len(digits) < 10 and int(digits))
        or (percent and int(digits) > 100)
    ):
        raise ValueError(f"{text!r} is no halt policy; {_EXAMPLES}")
    return Halt("soon" if when == "soon" else "now", what, int(digits), percent=percent)
