"""Real agents' CLIs as hosts of our MCP server, which has the same CLIs work for them; see test_real_agents.

So each of them finds its way through `axiom-trio mcp` as it would with a real model: the one here says which tool
to call.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mcp_types", reason="the extra mcp is not installed")

from tests.agents.fakeapi import DONE, fake_api
from tests.agents.test_real_agents import find, nowhere, set_up
from tests.commands import PATIENCE, ROOT

pytestmark = pytest.mark.slow
SAID = "hello from the child"


@pytest.fixture(autouse=True)
def _is_there(name: str) -> None:
    find(name)


def as_host(name: str, argv: list[str], home: Path, work: Path, env: dict[str, str]) -> list[str]:
    """Set an agent up to have our server; return the command that runs it on a prompt on its stdin."""
    start = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from axiom_trio.cli import main; main()"
    agent = name if name != "codex" else shlex.join([*argv, "--skip-git-repo-check"])
    server: dict[str, Any] = {
        "command": sys.executable,
        "args": ["-c", start, "mcp", "--agent", agent],
        "env": env,
    }
    if name == "claude":
        file = work / "mcp.json"
        file.write_text(json.dumps({"mcpServers": {"axiom": server}}))
        form = ("-p", "--output-format", "stream-json", "--verbose", "--mcp-config", str(file))
        return [argv[0], *form, "--allowedTools", "mcp__axiom__axiom_mcp_spawn"]
    if name == "gemini":
        file = home / ".gemini" / "settings.json"
        settings = {**json.loads(file.read_text()), "mcpServers": {"axiom": {**server, "trust": True}}}
        file.write_text(json.dumps(settings))
        return [argv[0], "--output-format", "stream-json"]
    parts = [f"{key}={json.dumps(server[key])}" for key in ("command", "args")]
    parts += ["required=true", "startup_timeout_sec=60"]  # else it goes on without
    parts.append(f"env={{{','.join(f'{key}={json.dumps(value)}' for key, value in env.items())}}}")
    free = "--dangerously-bypass-approvals-and-sandbox"
    ours = f"mcp_servers.axiom={{{','.join(parts)}}}"
    return [argv[0], "exec", "--json", "--skip-git-repo-check", free, *argv[1:], "-c", ours, "--", "-"]


@pytest.mark.parametrize("name", ["claude", "codex", "gemini"])
def test_an_agent_has_others_of_its_kind_work_for_it(name: str, tmp_path: Path) -> None:
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    arguments = json.dumps({"parentPrompt": f"PLEASE SAY {SAID}", "spawnCount": 2}).encode().hex()
    with fake_api() as api:
        argv = set_up(name, home, work, api.url)
        if name == "codex":
            argv = [argv[0], *argv[5:]]  # `exec` asks nobody
        env = {**nowhere(home, api.url), "ENABLE_TOOL_SEARCH": "false"}
        done = subprocess.run(
            as_host(name, argv, home, work, env),
            input=f"PLEASE CALL axiom_mcp_spawn {arguments}",
            capture_output=True,
            text=True,
            env=env,
            cwd=work,
            timeout=3 * PATIENCE,
        )
        assert done.returncode == 0, (done.stdout, done.stderr)
        told = done.stdout
        assert told.replace(f"PLEASE SAY {SAID}", "").count(SAID) >= 2, (told, done.stderr, api.log)
        assert DONE in told
        asked = [json.dumps(body) for _, body in api.requests]
        assert sum("PLEASE CALL" not in body and f"PLEASE SAY {SAID}" in body for body in asked) >= 2
