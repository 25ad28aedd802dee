"""The port's front: the page's files, what is refused and with which status, and who holds it up in vain."""

from __future__ import annotations

import logging
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import trio

import axiom_trio
from axiom_trio.server import http, listener
from axiom_trio.testing import Pause, ScriptedExecutor
from tests.raw import CONTROL, VIEW, asked, head, raw, viewer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@asynccontextmanager
async def served(**options: Any) -> AsyncIterator[int]:
    """The port of a run with a child that is silent."""
    async with (
        axiom_trio.open_aggregator() as aggregator,
        axiom_trio.serve(aggregator, tokens=(VIEW, CONTROL), **options) as server,
    ):
        aggregator.start_soon(ScriptedExecutor([Pause(1000)]), name="a")
        try:
            yield server.port
        finally:
            aggregator.stop(grace=0.1)


def get(
    port: int, target: str = "/", *, method: str = "GET", host: str | None = None, extra: str = ""
) -> bytes:
    host = f"localhost:{port}" if host is None else host
    return f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n{extra}\r\n".encode("latin-1")


async def test_the_page() -> None:
    async with served() as port:
        for target in ("/", "/index.html", "/?x=1"):
            answer = await asked(port, get(port, target))
            assert answer.status == 200
            assert b"<html" in answer.body
            assert answer.headers["content-type"] == "text/html; charset=utf-8"
            assert answer.headers["content-security-policy"] == POLICY
            assert answer.headers["cache-control"] == "no-store"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["referrer-policy"] == "no-referrer"
            assert answer.headers["cross-origin-opener-policy"] == "same-origin"
            assert answer.headers["cross-origin-resource-policy"] == "same-origin"
            assert answer.headers["connection"] == "close"
        only_head = await asked(port, get(port, method="HEAD"))
        assert only_head.status == 200
        assert int(only_head.headers["content-length"]) > 0


@pytest.mark.parametrize(
    "target",
    [
        *("/nothing.js", "/../host.py", "/..%2fhost.py", "/page/index.html", "/index.html/", "/%69ndex.html"),
        *("/.index.html", "/INDEX.HTML", "/index.html%00", "/a.b/c.js", "/index", "/__init__.py"),
        f"/{'x' * 300}.js",
    ],
)
async def test_nothing_else_is_there(target: str) -> None:
    async with served() as port:
        answer = await asked(port, get(port, target))
        assert answer.status == 404
        assert answer.headers["content-security-policy"] == POLICY
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"


async def test_what_is_no_request_for_a_file() -> None:
    async with served() as port:
        post = await asked(
            port, get(port, method="POST", extra="Content-Length: 100000\r\n") + b"x" * 100_000
        )
        assert (post.status, post.headers["allow"]) == (405, "get, head")
        assert (await asked(port, get(port, "/ws"))).status == 426
        assert (await asked(port, head(port, "/"))).status == 200  # it may be upgraded, and is not
        assert (await asked(port, head(port, "/other"))).status == 404
        assert (await asked(port, b"SSH-2.0-OpenSSH\r\n\r\n")).status == 400
        assert (await asked(port, get(port, "/\xff.js"))).status == 400
        assert (await asked(port, b"GET / HTTP/1.1\r\nHost: a\x00b\r\n\r\n")).status == 400
        assert (await asked(port, get(port, extra="A b: c\r\n"))).status == 400
        long = get(port, extra="".join(f"A{n}: {'x' * 1000}\r\n" for n in range(17)))
        assert (await asked(port, long)).status == 431
        assert (await asked(port, get(port, "/" + "x" * 17_000))).status == 431
        assert (await asked(port, get(port, extra=f"A: {'x' * 12_000}\r\n"))).status == 200


@pytest.mark.parametrize(
    "wrong",
    [
        *(b"Sec-WebSocket-Version: 12", b"Sec-WebSocket-Key: short", b"Connection: close", b"Upgrade: h2c"),
        *(b"Sec-WebSocket-Version: 13, 8", b"Sec-WebSocket-Key: %s==" % (b"!" * 22)),
    ],
)
async def test_no_proper_handshake(wrong: bytes) -> None:
    async with served() as port:
        name = wrong.split(b":")[0]
        lines = head(port).split(b"\r\n")
        changed = [wrong if line.split(b":")[0] == name else line for line in lines]
        assert (await asked(port, b"\r\n".join(changed))).status == 426
        async with raw(port, head(port, extra=wrong + b"\r\n")) as client:
            assert (await client.answer()).status in (101, 426)


async def test_the_gate_stands_before_page_and_websocket() -> None:
    async with served(allow_hosts=["app.test:9000"]) as port:
        for request, status in (
            (get(port, host="evil.test"), 421),
            (get(port, host=f"evil.test:{port}"), 421),
            (get(port, extra=f"Host: localhost:{port}\r\n"), 400),
            (get(port, f"http://localhost:{port}/"), 400),
            (get(port, extra="Origin: http://evil.test\r\n"), 403),
            (get(port, host="app.test:9000"), 200),
            (b"GET / HTTP/1.1\r\n\r\n", 400),
            (head(port, host="evil.test"), 421),
            (head(port, origin="null"), 403),
            (head(port, origin=f"http://127.0.0.1:{port + 1}"), 403),
            (head(port, token=None), 403),
            (head(port, token=None, origin=f"http://127.0.0.1:{port}"), 401),
            (head(port, token="x" * 43), 401),
            (head(port, token="x" * 9000), 401),
            (head(port, token="\xe9" * 43), 401),
            (head(port, token=None, origin="http://evil.test"), 403),
            (head(port).replace(b"axiom.v1, ", b""), 400),
        ):
            answer = await asked(port, request)
            assert answer.status == status, request
            assert answer.headers["content-security-policy"] == POLICY
        for good in (head(port), head(port, host="app.test:9000", origin="http://app.test:9000")):
            async with raw(port, good) as client:
                answer = await client.answer()
                assert (answer.status, answer.headers["sec-websocket-protocol"]) == (101, "axiom.v1")


async def test_more_wrong_tokens_than_wait_are_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "_PAUSED", 2)
    monkeypatch.setattr("axiom_trio.sansio.gate._FIRST_PAUSE", 30.0)
    monkeypatch.setattr("axiom_trio.sansio.gate._LONGEST_PAUSE", 30.0)
    async with served() as port, AsyncExitStack() as stack:
        for _ in range(2):
            await stack.enter_async_context(raw(port, head(port, token="wrong")))
        async with viewer(port):  # who has a right one does not wait
            while (await asked(port, head(port, token="wrong"))).status != 429:
                pass


async def test_who_says_nothing_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "HEAD_TIME", 0.2)
    async with served() as port:
        async with raw(port) as client:
            assert await client.rest() == b""
        async with raw(port, head(port)[:-2]) as client:
            assert await client.rest() == b""

        async with raw(port, b"GET / HTTP/1.1\r\n") as dripping, trio.open_nursery() as nursery:

            async def drip() -> None:
                with pytest.raises(OSError):  # noqa: PT011 (of the socket)
                    while True:
                        await dripping.send(b"A: b\r\n")
                        await trio.sleep(0.02)

            nursery.start_soon(drip)
            assert await dripping.rest() == b""


async def test_of_too_many_newcomers_the_oldest_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "HEAD_TIME", 1000)
    monkeypatch.setattr(listener, "_ANSWER", 1000)
    monkeypatch.setattr(listener, "NEWCOMERS", 3)
    async with served() as port, viewer(port), AsyncExitStack() as stack:
        first, *_ = [await stack.enter_async_context(raw(port)) for _ in range(4)]
        assert await first.rest() == b""
        assert (await asked(port, get(port))).status == 200


async def test_of_too_many_viewers_the_newest_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(viewers=2) as port:
        async with viewer(port), viewer(port, token=VIEW):
            answer = await asked(port, head(port))
            assert (answer.status, answer.headers["retry-after"]) == (503, "5")
            assert (await asked(port, get(port))).status == 200
        answer = None
        while answer is None or answer.status == 503:  # as soon as it's seen that they have gone
            async with raw(port, head(port)) as client:
                answer = await client.answer()
        assert answer.status == 101


async def test_who_goes_in_the_middle_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    async with served() as port:
        for sent in (b"", b"GET", get(port), head(port), head(port, token="wrong")):
            async with raw(port, sent) as client:
                linger = b"\x01\0\0\0\0\0\0\0"
                client.socket.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, linger)
        assert (await asked(port, get(port))).status == 200
    assert not caplog.records


# --- where it listens


async def test_arguments_that_can_not_be() -> None:
    async with axiom_trio.open_aggregator() as aggregator, axiom_trio.serve(aggregator) as server:
        for sentence, arguments in (
            ("is in use: give another port", {"port": server.port}),
            ("other machines could come in", {"host": "0.0.0.0"}),
            ("other machines could come in", {"host": "::"}),
            ("is no address that can be listened on", {"host": "example.test"}),
            ("there is no port 65536", {"port": 65536}),
            ("can't listen on 192.0.2.1:0", {"host": "192.0.2.1", "anywhere": True}),
            ("is no HOST or HOST:PORT", {"allow_hosts": ["a/b"]}),
            ("tokens are two different words", {"tokens": ("a" * 20, "a" * 20)}),
            ("tokens are two different words", {"tokens": ("a" * 20, "b c")}),
        ):
            with pytest.raises(axiom_trio.SpecificationError, match=sentence):
                async with axiom_trio.serve(aggregator, **arguments):  # type: ignore[arg-type]  # (what it must refuse)
                    pass


async def test_what_the_block_raises_comes_out_as_it_is() -> None:
    error = ZeroDivisionError("mine")
    with pytest.raises(ZeroDivisionError) as caught:
        async with axiom_trio.open_aggregator() as aggregator, axiom_trio.serve(aggregator):
            raise error
    assert caught.value is error


async def test_urls() -> None:
    async with (
        axiom_trio.open_aggregator() as aggregator,
        axiom_trio.serve(aggregator, host="localhost") as one,
        axiom_trio.serve(aggregator) as other,
    ):
        assert one.url.startswith(f"http://localhost:{one.port}/#")
        assert other.url.startswith(f"http://127.0.0.1:{other.port}/#")
        tokens = {url.partition("#")[2] for s in (one, other) for url in (s.url, s.control_url)}
        assert len(tokens) == 4
        assert not any(token in repr(one) for token in tokens)
