"""What a connection has subscribed to: history, then live, in batches, from a cursor of its own."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, final

import trio

from axiom_trio.engine.wakeup import Wakeup
from axiom_trio.sansio.wire import to_line
from axiom_trio.server.host import Encoder

if TYPE_CHECKING:
    from axiom_trio.sansio.cursor import Cursor
    from axiom_trio.server.host import Host
    from axiom_trio.server.session import Connection

_FRAME: Final = 256 * 1024
_LIVE: Final = 0.01  # seconds
_TICK: Final = 16  # milliseconds: with the way of a line, less than 20 in nearly all cases
_STATS: Final = 1000  # milliseconds
_LEAST_STATS: Final = 0.25  # seconds
_LONGEST_TICK: Final = 10_000


@final
class Feed:
    """Sends a connection the events that it wants.

    Args:
        connection: Which.
        host: The run.
        asked: The `data` of its `subscribe`.

    Raises:
        ValueError: It can't be read.
        TypeError: It can't be read.
        OverflowError: A figure is far too large.
    """

    def __init__(self, connection: Connection, host: Host, asked: dict[str, Any]) -> None:
        self._connection = connection
        self._host = host
        self._log = host.aggregator._log
        after = asked.get("after")
        if after is not None and after != "now" and (type(after) is not int or after < -1):
            raise ValueError('after is a cursor, or "now"')
        self._position: int = (
            self._log.oldest if after is None else self._log.next if after == "now" else after + 1
        )
        tick, stats = asked.get("tick", _TICK) or 0, asked.get("stats", _STATS) or 0
        if not (0 <= tick <= _LONGEST_TICK and stats >= 0):
            raise ValueError("tick and stats are milliseconds")
        tasks = asked.get("tasks")
        if tasks is not None and not (isinstance(tasks, list) and all(isinstance(t, str) for t in tasks)):
            raise ValueError("tasks is a list of ids")
        self._tick = tick / 1000
        self._every = max(_LEAST_STATS, stats / 1000) if stats else float("inf")
        self._live = frozenset(tasks or ()) if asked.get("exact") else frozenset[str]()
        self._encoder = Encoder(host, asked)

    async def run(self) -> None:
        """Send until the run has ended."""
        if not self._live:
            await self._send_events()
            return
        async with trio.open_nursery() as beside:
            beside.start_soon(self._keep_live)
            await self._send_events()
            beside.cancel_scope.cancel(reason="the run has ended")

    async def _keep_live(self) -> None:
        """What these children write is seen at once, their echo of each key too."""
        while True:
            for child in self._host.aggregator.children:
                if child.id in self._live:
                    child.publish_open_line()
            await trio.sleep(_LIVE)

    async def _send_events(self) -> None:
        cursor = self._log.cursor(self._position, lossless=False)
        due = trio.current_time() + self._every
        wakeup = Wakeup()
        with self._host.read_by(wakeup):
            try:
                while True:
                    if trio.current_time() >= due:  # also where others' output goes by without a pause
                        await self._send("stats", cursor, self._figures())
                        due = trio.current_time() + self._every
                    text, moved = self._next_frame(cursor)
                    if not moved:
                        if self._host.is_over(cursor):
                            break
                        cursor.wake = wakeup.set
                        with trio.move_on_at(due):
                            await wakeup.wait()
                        continue
                    if text:
                        await self._connection.send(text)
                    # Where more is waiting than a frame holds, nothing is to be gained by collecting.
                    if not text or cursor.lag < _FRAME:
                        await trio.sleep(self._tick if text else 0)
            finally:
                cursor.close()
        await self._send("end", cursor, {})

    def _next_frame(self, cursor: Cursor) -> tuple[bytes, bool]:
        """What comes next, about a frame of it, and whether that is anything; moves past it."""
        lines: list[bytes] = []
        size, moved = 0, False
        encode = self._encoder.encode
        while size < _FRAME:
            batch = cursor.peek(_FRAME - size)
            if not batch.events:
                break
            for event in batch.events:
                line = encode(event)
                size += len(line)
                lines.append(line)
            size += _FRAME // 4  # of those that it does not want there may be many, on disk
            cursor.advance(batch)
            moved = True
        return b"".join(lines), moved

    async def _send(self, kind: str, cursor: Cursor, data: object) -> None:
        await self._connection.send(to_line({"type": kind, "cursor": cursor.position - 1, "data": data}))

    def _figures(self) -> dict[str, Any]:
        status = self._host.status()
        children = [child for child in status["children"] if child["state"] != "completed"]
        for child in children:
            del child["metadata"]  # a prompt may be long, and doesn't change
        return {**status["statistics"], "timestamp": round(time.time() * 1000), "streams": children}
