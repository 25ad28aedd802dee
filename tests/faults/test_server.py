"""T03, T13, T38, T46, T50, T54–T61 of the catalogue: the port of a real run, over real sockets."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import socket
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trio

from axiom_trio.server import runtime
from axiom_trio.server.listener import Listener
from tests.commands import Running, axiom, environment, shell_line
from tests.raw import PING, TEXT, Raw, asked, frame, head, raw, viewer

if TYPE_CHECKING:
    from collections.abc import Iterator

SUBSCRIBE = frame(TEXT, b'{"type":"subscribe","data":{"stats":0}}')
PAGE = "GET / HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n\r\n"
_URL = re.compile(rb"http://127\.0\.0\.1:(\d+)/#([\w-]+)\n")


def urls(run: Running) -> tuple[int, str, str]:
    """The port of a run with `--listen`, the token to look on, and the one to steer."""
    assert run.process.stderr is not None
    os.set_blocking(run.process.stderr.fileno(), True)
    text = b""
    while len(found := _URL.findall(text)) < 2:
        data = os.read(run.process.stderr.fileno(), 4096)
        assert data, text
        text += data
    return int(found[0][0]), found[0][1].decode(), found[1][1].decode()


@pytest.fixture(autouse=True)
def runtime_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.delenv("AXIOM_RUN_ID", raising=False)
    return tmp_path / "axiom-trio"


class Served(Running):
    """A run with a page."""

    def __init__(self, *arguments: str, listen: str = "0", **options: Any) -> None:
        super().__init__("--listen", listen, *arguments, **options)
        self.port, self.view, self.control = urls(self)


@pytest.fixture
def run() -> Iterator[Served]:
    """A child that repeats what it's told, and one that has ended."""
    with Served("-n", "cat,gone", "--stdin", "pipe", "cat", "echo bye") as running:
        running.read_until(b"[gone] bye\n")
        yield running
        running.signal(signal.SIGTERM)
        running.finish()


def flood(lines: int) -> str:
    return f"seq -f 'line %.0f {'x' * 200}' {lines}"


@pytest.mark.slow
async def test_T03_a_viewer_that_stalls(tmp_path: Path) -> None:
    lines = 50_000
    ticks = "while sleep 0.01; do echo tick; done"
    with (tmp_path / "shown").open("wb") as shown:
        options = ("-n", "a,b,c", "--output", "raw", flood(lines), flood(lines), ticks)
        with Served(*options, stdout=shown) as run:
            async with viewer(run.port, token=run.view, buffer=1 << 16) as stalled:
                await stalled.send(SUBSCRIBE)
                async with viewer(run.port, token=run.view) as other:
                    await other.send(SUBSCRIBE)
                    began = trio.current_time()
                    while (
                        trio.current_time() - began < 10
                    ):  # longer than any patience: the first takes nothing
                        await other.event("stream")
                    await other.send(frame(TEXT, b'{"type":"ping","data":{"id":"x"}}'))
                    await other.event("reply")
                assert len(await stalled.rest()) < 4 << 20  # it was cut: this ends
            run.signal(signal.SIGTERM)
            run.finish()
    numbers = re.findall(rb"line (\d+) ", (tmp_path / "shown").read_bytes())
    assert sorted(map(int, numbers)) == sorted([*range(1, lines + 1)] * 2)


async def test_T13_no_descriptors_at_accept(mock_clock: trio.testing.MockClock) -> None:
    """It pauses instead of asking over and over: counted, on a clock of our own."""
    calls = 0

    class Empty:
        async def accept(self) -> None:
            nonlocal calls
            calls += 1
            await trio.lowlevel.checkpoint()
            raise OSError(errno.EMFILE, "Too many open files")

    mock_clock.autojump_threshold = 0

    async def serve(*_: object) -> None:
        raise AssertionError

    with socket.create_server(("127.0.0.1", 0)) as sock:
        listener = Listener(sock, runtime.fresh_tokens(), serve)
        listener._socket = Empty()  # type: ignore[assignment]  # (a stand-in)
        with trio.move_on_after(10):
            await listener.run()
    assert 90 <= calls <= 101


async def test_T13_no_descriptors_and_then_some() -> None:
    line = f"ulimit -n 48; exec {shell_line('--listen', '0', 'sleep 1000')}"
    process = await trio.lowlevel.open_process(["bash", "-c", line], stderr=-1, env=environment())
    try:
        text = b""
        assert process.stderr is not None
        while len(found := _URL.findall(text)) < 2:
            text += await process.stderr.receive_some()
        port, token = int(found[0][0]), found[0][1].decode()
        async with AsyncExitStack() as stack:
            for _ in range(60):
                await stack.enter_async_context(raw(port, b"GET "))
            await trio.sleep(0.5)
            assert process.returncode is None
        while True:  # as soon as those have gone
            with suppress(EOFError, OSError):
                async with viewer(port, token=token):
                    break
    finally:
        process.terminate()
        await process.wait()


async def test_T38_hostile_text_is_data(run: Served) -> None:
    hostile = "<img src=x onerror=alert(1)></script>\u202e\x1b]0;t\x07"
    async with viewer(run.port, token=run.control) as client:
        await client.send(SUBSCRIBE)
        request = {"type": "write", "data": {"id": "x", "task": "cat", "raw": _base64(hostile + "\n")}}
        await client.send(frame(TEXT, json.dumps(request).encode()))
        while hostile not in (await client.event("stream"))["data"]["text"]:
            pass
    for target in ("/", "/index.html"):
        answer = await asked(run.port, PAGE.format(run.port).replace(" / ", f" {target} ").encode())
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.headers["x-content-type-options"] == "nosniff"
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert hostile.encode() not in answer.body


def _base64(text: str) -> str:
    import base64

    return base64.b64encode(text.encode()).decode()


async def test_T46_killed_and_started_again(tmp_path: Path) -> None:
    """The same URL opens the new run, and a cursor of the old one goes on in the journal that both write."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    journal = str(tmp_path / "journal")
    with Served("--journal", journal, "-n", "a", "seq 100; sleep 1000", listen=str(port)) as first:
        async with viewer(port, token=first.view) as client:
            await client.send(SUBSCRIBE)
            text = ""
            while "100\n" not in text:
                message = await client.event("stream")
                text += message["data"]["text"]
            cursor = message["cursor"]
            first.process.kill()
            first.process.wait()
            await client.rest()
    with Served("--journal", journal, "-n", "a", "seq 101 200; sleep 1000", listen=str(port)) as second:
        assert (second.view, second.control) == (first.view, first.control)
        async with viewer(port, token=second.view) as client:
            await client.send(frame(TEXT, b'{"type":"subscribe","data":{"after":%d,"stats":0}}' % cursor))
            cursors, text = [], ""
            while "200\n" not in text:
                message = await client.event("started", "stream", "gap", "complete")
                cursors.append(message["cursor"])
                if message["type"] == "stream":
                    text += message["data"]["text"]
        assert cursors[0] > cursor
        assert cursors == sorted({*cursors})
        assert text == "".join(f"{number}\n" for number in range(101, 201))
        second.signal(signal.SIGTERM)
        second.finish()


async def test_T50_who_comes_while_children_flood(tmp_path: Path) -> None:
    """Replay goes over into live: each cursor once, and each line; the end, too, comes out of the journal."""
    lines = 100_000
    children = [
        flood(lines),
        flood(lines),
        f"until test -e {tmp_path}/go; do sleep 0.01; done; {flood(lines // 5)}",
    ]
    with Served("--journal", str(tmp_path / "j"), "--output", "none", "-n", "a,b,c", *children) as run:
        async with viewer(run.port, token=run.view) as client:
            await client.send(SUBSCRIBE)
            cursors: list[int] = []
            texts: dict[str, list[str]] = {"a": [], "b": [], "c": []}
            ended = 0
            while True:
                message = await client.event("started", "stream", "gap", "complete", "allComplete", "end")
                if message["type"] == "end":
                    break
                assert message["type"] != "gap"
                cursors.append(message["cursor"])
                if message["type"] == "stream":
                    texts[message["data"]["name"]].append(message["data"]["text"])
                ended += message["type"] == "complete"
                if ended == 2:
                    (tmp_path / "go").touch()
        assert cursors == [*range(len(cursors))]
        for name, count in (("a", lines), ("b", lines), ("c", lines // 5)):
            written = "".join(f"line {number} {'x' * 200}\n" for number in range(1, count + 1))
            assert "".join(texts[name]) == written
        assert run.finish().status == 0


async def test_T54_messages_to_those_who_can_not_get_them(run: Served) -> None:
    async with viewer(run.port, token=run.control) as client:
        await client.send(SUBSCRIBE)

        async def sent(task: str, id_: str) -> dict[str, object]:
            request = {"type": "intervene", "data": {"id": id_, "task": task, "text": "hello"}}
            await client.send(frame(TEXT, json.dumps(request).encode()))
            while True:
                message = await client.event("reply", "error")
                if message["data"]["id"] == id_:
                    data: dict[str, object] = message["data"]
                    return data

        assert (await sent("nobody", "1"))["code"] == "no-such-child"
        assert (await sent("", "2"))["code"] == "bad-message"
        dead = await sent("gone", "3")
        assert dead["state"] == "refused"
        assert "ended" in str(dead["reason"])
    async with viewer(run.port, token=run.view) as client:
        await client.send(SUBSCRIBE)
        delivery = (await client.event("delivery"))["data"]
        assert (delivery["receipt"], delivery["state"]) == ("3", "refused")


async def test_T55_T56_T57_who_may_not_come_in(run: Served) -> None:
    port = run.port
    for request, status in (
        (head(port, token=run.control, origin="http://evil.test"), 403),
        (head(port, token=run.control, origin="null"), 403),
        (head(port, token=run.control, origin=f"http://192.168.0.1:{port}"), 403),
        (head(port, token=None), 403),
        (head(port, token=run.control, host=f"evil.test:{port}"), 421),
        (head(port, token=run.control, host=f"127.0.0.1:{port ^ 1}"), 421),
        (head(port, token=run.control, extra=f"Host: 127.0.0.1:{port}\r\n".encode()), 400),
        (head(port, f"http://127.0.0.1:{port}/ws", token=run.control), 400),
        (head(port, "http://evil.test/ws", token=run.control), 400),
        (PAGE.format(port ^ 1).encode(), 421),
        (PAGE.format(f"{port}\r\nOrigin: http://evil.test").encode(), 403),
        (head(port, token=""), 401),
        (head(port, token="x"), 401),
        (head(port, token=run.control[:-1]), 401),
        (head(port, token="x" * 10_000), 401),
        (head(port, token="\xff" * 43), 401),
        (head(port, f"/ws?token={run.control}", token=None), 403),
        (head(port, token=None, origin=f"http://127.0.0.1:{port}"), 401),
    ):
        assert (await asked(port, request)).status == status, request
    async with viewer(port, token=run.view) as client:
        for kind in ("intervene", "stop", "interrupt", "restart", "write", "press", "resize", "add"):
            request = json.dumps({"type": kind, "data": {"id": kind, "task": "cat", "text": "x"}}).encode()
            await client.send(frame(TEXT, request))
            assert (await client.event("error", "reply"))["data"]["code"] == "forbidden"
    async with viewer(port, token=run.control):
        pass


def test_T58_tokens_are_nowhere(tmp_path: Path, runtime_directory: Path) -> None:
    """Not even where a child shows them, who can read their file as we can."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    child = f"sleep 0.1; cat {runtime_directory}/port-{port}.tokens; echo shown; exec sleep 1000"
    journal, files, summary = tmp_path / "journal", tmp_path / "files", tmp_path / "summary"
    with Served(
        *("--journal", str(journal), "--files", str(files), "--summary", str(summary), "-n", "a", child),
        listen=str(port),
    ) as run:
        run.read_until(b"shown\n")
        tokens = [run.view.encode(), run.control.encode()]
        places = [b"", run.seen]
        pids = [run.process.pid, *_children(run.process.pid)]
        assert len(pids) > 1
        for pid in pids:
            for file in ("cmdline", "environ"):
                with suppress(OSError):
                    places.append(Path(f"/proc/{pid}/{file}").read_bytes())
        run.signal(signal.SIGTERM)
        result = run.finish()
        places += [result.stdout, result.stderr.encode()]
    for directory in (journal, files, summary):
        found = (
            [directory] if directory.is_file() else [path for path in directory.rglob("*") if path.is_file()]
        )
        assert found
        places += [path.read_bytes() for path in found]
    assert [place for place in places if any(token in place for token in tokens)] == []
    assert b"***" in run.seen


def _children(pid: int) -> list[int]:
    found = []
    for path in Path("/proc").iterdir():
        with suppress(OSError):
            if path.name.isdigit() and int((path / "stat").read_text().rpartition(")")[2].split()[1]) == pid:
                found += [int(path.name), *_children(int(path.name))]
    return found


@pytest.mark.slow
async def test_T59_two_hundred_who_say_nothing(run: Served) -> None:
    async with AsyncExitStack() as stack:
        silent = [await stack.enter_async_context(raw(run.port)) for _ in range(200)]
        async with viewer(run.port, token=run.view):  # there's a place for who says who it is
            pass
        for client in silent[:100]:  # those that were too many, at once
            assert await client.rest() == b""
        for client in silent[100:]:  # the others when their time is up
            assert await client.rest() == b""
        dripping: Raw = await stack.enter_async_context(raw(run.port, b"GET / HTTP/1.1\r\n"))
        with suppress(OSError):
            while True:
                await dripping.send(b"A: b\r\n")
                await trio.sleep(0.2)
        assert await dripping.rest() == b""


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (frame(TEXT, b"x" * (2 << 20)), 1009),
        (frame(TEXT, b"x", length=1 << 63), 1002),
        (frame(TEXT, b"\xff\xfe"), 1007),
        (frame(PING, b"") * 5000 + frame(TEXT, b"\xff"), 1007),
    ],
)
async def test_T60_who_abuses_the_websocket(run: Served, sent: bytes, code: int) -> None:
    async with viewer(run.port, token=run.view) as client, trio.open_nursery() as nursery:
        nursery.start_soon(client.send, sent)
        opcode = PING
        while opcode != 8:
            opcode, payload = await client.frame()
        assert int.from_bytes(payload[:2], "big") == code
        assert await client.rest() == b""  # though we have not answered
    async with viewer(run.port, token=run.view):
        pass


def test_T61_it_listens_on_this_machine_alone(run: Served) -> None:
    assert _listening(run.port) == ["0100007F"]
    for where in ("0.0.0.0:0", "[::]:0"):
        refused = axiom("--listen", where, f"touch {where}.started")
        assert refused.status == 2
        assert refused.stderr.count("\n") == 1
        assert "--listen-anywhere" in refused.stderr
        assert not Path(f"{where}.started").exists()
    taken = axiom("--listen", str(run.port), "touch started")
    assert taken.status == 2
    assert taken.stderr.count("\n") == 1
    assert "is in use" in taken.stderr
    with Served("--listen-anywhere", "sleep 1000", listen="0.0.0.0:0") as anywhere:
        assert _listening(anywhere.port) == ["00000000"]
        anywhere.signal(signal.SIGTERM)
        anywhere.finish()


def _listening(port: int) -> list[str]:
    """The addresses on which the port is listened on, as the kernel writes them."""
    rows = Path("/proc/net/tcp").read_text().splitlines()[1:]
    words = [row.split() for row in rows]
    return [
        word[1].split(":")[0] for word in words if word[3] == "0A" and int(word[1].split(":")[1], 16) == port
    ]
