"""`axiom-trio attach`: a run, or a child of it in full, in this terminal."""

from __future__ import annotations

import signal
from functools import partial
from typing import TYPE_CHECKING, Final

import trio

from axiom_trio.cli import say
from axiom_trio.cli.verbs import DONE, FAILED, LOOK, Failure, child_of, connected
from axiom_trio.sansio.events import Completed
from axiom_trio.sansio.names import printable
from axiom_trio.sansio.text import TextFormat
from axiom_trio.sansio.unwire import data_of, from_wire
from axiom_trio.server.client import connect
from axiom_trio.server.mirror import RemoteChild
from axiom_trio.server.remote import LostError
from axiom_trio.terminal.keyboard import Keyboard, is_ours

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

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
    status, ended = DONE, ""
    try:
        async with trio.open_nursery() as nursery:
            with Keyboard() as keyboard:
                nursery.start_soon(_heed, nursery.cancel_scope, sink, keyboard)
                try:
                    completed = await show_in_full(client, info, sink, keyboard, nursery)
                except LostError as error:
                    status, ended = FAILED, str(error)
                else:
                    if completed is not None:
                        ended = f"[{info.name}] has ended: {completed.exit}"
            nursery.cancel_scope.cancel(reason="left")
    finally:
        with trio.CancelScope(shield=True):
            await sink.aclose()
    say(f"{printable(ended or f'[{info.name}] goes on')}\n")
    return status


async def show_in_full(
    client: Client,
    info: ChildInfo,
    sink: TerminalSink,
    keyboard: Keyboard,
    nursery: trio.Nursery,
) -> Completed | None:
    """Show a child until the person leaves it, or it ends: then how.

    Args:
        client: Connected to its run just now; the child has the size it had when that ends.
        info: Which.
        sink: Has the terminal.
        keyboard: Whose keys it gets.
        nursery: Runs requests that nobody waits for.

    Raises:
        LostError: The run has gone.
        RequestError: It refuses.
    """
    from axiom_trio.terminal.attach import attach_to

    child = RemoteChild(client, info, nursery)
    after = max(client.hello.oldest_cursor - 1, client.hello.cursor - LOOK_BACK)
    async with client.subscribe(after, tasks=[info.id], tick=0.0, stats=LOOK, exact=True) as messages:
        live = _Live(messages)
        await attach_to(child, sink, keyboard, await live.recent(client.hello.cursor), live)
        return live.completed


class _Live:
    """The events of one child."""

    def __init__(self, messages: EventStream) -> None:
        self._messages = messages
        self._first: list[Event] = []
        self.completed: Completed | None = None

    async def recent(self, cursor: int) -> bytes:
        """What it has written up to an event."""
        pieces: list[bytes] = []
        while True:
            message = await anext(self._messages)
            if message["cursor"] <= cursor and message["type"] == "stream":
                pieces.append(data_of(message["data"]))
            elif message["cursor"] > cursor and (event := from_wire(message)) is not None:
                self._first.append(event)
            if message["cursor"] >= cursor:
                return b"".join(pieces)

    async def __aiter__(self) -> AsyncIterator[Event]:
        for event in self._first:
            yield self._seen(event)
        async for message in self._messages:
            if message["type"] == "end":
                return
            if (event_now := from_wire(message)) is not None:
                yield self._seen(event_now)

    def _seen(self, event: Event) -> Event:
        if isinstance(event, Completed):
            self.completed = event
        return event


async def _heed(scope: trio.CancelScope, sink: TerminalSink, keyboard: Keyboard) -> None:
    """Follow the terminal's size, and leave when asked to."""
    asked = (signal.SIGWINCH, signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
    with trio.open_signal_receiver(*asked) as signals:
        async for signum in signals:
            if signum != signal.SIGWINCH:
                scope.cancel(reason="told to end")
                return
            sink.resized()
            keyboard.nudge()
