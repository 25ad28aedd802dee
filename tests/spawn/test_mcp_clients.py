"""`axiom-trio mcp` and clients that nobody here wrote: the SDK's over real pipes, and the Inspector.

The Inspector (npm: @modelcontextprotocol/inspector) is looked for in the directory of node_modules that
AXIOM_INSPECTOR names.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import trio

pytest.importorskip("mcp_types", reason="the extra mcp is not installed")

from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from tests.commands import PATIENCE, environment
from tests.spawn.serving import Serving, shell, text_of


@pytest.mark.slow
@pytest.mark.parametrize("era", ["legacy", "auto"])
async def test_the_sdk_over_pipes(tmp_path: Path, era: str) -> None:
    agent = shell('trap \'exit 1\' INT; seq -f "$0 %g" 3000; read -r line; echo "got $line"; sleep 1000')
    parameters = StdioServerParameters(
        command=sys.executable,
        args=["-m", "axiom_trio", "mcp", "--interactive", "--agent", agent],
        env=environment(TMPDIR=str(tmp_path)),
    )
    expected = "".join(f"line {number}\n" for number in range(1, 3001))
    with (tmp_path / "stderr").open("w") as stderr, trio.fail_after(2 * PATIENCE):
        async with Client(stdio_client(parameters, errlog=stderr), mode=era) as client:
            server = Serving(client, None)
            result = await server.call("spawn", parentPrompt="line", spawnCount=3, returnImmediately=True)
            ids = [task["taskId"] for task in result["tasks"]]
            entries: list[Any] = []
            cursor = result["cursor"]
            sent = False
            while not all(text_of(entries, id_).count("got you") for id_ in ids):
                page = await server.call(
                    "output", taskId=result["spawnId"], cursor=cursor, limit=997, waitMs=5000
                )
                entries += page["entries"]
                cursor = page["nextCursor"]
                if not sent and all(text_of(entries, id_).endswith("line 3000\n") for id_ in ids):
                    sent = True
                    for id_ in ids:
                        await server.call("send", taskId=id_[:8], text="you")
            for id_ in ids:
                assert text_of(entries, id_).startswith(expected)
            told = await server.call("interrupt", taskId=result["spawnId"])
            assert told["interrupted"] == ids
            rest = await server.output(result["spawnId"], cursor=cursor)
            assert [e["kind"] for e in rest if e["kind"] == "completed"] == ["completed"] * 3
    assert (tmp_path / "stderr").read_text() == ""


def inspector() -> str:
    directory = os.environ.get("AXIOM_INSPECTOR", "")
    found = shutil.which("mcp-inspector", path=os.path.join(directory, ".bin")) if directory else None
    if found is None or shutil.which("node") is None:
        pytest.skip(
            "there is no node, or AXIOM_INSPECTOR names no directory with @modelcontextprotocol/inspector"
        )
    return found


@pytest.mark.slow
@pytest.mark.parametrize("era", ["legacy", "modern", "auto"])
def test_the_inspector(tmp_path: Path, era: str) -> None:
    program = inspector()

    def inspected(*words: str) -> tuple[int, Any]:
        server = [sys.executable, "-m", "axiom_trio", "mcp", "--agent", "echo {prompt}"]
        done = subprocess.run(
            [program, "--cli", "-q", "--format", "json", "--protocol-era", era, *words, "--", *server],
            capture_output=True,
            env=environment(TMPDIR=str(tmp_path), HOME=str(tmp_path)),
            timeout=2 * PATIENCE,
            cwd=tmp_path,
        )
        return done.returncode, json.loads(done.stdout)["result"]

    def called(tool: str, **arguments: Any) -> tuple[int, Any]:
        words = ["--method", "tools/call", "--tool-name", f"axiom_mcp_{tool}"]
        return inspected(*words, "--tool-args-json", json.dumps(arguments))

    status, listed = inspected("--method", "tools/list", "--strict")
    assert status == 0, "the schemas are portable"
    assert len(listed["tools"]) == 5
    status, result = called("spawn", parentPrompt="hi there", spawnCount=3)
    assert status == 0
    assert [task["ok"] for task in result["structuredContent"]["tasks"]] == [True] * 3
    status, result = called("spawn", parentPrompt="hi", spawnCount=33)
    assert result["isError"]
    assert result["content"][0]["text"] == "spawnCount must be a whole number from 1 to 10, not 33"
    status, result = called("output", taskId="deadbeef")
    assert result["content"][0]["text"] == "there is no task 'deadbeef'; there are: none yet"
