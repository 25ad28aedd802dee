"""Verbose master mode of an MCP server: the merged lines of its spawns, on stderr.

It follows the log at its own pace, and from the journal when it's behind: no task waits for a host that
does not read stderr.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

import trio

from axiom_trio.engine.subscription import next_batch
from axiom_trio.engine.wakeup import Wakeup
from axiom_trio.sansio.durations import format_duration
from axiom_trio.sansio.names import SHORT_ID, printable
from axiom_trio.sansio.text import TextFormat, TextFormatter
from axiom_trio.sinks.writer import DescriptorWriter
from axiom_trio.spawn.mcp_page import event_of
from axiom_trio.spawn.mcp_tools import UNSET

if TYPE_CHECKING:
    from axiom_trio.engine.aggregator import StreamAggregator
    from axiom_trio.engine.child import Child
    from axiom_trio.sansio.cursor import Buffer
    from axiom_trio.spawn.mcp_spawns import Spawned
    from axiom_trio.spawn.mcp_tools import StreamingOptions

_PROMPT: Final = 120  # characters of it in the banner
_LOOK: Final = 0.2  # seconds between two looks whether it has ended, where nothing is written


@final
class StderrView:
    """Shows spawns on stderr.

    Args:
        aggregator: Where they run.
        descriptor: stderr.
    """

    def __init__(self, aggregator: StreamAggregator, descriptor: int = 2) -> None:
        self._aggregator = aggregator
        self._writer = DescriptorWriter(descriptor)
        self._turn = trio.Lock()

    def close(self) -> None:
        """Give up our hold on stderr."""
        self._writer.close()

    async def show(self, spawned: Spawned, options: StreamingOptions) -> None:
        """Show one until it has ended and all is written, or stderr takes nothing any more."""
        try:
            await self._show(spawned, options)
        except OSError:
            return

    async def _show(self, spawned: Spawned, options: StreamingOptions) -> None:
        began = trio.current_time()
        short, plan = spawned.id[:SHORT_ID], spawned.plan
        prompt = printable(" ".join(plan.prompt.split()))
        prompt = prompt if len(prompt) <= _PROMPT else f"{prompt[:_PROMPT]}…"
        await self._say(f"━━ spawn {short}: {plan.pattern} × {plan.count} ━━ {prompt}")
        formatter = TextFormatter(
            TextFormat(
                timestamps=options.include_timestamps,
                color=options.colorize,
                escapes="color" if options.colorize else "none",
                name_length=None if options.prefix_length is UNSET else options.prefix_length,
            )
        )
        log = self._aggregator._log
        cursor = log.cursor(event_of(spawned.cursor), lossless=False)
        wakeup = Wakeup()
        told = 0
        try:
            while not (spawned.ended.is_set() and all(_shown(c, cursor.position) for c in spawned.children)):
                batch = None
                with trio.move_on_after(_LOOK):
                    batch = await next_batch(cursor, log, wakeup)
                for notice in spawned.notices[told:]:
                    await self._say(f"━━ spawn {short}: {printable(notice)}")
                told = len(spawned.notices)
                if batch is None:
                    if log.closed:
                        break
                    continue
                mine = {child.id for child in spawned.children}
                pieces: list[Buffer] = []
                for event in batch.events:
                    if getattr(event, "child", None) in mine:
                        pieces += formatter.event(event)
                await self._write(pieces, options.buffer_size)
                cursor.advance(batch)
                await trio.sleep(options.flush_interval / 1000)
        finally:
            cursor.close()
        lines = sum(child.statistics().lines for child in spawned.children)
        took = format_duration(trio.current_time() - began)
        why = f" ({printable(spawned.error)})" if spawned.error else ""
        await self._say(
            f"━━ spawn {short}: {spawned.state}{why}, {len(spawned.children)} tasks, {lines} lines, {took}"
        )

    async def _say(self, line: str) -> None:
        await self._write([f"{line}\n".encode("utf-8", "replace")], 1 << 20)

    async def _write(self, pieces: list[Buffer], most: int) -> None:
        if not pieces:
            return
        text = b"".join(pieces)
        async with self._turn:
            for start in range(0, len(text), most):
                await self._writer.write([memoryview(text)[start : start + most]])


def _shown(child: Child, position: int) -> bool:
    return child.completed is not None and child.completed.cursor < position
