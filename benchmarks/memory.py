"""Peak memory: of the tool's first process, and of all its processes together (shared pages once)."""

from __future__ import annotations

import time

from benchmarks.processes import Tree, started
from benchmarks.runner import CAT, run, workplace
from benchmarks.series import Case, Context, Sample, ToolFailedError, interleave
from benchmarks.workload import Workload

STEP = 0.05
PATIENCE = 10.0


def case(context: Context, name: str, title: str, mode: str, children: int, *, stalled: bool = False) -> Case:
    result = Case(f"memory-{name}", f"peak memory, {title}")
    peers = {p.name: p for p in context.peers(children) if p.keeps_lines and "×" not in p.name}
    lasts = 1.5 if context.quick else 4.0

    def measure(tool: str) -> Sample:
        peaks = {"mb": 0.0, "tree_mb": 0.0, "ready": 0.0}
        patience = time.monotonic() + (PATIENCE if stalled else 60)
        with workplace() as folder:
            seconds = 60 if stalled or mode == "idle" else lasts
            work = Workload(context.helpers.generator, mode, children, folder, {"for": int(seconds * 1000)})

            def look(tree: Tree) -> bool:
                peaks["mb"] = max(peaks["mb"], tree.peak())
                peaks["tree_mb"] = max(peaks["tree_mb"], tree.pss())
                now = time.monotonic()
                if peaks["ready"]:
                    return now > peaks["ready"] + lasts
                running = len(started(work.pid_file))
                if running >= children or now > patience:
                    peaks["ready"] = now
                    if running < children:  # some start nobody while nobody reads
                        result.notes[tool] = f"with {running} children started"
                return False

            outcome = run(
                peers[tool].command(work), work, sink=None if stalled else CAT, limit=40, step=STEP, look=look
            )
            if outcome.problem or not peaks["ready"]:
                raise ToolFailedError(outcome.problem or "not all children were started")
        return {
            "mb": peaks["mb"],
            "tree_mb": max(peaks["tree_mb"], peaks["mb"] if tool == "axiom-trio" else 0),
        }

    return interleave(result, list(peers), min(context.rounds, 1 if context.quick else 3), measure)


def memory(context: Context) -> list[Case]:
    most = 100 if context.quick else 1000
    return [
        case(context, "10", "10 children that flood", "flood", 10),
        case(context, "100", "100 children that flood", "flood", 100),
        case(context, "idle", f"{most} idle children", "idle", most),
        case(context, "stalled", f"{most} children that flood, nobody reads", "flood", most, stalled=True),
    ]
