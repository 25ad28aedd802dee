"""Messages that another program writes: lines `name:text` on stdin.

Who writes more than the children read has to wait, as at any pipe. stdin is shared with
whoever else has it, so it's never made non-blocking: a pipe is opened again by name, for a
description of our own.
"""

from __future__ import annotations

import os
import stat
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Final

import trio

from axiom_trio.terminal.keyboard import Keyboard
from axiom_trio.terminal.messages import MessageError, Sender, understand

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from axiom_trio.engine.aggregator import StreamAggregator

_READ: Final = 64 * 1024
LONGEST: Final = 1024 * 1024
"""Bytes of a line; a longer one is not sent."""
_LOOK: Final = 0.2  # seconds between two looks for children that have started since


async def send_lines(
    aggregator: StreamAggregator, say: Callable[[str], None], *, tell_refused: bool = False
) -> None:
    """Send each line of stdin, as if typed; a child that is not ready gets it when it is.

    At the end of stdin the children's inputs end, too, where they are pipes. Runs until cancelled.

    Args:
        aggregator: The run.
        say: Tells of lines that were not sent.
        tell_refused: Whether nobody else tells of those that a child refused.
    """
    async with trio.open_nursery() as nursery:
        sender = Sender(aggregator, nursery, say, patient=True, tell_refused=tell_refused)
        line = b""
        too_long = False
        try:
            async with aclosing(_stdin()) as stdin:
                async for data in stdin:
                    *whole, rest = (line + data).split(b"\n")
                    for text in whole:
                        if not too_long:
                            await sender.wait_room()
                            _send(sender, aggregator, text, say)
                        too_long = False
                    too_long = too_long or len(rest) > LONGEST
                    if len(rest) > LONGEST:
                        say(f"✗ a line of more than {LONGEST} bytes on stdin was not sent")
                        rest = b""
                    line = rest if not too_long else b""
        except OSError as error:
            say(f"✗ stdin can't be read: {error.strerror}")
        if line:
            _send(sender, aggregator, line, say)
        while True:
            for child in aggregator.children:
                if child.state == "running" and not sender.busy:
                    child.end_input()
            await trio.sleep(_LOOK)


def _send(sender: Sender, aggregator: StreamAggregator, line: bytes, say: Callable[[str], None]) -> None:
    text = line.removesuffix(b"\r").decode("utf-8", "replace")
    if text.strip():
        try:
            sender.send(understand(text, aggregator.children))
        except MessageError as error:
            say(f"✗ {error}")


async def _stdin() -> AsyncGenerator[bytes, None]:
    if os.isatty(0):
        with Keyboard(cooked=True) as keyboard:
            while data := await keyboard.read():
                yield data
        return
    mode = os.fstat(0).st_mode
    descriptor = -1
    if stat.S_ISFIFO(mode):
        with suppress(OSError):
            descriptor = os.open("/proc/self/fd/0", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if descriptor < 0:
        while data := await trio.to_thread.run_sync(os.read, 0, _READ, abandon_on_cancel=True):
            yield data
        return
    try:
        while True:
            try:
                data = os.read(descriptor, _READ)
            except BlockingIOError:
                await trio.lowlevel.wait_readable(descriptor)
                continue
            if not data:
                return
            yield data
            await trio.lowlevel.checkpoint()
    finally:
        trio.lowlevel.notify_closing(descriptor)
        os.close(descriptor)
