"""From a child's write to the reader of the tool's stdout: one line per 50 ms and child."""

from __future__ import annotations

from benchmarks.roster import BY_NAME
from benchmarks.runner import run, workplace
from benchmarks.series import Case, Context, Sample, ToolFailedError, interleave
from benchmarks.workload import Workload

FLOOR = "direct pipe"


def case(context: Context, children: int, mode: str) -> Case:
    warm, window = (700, 1500) if context.quick else (2000, 10_000)
    beside = mode == "beside"
    title = f"latency, {children} children, " + (
        "beside one that floods" if beside else "one line per 50 ms each"
    )
    result = Case(f"latency-{children}-{'flood' if beside else 'idle'}", title)
    # Filters that write in blocks, or that mix lines, have no latency worth the name.
    peers = {peer.name: peer for peer in context.peers(children) if "×" not in peer.name}
    subjects = [FLOOR, *peers]

    def measure(tool: str) -> Sample:
        with workplace() as folder:
            # Slow starters must be through with it before the window opens.
            options = {"every": 50_000, "for": warm + window + 800}
            work = Workload(context.helpers.generator, mode, children, folder, options)
            command = (BY_NAME["cat"] if tool == FLOOR else peers[tool]).command(work)
            reader = [*context.helpers.latency, f"warm={warm}", f"window={window}"]
            outcome = run(command, work, sink=reader, limit=(warm + window) / 1000 * 2 + 10)
            found = outcome.report
            if outcome.problem and not found.get("samples"):
                raise ToolFailedError(outcome.problem)
            if found.get("samples", 0) < children * window / 50_000 / 4:
                raise ToolFailedError(f"only {found.get('samples', 0)} lines came while it was measured")
            return {name: found[name] for name in ("p50", "p99", "max", "mb_s", "samples")}

    return interleave(result, subjects, min(context.rounds, 1 if context.quick else 3), measure)


def latency(context: Context) -> list[Case]:
    counts = (10,) if context.quick else (10, 100)
    return [case(context, children, mode) for mode in ("tick", "beside") for children in counts]
