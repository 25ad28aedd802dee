"""`python -m benchmarks`: measure, check, and write down."""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

from benchmarks import goals, helpers, machine, picture, report
from benchmarks.footer import footer
from benchmarks.inprocess import inprocess
from benchmarks.intervention import intervention
from benchmarks.journal import journal
from benchmarks.latency import latency
from benchmarks.many import many, stop
from benchmarks.memory import memory
from benchmarks.page import page
from benchmarks.roster import BY_NAME, missing
from benchmarks.series import Case, Context, say
from benchmarks.spawn import spawn
from benchmarks.startup import startup
from benchmarks.throughput import lines, pty, throughput
from benchmarks.websocket import websocket

MEASUREMENTS = {
    "startup": startup,
    "throughput": throughput,
    "lines": lines,
    "pty": pty,
    "journal": journal,
    "latency": latency,
    "intervention": intervention,
    "spawn": spawn,
    "footer": footer,
    "page": page,
    "memory": memory,
    "many": many,
    "stop": stop,
    "inprocess": inprocess,
    "websocket": websocket,
}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    add = parser.add_argument
    add("--quick", action="store_true", help="small sizes and two rounds: a few minutes, rough figures")
    add("--only", metavar="NAME,…", default="", help=f"of {', '.join(MEASUREMENTS)}")
    add("--tools", metavar="NAME,…", default="", help="of " + ", ".join(BY_NAME))
    add("--size", metavar="MB", type=int, help="size of a throughput run")
    add("--rounds", metavar="N", type=int, help="5; 2 with --quick")
    add(
        "--out",
        metavar="DIR",
        type=Path,
        default=Path(__file__).parent / "results",
        help="benchmarks/results",
    )
    add(
        "--render",
        metavar="FILE",
        type=Path,
        help="measure nothing, write table and picture of this JSON again",
    )
    asked = parser.parse_args()
    for names, known, option in ((asked.only, MEASUREMENTS, "--only"), (asked.tools, BY_NAME, "--tools")):
        unknown = [name for name in names.split(",") if name and name not in known]
        if unknown:
            parser.error(f"{option}: {', '.join(unknown)}: not one of {', '.join(known)}")
    return asked


def measure(asked: argparse.Namespace) -> dict:
    built = helpers.build()
    if built.remark:
        say(f"Note: {built.remark}")
    for peer in missing():
        say(f"Missing: {peer.name}: {peer.install}")
    tools = tuple(name for name in asked.tools.split(",") if name)
    context = Context(built, asked.quick, asked.rounds or (2 if asked.quick else 5), asked.size, tools)
    chosen = [name for name in asked.only.split(",") if name] or list(MEASUREMENTS)
    where = machine.describe()
    cases: list[Case] = []
    for name in chosen:
        cases += MEASUREMENTS[name](context)
    return {
        "when": time.strftime("%Y-%m-%d"),
        "machine": where,
        "tools": machine.tools(),
        "quick": asked.quick,
        "size": asked.size,
        "rounds": context.rounds,
        "remark": built.remark,
        "goals": goals.judge({case.name: case for case in cases}),
        "cases": [asdict(case) for case in cases],
    }


def write(result: dict, folder: Path, stem: str) -> None:
    cases = {case["name"]: Case(**case) for case in result["cases"]}
    result["goals"] = goals.judge(cases)
    folder.mkdir(parents=True, exist_ok=True)
    text = report.markdown(result, cases)
    (folder / f"{stem}.json").write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    (folder / f"{stem}.md").write_text(text)
    (folder / f"{stem}.svg").write_text(picture.svg(result, cases))
    print(text)
    say(f"Written: {folder / stem}.json, .md, .svg")


def main() -> int:
    asked = arguments()
    if not sys.platform.startswith("linux"):
        say("The benchmarks read /proc and use pidfds: they run on Linux only.")
        return 2
    if asked.render:
        write(json.loads(asked.render.read_text()), asked.out, asked.render.stem)
        return 0
    result = measure(asked)
    write(result, asked.out, result["when"] + ("-quick" if asked.quick else ""))
    return 0


if __name__ == "__main__":
    sys.exit(main())
