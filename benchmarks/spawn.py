"""How soon the MCP server answers a call that need not wait: ten agents with `returnImmediately`."""

from __future__ import annotations

import json
import subprocess
import time
from typing import IO, Any

from benchmarks.peers import environment
from benchmarks.series import Case, Context, Sample, ToolFailedError, interleave
from benchmarks.startup import python_of_axiom

AGENTS, TIMEOUT = 10, 30.0
AGENT = """sh -c 'echo begun; exec sleep 60' {prompt}"""
WAYS = {"spawn-pipes": ("on pipes", ()), "spawn-terminals": ("on terminals", ("--interactive",))}
CLIENT = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "benchmark", "version": "0"},
}


def spawn(context: Context) -> list[Case]:
    python = python_of_axiom()
    cases = []
    for name, (where, options) in WAYS.items():
        result = Case(name, f"{AGENTS} agents {where}")
        cases.append(result)
        if python is None:
            result.problems["axiom-trio"] = "no interpreter with trio found"
            continue

        def measure(_: str, python: str = python, options: tuple[str, ...] = options) -> Sample:
            return _answer(python, options)

        interleave(result, ["axiom-trio"], 3 if context.quick else max(20, context.rounds), measure)
    return cases


def _answer(python: str, options: tuple[str, ...]) -> Sample:
    """Milliseconds from the first call of a new server to its answer, when all have begun."""
    command = [python, "-m", "axiom_trio", "mcp", "--agent", AGENT, *options]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment(),
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            _request(server.stdin, server.stdout, "initialize", CLIENT)
            _write(server.stdin, {"method": "notifications/initialized"})
            arguments = {"parentPrompt": "x", "spawnCount": AGENTS, "returnImmediately": True}
            began = time.perf_counter()
            call = {"name": "axiom_mcp_spawn", "arguments": arguments}
            result = _request(server.stdin, server.stdout, "tools/call", call)
            took = time.perf_counter() - began
        finally:
            server.stdin.close()  # it ends with its client, and so do the agents
            try:
                server.wait(TIMEOUT)
            except subprocess.TimeoutExpired:
                server.kill()
    if result.get("isError"):
        raise ToolFailedError(result["content"][0]["text"])
    found = len(result["structuredContent"]["tasks"])
    if found != AGENTS:
        raise ToolFailedError(f"{found} of {AGENTS} agents are in the answer")
    return {"ms": took * 1000}


def _write(stream: IO[bytes], message: dict[str, Any]) -> None:
    stream.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
    stream.flush()


def _request(stdin: IO[bytes], stdout: IO[bytes], method: str, params: object) -> dict[str, Any]:
    _write(stdin, {"id": method, "method": method, "params": params})
    for line in stdout:
        message = json.loads(line)
        if message.get("id") == method:
            if "error" in message:
                raise ToolFailedError(message["error"]["message"])
            return message["result"]
    raise ToolFailedError("the server has ended")
