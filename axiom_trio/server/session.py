"""One connection's life: hello, requests and their answers, and the events it has subscribed to."""

from __future__ import annotations

import base64
from collections import deque
from typing import TYPE_CHECKING, Any, Final, Protocol, final

import msgspec
import trio

from axiom_trio.sansio.errors import AxiomError, NotRunningError
from axiom_trio.sansio.events import Gap
from axiom_trio.sansio.wire import PROTOCOL_VERSION, to_line
from axiom_trio.server.feed import Feed
from axiom_trio.server.host import Encoder
from axiom_trio.server.remote import RequestError, find_child

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from axiom_trio.engine.child import Child
    from axiom_trio.sansio.events import Receipt
    from axiom_trio.server.host import Host

_AT_ONCE: Final = 32
_MOST_UNANSWERED: Final = 64  # then it asks, and does not listen
_ANEW: Final = 0.05  # seconds before a subscription that takes another's place is served
_SILENT: Final = 2.0  # seconds after which a child counts as idle
_FAREWELL: Final = 2.0  # seconds for what is left
_HISTORY: Final = 1024 * 1024
_SPAN: Final = 256  # events looked at first, from the end backwards
_MOST_WRITTEN: Final = 64 * 1024


class Connection(Protocol):
    """Messages of whole JSON lines, both ways."""

    async def send(self, text: bytes) -> None:
        """Send lines. Raises trio.BrokenResourceError."""

    async def receive(self) -> bytes | None:
        """The next message; None at the end."""

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """End it; what was sent arrives."""


@final
class Session:
    """Serves one connection.

    Args:
        connection: Which.
        host: The run.
        rights: `view`, `control`.
    """

    def __init__(self, connection: Connection, host: Host, rights: Sequence[str]) -> None:
        self._connection = connection
        self._host = host
        self._aggregator = host.aggregator
        self._rights = rights
        self._unanswered = 0
        self._end = 1000, ""
        self._feed: trio.CancelScope | None = None
        self._sizes: dict[Child, tuple[int, int]] = {}  # what they were before we have changed them

    async def run(self) -> None:
        """Serve until it ends, or the run does."""
        status = self._host.status()
        about = {
            "protocol": PROTOCOL_VERSION,
            "runId": self._aggregator.run_id,
            "shortId": self._aggregator.run_id[:8],
            "rights": [*self._rights],
            **self._host.about,
            **status,
        }
        try:
            await self._send("hello", about, cursor=status["cursor"])
            async with trio.open_nursery() as nursery:
                while (data := await self._connection.receive()) is not None:
                    for line in data.splitlines():
                        if self._unanswered >= _MOST_UNANSWERED:
                            self._end = 1008, "too much was asked, and no answer read"
                            break
                        self._take(line, nursery)
                    if self._end[0] != 1000:
                        break
                nursery.cancel_scope.cancel(reason="it has gone")
        except* (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        finally:
            for child, size in self._sizes.items():
                child.resize(*size)
            with trio.CancelScope(shield=True), trio.move_on_after(_FAREWELL):
                await self._connection.close(*self._end)

    async def _send(self, kind: str, data: object, **more: object) -> None:
        await self._connection.send(to_line({"type": kind, **more, "data": data}))

    def _take(self, line: bytes, nursery: trio.Nursery) -> None:
        try:
            message = msgspec.json.decode(line)
            kind, data = message["type"], message.get("data") or {}
            id_ = data.get("id")
        except (ValueError, RecursionError, LookupError, AttributeError, TypeError):  # no UTF-8, too deep
            self._refuse(nursery, None, "bad-message", 'it is no {"type": …, "data": {…}}')
            return
        if kind == "subscribe":
            try:
                feed = Feed(self._connection, self._host, data)
            except (TypeError, ValueError, OverflowError) as error:
                self._refuse(nursery, id_, "bad-message", f"subscribe: {error}")
                return
            pause = 0.0
            if self._feed is not None:
                self._feed.cancel(reason="it subscribed anew")
                pause = _ANEW
            self._feed = trio.CancelScope()
            nursery.start_soon(self._follow, feed, self._feed, nursery, pause)
        elif self._unanswered >= _AT_ONCE:
            self._refuse(nursery, id_, "busy", "there are 32 requests without an answer")
        else:
            self._unanswered += 1
            nursery.start_soon(self._answer, kind, data, id_)

    def _refuse(self, nursery: trio.Nursery, id_: object, code: str, message: str) -> None:
        self._unanswered += 1
        nursery.start_soon(self._refused, id_, code, message)

    async def _refused(self, id_: object, code: str, message: str) -> None:
        try:
            await self._error(id_, code, message)
        finally:
            self._unanswered -= 1

    async def _error(self, id_: object, code: str, message: str) -> None:
        await self._send("error", {"id": id_, "code": code, "message": message})

    async def _answer(self, kind: str, data: dict[str, Any], id_: object) -> None:
        try:
            reply = await self._act(kind)(self, data)
        except RequestError as refused:
            await self._error(id_, refused.code, str(refused))
        except NotRunningError as error:
            await self._error(id_, "ended", str(error))
        except (AxiomError, RuntimeError) as error:
            await self._error(id_, "refused", str(error))
        except (LookupError, TypeError, ValueError, OverflowError) as error:
            await self._error(id_, "bad-message", f"{kind}: {error}")
        else:
            await self._send("reply", {"id": id_, **reply})
        finally:
            self._unanswered -= 1

    def _act(self, kind: str) -> Callable[[Session, dict[str, Any]], Awaitable[dict[str, Any]]]:
        """What does it. Raises RequestError."""
        act = _REQUESTS.get(kind)
        if act is None:
            raise RequestError("unknown-type", f"there is no request {kind!r}")
        if kind not in _VIEW and "control" not in self._rights:
            raise RequestError("forbidden", "this needs the control token: only looking on is allowed")
        return act

    async def _follow(self, feed: Feed, scope: trio.CancelScope, nursery: trio.Nursery, pause: float) -> None:
        with scope:
            await trio.sleep(pause)  # of many that come together only the last does anything
            await feed.run()
            nursery.cancel_scope.cancel(reason="the run has ended")

    # --- requests

    def _child(self, data: dict[str, Any]) -> Child:
        task = data.get("task")
        if not isinstance(task, str) or not task:
            raise RequestError("bad-message", "say which child: task")
        return find_child(self._aggregator.children, task)

    async def _ping(self, _: dict[str, Any]) -> dict[str, Any]:
        return {}

    async def _status(self, _: dict[str, Any]) -> dict[str, Any]:
        return self._host.status()

    async def _history(self, data: dict[str, Any]) -> dict[str, Any]:
        log = self._aggregator._log
        after, before = int(data.get("after", -1)), min(int(data["before"]), log.next)
        limit = min(int(data.get("limit", _HISTORY)), _HISTORY)
        tasks = data.get("tasks")
        encoder = Encoder(self._host, {"tasks": tasks} if tasks is not None else {})
        oldest, span = max(after + 1, log.oldest, 0), _SPAN
        while True:  # from the end backwards: what is wanted is the last of perhaps very much
            start = max(oldest, before - span)
            found, more = await self._lines_between(start, before, limit, encoder)
            if more or start <= oldest:
                break
            span *= 4
        events = [msgspec.Raw(line.rstrip()) for line in found]  # a reply is one line
        return {"events": events, "more": more, "oldestCursor": log.oldest}

    async def _lines_between(
        self, start: int, before: int, limit: int, encoder: Encoder
    ) -> tuple[list[bytes], bool]:
        """The lines from a cursor up to another, the last of them if it's too much, and whether it is."""
        found: deque[bytes] = deque()
        size, more = 0, False
        if start < before:
            async with self._aggregator.subscribe(start - 1, lossless=False) as events:
                async for event in events:
                    at = event.to_cursor - 1 if isinstance(event, Gap) else event.cursor
                    if at < before and (text := encoder.encode(event)):
                        found.append(text)
                        size += len(text)
                    while size > limit and len(found) > 1:
                        size -= len(found.popleft())
                        more = True
                    if at >= before - 1:
                        break
        return [*found], more

    async def _screen(self, data: dict[str, Any]) -> dict[str, Any]:
        """What a full-screen child shows; followed from the first time that anybody asks for one."""
        terminal = self._aggregator.screens.of(self._child(data))
        if terminal is None:
            return {"screen": None}
        return {"screen": {"text": terminal.text(), "cursor": terminal.cursor, "size": terminal.size}}

    async def _intervene(self, data: dict[str, Any]) -> dict[str, Any]:
        child, text, id_ = self._child(data), data["text"], data.get("id")
        if not isinstance(text, str):
            raise TypeError("text is no string")
        if data.get("when") == "idle":
            wait = (data.get("wait") or 60_000) / 1000
            with trio.move_on_after(wait) as waiting:
                while child.completed is None and child.statistics().idle < _SILENT:  # noqa: ASYNC110 (of a clock)
                    await trio.sleep(max(0.05, _SILENT - child.statistics().idle))
            if waiting.cancelled_caught:
                return {"receipt": id_, "state": "refused", "reason": f"it was not silent within {wait:g} s"}
        secret, force = bool(data.get("secret")), bool(data.get("force"))
        return _told(await child.intervene(text, id=str(id_) if id_ else None, secret=secret, force=force))

    async def _press(self, data: dict[str, Any]) -> dict[str, Any]:
        id_ = data.get("id")
        return _told(await self._child(data).press(data["keys"], id=str(id_) if id_ else None))

    async def _write(self, data: dict[str, Any]) -> dict[str, Any]:
        raw = base64.b64decode(data["raw"], validate=True)
        if len(raw) > _MOST_WRITTEN:
            raise RequestError("refused", "that is too much at once")
        await self._child(data).write(raw)
        return {}

    async def _interrupt(self, data: dict[str, Any]) -> dict[str, Any]:
        child = self._child(data)
        if child.completed is not None:
            raise NotRunningError(f"{child.name} has ended")
        child.interrupt()
        return {}

    async def _stop(self, data: dict[str, Any]) -> dict[str, Any]:
        grace = None if data.get("grace") is None else max(0.0, data["grace"] / 1000)
        if data.get("task") is None:
            self._aggregator.stop(grace=grace)
            return {}
        child = self._child(data)
        if child.completed is not None:
            raise NotRunningError(f"{child.name} has ended")
        child.stop(grace=grace)
        return {}

    async def _restart(self, data: dict[str, Any]) -> dict[str, Any]:
        child = self._child(data)
        if child.completed is not None and self._host.again is not None:
            child = self._host.again(child)
            return {"taskId": child.id}
        child.restart()
        return {"taskId": child.id}

    async def _resize(self, data: dict[str, Any]) -> dict[str, Any]:
        rows, columns = int(data["rows"]), int(data["columns"])
        if not (0 < rows < 10_000 and 0 < columns < 10_000):
            raise ValueError("no terminal has that size")
        child = self._child(data)
        if (size := child._executor.terminal_size) is not None:
            self._sizes.setdefault(child, size)
        child.resize(rows, columns)
        return {}

    async def _add(self, data: dict[str, Any]) -> dict[str, Any]:
        if self._host.add is None:
            raise RequestError("unsupported", "this run takes no more children")
        child = self._host.add(data)
        return {"taskId": child.id, "name": child.name}


def _told(receipt: Receipt) -> dict[str, Any]:
    return {"receipt": receipt.id, "state": receipt.state, "reason": receipt.reason}


_VIEW: Final = frozenset(["ping", "status", "history", "screen"])
_REQUESTS: Final[dict[str, Callable[[Session, dict[str, Any]], Awaitable[dict[str, Any]]]]] = {
    "ping": Session._ping,
    "status": Session._status,
    "history": Session._history,
    "screen": Session._screen,
    "intervene": Session._intervene,
    "press": Session._press,
    "write": Session._write,
    "interrupt": Session._interrupt,
    "stop": Session._stop,
    "restart": Session._restart,
    "resize": Session._resize,
    "add": Session._add,
}
