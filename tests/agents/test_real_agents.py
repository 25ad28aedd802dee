"""The rule sets with the agents' real CLIs, where these are installed, and a model that does as it's told.

They're looked for in the directory that `AXIOM_AGENTS` names, else on PATH. Nothing is asked beyond 127.0.0.1:
the model's API is ours, and a proxy that isn't there is in the way of all else.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from axiom_trio import Child, Delivery, Intervention, PtyExecutor, StreamAggregator, open_aggregator
from axiom_trio.sansio.plain import plain
from axiom_trio.sansio.presets import RULE_SETS
from axiom_trio.testing import MemorySink
from tests.agents.fakeapi import DONE, FakeApi, fake_api
from tests.commands import PATIENCE

pytestmark = pytest.mark.slow
AGENTS = ["claude", "codex", "gemini", "aider"]
READY = {"claude": "❯", "codex": "Ask Codex to do anything", "gemini": "Type your message", "aider": "diff>"}


def find(agent: str) -> str:
    """Where it is; else the test is skipped, and says so."""
    found = shutil.which(agent, path=os.environ.get("AXIOM_AGENTS"))
    if found is None:
        pytest.skip(f"{agent} is neither on PATH nor in the directory that AXIOM_AGENTS names")
    return found


@pytest.fixture(autouse=True)
def _is_there(name: str) -> None:
    find(name)  # here, as a reason given within a nursery would not be shown


def nowhere(home: Path, url: str) -> dict[str, str]:
    """An environment in which only our API can be reached, and nobody's account is known."""
    dead = dict.fromkeys(
        ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "https_proxy", "http_proxy"), "http://127.0.0.1:9"
    )
    kept = {name: os.environ[name] for name in ("LANG", "AXIOM_TEST_MARKER") if name in os.environ}
    return {
        **dead,
        **kept,
        "PATH": os.pathsep.join(filter(None, (os.environ.get("AXIOM_AGENTS"), os.environ["PATH"]))),
        "HOME": str(home),
        "TERM": "xterm-256color",
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
        "ANTHROPIC_BASE_URL": url,
        "ANTHROPIC_API_KEY": "no-key-00000000000000000000",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
        "DISABLE_TELEMETRY": "1",
        "OPENAI_API_KEY": "no-key",
        "OPENAI_API_BASE": f"{url}/v1",
        "GEMINI_API_KEY": "no-key",
        "GOOGLE_GEMINI_BASE_URL": url,
    }


def set_up(agent: str, home: Path, work: Path, url: str, *, trusted: bool = True) -> list[str]:
    """Write its settings, as one has them who has used it; return its argv."""
    program = find(agent)
    if agent == "claude":
        settings: dict[str, object] = {
            "hasCompletedOnboarding": True,
            "theme": "dark",
            "customApiKeyResponses": {"approved": ["00000000000000000000"], "rejected": []},
        }
        if trusted:
            settings["projects"] = {str(work): {"hasTrustDialogAccepted": True}}
        (home / ".claude.json").write_text(json.dumps(settings))
        return [program, "--permission-mode", "default"]
    if agent == "codex":
        provider = f'{{name="fake",base_url="{url}/v1",env_key="OPENAI_API_KEY",wire_api="responses"}}'
        trust = f'projects={{{json.dumps(str(work))}={{trust_level="trusted"}}}}'
        given = ("-a", "on-request", "-s", "read-only", "-c", trust)
        if not trusted:  # it asks only in a repository
            given = ()
            (work / ".git").mkdir()
            (work / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
        return [
            *(program, *given, "-c", "check_for_update_on_startup=false"),
            *("-c", "model_provider=fake", "-c", f"model_providers.fake={provider}"),
        ]
    if agent == "gemini":
        folder = home / ".gemini"
        folder.mkdir()
        (folder / "settings.json").write_text(
            json.dumps(
                {
                    "security": {"auth": {"selectedType": "gemini-api-key"}},
                    "privacy": {"usageStatisticsEnabled": False},
                    "general": {"enableAutoUpdate": False},
                }
            )
        )
        if trusted:
            (folder / "trustedFolders.json").write_text(json.dumps({str(work): "TRUST_FOLDER"}))
        return [program]
    return [
        *(program, "--model", "openai/fake", "--edit-format", "diff", "--no-git", "--no-check-update"),
        *("--analytics-disable", "--no-show-model-warnings", "--no-show-release-notes", "--no-auto-commits"),
    ]


class Agent:
    """One that runs, and what was decided about it."""

    def __init__(
        self, aggregator: StreamAggregator, child: Child, sink: MemorySink, api: FakeApi, work: Path
    ):
        self.aggregator = aggregator
        self.child = child
        self.sink = sink
        self.api = api
        self.work = work

    def screen(self) -> str:
        terminal = self.aggregator.screens.of(self.child)
        if terminal is not None and self.child.name != "aider":  # aider writes lines, and edits one
            return "\n".join(terminal.text())
        return plain(self.sink.data(self.child.id)).decode("utf-8", "replace")

    async def ready(self) -> None:
        """Wait until its input box is there, and it's silent for so long that an answer can be told."""
        await self.shows(READY[self.child.name])
        size = -1
        while size != (size := len(self.sink.data(self.child.id))):  # noqa: ASYNC110 (no event tells of it)
            await trio.sleep(1.5)

    async def shows(self, text: str) -> None:
        with trio.move_on_after(PATIENCE) as scope:
            while text not in self.screen():  # noqa: ASYNC110 (nobody tells)
                await trio.sleep(0.05)
        assert not scope.cancelled_caught, f"waited for {text!r} in:\n{self.screen()}\n{self.api.log}"

    @property
    def pressed(self) -> list[str]:
        return [event.text for event in self.sink.of_type(Intervention) if event.origin == "rule"]

    @property
    def fates(self) -> list[tuple[str, str]]:
        return [
            (event.state, event.reason)
            for event in self.sink.of_type(Delivery)
            if event.rule and event.reason != "somebody is typing"
        ]  # our message, 2 s before


@asynccontextmanager
async def running(agent: str, folder: Path, *, trusted: bool = True) -> AsyncIterator[Agent]:
    home, work = folder / "home", folder / "work"
    home.mkdir()
    work.mkdir()
    sink = MemorySink()
    with fake_api() as api:
        argv = set_up(agent, home, work, api.url, trusted=trusted)
        async with open_aggregator([sink], rules=RULE_SETS[agent](), grace=1, subreaper=True) as aggregator:
            _ = aggregator.screens
            executor = PtyExecutor(argv, cwd=work, env=nowhere(home, api.url), size=(40, 100))
            child = await aggregator.start(executor, name=agent)
            try:
                yield Agent(aggregator, child, sink, api, work)
            finally:
                child.stop()


async def until(condition, what: str, agent: Agent) -> None:
    with trio.move_on_after(PATIENCE) as scope:
        while not condition():  # noqa: ASYNC110 (no event tells of it)
            await trio.sleep(0.05)
    assert not scope.cancelled_caught, f"waited {what}:\n{agent.screen()}\n{agent.fates}\n{agent.api.log}"


@pytest.mark.parametrize("name", AGENTS)
async def test_a_message_is_taken_and_what_it_asks_to_do_is_agreed_to_once(name: str, tmp_path: Path) -> None:
    async with running(name, tmp_path) as agent:
        await agent.ready()
        receipt = await agent.child.intervene("PLEASE RUN touch made.txt")
        assert receipt.state == "confirmed", (receipt, agent.screen())
        await until((agent.work / "made.txt").exists, "for the file", agent)
        if name != "aider":
            await agent.shows(DONE)
        assert agent.pressed == [{"codex": "y", "aider": "y"}.get(name, "1")], agent.screen()
        await until(lambda: agent.fates, "for its fate", agent)
        assert [state for state, _ in agent.fates] == ["confirmed"], agent.fates


@pytest.mark.parametrize("name", AGENTS[:3])
async def test_a_file_is_written_and_changed(name: str, tmp_path: Path) -> None:
    async with running(name, tmp_path) as agent:
        await agent.ready()
        await agent.child.intervene("PLEASE WRITE a.txt THEN EDIT a.txt")
        file = agent.work / "a.txt"
        await until(lambda: file.exists() and file.read_text() == "omega\nbeta\n", "for the file", agent)
        await agent.shows(DONE)
        assert len(agent.pressed) == 2
        # The two may look alike, and the second may come at once: then the first seems to stay.
        assert {state for state, _ in agent.fates} <= {"confirmed", "unconfirmed", "suppressed"}, agent.fates


@pytest.mark.parametrize("name", AGENTS[:3])
async def test_trust_is_told_and_left_alone(name: str, tmp_path: Path) -> None:
    async with running(name, tmp_path, trusted=False) as agent:
        await agent.shows("rust")
        await until(lambda: agent.fates, "to be told", agent)
        assert all(state == "suppressed" and "only tells" in reason for state, reason in agent.fates)
        assert agent.pressed == []
