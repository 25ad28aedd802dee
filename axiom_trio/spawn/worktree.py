"""A git worktree for each child, so that agents don't write into each other's files.

One without changes is removed with its branch; one with changes is kept, and named.
"""

from __future__ import annotations

import os
import re
import secrets
from contextlib import suppress
from typing import Final, final

import attrs
import trio

from axiom_trio.sansio.errors import AxiomError

_PATIENCE: Final = 60.0  # seconds for git to look and to remove, when all else is over
_FOREIGN: Final = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_PREFIX")


class WorktreeError(AxiomError):
    """There can be no worktree; says why in a sentence."""


@final
@attrs.frozen
class Worktree:
    """One child's."""

    path: str
    """Its top directory."""
    directory: str
    """Where in it the child runs: the same place as ours in its own."""
    branch: str
    """The branch that was made for it."""


@final
class Worktrees:
    """Makes worktrees of the repository in a directory, at its HEAD; `open_worktrees` makes it."""

    def __init__(self, top: str, below: str, base: str, *, dirty: bool) -> None:
        self._top = top
        self._below = below
        self._base = base
        self.dirty = dirty
        """Whether there are changes that are not committed, and so in no worktree."""
        self._turn = trio.Lock()  # two gits at once may find a lock of the other's

    async def add(self, name: str) -> Worktree:
        """Make one, on a branch of its own.

        Raises:
            WorktreeError: It can't be made.
        """
        plain = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-")[:40] or "child"
        branch = f"axiom/{plain}-{secrets.token_hex(3)}"
        path = os.path.join(f"{self._top}.worktrees", branch.removeprefix("axiom/"))
        async with self._turn:
            await _git(self._top, "worktree", "add", "--quiet", "-b", branch, path, self._base)
        return Worktree(path, os.path.join(path, self._below) if self._below else path, branch)

    async def finish(self, tree: Worktree) -> str | None:
        """Its child has ended: remove it if nothing is in it; else what is, in a sentence."""
        with trio.move_on_after(_PATIENCE, shield=True):
            try:
                async with self._turn:
                    return await self._finish(tree)
            except WorktreeError as error:
                return f"the worktree {tree.path} (branch {tree.branch}) is kept: {error}"
        return f"the worktree {tree.path} (branch {tree.branch}) is kept: git does not answer"

    async def _finish(self, tree: Worktree) -> str | None:
        if not _is_there(tree.path):
            await _git(self._top, "worktree", "prune")
        else:
            changes = len((await _git(tree.path, "status", "--porcelain")).splitlines())
            here = f"{self._base}..HEAD"
            commits = int(await _git(tree.path, "rev-list", "--count", here, f"{self._base}..{tree.branch}"))
            if changes or commits:
                parts = [_plural(changes, "changed file")] if changes else []
                parts += [_plural(commits, "commit")] if commits else []
                return f"the worktree {tree.path} (branch {tree.branch}) is kept: {' and '.join(parts)}"
            await _git(self._top, "worktree", "remove", tree.path)
        if await _git(self._top, "rev-parse", "--verify", f"refs/heads/{tree.branch}") == self._base:
            await _git(self._top, "branch", "--quiet", "-D", tree.branch)
        with suppress(OSError):  # others are in it
            os.rmdir(f"{self._top}.worktrees")
        return None


async def open_worktrees(directory: str = ".") -> Worktrees:
    """Get ready to make worktrees.

    Args:
        directory: In a git repository that has a commit.

    Raises:
        WorktreeError: It isn't.
    """
    try:
        top = await _git(directory, "rev-parse", "--show-toplevel")
    except WorktreeError as error:
        raise WorktreeError(f"a worktree needs a git repository: {error}") from None
    try:
        base = await _git(top, "rev-parse", "--verify", "HEAD^{commit}")
    except WorktreeError:
        raise WorktreeError(f"a worktree needs a commit, and {top} has none yet") from None
    below = (await _git(directory, "rev-parse", "--show-prefix")).rstrip("/")
    dirty = bool(await _git(top, "status", "--porcelain"))
    return Worktrees(top, below, base, dirty=dirty)


async def _git(directory: str, *words: str) -> str:
    """What git says. Raises WorktreeError."""
    env = {name: value for name, value in os.environ.items() if name not in _FOREIGN}
    try:
        # A group of its own, as Ctrl-C is for the children; but our session, so it's no child's.
        done = await trio.run_process(
            ["git", "-C", directory, *words],
            capture_stdout=True,
            capture_stderr=True,
            check=False,
            env={**env, "LC_ALL": "C"},
            process_group=0,
        )
    except OSError as error:
        raise WorktreeError(f"git can't be run: {error.strerror}") from None
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").strip().split("\n")
        raise WorktreeError(lines[-1].removeprefix("fatal: ") or f"git ended with {done.returncode}")
    return str(done.stdout.decode("utf-8", "surrogateescape").rstrip("\n"))


def _is_there(path: str) -> bool:
    return os.path.isdir(path)


def _plural(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}"
