"""Looking at the screen of one child, where nobody need have followed it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from axiom_trio.engine.child import Child

_DIALOG: Final = re.compile(
    rb"\b(?:trust|proceed|edit|create|overwrite|API|Would|Apply|Allow|plan)\b"
)  # a word of each question; a screen may have something else than blanks between them


def screen_of(child: Child) -> str | None:
    """What is on its screen, if it's full-screen and followed."""
    screens = child._aggregator._services.screens
    terminal = None if screens is None else screens.of(child)
    return None if terminal is None else "\n".join(terminal.text())


def open_dialog(child: Child) -> str | None:
    """The question of an agent's dialog that is open on its terminal."""
    screen = screen_of(child)
    recent = child._port.recent
    if screen is None and _DIALOG.search(recent) is None:
        return None  # most children: nothing is imported for them
    from axiom_trio.sansio import dialogs

    if screen is None:
        from axiom_trio.sansio.screen import VirtualTerminal

        terminal = VirtualTerminal(*(child._executor.terminal_size or (24, 80)))
        terminal.feed(recent)
        screen = "\n".join(terminal.text())
    return dialogs.open_dialog(screen)


def agent_is_busy(child: Child) -> bool:
    """Whether its screen is that of an agent that works."""
    screen = screen_of(child)
    if screen is None:
        return False
    from axiom_trio.sansio.dialogs import is_busy

    return is_busy(screen)


def shows_queued(child: Child, text: str) -> bool:
    """Whether its screen shows a message as one that it keeps for later."""
    screen = screen_of(child)
    if screen is None:
        return False
    from axiom_trio.sansio.dialogs import is_queued

    return is_queued(screen, text)
