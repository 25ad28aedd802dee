"""Worktrees, with real git: each child has its own, and what is empty goes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import trio

from axiom_trio import Child, ProcessExecutor, SpecificationError, open_aggregator
from axiom_trio.spawn.patterns import Spawner, Work
from axiom_trio.spawn.plan import PlanError, Subtask, make_plan
from axiom_trio.spawn.worktree import Worktree, WorktreeError, open_worktrees
from tests.commands import PATIENCE


def git(directory: Path, *words: str) -> str:
    done = subprocess.run(["git", "-C", str(directory), *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture(autouse=True)
def identity(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "Test")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "test@example.invalid")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    top = tmp_path / "project"
    (top / "sub").mkdir(parents=True)
    (top / "sub" / "file").write_text("here\n")
    (top / ".gitignore").write_text("*.tmp\n")
    git(top, "init", "-q", "-b", "main")
    git(top, "add", ".")
    git(top, "commit", "-q", "-m", "first")
    return top


async def run(
    repository: Path, pattern: str = "parallel", **scripts: str
) -> tuple[dict[str, Any], list[str]]:
    """Run each script in a worktree of its own; where each ran, and what is told."""
    notices: list[str] = []
    directories: dict[str, Any] = {}
    with trio.fail_after(PATIENCE):
        async with open_aggregator() as aggregator:

            def start(work: Any) -> Any:
                directories[work.name] = Path(work.cwd)
                executor = ProcessExecutor(["sh", "-c", scripts[work.name]], cwd=work.cwd)
                return aggregator.start_soon(executor, name=work.name, metadata=work.metadata)

            plan = make_plan("x", pattern, subtasks=[Subtask("x", name) for name in scripts])
            trees = await open_worktrees(str(repository))
            await Spawner(aggregator, plan, start, worktrees=trees, notice=notices.append).run()
    assert all(child.completed and child.completed.ok for child in aggregator.children), [
        child.tail() for child in aggregator.children
    ]
    return directories, notices


async def test_each_child_has_its_own_and_what_is_empty_goes(repository: Path) -> None:
    directories, notices = await run(
        repository / "sub",
        reads="grep here file && touch ignored.tmp && cd ..",
        writes="echo a > new && echo b >> file",
        commits="echo c > file && git commit -qam second",
        leaves="git checkout -q --detach && echo d > file && git commit -qam third",
    )
    assert len(set(directories.values())) == 4
    assert (repository / "sub" / "file").read_text() == "here\n"
    assert not directories["reads"].exists()
    kept = {notice.split(":")[0]: notice for notice in notices}
    assert set(kept) == {"writes", "commits", "leaves"}
    assert kept["writes"].endswith("is kept: 2 changed files")
    assert kept["commits"].endswith("is kept: 1 commit")
    assert kept["leaves"].endswith("is kept: 1 commit")
    for name, notice in kept.items():
        assert f"the worktree {directories[name].parent} (branch axiom/{name}-" in notice
        assert directories[name].exists()
    branches = git(repository, "branch", "--format=%(refname:short)").split("\n")
    assert len(branches) == 4
    assert not any("reads" in branch for branch in branches)


async def test_nothing_is_left_where_nothing_was_changed(repository: Path) -> None:
    _, notices = await run(repository, one="true", two="git status >/dev/null", gone='rm -rf "$PWD"')
    assert notices == []
    assert [entry.name for entry in os.scandir(repository.parent)] == ["project"]
    assert git(repository, "branch", "--format=%(refname:short)") == "main"
    assert git(repository, "worktree", "list").count("\n") == 0


async def test_a_sequence_works_in_one(repository: Path) -> None:
    directories, notices = await run(repository, "sequential", one="echo a > new", two="grep a new && rm new")
    assert directories["one"] == directories["two"]
    assert notices == []
    assert not directories["one"].exists()
    directories, notices = await run(repository, "sequential", one="echo a > new", two="grep a new")
    [notice] = notices
    assert notice.startswith("agent: the worktree ")
    assert directories["two"].exists()


@pytest.mark.parametrize("pattern", ["parallel", "sequential", "recursive"])
async def test_one_whose_child_can_not_be_started_goes(repository: Path, pattern: str) -> None:
    def start(_work: Any) -> Any:
        raise SpecificationError("it can't be")

    async with open_aggregator() as aggregator:
        trees = await open_worktrees(str(repository))
        spawner = Spawner(aggregator, make_plan("x", pattern), start, worktrees=trees)
        with pytest.raises(SpecificationError):
            await spawner.run()
    assert [entry.name for entry in os.scandir(repository.parent)] == ["project"]


@pytest.mark.parametrize("pattern", ["parallel", "recursive"])
async def test_where_one_can_have_none_those_before_it_go_on(
    repository: Path, monkeypatch: pytest.MonkeyPatch, pattern: str
) -> None:
    trees = await open_worktrees(str(repository))
    add = trees.add

    async def adding(name: str) -> Worktree:
        if name == "c":
            raise WorktreeError("the disk is full")
        return await add(name)

    monkeypatch.setattr(trees, "add", adding)
    with trio.fail_after(PATIENCE):
        async with open_aggregator() as aggregator:

            def start(work: Work) -> Child:
                executor = ProcessExecutor("sleep 0.1; true", cwd=work.cwd)
                return aggregator.start_soon(executor, name=work.name, metadata=work.metadata)

            plan = make_plan("x", pattern, subtasks=[Subtask("x", name) for name in "abcd"])
            with pytest.raises(WorktreeError, match="the disk is full"):
                await Spawner(aggregator, plan, start, worktrees=trees).run()
            assert [child.name for child in aggregator.children] == ["a", "b"]
            assert all(child.completed and child.completed.ok for child in aggregator.children)
    assert [entry.name for entry in os.scandir(repository.parent)] == ["project"]


@pytest.mark.parametrize("pattern", ["parallel", "sequential", "decompose", "recursive"])
async def test_who_is_stopped_while_git_works_gets_no_child(
    repository: Path, monkeypatch: pytest.MonkeyPatch, pattern: str
) -> None:
    trees = await open_worktrees(str(repository))
    add = trees.add
    wanted = True

    async def adding(name: str) -> Worktree:
        nonlocal wanted
        tree = await add(name)
        wanted = False
        return tree

    monkeypatch.setattr(trees, "add", adding)

    def start(_work: Work) -> Child:
        raise AssertionError("it was stopped")

    async with open_aggregator() as aggregator:
        plan = make_plan("x", pattern)
        spawner = Spawner(aggregator, plan, start, worktrees=trees, may_start=lambda: wanted)
        if pattern == "decompose":
            with pytest.raises(PlanError, match="it was stopped before there was a plan"):
                await spawner.run()
        else:
            await spawner.run()
    assert [entry.name for entry in os.scandir(repository.parent)] == ["project"]


async def test_what_is_not_committed_is_told(repository: Path) -> None:
    assert not (await open_worktrees(str(repository))).dirty
    (repository / "sub" / "file").write_text("changed\n")
    assert (await open_worktrees(str(repository))).dirty


async def test_where_there_can_be_none_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WorktreeError, match="needs a git repository: not a git repository"):
        await open_worktrees(str(tmp_path))
    git(tmp_path, "init", "-q")
    with pytest.raises(WorktreeError, match="needs a commit"):
        await open_worktrees(str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(WorktreeError, match="git can't be run: No such file"):
        await open_worktrees(str(tmp_path))


async def test_names_are_no_paths(repository: Path) -> None:
    trees = await open_worktrees(str(repository))
    tree = await trees.add("../../x y\n")
    assert Path(tree.path).parent == Path(f"{repository}.worktrees")
    assert await trees.finish(tree) is None
