"""The code blocks of the guides, and what a reader needs to run them."""

from __future__ import annotations

import ast
import inspect
import os
import re
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import trio

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

ROOT = Path(__file__).parents[1]

_FENCE = re.compile(r"^( *)```(\S*)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)


@attrs.frozen
class Block:
    """A code block of a page."""

    page: str
    line: int
    headline: str
    """The one it stands under."""
    prose: str
    """What stands between it and the block before, in one line."""
    language: str
    code: str
    output: str | None = None
    """The block of text right below."""

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(page: str, *languages: str) -> list[Block]:
    """The blocks of some languages in a page, in order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found: list[Block] = []
    headline, end = "", 0
    for match in _FENCE.finditer(text):
        prose = text[end : match.start()]
        headline = [headline, *re.findall(r"^#+ (.+)$", prose, re.MULTILINE)][-1]
        line = text.count("\n", 0, match.start()) + 2
        code = re.sub(f"^{match[1]}", "", match[3], flags=re.MULTILINE)
        if match[2] == "text" and found and not prose.strip():
            found[-1] = attrs.evolve(found[-1], output=code)
        found.append(Block(page, line, headline, " ".join(prose.split()), match[2], code))
        end = match.end()
    return [block for block in found if block.language in languages]


async def run(block: Block, names: dict[str, Any]) -> None:
    """Run a block of Python in `names`, where it may await on its own."""
    names.setdefault("print", partial(print, flush=True))  # in order with what goes to the descriptor
    padded = "\n" * (block.line - 1) + block.code
    code = compile(padded, block.page, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    if re.search(r"^trio\.run\(", block.code, re.MULTILINE):
        await trio.to_thread.run_sync(eval, code, names)
        return
    awaited = eval(code, names)
    if inspect.iscoroutine(awaited):
        await awaited


async def run_page(page: str, read: Callable[[], str], names: dict[str, Any]) -> None:
    """Run all Python of a page in `names`, one block after the other.

    Args:
        page: Its path.
        read: Gives what was printed since it was asked last.
        names: What it may use, and what it defines.
    """
    for block in blocks(page, "python"):
        try:
            await run(block, names)
        except BaseException as error:
            error.add_note(f"in {block}")
            raise
        printed = read()
        assert block.output in (None, printed), f"{block} prints\n{printed}\nand not\n{block.output}"


PROGRAMS = {
    "bin/axiom-trio": f'PYTHONPATH={ROOT} exec {sys.executable} -m axiom_trio "$@"',
    "bin/cargo": 'echo "cargo $*"',
    "bin/claude": f"""case "$1" in -p) exec {sys.executable} -I -S {ROOT}/tests/agents/scripted.py steered;; esac
printf 'Do you want to proceed? '; read -t 2 answer; echo $answer""",
    "bin/codex": r"""echo '{"type":"item.completed","item":{"type":"agent_message","text":"[\"Port it\"]"}}'
echo '{"type":"turn.completed"}'""",
    "bin/jq": "exec cat",
    "bin/make": 'echo "made $*"',
    "bin/npm": 'echo "npm $*"',
    "bin/ping": 'echo "pong from $3"',
    "bin/psql": "exec cat",
    "bin/pytest": "echo 3 passed",
    "bin/ssh": 'echo "forwarded $2"',
    "agent": "printf 'Proceed? [y/N] '; read answer; echo $answer",
    "api": 'echo listening on 8080; while read -r word; do echo "${word}ed"; [ -z "$ONCE" ] || exit 0; done',
    "load.sh": "echo loaded",
    "server": "echo listening; exec sleep ${SERVER_FOR:-600}",
    "web": "echo served",
}
"""What the guides' examples run, as far as it isn't everywhere."""


def furnish(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a directory the reader's own: it has the examples' programs and files, and we're in it."""
    (directory / "bin").mkdir()
    (directory / "run").mkdir(mode=0o700)
    for name, script in PROGRAMS.items():
        program = directory / name
        program.write_text(f"#!/bin/bash\n{script}\n")
        program.chmod(0o755)
    (directory / "Procfile").write_text("web: ./web\nload: ./load.sh\n")
    (directory / "password.txt").write_text("open sesame\n")
    monkeypatch.setenv("PATH", f"{directory / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(directory / "run"))
    monkeypatch.chdir(directory)
