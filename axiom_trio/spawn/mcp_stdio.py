"""The wire of an MCP server: a JSON message a line, in on stdin, out on stdout, and nothing else there.

The SDK's own transport reads in a thread and can't be cancelled. While this one is open, descriptor 0
is /dev/null and 1 is stderr, and so is `sys.stdout`: what anything prints misses the wire.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import sys
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

import anyio
import mcp_types as types
import msgspec
import trio
from mcp.shared.message import SessionMessage

from axiom_trio.sinks.writer import DescriptorWriter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

LONGEST: Final = 16 * 1024 * 1024
"""Bytes of a message that are taken."""
_READ: Final = 64 * 1024
_ENDS: Final = 1024  # bytes kept of both ends of a message that is too long, where its id stands
_UNSUPPORTED: Final = (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS, errno.ESPIPE)
_LAST_ANSWERS: Final = 0.25  # seconds: what was asked right before the end of stdin may still be answered
_LAST_WORDS: Final = 1.0  # seconds for what is left to be written
_ID: Final = rb'"id"\s*:\s*(-?[0-9]{1,18}|"(?:[^"\\\x00-\x1f]|\\.){0,200}")\s*'
_ID_FIRST: Final = re.compile(rb'\s*\{\s*(?:"jsonrpc"\s*:\s*"2\.0"\s*,\s*)?' + _ID + rb"[,}]")
_ID_LAST: Final = re.compile(_ID + rb'(?:,\s*"jsonrpc"\s*:\s*"2\.0"\s*)?\}\s*\Z')


@asynccontextmanager
async def open_stdio(*, longest: int = LONGEST) -> AsyncIterator[tuple[Any, Any]]:
    """Take stdin and stdout for the wire: yields the streams that `Server.run` wants.

    What is no message, or too long, is answered with an error in a sentence, and the rest is read on.
    The read stream ends when stdin does, or when nobody reads stdout any more.
    """
    with _claimed() as (incoming, outgoing):
        wire = _Wire(incoming, outgoing, longest)
        written = trio.Event()
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(wire.read)
                nursery.start_soon(wire.write, written)
                yield wire.to_server, wire.from_server
                wire.reading.cancel(reason="the server has ended")  # readers first, then what they'd answer
                await wire.from_server.aclose()
                with trio.move_on_after(_LAST_WORDS):
                    await written.wait()
                nursery.cancel_scope.cancel(reason="the server has ended")
        finally:
            wire.close()


class _Wire:
    def __init__(self, incoming: int, outgoing: int, longest: int) -> None:
        self._incoming = incoming
        self._longest = longest
        self._writer = DescriptorWriter(outgoing)
        self._in, self.to_server = anyio.create_memory_object_stream[SessionMessage](0)
        self.from_server, self._out = anyio.create_memory_object_stream[SessionMessage](0)
        self._own = self.from_server.clone()  # for what we have to say ourselves
        self.reading = trio.CancelScope()
        self._asked: set[int | str] = set()
        self._answered = trio.Event()

    def close(self) -> None:
        for stream in (self._in, self.to_server, self._own, self.from_server, self._out):
            stream.close()
        self._writer.close()

    # --- in

    async def read(self) -> None:
        with self._in, self.reading, suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
            await self._lines()
            with trio.move_on_after(_LAST_ANSWERS):
                while self._asked:
                    self._answered = trio.Event()
                    await self._answered.wait()
        self._own.close()

    async def _lines(self) -> None:
        pieces: list[bytes] = []
        size = 0
        while data := await read_some(self._incoming):
            *whole, rest = data.split(b"\n")
            for line in whole:
                size += len(line)
                pieces.append(line)
                await self._take(pieces, size)
                pieces, size = [], 0
            size += len(rest)
            pieces.append(rest)
            if size > self._longest:  # only its ends are of use
                ends = b"".join(pieces)
                pieces = [ends[:_ENDS], ends[_ENDS:][-_ENDS:]]
        await self._take(pieces, size)  # the last need not end in a newline

    async def _take(self, pieces: list[bytes], size: int) -> None:
        line = b"".join(pieces)
        if size > self._longest:
            text = f"a message of {size} bytes is too long: at most {self._longest} are taken"
            found = _ID_FIRST.match(line) or _ID_LAST.search(line)
            await self._refuse(
                types.INVALID_REQUEST, text, None if found is None else msgspec.json.decode(found[1])
            )
            return
        if not line.strip():
            return
        try:
            message = types.jsonrpc_message_adapter.validate_json(line, by_name=False)
        except ValueError:
            await self._refuse_malformed(line)
            return
        if isinstance(message, types.JSONRPCRequest):
            self._asked.add(message.id)
        elif isinstance(message, types.JSONRPCNotification) and message.method == "notifications/cancelled":
            self._answer((message.params or {}).get("requestId"))  # there will be none
        await self._in.send(SessionMessage(message))

    async def _refuse_malformed(self, line: bytes) -> None:
        try:
            value = msgspec.json.decode(line)
        except (msgspec.DecodeError, RecursionError) as error:
            await self._refuse(types.PARSE_ERROR, f"a line on stdin is no JSON: {error}", None)
            return
        id_ = value.get("id") if isinstance(value, dict) else None
        text = (
            "a line on stdin is no JSON-RPC 2.0 message, an object with jsonrpc, method and maybe id, params"
        )
        await self._refuse(types.INVALID_REQUEST, text, id_ if type(id_) in (int, str) else None)

    async def _refuse(self, code: int, text: str, id_: int | str | None) -> None:
        error = types.JSONRPCError(jsonrpc="2.0", id=id_, error=types.ErrorData(code=code, message=text))
        await self._own.send(SessionMessage(error))

    # --- out

    async def write(self, written: trio.Event) -> None:
        gone = False
        async for item in self._out:
            message = item.message
            if not gone:
                text = message.model_dump_json(by_alias=True, exclude_unset=True)
                try:
                    await self._writer.write([text.encode(), b"\n"])
                except OSError:  # nobody reads: nobody asks any more, either
                    gone = True
                    self.reading.cancel(reason="the client has gone")
            if isinstance(message, types.JSONRPCResponse | types.JSONRPCError):
                self._answer(message.id)
        written.set()

    def _answer(self, id_: Any) -> None:
        if isinstance(id_, int | str) and id_ in self._asked:
            self._asked.discard(id_)
            self._answered.set()


async def read_some(descriptor: int) -> bytes:
    """What there is to read, or comes next; empty at the end. Others' reads of it don't block us."""
    buffer = bytearray(_READ)
    while hasattr(os, "RWF_NOWAIT"):
        await trio.lowlevel.checkpoint_if_cancelled()
        try:
            return bytes(buffer[: os.preadv(descriptor, [buffer], -1, os.RWF_NOWAIT)])
        except BlockingIOError:
            await trio.lowlevel.wait_readable(descriptor)
        except OSError as error:
            if error.errno not in _UNSUPPORTED:
                return b""  # a connection that was reset has ended
            break
    with suppress(PermissionError):  # a file never makes anyone wait, a terminal does
        await trio.lowlevel.wait_readable(descriptor)
    return os.read(descriptor, _READ)


@contextmanager
def _claimed() -> Iterator[tuple[int, int]]:
    """Descriptors of our own for what stdin and stdout are now; these lead elsewhere meanwhile."""
    stdout = sys.stdout
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    incoming = fcntl.fcntl(0, fcntl.F_DUPFD_CLOEXEC, 3)
    outgoing = fcntl.fcntl(1, fcntl.F_DUPFD_CLOEXEC, 3)
    try:
        os.dup2(null, 0)
        os.dup2(2, 1)
        sys.stdout = sys.stderr
        yield incoming, outgoing
    finally:
        sys.stdout = stdout
        os.dup2(incoming, 0)
        os.dup2(outgoing, 1)
        for descriptor in (null, incoming, outgoing):
            os.close(descriptor)
