"""`axiom-trio attach`: a run, or a child of it in full, in this terminal."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Final, cast

import trio

from axiom_trio.cli import say, write_all
from axiom_trio.cli.verbs import DONE, FAILED, LOOK, Failure, child_of, connected
from axiom_trio.sansio.events import Completed, Output
from axiom_trio.sansio.names import printable
from axiom_trio.sansio.text import TextFormat, TextFormatter
from axiom_trio.sansio.unwire import from_wire
from axiom_trio.server.mirror import RemoteChild
from axiom_trio.server.remote import LostError
from axiom_trio.terminal.attach import RECENT, attach_to
from axiom_trio.terminal.keyboard import Keyboard, is_ours

if TYPE_CHECKING:
    from typing import Self

    from axiom_trio.cli.verb_options import VerbOptions
    from axiom_trio.engine.child import Child
    from axiom_trio.sansio.events import Event
    from axiom_trio.server.client import Client, EventStream
    from axiom_trio.server.remote import ChildInfo
    from axiom_trio.terminal.sink import TerminalSink

_BACK: Final = 2000  # events that are looked back over
_LEAVES: Final = (b"q", b"quit", b"exit")
_READ: Final = 4096


async def attach(options: VerbOptions) -> int:
    """Show it until the person leaves, or it ends; returns the exit status."""
    if options.get("json"):
        raise Failure(2, "it's for people; programs use logs --follow --json")
    if not is_ours():
        raise Failure(2, "it needs a terminal: stdin and stdout must be one; programs use logs --follow")
    async with connected(options) as client:
        if "control" not in client.hello.rights:
            say("axiom-trio attach: without the control token nothing can be sent\n")
        if options.name is None:
            return await _Stream(client).run()
        child = await child_of(client, options)
        if child.exit is not None:
            raise Failure(FAILED, f"[{child.name}] has ended: {child.exit}; axiom-trio logs shows it")
        return await _in_full(client, child)


# --- one child


async def _in_full(client: Client, info: ChildInfo) -> int:
    from axiom_trio.terminal.sink import TerminalSink

    sink = TerminalSink(TextFormat(color=True, escapes="color"))
    await sink.open()
    ended = ""
    try:
        async with trio.open_nursery() as nursery:
            child = RemoteChild(client, info, nursery)
            with Keyboard() as keyboard:
                view = _View()
                nursery.start_soon(_heed, nursery.cancel_scope, sink, keyboard, view)
                after = max(client.hello.oldest_cursor - 1, client.hello.cursor - _BACK)
                async with client.subscribe(
                    after, tasks=[info.id], tick=0.0, stats=LOOK, exact=True
                ) as messages:
                    live = _Live(messages)
                    await live.catch_up(client.hello.cursor)
                    while True:
                        with view.scope:
                            await attach_to(child, sink, keyboard, live.recent, live)
                        if not view.scope.cancelled_caught:
                            break
                        await sink.suspend()
                        keyboard.stop()
                        _look_anew(sink, keyboard)
                        view.scope = trio.CancelScope()
                    if live.completed is not None:
                        ended = f"[{info.name}] has ended: {live.completed.exit}"
            nursery.cancel_scope.cancel(reason="left")
    finally:
        with trio.CancelScope(shield=True):
            await sink.aclose()
    say(f"{printable(ended or f'[{info.name}] goes on')}\n")
    return DONE


class _View:
    """What ends when the program is to be stopped, and begins again when it goes on."""

    def __init__(self) -> None:
        self.scope = trio.CancelScope()


class _Live:
    """The events of one child; who stops iterating may go on later."""

    def __init__(self, messages: EventStream) -> None:
        self._messages = messages
        self._next: Event | None = None
        self.recent = b""
        """The last of what it has written up to now."""
        self.completed: Completed | None = None

    async def catch_up(self, cursor: int) -> None:
        """Read what it has written up to an event."""
        pieces: list[bytes] = []
        while True:
            message = await anext(self._messages)
            event = from_wire(message)
            if message["cursor"] > cursor:
                self._next = event
            elif isinstance(event, Output):
                pieces.append(event.data)
            if message["cursor"] >= cursor:
                self.recent = b"".join(pieces)
                return

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        event, self._next = self._next, None
        while event is None:
            message = await anext(self._messages)
            if message["type"] == "end":
                raise StopAsyncIteration
            event = from_wire(message)
        if isinstance(event, Completed):
            self.completed = event
        elif isinstance(event, Output):
            self.recent = self.recent[-RECENT:] + event.data
        return event


async def _heed(scope: trio.CancelScope, sink: TerminalSink, keyboard: Keyboard, view: _View) -> None:
    """Follow the terminal's size, and leave or stop when asked to."""
    asked = (signal.SIGWINCH, signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGTSTP, signal.SIGCONT)
    with trio.open_signal_receiver(*asked) as signals:
        async for signum in signals:
            if signum == signal.SIGTSTP:
                view.scope.cancel(reason="the program is to be stopped")
            elif signum in (signal.SIGWINCH, signal.SIGCONT):
                _look_anew(sink, keyboard)
            else:
                scope.cancel(reason="told to end")
                return


def _look_anew(sink: TerminalSink, keyboard: Keyboard) -> None:
    """The terminal may have another size, or other modes, now."""
    keyboard.continued()
    sink.resized()
    keyboard.nudge()


# --- all of them


class _Stream:
    """The stream of a run; lines that are typed, `name:text`, are sent."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._formatter = TextFormatter(TextFormat(color=True, escapes="color"))
        for known in client.hello.children:
            self._formatter.add(known.id, known.name, known.index, known.pid, tty=False)

    async def run(self) -> int:
        hello = self._client.hello
        names = ", ".join(printable(child.name) for child in hello.children)
        say(f"── the run {hello.short_id}: {names}; name:text and Enter sends, q or Ctrl-D leaves\n")
        status = DONE
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._type, nursery)
            nursery.start_soon(_interrupted, nursery.cancel_scope)
            after = max(hello.oldest_cursor - 1, hello.cursor - _BACK)
            try:
                async for message in self._client.subscribe(after):
                    if message["type"] == "end":
                        say("── the run has ended\n")
                        break
                    event = from_wire(message)
                    pieces = [] if event is None else self._formatter.event(event)
                    if pieces:
                        write_all(1, b"".join(pieces))
            except LostError as error:
                say(f"── {error}\n")
                status = FAILED
            nursery.cancel_scope.cancel(reason="the run has ended")
        return status

    async def _type(self, nursery: trio.Nursery) -> None:
        line = b""
        while data := await trio.to_thread.run_sync(os.read, 0, _READ, abandon_on_cancel=True):
            *whole, line = (line + data).split(b"\n")
            for text in whole:
                if text.strip() in _LEAVES:
                    nursery.cancel_scope.cancel(reason="left")
                    return
                nursery.start_soon(self._send, text.decode("utf-8", "replace"), nursery)
        nursery.cancel_scope.cancel(reason="Ctrl-D")

    async def _send(self, line: str, nursery: trio.Nursery) -> None:
        from axiom_trio.terminal.messages import MessageError, understand

        if not line.strip():
            return
        try:
            children = [RemoteChild(self._client, info, nursery) for info in await self._client.children()]
            message = understand(line, cast("list[Child]", children))
        except (MessageError, LostError) as error:
            say(f"✗ {error}\n")
            return
        for child in message.children:
            if message.to_all and not child.writable:
                continue
            receipt = await cast("RemoteChild", child).intervene(message.text)
            if receipt.state == "refused":
                say(f"[{printable(child.name)}] not sent: {printable(receipt.reason)}\n")


async def _interrupted(scope: trio.CancelScope) -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals:
        async for _ in signals:
            scope.cancel(reason="told to end")
            return
