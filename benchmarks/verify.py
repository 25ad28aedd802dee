"""Proof that a tool's output is complete: every line of every child, whole, in its order, once."""

from __future__ import annotations

from benchmarks.helpers import Helpers
from benchmarks.peers import Peer
from benchmarks.runner import Outcome, run
from benchmarks.workload import Workload

DEFECTS = ("lost", "torn", "glued", "reordered", "duplicated")


def sink(helpers: Helpers, work: Workload, prefix: str) -> list[str]:
    """A command that reads the merged stream and prints its verdict as JSON."""
    length = work.options.get("length", 100)
    wanted = [
        f"children={work.children}",
        f"lines={work.lines}",
        f"length={length}",
        f"prefix={prefix}",
        "ansi=1",
    ]
    return [*helpers.verifier, *wanted]


def verdict(outcome: Outcome) -> dict[str, float]:
    """Zero everywhere, or what is wrong; `unread` where the checker itself did not answer."""
    report = outcome.report
    return {what: report[what] for what in ("good", *DEFECTS, "noise")} if "good" in report else {"unread": 1}


def complete(found: dict[str, float]) -> bool:
    return bool(found) and not found.get("unread") and not any(found.get(what) for what in DEFECTS)


def in_words(found: dict[str, float]) -> str:
    if complete(found):
        return "complete"
    defects = [f"{found[what]:,.0f} {what}" for what in DEFECTS if found.get(what)]
    return ", ".join(defects) or "not checked"


def verified_pass(
    helpers: Helpers, peer: Peer, work: Workload, *options: str, limit: float
) -> dict[str, float]:
    command = peer.command(work, *options)
    return verdict(run(command, work, sink=sink(helpers, work, peer.prefix), limit=limit))
