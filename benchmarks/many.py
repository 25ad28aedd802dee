"""A thousand children at once: run them to their end, and stop them."""

from __future__ import annotations

import time

from benchmarks import verify
from benchmarks.processes import Tree, started
from benchmarks.runner import run, terminate, workplace
from benchmarks.series import Case, Context, Sample, ToolFailedError, interleave
from benchmarks.workload import Workload

GRACE = 0.5


def start_to_end(context: Context, children: int) -> Case:
    result = Case("many", f"{children} children, 1000 lines each, start to end")
    peers = {p.name: p for p in context.peers(children) if p.keeps_lines}

    def measure(tool: str) -> Sample:
        with workplace() as folder:
            work = Workload(context.helpers.generator, "block", children, folder, {"lines": 1000})
            sink = verify.sink(context.helpers, work, peers[tool].prefix)
            outcome = run(peers[tool].command(work), work, sink=sink, limit=90)
            if outcome.problem:
                raise ToolFailedError(outcome.problem)
            found = verify.verdict(outcome)
            if tool not in result.verdicts or verify.complete(result.verdicts[tool]):
                result.verdicts[tool] = found
            return {"seconds": outcome.seconds}

    return interleave(result, list(peers), min(context.rounds, 1 if context.quick else 5), measure)


def end_by_signal(context: Context, children: int, *, ignore: bool) -> Case:
    patience = 7 if context.quick else 15
    what = f"{children} children" + (" that ignore TERM" if ignore else "")
    result = Case("stop-ignoring" if ignore else "stop", f"stop {what}")
    peers = {p.name: p for p in context.peers(children) if p.keeps_lines and "×" not in p.name}

    def measure(tool: str) -> Sample:
        sent = 0.0
        ready = 0.0
        with workplace() as folder:
            options = {"for": 90_000, "ignore": int(ignore)}
            work = Workload(context.helpers.generator, "idle", children, folder, options)

            def look(tree: Tree) -> bool:
                nonlocal sent, ready
                if sent:
                    return time.monotonic() > sent + patience
                if not ready and len(started(work.pid_file)) >= children:
                    ready = time.monotonic()
                if ready and time.monotonic() > ready + 1:
                    sent = time.monotonic()
                    terminate(tree.root)
                return False

            asked = ("--grace", f"{GRACE * 1000:.0f}ms") if ignore and tool == "axiom-trio" else ()
            outcome = run(peers[tool].command(work, *asked), work, limit=60, step=0.05, look=look)
            ended = outcome.tool_ended
            if not sent:
                raise ToolFailedError(
                    "ended before it was asked to" if ready else outcome.problem or "did not start all"
                )
            if ended > sent + patience:
                raise ToolFailedError(f"not stopped after {patience} s")
            if outcome.survivors:
                result.notes[tool] = f"left {outcome.survivors} children behind"
        return {"seconds": ended - sent, "beyond_grace": ended - sent - GRACE, "survivors": outcome.survivors}

    return interleave(result, list(peers), min(context.rounds, 1 if context.quick else 5), measure)


def many(context: Context) -> list[Case]:
    return [start_to_end(context, 100 if context.quick else 1000)]


def stop(context: Context) -> list[Case]:
    children = 100 if context.quick else 1000
    return [end_by_signal(context, children, ignore=ignore) for ignore in (False, True)]
