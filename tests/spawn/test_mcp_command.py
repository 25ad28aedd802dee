"""`axiom-trio mcp` as a process: what is on its wire, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path
from typing import Any, Self

import pytest

pytest.importorskip("mcp_types", reason="the extra mcp is not installed")

from tests.commands import PATIENCE, environment, wait_until
from tests.spawn.serving import shell

INITIALIZE = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "test", "version": "0"},
}
FOREVER = shell('echo "$$ runs"; trap "" TERM; while :; do sleep 0.05; done')


class Host:
    """A host that knows nothing but JSON lines."""

    def __init__(self, *arguments: str, temporary: Path, sockets: bool = False, **options: Any) -> None:
        command = [sys.executable, "-m", "axiom_trio", "mcp", *arguments]
        self.ours: socket.socket | None = None
        if sockets:  # as node has it
            self.ours, theirs = socket.socketpair()
            options = {"stdin": theirs, "stdout": theirs, **options}
        options = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, **options}
        self.process = subprocess.Popen(
            command, stderr=subprocess.PIPE, env=environment(TMPDIR=str(temporary)), **options
        )
        if self.ours is not None:
            theirs.close()
            self.input: Any = self.ours.makefile("wb")
            self.output: Any = self.ours.makefile("rb")
        else:
            self.input, self.output = self.process.stdin, self.process.stdout
        self.ids = 0
        self.told: list[Any] = []

    def __enter__(self) -> Self:
        self._timer = threading.Timer(PATIENCE * 2, self.process.kill)
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self._timer.join()
        self.process.kill()
        self.process.wait()
        for stream in (self.input, self.output, self.process.stderr, self.ours):
            try:
                if stream is not None:
                    stream.close()
            except OSError:
                pass

    def write(self, data: bytes) -> None:
        self.input.write(data)
        self.input.flush()

    def read(self) -> Any:
        line = self.output.readline()
        assert line.endswith(b"\n"), "it has ended"
        message = json.loads(line)
        assert message["jsonrpc"] == "2.0"
        return message

    def ask(self, method: str, params: Any) -> int:
        self.ids += 1
        self.write(
            json.dumps({"jsonrpc": "2.0", "id": self.ids, "method": method, "params": params}).encode()
            + b"\n"
        )
        return self.ids

    def request(self, method: str, params: Any) -> Any:
        asked = self.ask(method, params)
        while (message := self.read()).get("id") != asked:
            self.told.append(message)
        return message["result"]

    def begin(self) -> Any:
        result = self.request("initialize", INITIALIZE)
        self.write(b'{"jsonrpc":"2.0","method":"notifications/initialized"}\n')
        return result

    def call(self, tool: str, **arguments: Any) -> Any:
        result = self.request("tools/call", {"name": f"axiom_mcp_{tool}", "arguments": arguments})
        assert not result.get("isError"), result
        return result["structuredContent"]

    def spawn_two(self) -> list[int]:
        """Two that do not end by themselves; their process ids."""
        self.call("spawn", parentPrompt="x", spawnCount=2, returnImmediately=True)
        pids, cursor = [], 0
        while len(pids) < 2:
            page = self.call("output", cursor=cursor, waitMs=5000)
            cursor = page["nextCursor"]
            texts = "".join(e["text"] for e in page["entries"] if e["kind"] == "output")
            pids += [int(line.split()[0]) for line in texts.splitlines()]
        return pids

    def finish(self) -> tuple[int, str]:
        """Its status and what it said, once it has ended."""
        stderr = self.process.stderr.read().decode()
        status = self.process.wait(PATIENCE)
        assert "Traceback" not in stderr, stderr
        assert "Warning" not in stderr, stderr
        return status, stderr


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.parametrize("sockets", [False, True], ids=["pipes", "sockets"])
def test_the_end_of_stdin_ends_all(tmp_path: Path, sockets: bool) -> None:
    with Host("--agent", FOREVER, temporary=tmp_path, sockets=sockets) as host:
        about = host.begin()
        assert about["serverInfo"]["name"] == "axiom-trio"
        assert about["capabilities"]["resources"] == {"subscribe": True, "listChanged": True}
        pids = host.spawn_two()
        assert [path.name[:10] for path in tmp_path.iterdir()] == ["axiom-mcp-"]
        blocking = host.ask("tools/call", {"name": "axiom_mcp_spawn", "arguments": {"parentPrompt": "y"}})
        if host.ours is not None:
            host.ours.shutdown(socket.SHUT_WR)
        else:
            host.input.close()
        rest = [json.loads(line) for line in host.output]
        assert {message.get("id") for message in rest} <= {None, blocking}
        assert host.finish() == (0, "")
        assert all(map(is_gone, pids))
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_all(tmp_path: Path, signum: signal.Signals) -> None:
    with Host("--agent", FOREVER, temporary=tmp_path) as host:
        host.begin()
        pids = host.spawn_two()
        host.process.send_signal(signum)
        assert host.finish() == (128 + signum, "")
        assert all(map(is_gone, pids))
        assert list(tmp_path.iterdir()) == []


def test_a_kill_leaves_no_agents_and_the_next_server_cleans_up(tmp_path: Path) -> None:
    with Host("--agent", FOREVER, temporary=tmp_path) as host:
        host.begin()
        pids = host.spawn_two()
        host.process.kill()
        host.process.wait()
        wait_until(lambda: all(map(is_gone, pids)), "for the agents' end")
        assert len(list(tmp_path.iterdir())) == 1
    with Host("--agent", FOREVER, temporary=tmp_path) as host:
        host.input.close()
        assert host.finish() == (0, "")
        assert list(tmp_path.iterdir()) == []


def test_a_host_that_reads_no_more_ends_all(tmp_path: Path) -> None:
    with Host("--agent", FOREVER, temporary=tmp_path) as host:
        host.begin()
        pids = host.spawn_two()
        host.output.close()
        host.ask("ping", {})
        assert host.finish() == (0, "")
        assert all(map(is_gone, pids))


def test_what_is_no_message_is_answered_and_the_rest_read_on(tmp_path: Path) -> None:
    with Host("--agent", "true {prompt}", temporary=tmp_path) as host:
        host.begin()
        for line, code, text, id_ in (
            (b"{nonsense", -32700, "no JSON", None),
            (b'{"jsonrpc":"2.0"', -32700, "no JSON", None),
            (b"[" * 100_000, -32700, "no JSON", None),
            (b"[1]", -32600, "no JSON-RPC 2.0 message", None),
            (b'{"id":7,"method":3}', -32600, "no JSON-RPC 2.0 message", 7),
            (
                b'{"jsonrpc":"2.0","id":8,"method":"ping","params":{"x":"' + b"y" * (17 << 20) + b'"}}',
                -32600,
                "is too long",
                8,
            ),
            (
                b'{"method":"ping","params":{"id":5,"x":"'
                + b"y" * (17 << 20)
                + b'"},"jsonrpc":"2.0","id":"nine"}',
                -32600,
                "is too long",
                "nine",
            ),
            (b"y" * (17 << 20), -32600, "is too long", None),
        ):
            host.write(line + b"\n")
            message = host.read()
            assert (message["id"], message["error"]["code"]) == (id_, code)
            assert text in message["error"]["message"]
            assert len(message["error"]["message"]) < 300
            assert host.request("ping", {}) == {}
        host.write(b"\n \n")
        assert host.request("ping", {}) == {}
        assert host.told == []


def test_what_was_asked_right_before_the_end_is_answered(tmp_path: Path) -> None:
    with Host("--agent", "true {prompt}", temporary=tmp_path) as host:
        asked = [host.ask("initialize", INITIALIZE), host.ask("tools/list", {})]
        host.input.close()
        assert [json.loads(line)["id"] for line in host.output] == asked
        assert host.finish() == (0, "")


def test_the_last_message_needs_no_newline(tmp_path: Path) -> None:
    with Host("--agent", "true {prompt}", temporary=tmp_path) as host:
        host.begin()
        host.write(b'{"jsonrpc": "2.0", "id": 9, "method": "tools/list"}')
        host.input.close()
        assert [json.loads(line)["id"] for line in host.output] == [9]
        assert host.finish() == (0, "")


def test_nothing_else_gets_on_the_wire() -> None:
    source = """
import os, subprocess, sys, trio
from axiom_trio.spawn.mcp_stdio import open_stdio
async def main():
    async with open_stdio() as (messages, _):
        print("stray")
        os.write(1, b"stray\\n")
        subprocess.run(["echo", "stray"])
        sys.__stdout__.write("stray\\n")
        sys.__stdout__.flush()
        assert sys.stdin.read() == "", "nobody takes what is the wire's"
        assert [message async for message in messages] == []
trio.run(main)
"""
    done = subprocess.run(
        [sys.executable, "-c", source],
        input=b"{}\n",
        capture_output=True,
        env=environment(),
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    [line] = done.stdout.splitlines()
    assert json.loads(line)["error"]["code"] == -32600
    assert done.stderr.split() == [b"stray"] * 4


def test_a_message_that_is_too_long_takes_no_memory() -> None:
    source = """
import sys, tracemalloc, trio
from axiom_trio.spawn.mcp_stdio import open_stdio
async def main():
    async with open_stdio(longest=100_000) as (messages, _):
        tracemalloc.start()
        assert [message async for message in messages] == []
        print(tracemalloc.get_traced_memory()[1], file=sys.stderr)
trio.run(main)
"""
    message = b'{"id": 5, "x": "' + b"y" * (20 << 20) + b'"}\n'
    done = subprocess.run(
        [sys.executable, "-c", source],
        input=message,
        capture_output=True,
        env=environment(),
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["id"] == 5
    assert (
        told["error"]["message"]
        == f"a message of {len(message) - 1} bytes is too long: at most 100000 are taken"
    )
    assert int(done.stderr) < 2 << 20


def test_a_journal_is_kept_and_can_be_printed_again(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    agent = shell('echo "$0 is done"')
    for number in (1, 2):
        with Host("--agent", agent, "--journal", str(journal), temporary=tmp_path) as host:
            host.begin()
            result = host.call("spawn", parentPrompt=f"task {number}", spawnCount=1)
            page = host.call("output")
            assert (
                "".join(e["text"] for e in page["entries"] if e["kind"] == "output")
                == f"task {number} is done\n"
            )
            assert page["done"]
            assert {e["taskId"] for e in page["entries"]} == {result["tasks"][0]["taskId"]}
            host.input.close()
            assert host.finish() == (0, "")
    replay = [sys.executable, "-m", "axiom_trio", "replay", str(journal)]
    shown = subprocess.run(
        replay, capture_output=True, env=environment(), timeout=PATIENCE, check=True
    ).stdout
    assert shown == b"[sh] task 1 is done\n[sh] task 2 is done\n"


def test_it_is_reached_from_another_terminal(tmp_path: Path) -> None:
    with Host("--agent", FOREVER, temporary=tmp_path) as host:
        host.begin()
        host.spawn_two()
        ps = [sys.executable, "-m", "axiom_trio", "ps", "--json"]

        def shown() -> bytes:
            return subprocess.run(ps, capture_output=True, env=environment(), timeout=PATIENCE).stdout

        [line] = wait_until(lambda: shown().splitlines(), "for the run to be shown")
        assert b"axiom-trio mcp" in line
        assert b"sh-2" in line
        host.input.close()
        assert host.finish() == (0, "")


def test_bad_options_and_a_missing_extra_get_a_sentence(tmp_path: Path) -> None:
    def told(*arguments: str, code: str = "") -> tuple[int, str]:
        source = f"import sys; {code}sys.argv = ['axiom-trio', 'mcp', *{arguments!r}]; import axiom_trio.cli as c; c.main()"
        done = subprocess.run(
            [sys.executable, "-c", source],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=environment(TMPDIR=str(tmp_path)),
            timeout=PATIENCE,
        )
        assert done.stdout == ""
        return done.returncode, done.stderr

    for arguments, wanted in (
        (["--agnt", "x"], "there is no option --agnt; did you mean --agent?"),
        (["--agent", ""], "--agent: it must not be empty"),
        (["--agent", "nobody"], "there is no agent 'nobody'"),
        (["claude"], "it takes no arguments"),
        (["--interactive", "--no-interactive"], "exclude each other"),
        (["--journal", str(tmp_path / "no" / "such")], "can't be used"),
        (["--mask-env", "NOT_SET_ANYWHERE"], "NOT_SET_ANYWHERE is not set"),
    ):
        status, text = told(*arguments)
        assert status == 2
        assert text.startswith("axiom-trio mcp: ")
        assert wanted in text
        assert text.count("\n") == 1
    missing = "axiom-trio mcp: the extra mcp is not installed: pip install 'axiom-trio[mcp]'\n"
    assert told(code="sys.modules['mcp'] = None; ") == (2, missing)
    assert told(code="sys.modules['mcp_types'] = None; ") == (2, missing)


def test_where_its_own_journal_has_no_place_it_is_said() -> None:
    source = "import tempfile; tempfile.tempdir = '/nowhere'; from axiom_trio.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", source, "mcp"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=environment(),
        timeout=PATIENCE,
    )
    assert (done.returncode, done.stdout) == (2, b"")
    [line] = done.stderr.decode().splitlines()
    assert line.startswith("axiom-trio mcp: there is no place for a journal (/nowhere/axiom-mcp-")
    assert line.endswith(": No such file or directory); name one with --journal DIR")


def test_agents_of_agents_of_agents_spawn_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AXIOM_MCP_DEPTH", "2")
    with Host("--agent", shell("echo $AXIOM_MCP_DEPTH"), temporary=tmp_path) as host:
        host.begin()
        assert host.call("spawn", parentPrompt="x", spawnCount=1)["tasks"][0]["tail"] == ["3"]
    monkeypatch.setenv("AXIOM_MCP_DEPTH", "3")
    with Host("--agent", "true {prompt}", temporary=tmp_path) as host:
        host.begin()
        params = {"name": "axiom_mcp_spawn", "arguments": {"parentPrompt": "x"}}
        result = host.request("tools/call", params)
        assert result["isError"]
        assert "3 deep" in result["content"][0]["text"]


def test_the_page_shows_what_goes_on(tmp_path: Path) -> None:
    with Host("--agent", FOREVER, temporary=tmp_path) as host:
        host.begin()
        options = {"outputMode": "websocket"}
        asked = {"parentPrompt": "x", "spawnCount": 1, "returnImmediately": True, "streamingOptions": options}
        url = host.call("spawn", **asked)["url"]
        assert url.startswith("http://127.0.0.1:")
        assert host.call("spawn", **asked)["url"] == url
        address, _, token = url.partition("#")
        assert len(token) >= 16
        with urllib.request.urlopen(address, timeout=PATIENCE) as page:
            assert page.headers["content-type"].startswith("text/html")
        host.input.close()
        assert host.finish() == (0, "")
