"""Agents' command lines: how each is given a prompt, and whether it needs a terminal.

A prompt is one word of a command line, or written into stdin; it's never part of a shell line,
and never taken for an option.
"""

from __future__ import annotations

import os
import re
import shlex
from typing import TYPE_CHECKING, Final, final

import attrs

from axiom_trio.executors.agent import AgentExecutor
from axiom_trio.executors.process import ProcessExecutor
from axiom_trio.executors.pty import PtyExecutor
from axiom_trio.sansio.errors import SpecificationError
from axiom_trio.sansio.names import default_name

if TYPE_CHECKING:
    from axiom_trio.abc import Executor
    from axiom_trio.executors.agent import Format
    from axiom_trio.sansio.events import TaskMetadata

PROMPT: Final = "{prompt}"
"""Stands for the prompt in a word of a command."""
_INTERACTION: Final = re.compile(
    r"\b(?:install\w*|log(?:s|ged|ging)?[ -]?in|sign(?:s|ing)?[ -]?in|permissions?|servers?)\b", re.IGNORECASE
)


@final
@attrs.frozen(kw_only=True)
class Agent:
    """How an agent is run."""

    name: str
    stream: tuple[str, ...]
    """Its command where nobody types to it."""
    terminal: tuple[str, ...]
    """Its command on a terminal."""
    format: Format | None = None
    """What its stdout has then; None: text."""
    stdin: bool = False
    """Whether the prompt of `stream` goes into stdin."""
    steerable: bool = False
    """Whether it takes messages then, while it works."""
    unset: tuple[str, ...] = ()
    """Variables of ours that it must not have."""
    columns: int | None = None
    """How wide it's told that its output is where it has no terminal, if it would break lines."""

    def argv(self, prompt: str, *, interactive: bool) -> list[str]:
        """The words of its command, with the prompt in its place."""
        words = self.terminal if interactive else self.stream
        return [_filled(words, place, prompt) for place in range(len(words))]

    def executor(
        self,
        prompt: str,
        *,
        interactive: bool,
        cwd: str | None = None,
        size: tuple[int, int] = (24, 80),
        echo: bool = False,
    ) -> Executor:
        """A child that is given this prompt.

        Args:
            prompt: What it's to do.
            interactive: Whether on a terminal.
            cwd: Its directory; None: ours.
            size: Of its terminal.
            echo: Whether its terminal echoes.

        Raises:
            SpecificationError: It can't be.
        """
        argv = self.argv(prompt, interactive=interactive)
        env = {name: value for name, value in os.environ.items() if name not in self.unset}
        if self.columns is not None and not interactive:
            env["COLUMNS"] = str(self.columns)
        if interactive:
            return PtyExecutor(argv, cwd=cwd, env=env, size=size, echo=echo)
        if self.format is not None:
            told = prompt if self.stdin else None
            steerable = self.steerable
            return AgentExecutor(argv, format=self.format, prompt=told, steerable=steerable, cwd=cwd, env=env)
        return ProcessExecutor(argv, cwd=cwd, env=env)


def _filled(words: tuple[str, ...], place: int, prompt: str) -> str:
    word = words[place]
    # A space before it is nothing to an agent, and keeps it from being an option.
    if word == PROMPT and prompt.startswith("-") and words[place - 1] != "--":
        return f" {prompt}"
    return word.replace(PROMPT, prompt)


def find_agent(text: str) -> Agent:
    """The agent that a text names: a preset, with options behind it, or a command with `{prompt}`.

    Args:
        text: Such as `claude`, `claude --model opus`, or `my-agent --task={prompt}`; cut into words as a
            shell would do it, but no shell runs it.

    Raises:
        SpecificationError: It names none.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise SpecificationError(f"the agent {text!r} can't be cut into words: {error}") from None
    if not words:
        raise SpecificationError(f"no agent is named; give {', '.join(PRESETS)}, or a command with {PROMPT}")
    if any(PROMPT in word for word in words):
        if PROMPT in words[0]:
            raise SpecificationError(f"the agent {text!r} must begin with its program, not with the prompt")
        template = tuple(words)
        return Agent(name=default_name(shlex.join(words[:1])), stream=template, terminal=template)
    preset = PRESETS.get(os.path.basename(words[0]))
    if preset is None:
        known = ", ".join(PRESETS)
        raise SpecificationError(
            f"there is no agent {words[0]!r}; give {known}, or a command with {PROMPT} where the prompt goes"
        )
    return attrs.evolve(
        preset,
        stream=_with(preset.stream, words),
        terminal=_with(preset.terminal, words),
    )


def wants_terminal(metadata: TaskMetadata, asked: bool | None) -> bool:
    """Whether a child gets a terminal.

    Args:
        metadata: What it's to do.
        asked: What the user wants; None: as its prompt suggests, but where what it says is read here (a
            plan, never on a terminal, or a request for children), as an interface can't be.
    """
    if metadata.index is None:  # a planner
        return False
    if asked is not None:
        return asked
    return metadata.pattern != "recursive" and needs_terminal(metadata.prompt or "")


def _with(command: tuple[str, ...], words: list[str]) -> tuple[str, ...]:
    """The command with a program and options of the user's: they go where `...` stands."""
    place = command.index("...")
    return (words[0], *command[1:place], *words[1:], *command[place + 1 :])


def needs_terminal(prompt: str) -> bool:
    """Whether a task is likely to ask for something that a person has to answer."""
    return _INTERACTION.search(prompt) is not None


PRESETS: Final = {
    agent.name: agent
    for agent in (
        Agent(
            name="claude",
            stream=(
                *("claude", "-p", "--input-format", "stream-json", "--output-format", "stream-json"),
                *("--verbose", "--include-partial-messages", "..."),
            ),
            terminal=("claude", "...", "--", PROMPT),
            format="claude",
            stdin=True,
            steerable=True,
            unset=("CLAUDECODE",),  # it refuses to run within itself
        ),
        Agent(
            name="codex",
            stream=("codex", "exec", "--json", "...", "--", "-"),
            terminal=("codex", "...", "--", PROMPT),
            format="codex",
            stdin=True,
        ),
        Agent(
            name="gemini",
            stream=("gemini", "--output-format", "stream-json", "..."),
            terminal=("gemini", "...", f"--prompt-interactive={PROMPT}"),
            format="gemini",
            stdin=True,
        ),
        Agent(
            name="aider",
            stream=("aider", "--no-pretty", "--no-stream", "...", f"--message={PROMPT}"),
            terminal=("aider", "...", f"--message={PROMPT}"),
            columns=1_000_000,  # else a plan, and what it asks for, is broken at 80
        ),
    )
}
"""Agents that are known by name; `...` stands for the user's options."""
