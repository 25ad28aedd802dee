r"""Evidence: what is seen of a message in the output of the child that it was written into.

What counts, once the child's input holds nothing of the message any more (`confirmed`):

* `echoed`: its terminal showed the text, and it has read it; in raw mode it has shown the text
  itself, and ended that line after Enter.
* `the prompt is gone`: the open line that it was typed at has ended, and what ended it was the child; or
  what a rule saw on its screen, and answered, is no longer there.
* `it answered`: the child, silent for a second before (of several keys, before the first: what it draws
  between two is due to them), wrote something after Enter, or the last key, that is no echo.

If the input holds it still, it's `queued`, and so is what an agent at work shows as kept for later (where
screens are followed); if nothing is seen within a second, `unconfirmed`. Of a pipe no more is known than
whether it was read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

import trio

from axiom_trio.engine.looking import agent_is_busy, shows_queued
from axiom_trio.sansio.echo import EchoFilter, terminal_echo
from axiom_trio.sansio.events import Receipt

if TYPE_CHECKING:
    from collections.abc import Callable

    from axiom_trio.engine.child import Child
    from axiom_trio.sansio.echo import Expected
    from axiom_trio.sansio.modes import InputMode

ENTER_PAUSE: Final = 0.12
"""Seconds between a text and Enter, so that no program takes the two for one paste."""
EVIDENCE_WITHIN: Final = 1.0
"""Seconds from Enter within which a child shows that it took a message, or it's unconfirmed."""
REDRAW_AFTER: Final = 0.25
"""Seconds of silence after which what a program in raw mode shows while it's typed to is due to that."""
QUEUED_WITHIN: Final = 0.5
"""Seconds within which an agent at work shows that it keeps a message for later."""
GONE: Final = "the prompt is gone"
GONE_FOR: Final = 0.1
"""Seconds for which a prompt must have left a screen: one that is drawn anew is missing for a moment."""
_POLL = (0.001, 0.02)  # seconds between two looks for evidence: at first, and at most
_ROW = 4096  # bytes of an open row, beyond which its beginning isn't known


@final
class Trace:
    """What is seen of a message in its child's output."""

    __slots__ = (
        "_attempt",
        "_busy",
        "_child",
        "_expected",
        "_lines",
        "_mode",
        "_quiet",
        "_redraws",
        "_row",
        "_sent",
        "written",
    )

    def __init__(self, child: Child, mode: InputMode | None) -> None:
        self._child = child
        self._mode = mode
        self._attempt = child._port.meter.attempt
        self._expected: Expected | None = None
        self._redraws = is_silent(child, REDRAW_AFTER)
        self._quiet = is_silent(child, EVIDENCE_WITHIN)
        self._row = b""
        self._lines = 0
        self._sent = 0.0
        self._busy = mode is not None and agent_is_busy(child)
        self.written = False
        """Whether a write has succeeded."""

    @property
    def ended(self) -> bool:
        """Whether the attempt that it was for is over."""
        return self._child._port.meter.attempt is not self._attempt

    def before(self, data: bytes, *, last: bool, is_key: bool) -> None:
        """A write is about to be made; the child may answer the `last`."""
        if last:
            # What it showed before Enter isn't to be joined with what comes after.
            self._child._port.publish_open()
        expected = expect_echo(self._child, data, self._mode, quiet=self._redraws, last=last, is_key=is_key)
        self._expected = expected or self._expected
        if last:
            self._row = self._child.open_row()
            self._lines = self._child._port.meter.lines
            self._sent = trio.current_time()
            # For as long before as it's waited for after: else it would have written something anyway.
            self._quiet = is_silent(self._child, EVIDENCE_WITHIN) or (is_key and self._quiet)

    def abandon(self) -> None:
        """Nothing more is written of it: what comes from now on is the child's."""
        echo = self._child._port.echo
        if echo is not None:
            echo.entered(trio.current_time(), line_end=False)

    async def receipt(
        self, receipt: str, *, entered: bool, text: str = "", gone: Callable[[], bool] | None = None
    ) -> Receipt:
        """Wait until it's known what became of it.

        Args:
            receipt: Its id.
            entered: Whether Enter ended it.
            text: What was said, if anything.
            gone: Whether the prompt that it answers has left the screen.
        """
        left = float("inf")  # since when the prompt is not on the screen
        executor = self._child._executor
        deadline = self._sent + EVIDENCE_WITHIN
        kept = self._sent + QUEUED_WITHIN if self._busy and text else 0.0
        pause, longest = _POLL
        while True:
            # In this order: what shows that Enter has come through shows that its input can be asked.
            evidence = self._evidence(entered=entered)
            if evidence is None and gone is not None:
                left = min(left, trio.current_time()) if gone() else float("inf")
                evidence = GONE if trio.current_time() - left >= GONE_FOR else None
            pending = executor.pending_input()
            now = trio.current_time()
            if kept and shows_queued(self._child, text):
                return Receipt(receipt, "queued", "it keeps it for later")
            if evidence is not None and not pending and now >= kept:
                return Receipt(receipt, "confirmed", evidence)
            if self._mode is None and not pending:
                return Receipt(receipt, "unconfirmed", "a pipe can't say more")
            if self.ended:
                return Receipt(receipt, "unconfirmed", "it ended before it showed anything")
            if trio.current_time() >= deadline:
                break
            await trio.sleep(pause)
            pause = min(pause * 2, longest)
        if pending:
            return Receipt(receipt, "queued", "it has not read its input yet")
        why = f"it showed nothing within {EVIDENCE_WITHIN:g} s"
        if self._child._port.behind:
            why = "its output waits for the run"
        elif self._answered:
            why = "it wrote all the time: what it wrote then shows nothing"
        return Receipt(receipt, "unconfirmed", why)

    @property
    def _answered(self) -> bool:
        return (self._child._port.meter.last_output or 0.0) > self._sent

    def _evidence(self, *, entered: bool) -> str | None:
        mode = self._mode
        if mode is None:
            return None
        row = self._child.open_row()
        changed = len(row) < _ROW and not row.startswith(self._row)
        ended = changed or self._child._port.meter.lines > self._lines
        gone = 0 < len(self._row) < _ROW and ended
        if self._expected is not None and self._expected.seen and (gone or not entered):
            return "echoed"
        if gone and (self._answered or not mode.canonical):
            return GONE
        return "it answered" if self._quiet and self._answered else None


def is_silent(child: Child, seconds: float) -> bool:
    """Whether nothing has come from it for so long, and nothing waits to be taken."""
    last = child._port.meter.last_output
    return not child._port.behind and (last is None or trio.current_time() - last >= seconds)


def expect_echo(
    child: Child, data: bytes, mode: InputMode | None, *, quiet: bool, last: bool, is_key: bool
) -> Expected | None:
    """`data` is about to be written: its echo is not to be taken for the child's output.

    Args:
        child: Whose input it is.
        data: What is written.
        mode: How its terminal treats it.
        quiet: Whether the child was silent before.
        last: Whether what comes then is its answer.
        is_key: Whether a program in raw mode takes it for a key, and not for a text to be shown.
    """
    if mode is None or (mode.canonical and not mode.echo):
        return None  # nobody echoes: what comes is the child's, even if it's the same text
    now = trio.current_time()
    echo = child._port.echo
    if echo is None:
        echo = child._port.echo = EchoFilter()
    text = data.rstrip(b"\r\n")
    expected = None
    if text and (mode.canonical or not is_key):
        shown = terminal_echo(text) if mode.canonical else text
        if child._aggregator._masks is not None:
            shown = child._aggregator._masked(shown.decode("utf-8", "replace")).encode()
        expected = echo.typing(shown, now, loose=not mode.canonical, quiet=quiet)
    if last:
        echo.entered(now if mode.canonical or not text else now + ENTER_PAUSE, line_end=text != data)
    return expected


def expect_typed(child: Child, data: bytes) -> None:
    """Bytes are about to be written as they are, such as keys that a person presses."""
    mode = child._executor.input_mode()
    expect_echo(child, data, mode, quiet=is_silent(child, REDRAW_AFTER), last=True, is_key=False)
