"""`axiom-trio attach`: a run, or a child of it in full, in this terminal."""

from __future__ import annotations

import signal
from functools import partial
from typing import TYPE_CHECKING, Final, final

import trio

from axiom_trio.cli import say
from axiom_trio.cli.verbs import DONE, FAILED, LOOK, Failure, child_of, connected
from axiom_trio.sansio.events import Completed, Output
from axiom_trio.sansio.names import printable
from axiom_trio.sansio.text import TextFormat
from axiom_trio.sansio.unwire import from_wire
from axiom_trio.server.client import connect
from axiom_trio.server.mirror import RemoteChild
from axiom_trio.terminal.attach import RECENT, attach_to
from axiom_trio.terminal.keyboard import Keyboard, is_ours

if TYPE_CHECKING:
    from typing import Self

    from axiom_trio.cli.verb_options import VerbOptions
    from axiom_trio.sansio.events import Event
    from axiom_trio.server.client import Client, EventStream
    from axiom_trio.server.remote import ChildInfo
    from axiom_trio.terminal.sink import TerminalSink

LOOK_BACK: Final = 2000
"""Events that are looked back over."""


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
            from axiom_trio.cli.attach_run import RunView

            again = partial(connect, client.hello.run_id, url=options.get("url"), token=options.token)
            return await RunView(client, again).run()
        child = await child_of(client, options)
        if child.exit is not None:
            raise Failure(FAILED, f"[{child.name}] has ended: {child.exit}; axiom-trio logs shows it")
        return await _in_full(client, child)


# --- one child


async def _in_full(client: Client, info: ChildInfo) -> int:
    from axiom_trio.terminal.sink import TerminalSink

    sink = TerminalSink(TextFormat(color=True, escapes="color"))
    await sink.open()
    completed: Completed | None = None
    try:
        async with trio.open_nursery() as nursery:
            with Keyboard() as keyboard:
                view = FullView(sink, keyboard)
                nursery.start_soon(_heed, nursery.cancel_scope, view)
                completed = await view.show(client, info, nursery)
            nursery.cancel_scope.cancel(reason="left")
    finally:
        with trio.CancelScope(shield=True):
            await sink.aclose()
    how = "goes on" if completed is None else f"has ended: {completed.exit}"
    say(f"{printable(f'[{info.name}] {how}')}\n")
    return DONE


@final
class FullView:
    """A child in full, on a terminal of which all else is another's.

    Args:
        sink: Has the terminal.
        keyboard: Whose keys the child gets.
    """

    def __init__(self, sink: TerminalSink, keyboard: Keyboard) -> None:
        self._sink = sink
        self._keyboard = keyboard
        self._scope = trio.CancelScope()

    async def show(self, client: Client, info: ChildInfo, nursery: trio.Nursery) -> Completed | None:
        """Show it until the person leaves it, or it ends: then how.

        Args:
            client: Connected to its run just now; the child gets the size it had when that ends.
            info: Which.
            nursery: Runs requests that nobody waits for.

        Raises:
            LostError: The run has gone.
            RequestError: It refuses.
        """
        child = RemoteChild(client, info, nursery)
        after = max(client.hello.oldest_cursor - 1, client.hello.cursor - LOOK_BACK)
        async with client.subscribe(after, tasks=[info.id], tick=0.0, stats=LOOK, exact=True) as messages:
            live = _Live(messages)
            await live.catch_up(client.hello.cursor)
            while True:
                with self._scope:
                    await attach_to(child, self._sink, self._keyboard, live.recent, live)
                if not self._scope.cancelled_caught:
                    return live.completed
                self._scope = trio.CancelScope()
                await stop_here(self._sink, self._keyboard)

    def stop(self) -> None:
        """Stop this program, as Ctrl-Z asks; the view comes again when it goes on."""
        self._scope.cancel(reason="the program is to be stopped")

    def look_anew(self) -> None:
        """The terminal may have another size, or other modes, now."""
        look_anew(self._sink, self._keyboard)


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


async def _heed(scope: trio.CancelScope, view: FullView) -> None:
    """Follow the terminal's size, and leave or stop when asked to."""
    asked = (signal.SIGWINCH, signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGTSTP, signal.SIGCONT)
    with trio.open_signal_receiver(*asked) as signals:
        async for signum in signals:
            if signum == signal.SIGTSTP:
                view.stop()
            elif signum in (signal.SIGWINCH, signal.SIGCONT):
                view.look_anew()
            else:
                scope.cancel(reason="told to end")
                return


async def stop_here(sink: TerminalSink, keyboard: Keyboard) -> None:
    """Stop this program, with the terminal as it was before; returns when it goes on."""
    await sink.suspend()
    keyboard.stop()
    look_anew(sink, keyboard)


def look_anew(sink: TerminalSink, keyboard: Keyboard) -> None:
    """The terminal may have another size, or other modes, now."""
    keyboard.continued()
    sink.resized()
    keyboard.nudge()
