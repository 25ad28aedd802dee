"""A resource for each task, its log; and who is told when it grows, in both eras of the protocol.

What is told is a hint and coalesced: the cursor of axiom_mcp_output is the truth.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final, final

import mcp_types as types
import trio
from mcp.server.subscriptions import ListenHandler, ResourcesListChanged, ResourceUpdated
from mcp.shared.exceptions import MCPError

from axiom_trio.sansio.names import SHORT_ID
from axiom_trio.spawn.mcp_page import LARGEST
from axiom_trio.spawn.mcp_schema import ArgumentError
from axiom_trio.spawn.mcp_tools import MOST_LINES

if TYPE_CHECKING:
    from collections.abc import Callable

    from axiom_trio.engine.child import Child
    from axiom_trio.spawn.mcp_output import Reader
    from axiom_trio.spawn.mcp_spawns import Spawns

LARGEST_LOG: Final = 1024 * 1024
"""Bytes of a log that are given, about: its end."""
_SCHEME: Final = "axiom://task/"
_ENDING: Final = "/log"
_EVERY: Final = 0.5  # seconds between two looks at what has changed
_PAGE: Final = 100  # resources in an answer


def uri_of(child: Child) -> str:
    """Of a task's log."""
    return f"{_SCHEME}{child.id}{_ENDING}"


class _Bus:
    """Who listens, in the modern era."""

    def __init__(self) -> None:
        self.listeners: dict[object, Callable[[Any], None]] = {}

    async def publish(self, event: Any) -> None:
        for listener in [*self.listeners.values()]:
            listener(event)
        await trio.lowlevel.checkpoint()

    def subscribe(self, listener: Callable[[Any], None]) -> Callable[[], None]:
        key = object()
        self.listeners[key] = listener
        return lambda: self.listeners.pop(key, None) and None


@final
class Resources:
    """The logs of all tasks.

    Args:
        spawns: Whose.
        reader: What reads them.
    """

    def __init__(self, spawns: Spawns, reader: Reader) -> None:
        self._spawns = spawns
        self._reader = reader
        self._bus = _Bus()
        self.listen = ListenHandler(self._bus)
        """Answers `subscriptions/listen`."""
        self._subscribed: dict[str, Any] = {}
        self._session: Any = None
        self._listed = 0
        self._seen: dict[str, tuple[int, str]] = {}

    def connected(self, session: Any) -> None:
        """Take note of a client that is told without having asked: one of the handshake era."""
        self._session = session

    # --- requests

    async def list_all(
        self, _: Any, params: types.PaginatedRequestParams | None
    ) -> types.ListResourcesResult:
        """Answer `resources/list`."""
        children = self._children()
        try:
            start = int((params and params.cursor) or 0)
        except ValueError:
            raise MCPError(types.INVALID_PARAMS, "that is no cursor of this list") from None
        shown = children[start : start + _PAGE]
        return types.ListResourcesResult(
            resources=[
                types.Resource(
                    uri=uri_of(child),
                    name=child.name,
                    title=f"Log of {child.name} ({child.id[:SHORT_ID]})",
                    description=None if child.metadata is None else child.metadata.prompt,
                    mime_type="text/plain",
                )
                for child in shown
            ],
            next_cursor=str(start + _PAGE) if start + _PAGE < len(children) else None,
        )

    async def templates(self, _ctx: Any, _params: Any) -> types.ListResourceTemplatesResult:
        """Answer `resources/templates/list`."""
        template = types.ResourceTemplate(
            uri_template=f"{_SCHEME}{{taskId}}{_ENDING}",
            name="log",
            title="Log of a task",
            description=f"What the task has written, as text; the last {LARGEST_LOG // 1024} KiB of it.",
            mime_type="text/plain",
        )
        return types.ListResourceTemplatesResult(resource_templates=[template])

    async def read(self, _: Any, params: types.ReadResourceRequestParams) -> types.ReadResourceResult:
        """Answer `resources/read`."""
        child = self._child(str(params.uri))
        text = await self._log(child)
        contents = types.TextResourceContents(uri=str(params.uri), mime_type="text/plain", text=text)
        return types.ReadResourceResult(contents=[contents])

    async def subscribe(self, ctx: Any, params: types.SubscribeRequestParams) -> types.EmptyResult:
        """Answer `resources/subscribe`, of the handshake era."""
        child = self._child(str(params.uri))
        self._subscribed[str(params.uri)] = ctx.session
        self._seen[child.id] = _standing(child)
        return types.EmptyResult()

    async def unsubscribe(self, _: Any, params: types.UnsubscribeRequestParams) -> types.EmptyResult:
        """Answer `resources/unsubscribe`."""
        self._subscribed.pop(str(params.uri), None)
        return types.EmptyResult()

    def _children(self) -> list[Child]:
        return [child for spawned in self._spawns for child in spawned.children]

    def _child(self, uri: str) -> Child:
        id_ = uri.removeprefix(_SCHEME).removesuffix(_ENDING)
        if uri != f"{_SCHEME}{id_}{_ENDING}":
            known = f"{_SCHEME}{{taskId}}{_ENDING}"
            raise MCPError(types.INVALID_PARAMS, f"there is no resource {uri!r}; there are {known}")
        try:
            return self._spawns.one(id_)
        except ArgumentError as error:
            raise MCPError(types.INVALID_PARAMS, str(error)) from None

    async def _log(self, child: Child) -> str:
        spawned = self._spawns.of(child)
        position = 0 if spawned is None else spawned.cursor
        end = self._reader.end
        parts: deque[str] = deque()
        size = 0
        cut = False
        more = True
        while more and position < end:
            page = await self._reader.read(
                position, MOST_LINES, 0, wanted=lambda id_: id_ == child.id, done=lambda _: True
            )
            position, more = page.position, page.more
            for entry in page.entries:
                if entry.kind in ("output", "error", "intervention", "progress"):
                    parts.append(entry.text)
                    size += len(entry.text)
            while size > LARGEST_LOG + LARGEST:
                size -= len(parts.popleft())
                cut = True
        return ("… (axiom_mcp_output reads what was before)\n" if cut else "") + "".join(parts)

    # --- notifications

    async def run(self) -> None:
        """Tell who has asked of what has changed, until cancelled."""
        while True:
            await trio.sleep(_EVERY)
            children = self._children()
            if len(children) != self._listed:
                self._listed = len(children)
                await self._bus.publish(ResourcesListChanged())
                if self._session is not None:
                    await self._session.send_resource_list_changed()
            if not (self._bus.listeners or self._subscribed):
                continue
            for child in children:
                standing = _standing(child)
                if self._seen.get(child.id) == standing:
                    continue
                self._seen[child.id] = standing
                for uri in (uri_of(child), f"{_SCHEME}{child.id[:SHORT_ID]}{_ENDING}"):
                    await self._bus.publish(ResourceUpdated(uri=uri))
                    if (session := self._subscribed.get(uri)) is not None:
                        await session.send_resource_updated(uri)


def _standing(child: Child) -> tuple[int, str]:
    return child.statistics().bytes, child.state
