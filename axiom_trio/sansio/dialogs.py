r"""What the screens of agents say to who would write to them: a dialog is open, a message is queued.

For the agents of `presets`, and the same versions of them.
"""

from __future__ import annotations

import re
from typing import Final

from axiom_trio.sansio.presets import ABOVE_INPUT, END_OF_MENU, MENU_ROW, QUESTIONS

_QUESTION: Final = re.compile(rf"(?m)^(?:[ \t│]*)(?P<question>{QUESTIONS})")
_MENU: Final = re.compile(rf"(?m)(?:{MENU_ROW}){END_OF_MENU}")
_LONGEST: Final = 60  # rows from a question to the end of its options
_SHOWN: Final = 24  # characters of a message by which it's known again
_BUSY: Final = re.compile(r"\b[Ee]sc to (?:interrupt|cancel)\b")


def open_dialog(screen: str) -> str | None:
    """The question of an agent's dialog that has the keys: a text would answer it, and Enter agree."""
    menu = _MENU.search(screen)
    if menu is None:
        return None
    questions = [*_QUESTION.finditer(screen, 0, menu.start())]
    if not questions or screen.count("\n", questions[-1].end(), menu.start()) > _LONGEST:
        return None
    question = questions[-1]
    return " ".join(question["question"].rstrip("│ \t").split())


def is_busy(screen: str) -> bool:
    """Whether an agent works, so that it keeps for later what is said to it."""
    return _BUSY.search(screen) is not None


def is_queued(screen: str, text: str) -> bool:
    """Whether an agent shows a message as one that it keeps for later; it `is_busy`."""
    line = " ".join(text.split("\n", 1)[0].split())
    words = line[:_SHOWN].split(" ")
    shown = r"[ \t]+".join(map(re.escape, words))
    if len(line) <= _SHOWN:
        shown += r"(?=[ \t│]*$)"
    return bool(words[0]) and any(re.search(form % {"text": shown}, screen) for form in ABOVE_INPUT)
