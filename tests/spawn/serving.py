"""An MCP server in this process, and the SDK's own client to it, in either era of the protocol."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mcp_types", reason="the extra mcp is not installed")

from mcp import Client

from axiom_trio import JournalSink, StreamAggregator, open_aggregator
from axiom_trio.spawn.mcp_server import McpServer
from axiom_trio.spawn.patterns import Work
from axiom_trio.spawn.presets import find_agent

ERAS = ("legacy", "2026-07-28")


class Serving:
    """The client, and what it speaks to."""

    def __init__(self, client: Client, aggregator: StreamAggregator) -> None:
        self.client = client
        self.aggregator = aggregator

    async def call(self, tool: str, **arguments: Any) -> Any:
        """The structured result of a call that must succeed; the client checks it by the schema."""
        result = await self.client.call_tool(f"axiom_mcp_{tool}", arguments)
        assert not result.is_error, result.content
        return result.structured_content

    async def refused(self, tool: str, **arguments: Any) -> str:
        """The sentence of a call that must be refused."""
        result = await self.client.call_tool(f"axiom_mcp_{tool}", arguments)
        assert result.is_error, result.structured_content
        [content] = result.content
        assert "\n" not in content.text
        return content.text

    async def output(self, task: str | None = None, *, cursor: int = 0, limit: int = 200) -> list[Any]:
        """All entries, polled to the end."""
        entries = []
        arguments: dict[str, Any] = {} if task is None else {"taskId": task}
        while True:
            page = await self.call("output", **arguments, cursor=cursor, limit=limit, waitMs=30_000)
            entries += page["entries"]
            assert page["nextCursor"] >= cursor
            cursor = page["nextCursor"]
            if page["done"]:
                return entries


def text_of(entries: list[Any], task: str) -> str:
    """What a task has written, all pieces joined."""
    kinds = ("output", "error", "intervention", "progress")
    return "".join(e["text"] for e in entries if e.get("taskId") == task and e["kind"] in kinds)


def shell(script: str) -> str:
    """The template of an agent: a line of sh, where `$0` is the prompt."""
    import shlex

    return f"sh -c {shlex.quote(script)} {{prompt}}"


@asynccontextmanager
async def serving(
    directory: Path,
    agent: str,
    *,
    era: str = "legacy",
    interactive: bool = False,
    heard: Any = None,
    **options: Any,
) -> AsyncGenerator[Serving, None]:
    """A server whose agents are made from a template."""
    made = find_agent(agent)
    try:
        async with open_aggregator([JournalSink(directory / "journal", fsync="never")]) as aggregator:

            def start(work: Work) -> Any:
                executor = made.executor(work.prompt, interactive=interactive, cwd=work.cwd)
                if executor.tty:
                    assert aggregator.screens  # followed from now on
                return aggregator.start_soon(executor, name=work.name, metadata=work.metadata)

            server = McpServer(aggregator, start, label="agent", version="0", **options)
            async with (
                server.opened(1.0) as sdk,
                Client(sdk, mode=era, raise_exceptions=True, message_handler=heard) as client,
            ):
                yield Serving(client, aggregator)
    except BaseExceptionGroup as group:  # what a test raises, as it was
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
            error = error.exceptions[0]
        raise error from None
