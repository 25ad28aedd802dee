"""The MCP server: agents spawn agents, see what they write, and steer them, over stdin and stdout.

One aggregator for its life, with a journal, so that no cursor ever loses anything. Handlers are of the
SDK's low-level server, in both eras of the protocol; what they do is in `mcp_calls`.
"""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, final

import mcp_types as types
import msgspec
import trio
from mcp.server.lowlevel import NotificationOptions, Server
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from axiom_trio.sansio.errors import AxiomError
from axiom_trio.spawn import mcp_tools as tools
from axiom_trio.spawn.mcp_calls import Calls
from axiom_trio.spawn.mcp_output import Reader
from axiom_trio.spawn.mcp_resources import Resources
from axiom_trio.spawn.mcp_schema import ArgumentError, arguments, schema_of
from axiom_trio.spawn.mcp_spawns import Spawns
from axiom_trio.spawn.mcp_stdio import open_stdio
from axiom_trio.spawn.mcp_view import StderrView

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from axiom_trio.engine.aggregator import StreamAggregator
    from axiom_trio.engine.child import Child
    from axiom_trio.spawn.patterns import Work
    from axiom_trio.spawn.worktree import Worktrees

INSTRUCTIONS: Final = """\
Runs AI agents as child processes, several at once, and lets you see and steer them. axiom_mcp_spawn \
starts them on a prompt; with returnImmediately it answers at once. axiom_mcp_output reads what they write: \
give its nextCursor as cursor in the next call, with waitMs to wait for more, until done is true. \
axiom_mcp_status says how they stand, and what a full-screen one shows. axiom_mcp_send types a message into \
one, axiom_mcp_interrupt sends SIGINT; again, and it is made to end. All end with this server."""


class _Tool(msgspec.Struct, frozen=True):
    name: str
    title: str
    description: str
    takes: Any
    gives: Any
    annotations: dict[str, bool]


_TOOLS: Final = (
    _Tool(
        "axiom_mcp_spawn",
        "Spawn agents",
        "Start agents on a prompt, by a pattern. Waits until all have ended, which may take many minutes; "
        "the result has each agent's answer or last lines. With returnImmediately it answers at once.",
        tools.Spawn,
        tools.SpawnResult,
        {"readOnlyHint": False, "destructiveHint": True, "idempotentHint": False, "openWorldHint": True},
    ),
    _Tool(
        "axiom_mcp_status",
        "Status of agents",
        "How spawns and their agents stand; of one task or spawn also what was said last, or its screen.",
        tools.Status,
        tools.StatusResult,
        {"readOnlyHint": True, "openWorldHint": False},
    ),
    _Tool(
        "axiom_mcp_output",
        "Output of agents",
        "What agents have written, merged in order, from a cursor on: no line is missing or comes twice.",
        tools.Output,
        tools.OutputResult,
        {"readOnlyHint": True, "openWorldHint": False},
    ),
    _Tool(
        "axiom_mcp_send",
        "Send to an agent",
        "Type a message into a running agent and press Enter, or press keys; says whether it was seen to "
        "take it.",
        tools.Send,
        tools.SendResult,
        {"readOnlyHint": False, "destructiveHint": True, "idempotentHint": False, "openWorldHint": True},
    ),
    _Tool(
        "axiom_mcp_interrupt",
        "Interrupt agents",
        "Send a task, or all of a spawn, SIGINT as Ctrl-C does; one that had it before is made to end.",
        tools.Interrupt,
        tools.InterruptResult,
        {"readOnlyHint": False, "destructiveHint": True, "idempotentHint": False, "openWorldHint": False},
    ),
)


@final
class McpServer:
    """Serves one client on stdin and stdout.

    Args:
        aggregator: Where the agents run; it should have a journal.
        start: Starts a child for a piece of work, in the aggregator.
        label: What agents without a name are called.
        version: Of this program.
        page: Opens the page and returns its URL; None: there is none.
        worktrees: Gets ready to make a git worktree for each agent of a spawn; None: they get none.
        keep_going: Whether a sequence goes on after a failure.
        refusal: Why nothing may be spawned here, in a sentence; None: it may.
        stderr: Where verbose master mode writes.
    """

    def __init__(
        self,
        aggregator: StreamAggregator,
        start: Callable[[Work], Child],
        *,
        label: str,
        version: str,
        page: Callable[[], Awaitable[str]] | None = None,
        worktrees: Callable[[], Awaitable[Worktrees]] | None = None,
        keep_going: bool = False,
        refusal: str | None = None,
        stderr: int = 2,
    ) -> None:
        self._version = version
        self._page = page
        self._refusal = refusal
        self._reader = Reader(aggregator)
        self._spawns = Spawns(
            aggregator,
            start,
            label=label,
            end=lambda: self._reader.end,
            on_change=self._reader.look_again,
            worktrees=worktrees,
            keep_going=keep_going,
        )
        self._resources = Resources(self._spawns, self._reader)
        self._view = StderrView(aggregator, stderr)
        self._schemas = {tool.name: (schema_of(tool.takes), schema_of(tool.gives)) for tool in _TOOLS}
        self._calls: Calls | None = None
        self._serving = trio.CancelScope()

    async def run(self, grace: float) -> None:
        """Serve until stdin ends, nobody reads stdout, or `end` is called; then all agents are made to end.

        Args:
            grace: Seconds between asking them to end and killing them.
        """
        told = NotificationOptions(resources_changed=True)
        async with self.opened(grace) as server:
            with self._serving:
                async with open_stdio() as (to_server, from_server):
                    await server.run(to_server, from_server, server.create_initialization_options(told))

    @asynccontextmanager
    async def opened(self, grace: float) -> AsyncGenerator[Server[Any], None]:
        """The SDK's server, to be run on any streams; leaving the block makes all agents end. See `run`."""
        logging.getLogger("mcp").addHandler(logging.NullHandler())  # else its warnings go to stderr, raw
        try:
            async with trio.open_nursery() as nursery:
                self._calls = Calls(
                    self._spawns, self._reader, self._view, nursery, page=self._page, refusal=self._refusal
                )
                nursery.start_soon(self._resources.run)
                yield self._made()
                for spawned in self._spawns:
                    self._spawns.stop(spawned, grace=grace)
                for spawned in self._spawns:
                    await spawned.ended.wait()
                nursery.cancel_scope.cancel(reason="the client has gone")
        finally:
            self._view.close()

    def end(self) -> None:
        """End as if the client had gone."""
        self._serving.cancel(reason="the server is to end")

    def _made(self) -> Server[Any]:
        resources = self._resources
        return Server(
            "axiom-trio",
            version=self._version,
            title="axiom-trio: agents that run agents",
            instructions=INSTRUCTIONS,
            on_list_tools=self._list_tools,
            on_call_tool=self._call_tool,
            on_list_resources=resources.list_all,
            on_list_resource_templates=resources.templates,
            on_read_resource=resources.read,
            on_subscribe_resource=resources.subscribe,
            on_unsubscribe_resource=resources.unsubscribe,
            on_subscriptions_listen=resources.listen,
        )

    async def _list_tools(self, ctx: Any, _: Any) -> types.ListToolsResult:
        self._note(ctx)
        return types.ListToolsResult(
            tools=[
                types.Tool(
                    name=tool.name,
                    title=tool.title,
                    description=tool.description,
                    input_schema=self._schemas[tool.name][0],
                    output_schema=self._schemas[tool.name][1],
                    annotations=types.ToolAnnotations.model_validate(tool.annotations),
                )
                for tool in _TOOLS
            ]
        )

    async def _call_tool(self, ctx: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
        self._note(ctx)
        tool = next((tool for tool in _TOOLS if tool.name == params.name), None)
        if tool is None:
            names = ", ".join(tool.name for tool in _TOOLS)
            raise MCPError(types.INVALID_PARAMS, f"there is no tool {params.name!r}; there are {names}")
        try:
            asked = arguments(tool.takes, params.arguments, self._schemas[tool.name][0], tool.name)
            result, text = await self._act(tool.name, asked, ctx)
        except (ArgumentError, AxiomError) as error:
            return types.CallToolResult(content=[_text(str(error))], is_error=True)
        return types.CallToolResult(content=[_text(text)], structured_content=msgspec.to_builtins(result))

    async def _act(self, name: str, asked: Any, ctx: Any) -> tuple[Any, str]:
        calls = self._calls
        assert calls is not None
        if name == "axiom_mcp_spawn":

            async def progress(seconds: float, message: str) -> None:
                await ctx.session.report_progress(seconds, None, message)

            return await calls.spawn(asked, progress)
        acts: dict[str, Callable[[Any], Awaitable[tuple[Any, str]]]] = {
            "axiom_mcp_status": calls.status,
            "axiom_mcp_output": calls.output,
            "axiom_mcp_send": calls.send,
            "axiom_mcp_interrupt": calls.interrupt,
        }
        return await acts[name](asked)

    def _note(self, ctx: Any) -> None:
        if ctx.protocol_version not in MODERN_PROTOCOL_VERSIONS:
            self._resources.connected(ctx.session)


def _text(text: str) -> types.TextContent:
    return types.TextContent(type="text", text=text)
