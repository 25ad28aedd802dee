"""What rules of mode `confirm` ask the person at the keyboard, one question after the other."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, final

import attrs
import trio

from axiom_trio.sansio.names import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from axiom_trio.engine.child import Child
    from axiom_trio.sansio.rules import Fired

_ANSWERS: Final = {"y": True, "yes": True, "n": False, "no": False}
_LONGEST: Final = 60  # characters of what would be sent


@attrs.define(eq=False)
class _Question:
    text: str
    answered: trio.Event = attrs.field(factory=trio.Event)
    yes: bool = False


@final
class Questions:
    """The questions that stand.

    Args:
        changed: Called when another question is to be shown, or none any more.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._open: deque[_Question] = deque()
        self._closed = False

    async def ask(self, child: Child, fired: Fired) -> bool:
        """Ask whether a rule may act, and wait for the answer; the end of the child is a no."""
        rule = fired.rule
        if rule.action is not None:
            act: str = rule.action
        elif rule.keys is not None:
            act = f"press {printable(rule.keys)}"
        elif rule.call is not None:
            act = "call its function"
        else:
            text = printable((fired.text or "").replace("\n", "⏎"))
            act = f"send {text if len(text) <= _LONGEST else text[: _LONGEST - 1] + '…'}"
        question = _Question(f"⚡ [{child.name}] {printable(rule.name)}: {act}? y or n, Enter")
        if self._closed or child.completed is not None:
            return False
        self._open.append(question)
        self._changed()
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._until_it_ends, child, question)
                await question.answered.wait()
                nursery.cancel_scope.cancel(reason="it was answered")
        finally:
            self._open.remove(question)
            self._changed()
        return question.yes

    async def _until_it_ends(self, child: Child, question: _Question) -> None:
        await child.wait()
        question.answered.set()

    @property
    def text(self) -> str:
        """What is asked now."""
        return self._open[0].text if self._open else ""

    def answer(self, line: str) -> bool:
        """Take a line that was typed; whether it was an answer."""
        yes = _ANSWERS.get(line.strip().lower())
        if yes is None or not self._open or self._open[0].answered.is_set():
            return False
        self._open[0].yes = yes
        self._open[0].answered.set()
        return True

    def close(self) -> None:
        """Nobody answers any more."""
        self._closed = True
        for question in self._open:
            question.answered.set()
