"""What the guide says of the MCP server is so."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from axiom_trio.cli.mcp_options import HELP, OPTIONS, McpOptions, parse_mcp
from axiom_trio.cli.options import parse
from axiom_trio.cli.tasks import UsageError
from axiom_trio.spawn import mcp_tools
from axiom_trio.spawn.mcp_schema import schema_of

GUIDE = (Path(__file__).parents[2] / "docs" / "guide.md").read_text(encoding="utf-8")
SECTION = re.split(r"^## ", GUIDE[GUIDE.index("## As an MCP server") + 3 :], maxsplit=1, flags=re.MULTILINE)[
    0
]


def test_the_commands_that_hosts_are_given_are_understood() -> None:
    [shell] = re.findall(r"```bash\n(.*?)```", SECTION, re.DOTALL)
    lines = [shlex.split(line, comments=True) for line in shell.splitlines()]
    assert [line[0] for line in lines] == ["claude", "codex", "gemini"]
    for line in lines:
        words = [word for word in line[line.index("mcp", line.index("axiom-trio")) + 1 :] if word != "--"]
        assert isinstance(parse_mcp(words, {}), McpOptions)
    [text] = re.findall(r"```json\n(.*?)```", SECTION, re.DOTALL)
    server = json.loads(text)["mcpServers"]["axiom"]
    assert server["args"][0] == "mcp"
    assert isinstance(parse_mcp(server["args"][1:], {}), McpOptions)


@pytest.mark.parametrize("name", ["Spawn", "Output", "Status", "Send", "Interrupt"])
def test_all_tools_and_arguments_are_there(name: str) -> None:
    assert f"`axiom_mcp_{name.lower()}`" in SECTION
    schema = schema_of(getattr(mcp_tools, name))
    for argument, part in schema["properties"].items():
        assert f"`{argument}" in SECTION
        for inner in part.get("properties", ()):
            assert f"`{inner}`" in SECTION


def test_all_options_are_in_the_help_and_the_guide() -> None:
    for name in OPTIONS:
        assert f"--{name}" in HELP
        assert (
            name in ("no-interactive", "journal-size") or f"`--{name}`" in SECTION or f"`--{name} " in SECTION
        )
    assert max(map(len, HELP.splitlines())) <= 79
    assert parse_mcp(["--agent", "x", "--help"], {}) == HELP


def test_options_are_read_and_checked() -> None:
    options = parse_mcp(["-j2", "--agent=codex", "--no-interactive", "--timeout", "5m", "--journal", "d"], {})
    assert isinstance(options, McpOptions)
    assert (options.jobs, options.agent, options.interactive) == (2, "codex", False)
    assert (options.timeout, options.journal) == (300.0, "d")
    given = ["--mask-env", "TOKEN", "--mask-env", "KEY"]
    options = parse_mcp(given, {"TOKEN": "very secret", "KEY": "very private"})
    assert isinstance(options, McpOptions)
    assert {*options.secrets} == {"very secret", "very private"}
    for words in (["-j0"], ["--jobs"], ["x"], [":::", "x"], ["--journal", ""], ["--grace", "soon"]):
        with pytest.raises(UsageError, match=r"^axiom-trio mcp: "):
            parse(["mcp", *words], {})
