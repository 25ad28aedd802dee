"""A child in full: the user's terminal becomes the child's, until Ctrl-].

A child on a PTY gets each key as it is, and its raw output is passed on, but for what
would make the terminal answer or outlast the loan (`PassFilter`). Its own terminal is as
large as the whole one meanwhile. Of a child on pipes the lines are shown, and lines
that are typed are sent.

It follows through a lossy subscription: however slow the terminal, the child isn't.
"""

from __future__ import annotations

import re
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Protocol, final

import trio

from axiom_trio.sansio.errors import NotRunningError
from axiom_trio.sansio.escapes import EscapeFilter
from axiom_trio.sansio.events import Completed, Gap, Intervention, Output
from axiom_trio.sansio.names import printable
from axiom_trio.terminal.editor import Editor, Submit
from axiom_trio.terminal.keyboard import Presses
from axiom_trio.terminal.keys import Key
from axiom_trio.terminal.passing import CLEAR, PassFilter

if TYPE_CHECKING:
    from collections.abc import AsyncIterable
    from typing import Self

    from axiom_trio.engine.aggregator import StreamAggregator
    from axiom_trio.engine.child import Child
    from axiom_trio.engine.subscription import Subscription
    from axiom_trio.sansio.events import Event, Receipt
    from axiom_trio.sansio.queries import TerminalModes
    from axiom_trio.terminal.keyboard import Keyboard
    from axiom_trio.terminal.sink import RawTerminal, TerminalSink

RECENT: Final = 64 * 1024
"""Bytes of its output that are shown again."""
_TYPED_AHEAD: Final = 64  # reads of the keyboard that a child which doesn't read may lag
# Ctrl-], and what it is where a program has asked for keys to be told in another way.
_LEAVE: Final = re.compile(rb"\x1d|\x1b\[93;5u|\x1b\[27;5;93~")
_ABANDON: Final = b"\x18\x1b[0m\r\n"  # ends a sequence that was cut by a gap, and its colours
_TICK: Final = 0.01  # seconds; what is seen that late is felt as at once
_HINT: Final = "a line and Enter are sent to it; Ctrl-] leaves"
_CURSOR: Final = b"\x1b[0 q"  # the shape that the user has set


class Shown(Protocol):
    """A child as it's seen in full: one of ours, or of another program's."""

    @property
    def id(self) -> str:
        """Its id."""

    @property
    def tty(self) -> bool:
        """Whether it runs on a terminal."""

    @property
    def terminal_modes(self) -> TerminalModes | None:
        """What its terminal was told to do, as far as that's known."""

    async def write(self, data: bytes) -> None:
        """Write into its input. Raises NotRunningError."""

    async def intervene(self, text: str) -> Receipt:
        """Send it a message."""

    def resize(self, rows: int, columns: int) -> None:
        """Give its terminal another size, if it has not that one."""

    def publish_open_line(self) -> None:
        """Have what has come of its open line published."""


async def attach(aggregator: StreamAggregator, sink: TerminalSink, keyboard: Keyboard, child: Child) -> None:
    """Show a child in full until the person leaves it, or it ends.

    Who calls gives the child's terminal back the size it had.

    Args:
        aggregator: The run.
        sink: Has the terminal.
        keyboard: Whose keys the child gets.
        child: Which.
    """
    if child.completed is not None:
        from axiom_trio.terminal.scroll import look_back

        await look_back(aggregator, sink, keyboard, child)
        return
    async with sink.taken() as terminal:
        make = _Screen if child.tty else _Lines
        with make(sink, keyboard, child, terminal) as view:
            await _follow(aggregator, child, view)


async def _follow(aggregator: StreamAggregator, child: Child, view: _Screen | _Lines) -> None:
    """Show what the child has said lately, and then what it says."""
    screen = aggregator.screens.paint(child)  # as of the last event, so nothing may come in between
    statistics = aggregator.statistics()
    first, end = statistics.oldest_cursor, statistics.next_cursor
    async with aggregator.subscribe(after=end - 1 if screen else first - 1, lossless=False) as events:
        if not screen and first < end:
            screen = await _recent(events, child, end)
        await _show(child, view, screen, events)


async def attach_to(
    child: Shown, sink: TerminalSink, keyboard: Keyboard, recent: bytes, events: AsyncIterable[Event]
) -> None:
    """Show a child of another program's in full, as `attach` does.

    Args:
        child: Which.
        sink: Has the terminal.
        keyboard: Whose keys the child gets.
        recent: What it has said lately.
        events: What it says from then on.
    """
    async with sink.taken() as terminal:
        make = _Screen if child.tty else _Lines
        with make(sink, keyboard, child, terminal) as view:
            await _show(child, view, recent[-RECENT:], events)


async def _show(child: Shown, view: _Screen | _Lines, recent: bytes, events: AsyncIterable[Event]) -> None:
    await view.begin(recent)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(view.serve, nursery.cancel_scope)
        nursery.start_soon(_keep_live, child)
        async for event in events:
            if isinstance(event, Gap) or getattr(event, "child", None) == child.id:
                await view.show(event)
            if isinstance(event, Completed) and event.child == child.id:
                break
        nursery.cancel_scope.cancel(reason="the child has ended")


async def _keep_live(child: Shown) -> None:
    """What it writes is seen at once, its echo of each key too."""
    while True:
        child.publish_open_line()
        await trio.sleep(_TICK)


async def _recent(events: Subscription, child: Child, end: int) -> bytes:
    """The last of what it has said in the events before `end`."""
    pieces: deque[bytes] = deque()
    size = 0
    whole = True
    async for event in events:
        if isinstance(event, Output) and event.child == child.id:
            pieces.append(event.data)
            size += len(event.data)
            while len(pieces) > 1 and size - len(pieces[0]) >= RECENT:
                size -= len(pieces.popleft())
                whole = False
        last = event.to_cursor - 1 if isinstance(event, Gap) else event.cursor
        if last >= end - 1:
            break
    data = b"".join(pieces)
    if len(data) > RECENT or not whole:
        data = data[-RECENT:]
        data = data[data.find(b"\n") + 1 :]
    return data


@final
class _Screen:
    """A child on a PTY."""

    def __init__(
        self,
        sink: TerminalSink,
        keyboard: Keyboard,
        child: Shown,
        terminal: RawTerminal,
    ) -> None:
        self._sink = sink
        self._keyboard = keyboard
        self._child = child
        self._terminal = terminal
        self._filter = PassFilter()
        self._typed, self._to_write = trio.open_memory_channel[bytes](_TYPED_AHEAD)

    def __enter__(self) -> Self:
        self._keyboard.set_raw(True)
        return self

    def __exit__(self, *_: object) -> None:
        self._keyboard.set_raw(False)

    async def begin(self, recent: bytes) -> None:
        """Show where it stands; it draws itself anew when it's told of its terminal's size."""
        now = self._filter.feed(recent)
        if (modes := self._child.terminal_modes) is not None:
            now += b"\x1b[?1h" * modes.application_cursor + b"\x1b[?2004h" * modes.bracketed_paste
        await self._terminal.write(_CURSOR + CLEAR + now)
        self._child.resize(*self._sink.size)

    async def show(self, event: Event) -> None:
        """Pass on what it writes."""
        if isinstance(event, Output):
            await self._terminal.write(self._filter.feed(event.data))
        elif isinstance(event, Gap):
            self._filter = PassFilter()
            await self._terminal.write(_ABANDON)

    async def serve(self, scope: trio.CancelScope) -> None:
        """Give it what is typed, until that says to leave."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._write)
            while True:
                data = await self._keyboard.read()
                self._child.resize(*self._sink.size)  # which may have changed
                leave = _LEAVE.search(data)
                if typed := data[: leave.start()] if leave else data:
                    try:
                        self._typed.send_nowait(typed)
                    except trio.WouldBlock:
                        await self._terminal.write(b"\a")
                if leave:
                    scope.cancel(reason="left")
                    return

    async def _write(self) -> None:
        async for data in self._to_write:
            with suppress(NotRunningError):  # it's being started again
                await self._child.write(data)


@final
class _Lines:
    """A child on pipes, or a function or stream: its lines, and below them the one that is typed."""

    def __init__(
        self,
        sink: TerminalSink,
        keyboard: Keyboard,
        child: Shown,
        terminal: RawTerminal,
    ) -> None:
        self._sink = sink
        self._presses = Presses(keyboard)
        self._child = child
        self._terminal = terminal
        self._filter = EscapeFilter("color")
        self._editor = Editor()
        self._note = ""
        self._text = b""  # what is drawn again when the terminal has another size
        self._size = sink.size

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    async def begin(self, recent: bytes) -> None:
        """Show where it stands."""
        self._text = self._filter.feed(recent)
        await self._draw()

    async def _draw(self) -> None:
        rows, _ = self._size = self._sink.size
        region = b"\x1b[1;%dr\x1b[%d;1H" % (rows - 1, rows - 1)
        await self._terminal.write(CLEAR + region + self._text + b"\x1b7" + self._line())

    async def show(self, event: Event) -> None:
        """Show a line of it."""
        text = b""
        if isinstance(event, Output):
            text = self._filter.feed(event.data)
        elif isinstance(event, Intervention) and event.origin != "detected":
            text = f"\x1b[1;33m⚡ #{event.count} {printable(event.text)}\x1b[0m\n".encode()
        elif isinstance(event, Gap):
            text = self._filter.end() + f"\n… {event.lines} lines are not shown\n".encode()
        if text:
            self._text = self._text[-RECENT:] + text
            await self._terminal.write(b"\x1b8" + text + b"\x1b7" + self._line())

    async def serve(self, scope: trio.CancelScope) -> None:
        """Send the lines that are typed, until that says to leave."""
        async with trio.open_nursery() as nursery:
            while True:
                for press in await self._presses.next():
                    if press == Key("ctrl-]") or (press == Key("escape") and not self._editor):
                        scope.cancel(reason="left")
                        return
                    self._note = ""
                    action = self._editor.press(press)
                    if isinstance(action, Submit):
                        nursery.start_soon(self._send, action.text)
                        self._editor.remember()
                if self._size != self._sink.size:
                    await self._draw()
                await self._terminal.write(self._line())

    async def _send(self, text: str) -> None:
        receipt = await self._child.intervene(text)
        self._note = f"not sent: {receipt.reason}" if receipt.state == "refused" else ""
        await self._terminal.write(self._line())

    def _line(self) -> bytes:
        rows, columns = self._size
        text, column = self._editor.view(max(4, columns - 3))
        if not self._editor:
            text = f"\x1b[2m{(self._note or _HINT)[: columns - 3]}\x1b[0m"
        return f"\x1b[{rows};1H\x1b[0m\x1b[K› {text}\x1b[{column + 3}G\x1b[?25h".encode()
