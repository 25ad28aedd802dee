"""The socket of a viewer, with a kernel's buffers but without its clock."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing

from axiom_trio.server.stream import PATIENCE, ViewerStream

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def mock_clock() -> trio.testing.MockClock:
    return trio.testing.MockClock(autojump_threshold=0.02)  # the kernel needs some real time


@contextmanager
def connected() -> Iterator[tuple[ViewerStream, socket.socket]]:
    """A stream whose kernel holds little, and the other side."""
    ours, theirs = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    theirs.setblocking(False)
    stream = ViewerStream(trio.socket.from_stdlib_socket(ours))
    try:
        yield stream, theirs
    finally:
        stream.abort()
        theirs.close()


async def test_who_takes_a_little_now_and_then_is_not_cut(mock_clock: trio.testing.MockClock) -> None:
    text = bytes(range(256)) * 400
    got = bytearray()
    with connected() as (stream, viewer):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stream.send_text, text)
            while len(got) < 10 + len(text):
                await trio.sleep(PATIENCE * 0.8)
                got += viewer.recv(1 << 20)
        assert not stream.torn
    assert got[:10] == b"\x81\x7f" + len(text).to_bytes(8, "big")
    assert got[10:] == text
    assert trio.current_time() > PATIENCE * 4  # one frame was under way all the time


async def test_who_takes_nothing_is_cut(mock_clock: trio.testing.MockClock) -> None:
    with connected() as (stream, _):
        began = trio.current_time()
        with pytest.raises(trio.BrokenResourceError, match="took nothing for 5 s"):
            await stream.send_all(bytes(100_000))
        assert trio.current_time() - began == PATIENCE
        assert stream.torn
