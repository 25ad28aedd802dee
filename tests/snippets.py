"""The code blocks of the guides, and running them as a reader would."""

from __future__ import annotations

import ast
import inspect
import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"

_FENCE = re.compile(r"^```(\S*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@attrs.frozen
class Block:
    """A code block, and what is shown right below as its output."""

    page: str
    line: int
    headline: str
    language: str
    code: str
    output: str | None

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(page: str, language: str) -> list[Block]:
    """The blocks of one language in a page, in order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found = [*_FENCE.finditer(text)]
    result = []
    for match, after in zip(found, [*found[1:], None], strict=True):
        if match[1] != language:
            continue
        shown = after is not None and after[1] == "text" and not text[match.end() : after.start()].strip()
        headlines = re.findall(r"^#+ (.+)$", _FENCE.sub("", text[: match.start()]), re.MULTILINE)
        line = text.count("\n", 0, match.start()) + 2
        output = after[2] if shown else None
        result.append(Block(page, line, headlines[-1] if headlines else "", language, match[2], output))
    return result


async def run(block: Block, names: dict[str, Any]) -> None:
    """Run a block of Python in `names`, where it may await on its own."""
    names.setdefault("print", partial(print, flush=True))  # in order with what goes to the descriptor
    padded = "\n" * (block.line - 1) + block.code
    code = compile(padded, block.page, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    awaited = eval(code, names)
    if inspect.iscoroutine(awaited):
        await awaited


async def run_page(page: str, read: Callable[[], str], **names: Any) -> list[Block]:
    """Run all Python of a page, one block after the other; `read` gives what was printed since it was asked.

    Returns:
        The blocks.
    """
    found = blocks(page, "python")
    for block in found:
        await run(block, names)
        printed = read()
        if block.output is not None:
            assert printed == block.output, f"{block}: it prints\n{printed}"
    return found
