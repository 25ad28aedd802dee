"""`axiom-trio attach` without a name: the stream of a run in this terminal, and its children below it."""

from __future__ import annotations

import os
import signal
from functools import partial
from typing import TYPE_CHECKING, Final, cast, final

import trio

from axiom_trio.cli import say
from axiom_trio.cli.attach_figures import Figures
from axiom_trio.cli.config import from_environment
from axiom_trio.cli.telling import ending, what_happened
from axiom_trio.cli.verb_attach import LOOK_BACK, FullView, look_anew, stop_here
from axiom_trio.cli.verbs import DONE, NOT_THERE
from axiom_trio.sansio.cursor import Batch
from axiom_trio.sansio.events import Completed, Started
from axiom_trio.sansio.names import printable
from axiom_trio.sansio.rows import COLORS
from axiom_trio.sansio.text import TextFormat, TextFormatter
from axiom_trio.sansio.unwire import from_wire
from axiom_trio.server.mirror import RemoteChild
from axiom_trio.server.remote import ConnectError, LostError, RequestError
from axiom_trio.terminal.commands import CHOOSE_FIRST
from axiom_trio.terminal.editor import Editor, Submit
from axiom_trio.terminal.keyboard import Keyboard, Presses, act
from axiom_trio.terminal.keys import Key
from axiom_trio.terminal.messages import MessageError, complete, understand
from axiom_trio.terminal.sink import TerminalSink
from axiom_trio.terminal.view import INTERVAL, LEAST_ROWS, can_have_footer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    from axiom_trio.engine.child import Child
    from axiom_trio.sansio.events import Event
    from axiom_trio.server.client import Client
    from axiom_trio.server.remote import ChildInfo
    from axiom_trio.terminal.keyboard import Acts
    from axiom_trio.terminal.keys import Press

_FIGURES: Final = 0.5  # seconds between two requests for figures
_SHARE: Final = 10  # answering them takes at most this part of the time
_READ: Final = 4096
_LEAVES: Final = ("q", "quit", "exit")
_HELP: Final = """\
  name:text Enter   write to a child (Tab completes the name; *: writes to all)
  Up Down Tab       choose a child      Enter    see it in full (Ctrl-] leaves)
  Space             pause, go on        Esc      choose none
  Ctrl-R            start it again      Ctrl-X   stop it
  q Enter, Ctrl-D, Ctrl-C   leave: the run goes on"""


@final
class RunView:
    """Shows a run until the person leaves, or it ends.

    Args:
        client: Connected to it.
        again: Makes another connection.
    """

    def __init__(self, client: Client, again: Callable[[], AbstractAsyncContextManager[Client]]) -> None:
        self._again = again
        self._client = client
        self._color = from_environment(os.environ).get("color") != "never"
        text = TextFormat(color=self._color, escapes="color" if self._color else "none")
        self._formatter = TextFormatter(text)
        self._sink = TerminalSink(text)
        self._with_footer = can_have_footer(os.environ)
        self._figures = Figures(client.hello.started_at, color=self._color)
        self._editor = Editor(lambda beginning: complete(beginning, self._mirrors()))
        self._in_full: FullView | None = None
        self._keyboard: Keyboard
        self._nursery: trio.Nursery
        self._labels: dict[str, str] = {}
        for known in client.hello.children:
            self._formatter.add(known.id, known.name, known.index, known.pid, tty=False)
            self._name(known.id, known.name, known.index)
        self._figures.take(client.hello.children)

    async def run(self) -> int:
        """Show it; returns the exit status."""
        hello = self._client.hello
        names = ", ".join(printable(child.name) for child in hello.children[:20])
        names += f" and {len(hello.children) - 20} more" if len(hello.children) > 20 else ""
        say(f"── the run {hello.short_id}: {names}; name:text and Enter sends, q or Ctrl-D leaves\n")
        status, last = DONE, ""
        await self._sink.open()
        try:
            with Keyboard(self._on_foreground, cooked=not self._with_footer) as self._keyboard:
                async with trio.open_nursery() as self._nursery:
                    for task in (self._heed, self._type, self._ask, self._draw):
                        self._nursery.start_soon(task)
                    try:
                        last = await self._follow()
                    except LostError as error:
                        status, last = NOT_THERE, f"── {error}\n"
                    self._nursery.cancel_scope.cancel(reason="the run has ended")
        finally:
            with trio.CancelScope(shield=True):
                await self._sink.aclose()
        say(last)
        return status

    # --- the stream

    async def _follow(self) -> str:
        hello = self._client.hello
        async for message in self._client.subscribe(max(hello.oldest_cursor - 1, hello.cursor - LOOK_BACK)):
            if message["type"] == "end":
                break
            event = from_wire(message)
            if event is None:
                continue
            pieces = [*self._formatter.event(event)]
            await self._sink.write(Batch([event], pieces, message["cursor"] + 1))
            if told := self._told(event):
                await self._tell(told)
        return "── the run has ended\n"

    def _told(self, event: Event) -> str:
        """What is said of an event besides the stream."""
        if isinstance(event, Started):
            self._name(event.child, event.name, event.index)
        label = self._labels.get(getattr(event, "child", ""), "")
        if isinstance(event, Completed):
            return ending(event, label, self._paint)
        return what_happened(event, label, self._paint)

    def _name(self, child: str, name: str, index: int) -> None:
        self._labels[child] = self._paint(COLORS[index % len(COLORS)], f"[{printable(name)}]")

    def _paint(self, color: str, text: str) -> str:
        return f"\x1b[{color}m{text}\x1b[0m" if self._color else text

    async def _tell(self, line: str) -> None:
        await self._sink.notify(line.encode("utf-8", "replace") + b"\n")

    # --- the footer

    async def _ask(self) -> None:
        """Ask how the children stand, again and again."""
        while True:
            began = trio.current_time()
            try:
                self._figures.take(await self._client.children())
            except LostError:
                return  # who follows the stream says so
            self._sink.redraw_soon()
            await trio.sleep(max(_FIGURES, (trio.current_time() - began) * _SHARE))

    async def _draw(self) -> None:
        while self._with_footer:
            room = self._sink.size[0] >= LEAST_ROWS and self._sink.in_foreground
            await self._sink.draw([*self._figures.rows(self._sink)] if room else [])
            began = trio.current_time()
            await self._sink.wait_redraw()
            await trio.sleep_until(began + INTERVAL)

    # --- the keys

    async def _type(self) -> None:
        if self._with_footer:
            self._shown()
            presses = Presses(self._keyboard)
            while True:
                for press in await presses.next():
                    await self._take(press)
                self._shown()
        line = b""  # a terminal without a footer echoes, and gives whole lines
        while data := await trio.to_thread.run_sync(os.read, 0, _READ, abandon_on_cancel=True):
            *whole, line = (line + data).split(b"\n")
            for text in whole:
                await self._submit(text.decode("utf-8", "replace"))
        await self._leave()

    async def _take(self, press: Press) -> None:
        keys = _ALWAYS if self._editor else _ALWAYS | _KEYS
        left = await act(self, press, keys, _TEXT_KEYS, typing=bool(self._editor))
        if left is None:
            return
        action = self._editor.press(left)
        if isinstance(action, Submit):
            if await self._submit(action.text):
                self._editor.remember()
        elif left == Key("tab") and self._editor.choices:
            await self._tell("  " + "  ".join(self._editor.choices[:20]))

    def _shown(self) -> None:
        """The line has changed."""
        self._sink.input_line = self._editor.view(max(8, self._sink.size[1] - 3))
        self._sink.redraw_soon()

    async def _submit(self, line: str) -> bool:
        """Do what a line says; False if it's to be put right."""
        if line.strip() in _LEAVES:
            await self._leave()
        elif line.strip():
            try:
                message = understand(line, self._mirrors())
            except MessageError as error:
                await self._tell(f"✗ {error}")
                return False
            for child in message.children:
                if child.writable or not message.to_all:
                    self._nursery.start_soon(self._send, cast("RemoteChild", child), message.text)
        return True

    async def _send(self, child: RemoteChild, text: str) -> None:
        receipt = await child.intervene(text)
        if receipt.state == "refused" and not receipt.id:  # others are told of in the stream
            await self._tell(f"✗ [{printable(child.name)}] not sent: {printable(receipt.reason)}")

    def _mirrors(self) -> list[Child]:
        return cast(
            "list[Child]", [RemoteChild(self._client, info, self._nursery) for info in self._figures.children]
        )

    @property
    def _chosen(self) -> ChildInfo | None:
        return next((child for child in self._figures.children if child.id == self._sink.chosen), None)

    async def _choose_next(self, step: int = 1) -> None:
        order = self._figures.order(self._sink)
        if order:
            chosen = self._sink.chosen
            place = order.index(chosen) + step if chosen in order else min(step, 0)
            self._sink.chosen = order[place % len(order)]

    async def _choose_last(self) -> None:
        await self._choose_next(-1)

    async def _unchoose(self) -> None:
        self._sink.chosen = None

    async def _pause(self) -> None:
        self._sink.paused = not self._sink.paused

    async def _open(self) -> None:
        child = self._chosen
        if child is None:
            await self._tell(CHOOSE_FIRST)
        elif child.exit is not None:
            await self._tell(f"[{printable(child.name)}] has ended; axiom-trio logs shows what it wrote")
        else:
            try:
                self._in_full = FullView(self._sink, self._keyboard)
                async with self._again() as client:
                    await self._in_full.show(client, child, self._nursery)
            except (ConnectError, RequestError) as error:
                await self._tell(f"✗ {error}")
            finally:
                self._in_full = None

    async def _restart(self) -> None:
        await self._request(self._client.restart, "is started again")

    async def _stop(self) -> None:
        if self._chosen is not None and self._chosen.state == "stopping":
            await self._request(partial(self._client.stop, grace=0.0), "is killed")
        else:
            await self._request(self._client.stop, "is asked to end; once more kills")

    async def _request(self, request: Callable[[str], Awaitable[None]], told: str) -> None:
        child = self._chosen
        if child is None:
            await self._tell(CHOOSE_FIRST)
            return
        try:
            await request(child.id)
        except (LostError, RequestError) as error:
            told = f"✗ {error}"
        await self._tell(f"[{printable(child.name)}] {told}")

    async def _help(self) -> None:
        for line in _HELP.split("\n"):
            await self._tell(line)

    async def _redraw(self) -> None:
        self._sink.resized()

    async def _leave(self) -> None:
        self._nursery.cancel_scope.cancel(reason="left")

    # --- the terminal

    async def _heed(self) -> None:
        """Follow the terminal's size, stop and go on, and leave when asked to."""
        leave = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        with trio.open_signal_receiver(*leave, signal.SIGWINCH, signal.SIGTSTP, signal.SIGCONT) as signals:
            async for signum in signals:
                if signum in leave:
                    await self._leave()
                elif signum != signal.SIGTSTP:
                    look_anew(self._sink, self._keyboard)
                elif self._in_full is not None:
                    self._in_full.stop()
                else:
                    await stop_here(self._sink, self._keyboard)

    def _on_foreground(self, foreground: bool) -> None:
        if foreground:
            self._sink.resume()


_TEXT_KEYS: Final[Acts[RunView]] = {
    " ": RunView._pause,
    "?": RunView._help,
}
_KEYS: Final[Acts[RunView]] = {
    "up": RunView._choose_last,
    "down": RunView._choose_next,
    "tab": RunView._choose_next,
    "shift-tab": RunView._choose_last,
    "escape": RunView._unchoose,
    "enter": RunView._open,
    "ctrl-r": RunView._restart,
    "ctrl-x": RunView._stop,
    "ctrl-d": RunView._leave,
}
_ALWAYS: Final[Acts[RunView]] = {"ctrl-l": RunView._redraw}
