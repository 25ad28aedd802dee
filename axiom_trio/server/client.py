"""`axiom_trio.connect`: a running run, seen and steered from another program.

Requests go over one connection, each subscription has another: so who reads slowly holds up
nothing but itself. One that is cut off, as a reader that pauses for 5 s is, comes back with the cursor
of the last event that it has given.
"""

from __future__ import annotations

import base64
import os
from contextlib import asynccontextmanager
from itertools import count
from typing import TYPE_CHECKING, Any, Final, Literal, final

import msgspec
import trio

from axiom_trio.sansio.events import Receipt
from axiom_trio.server import dial
from axiom_trio.server.lines import LONGEST_REQUEST
from axiom_trio.server.remote import LostError, RequestError, child_info

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
    from typing import Self

    from axiom_trio.server.dial import Wire
    from axiom_trio.server.remote import ChildInfo, RunInfo

_decode: Final = msgspec.json.Decoder().decode
_encode: Final = msgspec.json.Encoder().encode


@asynccontextmanager
async def connect(
    run: str | None = None, *, url: str | None = None, token: str | None = None
) -> AsyncGenerator[Client, None]:
    """Connect to a run on this machine, or to a port: `async with axiom_trio.connect() as client`.

    Args:
        run: The beginning of its id; None: the only one there is.
        url: Of its page, as `--listen` prints it, with the token behind `#` or apart.
        token: The one of the port.

    Raises:
        NoRunError: There is no such run, or several.
        ConnectError: It can't be reached, or refuses the token. One that's stopped does not answer:
            use a cancel scope.
    """
    address = dial.resolve(run, url=url, token=token)
    async with _without_groups(address), trio.open_nursery() as nursery:
        wire = await dial.dialled(address, nursery)
        try:
            client = Client(address, wire, nursery, await dial.hello(wire))
            nursery.start_soon(client._read)
            try:
                yield client
            finally:
                client._close()
        finally:
            wire.abort()
            nursery.cancel_scope.cancel(reason="the block was left")


@asynccontextmanager
async def _without_groups(address: dial.Address) -> AsyncGenerator[None, None]:
    """What the block raises comes out as it is, without the nursery's group around it."""
    try:
        yield
    except BaseExceptionGroup as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
            error = error.exceptions[0]
        if error is group:
            raise
        raise (dial.refusal(error, address) or error) from error.__cause__


@final
class Client:
    """A connection to a run; made by `connect`.

    A child is given by its name, its id, or the beginning of that (4 characters at least).

    Raises:
        RequestError: Whatever is asked for: the run refuses it, as there's no such child.
        LostError: The run has gone.
    """

    def __init__(self, address: dial.Address, wire: Wire, nursery: trio.Nursery, hello: RunInfo) -> None:
        self._address = address
        self._wire = wire
        self._nursery = nursery
        self.hello = hello
        """The run as it stood when we connected."""
        self._ids = count(1)
        self._mark = os.urandom(6).hex()  # ids are the run's, and others talk to it, too
        self._waiting: dict[str, trio.Event] = {}
        self._answers: dict[str, dict[str, Any]] = {}
        self._lost = False
        self._subscriptions: set[EventStream] = set()

    def _close(self) -> None:
        for subscription in [*self._subscriptions]:
            subscription.close()

    async def _read(self) -> None:
        while (data := await self._wire.receive()) is not None:
            for line in data.splitlines():
                message = _decode(line)
                if message["type"] not in ("reply", "error"):
                    continue
                id_ = message["data"].get("id")
                if id_ in self._waiting:
                    self._answers[id_] = message
                    self._waiting[id_].set()
        self._lost = True
        for event in self._waiting.values():
            event.set()

    async def request(self, type: str, *, id: str | None = None, **data: Any) -> dict[str, Any]:  # noqa: A002 (the wire's names)
        """Send a request of the wire form, and return its reply.

        Raises:
            RequestError: It was refused.
            LostError: The run has gone.
        """
        id_ = id or f"{self._mark}-{next(self._ids)}"
        fields = {name: value for name, value in data.items() if value is not None}
        message = _encode({"type": type, "data": {**fields, "id": id_}}) + b"\n"
        if len(message) > LONGEST_REQUEST:
            raise RequestError("too-long", f"{len(message)} bytes are too much at once: 64 KiB can be sent")
        if id_ in self._waiting:
            raise RequestError("busy", f"a request with the id {id_!r} has no answer yet")
        answered = self._waiting[id_] = trio.Event()
        try:
            if self._lost:
                raise LostError("the run has gone")
            try:
                await self._wire.send(message)
            except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                raise LostError("the run has gone") from error
            await answered.wait()
        finally:
            del self._waiting[id_]
            answer = self._answers.pop(id_, None)
        if answer is None:
            raise LostError("the run has gone")
        reply: dict[str, Any] = answer["data"]
        if answer["type"] == "error":
            raise RequestError(reply["code"], reply["message"])
        return reply

    async def children(self) -> tuple[ChildInfo, ...]:
        """The children as they stand now."""
        return tuple(map(child_info, (await self.request("status"))["children"]))

    async def history(
        self, *, after: int = -1, before: int, tasks: Sequence[str] | None = None, limit: int | None = None
    ) -> dict[str, Any]:
        """Events with cursors between two; if that's more than `limit` bytes, the last of them."""
        return await self.request("history", after=after, before=before, tasks=tasks, limit=limit)

    async def intervene(
        self,
        task: str,
        text: str,
        *,
        id: str | None = None,  # noqa: A002 (the field's name)
        when: Literal["now", "idle"] | None = None,
        wait: float | None = None,
        secret: bool = False,
        force: bool = False,
    ) -> Receipt:
        """Write a message into a child, as `Child.intervene` does.

        Args:
            task: Its name, its id, or the beginning of that.
            text: What to say.
            id: The same is never sent twice.
            when: `idle`: as soon as it has been silent for 2 s, within `wait` seconds.
            wait: Seconds, see `when`.
            secret: Whether it may answer a prompt for a password.
            force: Whether it's sent though a dialog of an agent takes it for an answer.
        """
        ms = None if wait is None else round(wait * 1000)
        asked = {"when": when, "wait": ms, "secret": secret or None, "force": force or None}
        reply = await self.request("intervene", id=id, task=task, text=text, **asked)
        return Receipt(reply["receipt"], reply["state"], reply["reason"])

    async def press(
        self,
        task: str,
        keys: str,
        *,
        id: str | None = None,  # noqa: A002 (the field's name)
    ) -> Receipt:
        """Press keys in a child, such as `1<Enter>` or `<C-c>`."""
        reply = await self.request("press", id=id, task=task, keys=keys)
        return Receipt(reply["receipt"], reply["state"], reply["reason"])

    async def write(self, task: str, data: bytes) -> None:
        """Write bytes into a child's input, as they are."""
        await self.request("write", task=task, raw=base64.b64encode(data).decode())

    async def interrupt(self, task: str) -> None:
        """Send a child SIGINT."""
        await self.request("interrupt", task=task)

    async def stop(self, task: str | None = None, *, grace: float | None = None) -> None:
        """Ask a child to end, or the whole run, within `grace` seconds; returns at once."""
        await self.request("stop", task=task, grace=None if grace is None else round(grace * 1000))

    async def restart(self, task: str) -> None:
        """Start a child again; one that has ended, too, if the run can."""
        await self.request("restart", task=task)

    async def resize(self, task: str, rows: int, columns: int) -> None:
        """Give a child's terminal another size."""
        await self.request("resize", task=task, rows=rows, columns=columns)

    async def add(
        self,
        command: str | Sequence[str],
        *,
        name: str | None = None,
        cwd: str | None = None,
        env: dict[str, str] | None = None,
        pty: bool | None = None,
    ) -> tuple[str, str]:
        """Give the run another child; returns its id and its name."""
        words = command if isinstance(command, str) else [*command]
        reply = await self.request("add", command=words, name=name, cwd=cwd, env=env, pty=pty)
        return reply["taskId"], reply["name"]

    def subscribe(
        self,
        after: int | Literal["now"] | None = None,
        *,
        tasks: Iterable[str] | None = None,
        tick: float = 0.016,
        stats: float = 0.0,
        exact: bool = False,
    ) -> EventStream:
        """Iterate over the events, as wire objects: `{"type", "cursor", "data"}`, until the run has ended.

        What the run no longer holds comes as a `gap`. The last is `end`.

        Args:
            after: None: from the oldest held. A cursor: from the event after it. `"now"`: from where
                the run was when we connected.
            tasks: Only those of these children (ids).
            tick: Seconds that the run may collect events before it sends them.
            stats: Seconds between `stats` events; 0: none.
            exact: Whether `data["raw"]` has each block's bytes as they were read.
        """
        asked: dict[str, Any] = {"tick": round(tick * 1000), "stats": round(stats * 1000)}
        if tasks is not None:
            asked["tasks"] = [*tasks]
        if exact:
            asked["exact"] = True
        return EventStream(self, self.hello.cursor if after == "now" else after, asked)


@final
class EventStream:
    """The events of a run; made by `Client.subscribe`.

    It's closed with its client, or by `async with`, or by `close`.
    """

    def __init__(self, client: Client, position: int | None, asked: dict[str, Any]) -> None:
        self._client = client
        self._position = position
        self._asked = asked
        self._wire: Wire | None = None
        self._messages: Iterator[dict[str, Any]] = iter(())
        self._ended = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def __aiter__(self) -> Self:
        return self

    def close(self) -> None:
        """Read no more."""
        self._ended = True
        self._drop()

    def _drop(self) -> None:
        if self._wire is not None:
            self._wire.abort()
            self._wire = None
        self._client._subscriptions.discard(self)

    async def __anext__(self) -> dict[str, Any]:
        """The next one.

        Raises:
            LostError: The run is gone without having ended.
            RequestError: It was refused.
        """
        while not self._ended:
            for message in self._messages:
                kind = message["type"]
                if kind == "error":
                    self.close()
                    raise RequestError(message["data"]["code"], message["data"]["message"])
                if kind == "end":
                    self.close()
                elif kind not in ("stats", "reply"):
                    self._position = message["cursor"]
                if kind != "reply":
                    return message
            if self._wire is None:
                await self._begin()
            assert self._wire is not None
            data = await self._wire.receive()
            if data is None:
                self._drop()  # and begin anew: who reads slowly is cut off
            else:
                self._messages = iter([_decode(line) for line in data.splitlines()])
        raise StopAsyncIteration

    async def _begin(self) -> None:
        wire = self._wire = await dial.dialled(self._client._address, self._client._nursery)
        self._client._subscriptions.add(self)
        begun = False
        try:
            if (await dial.hello(wire)).run_id != self._client.hello.run_id:
                raise LostError("the run has gone, and another has taken its place")
            asked = {**self._asked, "after": self._position}
            await wire.send(_encode({"type": "subscribe", "data": asked}) + b"\n")
            begun = True
        except trio.BrokenResourceError:
            raise LostError("the run has gone") from None
        finally:
            if not begun:
                self._drop()  # cancelled, too: who asks again begins anew
