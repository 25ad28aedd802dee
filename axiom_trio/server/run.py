"""`axiom_trio.run`: commands run to their ends in one call, and shown on the console, a page, or both."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from axiom_trio.engine.run import run as run_to_the_end
from axiom_trio.sansio.errors import SpecificationError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping, Sequence

    from axiom_trio.abc import Executor, Sink
    from axiom_trio.engine.aggregator import StreamAggregator
    from axiom_trio.engine.run import RunResult
    from axiom_trio.sansio.supervision import Supervision
    from axiom_trio.server.serve import Server

_HISTORY = 4 * 1024 * 1024  # bytes kept for viewers that come late


async def run(
    commands: Sequence[str | Sequence[str] | Executor] | Mapping[str, str | Sequence[str] | Executor],
    *,
    sinks: Sequence[Sink] | None = None,
    output_mode: Literal["console", "websocket", "both"] | None = None,
    listen: int | None = None,
    listening: Callable[[Server], object] | None = None,
    jobs: int | None = None,
    halt: str = "never",
    success: str | None = None,
    supervision: Supervision | None = None,
    pty: bool = False,
    grace: float = 5.0,
) -> RunResult:
    """Run commands side by side to their ends, and say what became of each.

    Example::

        result = await axiom_trio.run(["make a", "make b"], jobs=4)
        result["make"].exit, result["make-2"].tail

    Args:
        commands: Shell command lines, argvs or executors; a mapping gives their names
            too, else a name is the command's first word, made unique.
        sinks: Where the merged stream goes; default: the console, unless the mode is `websocket`.
        output_mode: `console`; `websocket`: a page and a WebSocket on a port of this machine; or
            `both`. Default: `console`, with `listen` both.
        listen: The port; default: any that's free.
        listening: Called with the server before the first child starts; default: its URLs are
            printed on stderr.
        jobs: Run at most so many at once.
        halt: When to stop the rest, such as `soon,fail=1`; see `open_aggregator`.
        success: Who has to succeed: `all`, `any`, the `first` or the `last` to end, or one by its
            name. Unless named, those that were stopped don't count. Default: `any` if `halt`
            waits for success, else `all`.
        supervision: How children are looked after: restarts, time limits.
        pty: Run commands on PTYs instead of pipes.
        grace: Seconds between asking a child to end and killing it, when this is cancelled.

    Raises:
        SinkError: A sink did not get everything.
        SpecificationError: A command is empty, an argument can't be, or the port is taken.
    """
    if output_mode not in (None, "console", "websocket", "both"):
        raise SpecificationError(f"an output mode is console, websocket or both, not {output_mode!r}")
    if output_mode == "console" and (listen is not None or listening is not None):
        raise SpecificationError("with the output mode console nothing listens: use websocket or both")
    more: dict[str, Any] = {}
    if output_mode in ("websocket", "both") or listen is not None or listening is not None:
        from contextlib import asynccontextmanager

        around = asynccontextmanager(_served)
        more = {"history": _HISTORY, "around": partial(around, port=listen or 0, told=listening or _print)}
    if sinks is None and output_mode == "websocket":
        sinks = []
    return await run_to_the_end(
        commands,
        sinks=sinks,
        jobs=jobs,
        halt=halt,
        success=success,
        supervision=supervision,
        pty=pty,
        grace=grace,
        **more,
    )


async def _served(
    aggregator: StreamAggregator, *, port: int, told: Callable[[Server], object]
) -> AsyncGenerator[None, None]:
    from axiom_trio.server.serve import serve

    async with serve(aggregator, port) as server:
        told(server)
        yield


def _print(server: Server) -> None:
    print(f"to look on: {server.url}\nto steer, too: {server.control_url}", file=sys.stderr)
