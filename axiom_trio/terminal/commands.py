"""What the keys do: a person watches the stream, writes to the children, and steers them.

Keys act only while the line that is being typed is empty; all others begin a message.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final, final

import trio

from axiom_trio.sansio.errors import NotRunningError
from axiom_trio.terminal.editor import Editor, Submit, width
from axiom_trio.terminal.keyboard import Keyboard, Presses, act
from axiom_trio.terminal.keys import Key
from axiom_trio.terminal.messages import MessageError, Sender, complete, understand
from axiom_trio.terminal.questions import Questions
from axiom_trio.terminal.view import FIRST, rows_for_children

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from axiom_trio.engine.aggregator import StreamAggregator
    from axiom_trio.engine.child import Child
    from axiom_trio.terminal.keyboard import Acts
    from axiom_trio.terminal.keys import Press
    from axiom_trio.terminal.sink import TerminalSink

_PROMPT: Final = 3  # columns of the footer's last row that aren't the line's own
_NOTICES: Final = 64
HELP: Final = """\
  name:text Enter   write to a child (Tab completes the name; *: writes to all)
  Up Down Tab       choose a child      Enter    see it in full (Ctrl-] leaves)
  Space             pause, go on        PageUp   look back
  Ctrl-R            start it again      Ctrl-X   stop it
  Up Down           on a line that has begun: what was typed before; Esc empties it
  Ctrl-C            stop all; again: kill         Ctrl-Z   into the background"""


@final
class Commands:
    """Serves one person at the terminal.

    Args:
        aggregator: The run.
        sink: The writer of the terminal.
        resize: Gives a child's terminal the size it has in the stream.
    """

    def __init__(
        self,
        aggregator: StreamAggregator,
        sink: TerminalSink,
        *,
        resize: Callable[[Child], None] = lambda _: None,
    ) -> None:
        self._aggregator = aggregator
        self._sink = sink
        self._resize = resize
        self._editor = Editor(lambda beginning: complete(beginning, aggregator.children))
        self._columns = 0
        self._note = ""
        self._questions = Questions(self._asked)
        aggregator.confirm = self._questions.ask
        self._notices, self._to_show = trio.open_memory_channel[str](_NOTICES)
        self._keyboard: Keyboard | None = None
        self._view: trio.CancelScope | None = None
        self._view_left = trio.Event()
        self.attached: Child | None = None
        """The child that is seen in full, whose terminal is as large as the whole one."""

    async def run(self) -> None:
        """Serve until cancelled; without a terminal, return."""
        await trio.sleep(FIRST)  # a short run leaves the keyboard alone, as it has no footer to type in
        try:
            keyboard = Keyboard(self._on_foreground)
            keyboard.__enter__()
        except OSError:
            self._questions.close()
            return
        self._keyboard = keyboard
        try:
            async with trio.open_nursery() as nursery:
                self._sender = Sender(self._aggregator, nursery, self.say)
                nursery.start_soon(self._show)
                self._shown()
                await self._serve(keyboard)
        finally:
            self._questions.close()
            self._keyboard = None
            keyboard.__exit__()
            self._sink.input_line = None

    def say(self, line: str) -> None:
        """Show a line of our own in the stream."""
        with suppress(trio.WouldBlock):  # a terminal that takes nothing shows nothing
            self._notices.send_nowait(line)

    # --- keys

    async def _serve(self, keyboard: Keyboard) -> None:
        presses = Presses(keyboard)
        while True:
            for press in await presses.next():
                await self._take(press)
            if self._sink.size[1] != self._columns:
                self._shown()

    def resized(self) -> None:
        """The terminal may have another size now."""
        if self._keyboard is not None:
            self._keyboard.nudge()

    async def _take(self, press: Press) -> None:
        left = await act(
            self, press, _ALWAYS if self._editor else _ALWAYS | _KEYS, _TEXT_KEYS, typing=bool(self._editor)
        )
        if left is None:
            return
        self._note = ""
        action = self._editor.press(left)
        if isinstance(action, Submit):
            self._submit(action.text)
        elif left == Key("tab") and self._editor.choices:
            self.say("  " + "  ".join(self._editor.choices[:20]))
        self._shown()

    def _submit(self, line: str) -> None:
        if not line.strip():
            self._editor.clear()
            return
        if self._questions.answer(line):
            self._editor.clear()
            return
        try:
            self._sender.send(understand(line, self._aggregator.children))
        except MessageError as error:
            self.say(f"✗ {error}")
            self._note = f"   ✗ {error}"  # what it's told in may flow by; the line stays, to be put right
        else:
            self._editor.remember()

    def _shown(self) -> None:
        """The line has changed."""
        self._columns = self._sink.size[1]
        room = max(8, self._columns - _PROMPT)
        text, cursor = self._editor.view(room)
        note = self._note
        if not note and self._questions.text:
            note = f"   {self._questions.text}"
        self._sink.input_line = text + note[: max(0, room - width(text))], cursor
        self._sink.redraw_soon()

    def _asked(self) -> None:
        """Another question stands, or none any more."""
        if self._questions.text:
            self.say(self._questions.text)
        if self._keyboard is not None:
            self._shown()

    # --- what they do

    @property
    def _chosen(self) -> Child | None:
        if self._sink.chosen is None:
            return None
        return self._aggregator.child(self._sink.chosen)

    async def _choose(self, step: int) -> None:
        children = self._aggregator.children
        if not children:
            return
        # As they stand in the footer. Where not all have a row, those that run come before the others.
        if len(children) > rows_for_children(self._sink.size[0], typing=True):
            children = (*sorted(children, key=lambda child: child.completed is not None),)
        order = [child.id for child in children]
        chosen = self._sink.chosen
        if chosen is None:
            place = 0 if step > 0 else len(order) - 1
        else:
            place = (order.index(chosen) + step) % len(order)
        self._sink.chosen = order[place]
        self._sink.redraw_soon()

    async def _choose_next(self) -> None:
        await self._choose(1)

    async def _choose_last(self) -> None:
        await self._choose(-1)

    async def _unchoose(self) -> None:
        self._sink.chosen = None
        self._sink.redraw_soon()

    async def _pause(self) -> None:
        self._sink.paused = not self._sink.paused
        self._sink.redraw_soon()

    async def _hold(self) -> None:
        self._sink.paused = True
        self._sink.redraw_soon()

    async def _go_on(self) -> None:
        self._sink.paused = False
        self._sink.redraw_soon()

    async def _restart(self) -> None:
        child = self._chosen
        if child is None:
            self.say(CHOOSE_FIRST)
            return
        try:
            child.restart()
        except NotRunningError as error:
            self.say(f"✗ [{child.name}] not started again: {error}")

    async def _stop(self) -> None:
        child = self._chosen
        if child is None:
            self.say(CHOOSE_FIRST)
        elif child.completed is not None:
            self.say(f"[{child.name}] has ended")
        elif child.state == "stopping":
            child.stop(grace=0)
            self.say(f"■ [{child.name}] is killed")
        else:
            child.stop()
            self.say(f"■ [{child.name}] is asked to end; once more kills")

    async def _help(self) -> None:
        for line in HELP.split("\n"):
            self.say(line)

    async def _redraw(self) -> None:
        self._sink.resized()

    async def _open(self) -> None:
        child = self._chosen
        if child is None:
            self.say(CHOOSE_FIRST)
            return
        from axiom_trio.terminal.attach import attach

        self.attached = child
        try:
            await self._in_view(lambda keyboard: attach(self._aggregator, self._sink, keyboard, child))
        finally:
            self.attached = None
            self._resize(child)

    async def _look_back(self) -> None:
        from axiom_trio.terminal.scroll import look_back

        await self._in_view(lambda keyboard: look_back(self._aggregator, self._sink, keyboard))

    async def _in_view(self, view: Callable[[Keyboard], Awaitable[None]]) -> None:
        """Let another have the terminal, until it's done or we're to be stopped."""
        assert self._keyboard is not None
        self._view_left = trio.Event()
        try:
            with trio.CancelScope() as self._view:
                await view(self._keyboard)
        except* (OSError, trio.ClosedResourceError):
            pass  # the terminal is gone, or the run has ended: its sink says so
        finally:
            self._view = None
            self._view_left.set()

    # --- in and out of the foreground

    def _on_foreground(self, foreground: bool) -> None:
        if foreground:
            self._sink.resume()

    @property
    def has_keyboard(self) -> bool:
        """Whether there is one."""
        return self._keyboard is not None

    async def suspend(self) -> None:
        """Stop, with the terminal as it was before; returns when we go on."""
        assert self._keyboard is not None
        if self._view is not None:
            self._view.cancel(reason="the program is to be stopped")
            await self._view_left.wait()
        await self._sink.suspend()
        self._keyboard.stop()
        self.continued()

    def continued(self) -> None:
        """We go on, in the foreground or not, whatever has stopped us."""
        assert self._keyboard is not None
        if self._keyboard.continued():
            self._sink.resume()

    async def _show(self) -> None:
        async for line in self._to_show:
            try:
                await self._sink.notify(line.encode("utf-8", "replace") + b"\n")
            except OSError:
                return  # the terminal is gone


CHOOSE_FIRST: Final = "choose a child first: Up, Down or Tab"
_TEXT_KEYS: Final[Acts[Commands]] = {
    " ": Commands._pause,
    "?": Commands._help,
}
_KEYS: Final[Acts[Commands]] = {
    "up": Commands._choose_last,
    "down": Commands._choose_next,
    "tab": Commands._choose_next,
    "shift-tab": Commands._choose_last,
    "escape": Commands._unchoose,
    "enter": Commands._open,
    "page-up": Commands._look_back,
    "ctrl-r": Commands._restart,
    "ctrl-x": Commands._stop,
}
_ALWAYS: Final[Acts[Commands]] = {
    "ctrl-s": Commands._hold,
    "ctrl-q": Commands._go_on,
    "ctrl-l": Commands._redraw,
}
