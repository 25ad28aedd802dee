"""Verbose master mode as a whole: ten mixed children in a real terminal, watched, steered and ended."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
import time
from pathlib import Path

import pytest

from tests.commands import command, wait_until
from tests.tmux import Tmux, needs_tmux

ACTORS = Path(__file__).with_name("actors.py")


def actor(part: str) -> str:
    return shlex.join([sys.executable, "-I", "-S", str(ACTORS), part])


CHILDREN = {
    **{
        part: actor(part) for part in ("build", "bars", "asks", "agent", "hangs", "fails", "floods", "serves")
    },
    "top": "top -d 1",
    "repl": f"{sys.executable} -q -i -c 'answer = 42'",
}
OPTIONS = (
    *("-n", ",".join(CHILDREN), "--idle-warn", "5s"),
    *("--on", r"Do you want to proceed\? \[y/N\] $ => y"),
)
GOLDEN = {
    "build": r"[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏] +\d+ lines .* running",
    "bars": r"\|[█░]{10}\| +\d+ % .* running +\w+\.\w+ +\d+% \|[█░].*",
    "asks": r"[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏] +\d+ lines .* ⚡\d+  running.*",
    "agent": r"[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏] +\d+ lines .* ⚡1  running",
    "hangs": r"[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏] +1 line .* \d+ s ago .* running",
    "fails": r"9 lines .* ✗ exit 3",
    "floods": r"[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏] +[\d,]+ lines .* running",
    "serves": r"[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏] +\d+ lines .* running",
    "top": r"[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏] +\d+ lines .* ▣ running",
    "repl": r"[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏] +\d+ lines .* ⚡1  running +>>>",
}
LATELY = 3000  # lines that have scrolled off: nobody looks further back


def footer(screen: str) -> list[str]:
    """The rows below the stream."""
    rows = screen.rstrip("\n").split("\n")
    return rows[max(n for n, row in enumerate(rows) if row.startswith("── ")) :]


def is_golden(screen: str) -> bool:
    """Whether the footer says of each child what is so."""
    if "── " not in screen:
        return False
    _, *rows, typed = footer(screen)
    return typed.startswith("› ") and all(
        re.fullmatch(rf"  {name} +{pattern}", row.rstrip()) is not None
        for (name, pattern), row in zip(GOLDEN.items(), rows, strict=True)
    )


@needs_tmux
@pytest.mark.slow
@pytest.mark.skipif(shutil.which("top") is None, reason="needs top")
def test_ten_children_are_watched_and_steered_from_one_terminal() -> None:
    with Tmux(*command(*OPTIONS, *CHILDREN.values()), columns=110, rows=40) as tmux:

        def seen(text: str) -> None:
            tmux.wait_for(text, history=LATELY)

        # What the children say, and what a rule does for them.
        seen("▶ 10 children")
        seen("⚡ Intervention #1 in [asks]")
        seen("[asks] [INTERVENTION] y")
        seen("[asks] step 1: applied")
        seen("⏸ [hangs] idle for 5 s")
        seen("✗ [fails] Failed: exit 3")
        seen("[top] ▣ full-screen")
        # What a person types.
        tmux.keys("repl:answer * 2", "Enter")
        seen("[repl] [INTERVENTION] answer * 2")
        seen("[repl] 84")
        tmux.keys("agent:stop planning, write the file", "Enter")
        seen("[agent] [INTERVENTION] stop planning, write the file")
        seen("[agent] understood: stop planning, write the file")
        tmux.keys("agnet:hello", "Enter")
        tmux.wait_for(lambda screen: "agnet" in footer(screen)[-1] and "agent" in footer(screen)[-1])
        tmux.keys("C-u")
        tmux.wait_for(is_golden)
        # One child in full, and back.
        while (
            not (marked := [row for row in footer(tmux.screen()) if row.startswith("▶ ")])
            or "top" not in marked[0]
        ):
            tmux.keys("Down")
            tmux.wait_for(
                lambda screen, last=marked: [r for r in footer(screen) if r.startswith("▶ ")] != last
            )
        tmux.keys("Enter")
        tmux.wait_for(lambda screen: "load average" in screen.split("\n")[0] and "── " not in screen)
        tmux.keys("C-]")
        tmux.wait_for(lambda screen: "── 10 children" in screen)
        # A view that stands still.
        tmux.keys("Space")
        tmux.wait_for(lambda screen: "⏸ paused" in footer(screen)[0])

        def stands_still() -> bool:
            """What was being written when it was told to pause still comes."""
            before = tmux.screen().split("\n")[:20]
            time.sleep(1.7)  # in which a flood would have come
            return before == tmux.screen().split("\n")[:20]

        wait_until(stands_still, "for the view to stand still")
        tmux.keys("Space")
        tmux.wait_for(lambda screen: "paused" not in footer(screen)[0])
        # The end.
        tmux.keys("C-c")
        seen("once more kills")
        assert tmux.exit_status() == 130
        end = tmux.wait_for("STOPPED  10 children · 1 failed · 9 stopped", history=LATELY)
        assert "✗ [fails] Failed: exit 3; all it wrote:" in end
        assert "  │ AssertionError: 41 != 42" in end
        # Nothing was torn: each line of the flood is whole, and comes once, in order.
        flood = re.findall(r"^\[floods\] (\d{6})(.*)$", tmux.screen(history=True), re.MULTILINE)
        numbers = [int(number) for number, _ in flood]
        assert numbers == list(range(len(numbers)))
        assert len(numbers) > 1000
        assert {rest for _, rest in flood} == {" the quick brown fox jumps over the lazy dog"}
