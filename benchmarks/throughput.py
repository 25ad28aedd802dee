"""Ten children that write as fast as they can: wall time from start to end, and the tool's own CPU."""

from __future__ import annotations

from pathlib import Path

from benchmarks import verify
from benchmarks.peers import Command
from benchmarks.roster import BY_NAME
from benchmarks.runner import Outcome, run, workplace
from benchmarks.series import Case, Context, Sample, ToolFailedError, interleave
from benchmarks.workload import Workload

CHILDREN = 10
LINE = 100
LIMIT = 120.0


def sample(outcome: Outcome, work: Workload) -> Sample:
    if outcome.problem:
        raise ToolFailedError(outcome.problem)
    megabytes = work.bytes / 1e6
    own = max(0.0, outcome.cpu - work.children_cpu())
    return {
        "mb_s": megabytes / outcome.seconds,
        "cpu_s_gb": own / megabytes * 1000,
        "seconds": outcome.seconds,
    }


def workload(context: Context, folder: Path, megabytes: float, write: int) -> Workload:
    lines = int(megabytes * 1e6 / LINE / CHILDREN)
    options = {"lines": lines, "length": LINE, "write": write}
    return Workload(context.helpers.generator, "block", CHILDREN, folder, options)


def pipes(context: Context, name: str, title: str, megabytes: int, write: int = 65536) -> Case:
    """All tools at one size; those for which it would take minutes at a smaller one, which is noted."""
    case = Case(name, f"{title}, {megabytes} MB")
    peers = {peer.name: peer for peer in context.peers(CHILDREN, floors=True)}

    def measure(tool: str) -> Sample:
        with workplace() as folder:
            work = workload(context, folder, min(megabytes, peers[tool].most_mb), write)
            return sample(run(peers[tool].command(work), work, limit=LIMIT), work)

    interleave(case, list(peers), context.rounds, measure)
    for tool, peer in peers.items():
        if peer.most_mb < megabytes:
            case.notes[tool] = f"at {peer.most_mb} MB"
        if not peer.floor and tool not in case.problems:
            with workplace() as folder:
                work = workload(context, folder, min(megabytes, 200, peer.most_mb), write)
                case.verdicts[tool] = verify.verified_pass(context.helpers, peer, work, limit=LIMIT)
    return case


def ptys(context: Context, megabytes: int) -> Case:
    """Ours with `--pty` against a C program that reads as many PTYs and merges nothing."""
    case = Case("pty", f"10 PTYs, 100-byte lines in 64 KiB writes, {megabytes} MB")
    ours, floor = BY_NAME["axiom-trio"], context.helpers.ptyfloor
    subjects = ["axiom-trio"] * bool(ours.find()) + ["C readers"] * bool(floor)

    def measure(tool: str) -> Sample:
        with workplace() as folder:
            work = workload(context, folder, megabytes, 65536)
            if tool == "axiom-trio":
                command = ours.command(work, "--pty")
            else:
                command = Command([*(floor or []), *work.commands()], folder)
            return sample(run(command, work, limit=LIMIT), work)

    interleave(case, subjects, context.rounds, measure)
    if "axiom-trio" in case.samples:
        with workplace() as folder:
            work = workload(context, folder, min(megabytes, 50), 65536)
            found = verify.verified_pass(context.helpers, ours, work, "--pty", limit=LIMIT)
            case.verdicts["axiom-trio"] = found
    return case


def throughput(context: Context) -> list[Case]:
    title = "10 children, 100-byte lines in 64 KiB writes"
    small, large = (20, 100) if context.quick else (200, 1000)
    if context.size:
        return [pipes(context, "throughput-large", title, context.size)]
    return [
        pipes(context, "throughput-small", title, small),
        pipes(context, "throughput-large", title, large),
    ]


def lines(context: Context) -> list[Case]:
    size = context.size or (20 if context.quick else 200)
    return [pipes(context, "lines", "10 children, one write per 100-byte line", size, write=0)]


def pty(context: Context) -> list[Case]:
    return [ptys(context, context.size or (20 if context.quick else 200))]
