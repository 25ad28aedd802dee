"""How agents are given their prompts."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from axiom_trio import (
    AgentExecutor,
    ProcessExecutor,
    PtyExecutor,
    SpecificationError,
    TaskMetadata,
    open_aggregator,
)
from axiom_trio.spawn.presets import PRESETS, find_agent, needs_terminal, wants_terminal
from axiom_trio.testing import MemorySink
from tests.commands import PATIENCE

if TYPE_CHECKING:
    from axiom_trio import Executor

NASTY = ["--help", "-rf", "$(touch x) `y` ; rm -rf * \\ ' \"", "two\nlines", "{prompt}", "é😀", "a" * 100_000]
ECHO = [sys.executable, "-I", "-S", "-c", "import sys; print(ascii(sys.argv[1:]))"]


async def output(executor: Executor) -> bytes:
    sink = MemorySink()
    with trio.fail_after(PATIENCE):
        async with open_aggregator([sink]) as aggregator:
            child = aggregator.start_soon(executor)
    return sink.data(child.id).replace(b"\r\n", b"\n")


@pytest.mark.parametrize("interactive", [False, True])
@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("prompt", NASTY[:5])
def test_a_presets_prompt_is_one_word_or_stdin(name: str, prompt: str, interactive: bool) -> None:
    agent = find_agent(f"{name} --model 'my model'")
    argv = agent.argv(prompt, interactive=interactive)
    assert argv[0] == name
    at = argv.index("--model")
    assert argv[at + 1] == "my model"
    executor = agent.executor(prompt, interactive=interactive)
    if interactive:
        assert isinstance(executor, PtyExecutor)
    if agent.stdin and not interactive:
        assert isinstance(executor, AgentExecutor)
        assert executor._prompt == prompt
        assert not any(prompt in word for word in argv)
        return
    assert argv[-1].removeprefix("--message=").removeprefix("--prompt-interactive=") == prompt
    assert argv[-2] == "--" or argv[-1].startswith("--")


@pytest.mark.parametrize("prompt", NASTY)
@pytest.mark.parametrize("interactive", [False, True])
async def test_a_template_gets_the_prompt_as_it_is(prompt: str, interactive: bool) -> None:
    import shlex

    agent = find_agent(shlex.join([*ECHO, "--task={prompt}", "--", "{prompt}"]))
    text = await output(agent.executor(prompt, interactive=interactive, size=(24, 80)))
    assert text == ascii([f"--task={prompt}", "--", prompt]).encode() + b"\n"


def test_a_bare_prompt_is_never_an_option() -> None:
    agent = find_agent("my-agent {prompt}")
    assert agent.name == "my-agent"
    assert agent.argv("--help", interactive=False) == ["my-agent", " --help"]
    assert agent.argv("help", interactive=False) == ["my-agent", "help"]
    assert isinstance(agent.executor("x", interactive=False), ProcessExecutor)


@given(st.text().filter(lambda text: "\0" not in text))
def test_no_prompt_changes_the_other_words(prompt: str) -> None:
    for text in ("claude", "codex --model x", "gemini", "aider", "agent --do={prompt} -v"):
        agent = find_agent(text)
        for interactive in (False, True):
            words, other = (
                agent.argv(prompt, interactive=interactive),
                agent.argv("x", interactive=interactive),
            )
            assert len(words) == len(other)
            assert sum(a != b for a, b in zip(words, other, strict=True)) <= 1


def test_a_preset_may_be_named_by_its_path() -> None:
    assert find_agent("/opt/bin/claude").argv("x", interactive=True) == ["/opt/bin/claude", "--", "x"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "no agent is named"),
        ("clod", "there is no agent 'clod'; give claude, codex, gemini, aider, or a command with {prompt}"),
        ("claude 'x", "can't be cut into words"),
        ("{prompt} x", "must begin with its program"),
    ],
)
def test_what_is_no_agent_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(SpecificationError, match=sentence):
        find_agent(text)


async def environment_of(name: str, folder: Path, *, interactive: bool = False) -> dict[str, str]:
    """What a program that is called so is given."""
    program = folder / name
    program.write_text('#!/bin/sh\nenv -0 > "$0.env"\n')
    program.chmod(0o755)
    async with open_aggregator() as aggregator:
        aggregator.start_soon(find_agent(str(program)).executor("x", interactive=interactive))
    found = (folder / f"{name}.env").read_text().split("\0")
    return dict(entry.split("=", 1) for entry in found if entry)


async def test_claude_does_not_know_that_it_runs_within_itself(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CLAUDECODE", "1")
    env = await environment_of("claude", tmp_path)
    assert "CLAUDECODE" not in env
    assert env["PATH"] == os.environ["PATH"]


async def test_aider_breaks_no_lines_where_they_are_read_here(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A plan, or a request for children, would be cut at 80 columns; on a terminal that is its own affair."""
    monkeypatch.delenv("COLUMNS", raising=False)
    env = await environment_of("aider", tmp_path)
    assert int(env["COLUMNS"]) > 100_000
    assert env["PATH"] == os.environ["PATH"]
    assert "COLUMNS" not in await environment_of("aider", tmp_path, interactive=True)


@pytest.mark.parametrize(
    ("prompt", "needs"),
    [
        ("Install the packages", True),
        ("installation guide", True),
        ("log in to the site", True),
        ("fix the login", True),
        ("ask for permission", True),
        ("start the server", True),
        ("SERVERS", True),
        ("fix the observer", False),
        ("write a blog index", False),
        ("reserve a name", False),
    ],
)
def test_who_needs_a_terminal(prompt: str, needs: bool) -> None:
    assert needs_terminal(prompt) is needs


@pytest.mark.parametrize(
    ("pattern", "index", "asked", "wants"),
    [
        ("parallel", 0, None, True),
        ("sequential", 1, None, True),
        ("decompose", 0, None, True),
        ("recursive", 0, None, False),
        ("recursive", 0, True, True),
        ("parallel", 0, False, False),
        ("decompose", None, None, False),
        ("decompose", None, True, False),
    ],
)
def test_whose_words_are_read_gets_no_terminal(
    pattern: str, index: int | None, asked: bool | None, wants: bool
) -> None:
    metadata = TaskMetadata(prompt="install it", index=index, pattern=pattern)
    assert wants_terminal(metadata, asked) is wants
    assert wants_terminal(TaskMetadata(prompt="test it", index=0), None) is False
