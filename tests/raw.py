"""A client over a bare socket, which does what no library would."""

from __future__ import annotations

import json
import struct
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, final

import trio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

VIEW, CONTROL = "v" * 43, "c" * 43
PATIENCE = 60.0
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class Answer(NamedTuple):
    """A response of HTTP."""

    status: int
    headers: dict[str, str]
    body: bytes


def head(
    port: int,
    target: str = "/ws",
    *,
    token: str | None = CONTROL,
    host: str | None = None,
    origin: str | None = None,
    method: str = "GET",
    extra: bytes = b"",
) -> bytes:
    """The head of a request for a WebSocket."""
    protocols = "axiom.v1" + (f", axiom.token.{token}" if token is not None else "")
    lines = [
        f"{method} {target} HTTP/1.1",
        f"Host: {f'127.0.0.1:{port}' if host is None else host}",
        "Upgrade: websocket",
        "Connection: keep-alive, Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        f"Sec-WebSocket-Protocol: {protocols}",
        *([] if origin is None else [f"Origin: {origin}"]),
    ]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n" + extra + b"\r\n"


def frame(opcode: int, payload: bytes, *, fin: bool = True, length: int | None = None) -> bytes:
    """A masked frame; `length` is what it says of itself."""
    size = len(payload) if length is None else length
    begin = bytes([opcode | 0x80 * fin])
    if size < 126:
        begin += bytes([0x80 | size])
    elif size < 1 << 16:
        begin += b"\xfe" + struct.pack("!H", size)
    else:
        begin += b"\xff" + struct.pack("!Q", size)
    return begin + b"\0\0\0\0" + payload


@final
class Raw:
    """A connection."""

    def __init__(self, sock: trio.socket.SocketType) -> None:
        self.socket = sock
        self._held = b""
        self._events: deque[dict[str, Any]] = deque()

    async def send(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[await self.socket.send(view) :]

    async def more(self, size: int = 1 << 16) -> None:
        """Take in some more."""
        data = await self.socket.recv(size)
        if not data:
            raise EOFError
        self._held += data

    async def read(self, size: int) -> bytes:
        while len(self._held) < size:
            await self.more()
        data, self._held = self._held[:size], self._held[size:]
        return data

    async def rest(self) -> bytes:
        """All until it's closed, however that is done."""
        try:
            while True:
                await self.more()
        except (EOFError, OSError):
            data, self._held = self._held, b""
            return data

    async def answer(self, *, bodiless: bool = False) -> Answer:
        while b"\r\n\r\n" not in self._held:
            await self.more()
        text, self._held = self._held.split(b"\r\n\r\n", 1)
        first, *lines = text.decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines)
        status = int(first.split()[1])
        body = b"" if status == 101 or bodiless else await self.read(int(headers["content-length"]))
        return Answer(status, headers, body)

    async def frame(self) -> tuple[int, bytes]:
        """The next frame: whole, final, not masked."""
        first, size = await self.read(2)
        assert first & 0x80
        assert size < 0x80
        assert first & 0x7F in (TEXT, CLOSE, PING, PONG)
        if size == 126:
            (size,) = struct.unpack("!H", await self.read(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", await self.read(8))
        return first & 0x0F, await self.read(size)

    async def event(self, *kinds: str) -> dict[str, Any]:
        """The next event of these kinds; others, and pings, are passed over."""
        while True:
            while self._events:
                if (message := self._events.popleft())["type"] in kinds:
                    return message
            opcode, payload = await self.frame()
            assert opcode in (TEXT, PING), payload
            self._events += map(json.loads, payload.splitlines() if opcode == TEXT else ())

    async def close_code(self) -> int:
        """The code of the close frame that ends it, after whatever is sent before."""
        while True:
            opcode, payload = await self.frame()
            if opcode == CLOSE:
                return int.from_bytes(payload[:2], "big")


@asynccontextmanager
async def raw(port: int, sent: bytes = b"", *, buffer: int | None = None) -> AsyncIterator[Raw]:
    """Connect; give up after a minute."""
    with trio.fail_after(PATIENCE):
        sock = trio.socket.socket()
        if buffer is not None:
            sock.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_RCVBUF, buffer)
        with sock:
            await sock.connect(("127.0.0.1", port))
            client = Raw(sock)
            await client.send(sent)
            yield client


@asynccontextmanager
async def viewer(port: int, *, token: str = CONTROL, buffer: int | None = None) -> AsyncIterator[Raw]:
    """Connect to the WebSocket, and read `hello`."""
    async with raw(port, head(port, token=token), buffer=buffer) as client:
        assert (await client.answer()).status == 101
        opcode, hello = await client.frame()
        assert opcode == TEXT
        assert hello.startswith(b'{"type":"hello"'), hello
        yield client


async def asked(port: int, request: bytes) -> Answer:
    """The answer to a request, after which the connection is closed."""
    async with raw(port, request) as client:
        answer = await client.answer(bodiless=request.startswith(b"HEAD"))
        assert await client.rest() == b""
        return answer
