"""The faults of tests/faults against whatever is installed: what happened, in a few words each.

    python -m benchmarks.faults [--tools NAME,…] [--cases T01,…] [--out FILE] [--limit SECONDS]

Writes a table (default: docs/faults.md). The children are those of tests/faults/child.py, the same
for every tool, each a script of its own; a tool that is not found is left out and named.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from benchmarks import machine
from benchmarks.faultcases import CASES, Case
from benchmarks.faultrun import TOOLS, HungError, Tool, Trial
from benchmarks.roster import BY_NAME

ROOT = Path(__file__).parent.parent
DEFAULT = ROOT / "docs" / "faults.md"

HEAD = """\
# Faults

What happens when readers sleep, disks are full, and children flood, fork, lie and die: axiom-trio and
its peers, with the same children, each fault by itself. The identifiers are those of the cases in
`tests/faults/`, where each is a test for axiom-trio (`python -m pytest tests/faults -k T17`).
"""

REMARKS = """\
* Cases of the journal, of secrets and of the library are not in the table: the others have nothing like them.
* Each cell is one run. Everything goes through a pipe, or a pseudo-terminal where the case says so.
* Tools are run with their defaults and what makes them comparable: {how}.
* honcho ends all its children when one ends; that is its policy, and explains several of its cells. Where
  lines are counted, the children wait for each other at their end.
* "ended" is the time from the signal, or from the fault, to the end of the tool; "survivors" are processes
  started by it that live 2 s later. They are found by a variable in their environment, and ended.
* A tool that has not ended when its time is up hangs: "hangs (> 20 s)".
"""


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def attempt(case: Case, tool: Tool, limit: float) -> str:
    with Trial(tool, limit) as trial:
        try:
            words = case.measure(trial)
        except HungError as hung:
            how = "not done in {:.0f} s" if trial.patient else "hangs (> {:.0f} s)"
            words = how.format(hung.seconds) + (f"; {hung.so_far}" if hung.so_far else "")
        except (OSError, ValueError, AssertionError) as error:
            words = f"not measured: {type(error).__name__} {error}"
        return words


def row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def markdown(results: dict[str, dict[str, str]], tools: list[Tool], command: str, missing: list[str]) -> str:
    where = machine.describe()
    lines = [HEAD, row("", "fault", "expected", *(f"{tool.name} {tool.version}".strip() for tool in tools))]
    lines.append("|" + "---|" * (3 + len(tools)))
    for case in CASES:
        if case.id in results:
            cells = (results[case.id].get(tool.name, "–") for tool in tools)
            lines.append(row(case.id, case.fault, case.expected, *cells))
    how = ", ".join(f"{tool.name} `{tool.how}`" for tool in tools if tool.how)
    lines += ["", REMARKS.format(how=how)]
    if missing:
        lines.append(
            "Not found: " + "; ".join(f"{name} ({BY_NAME[name].install})" for name in missing) + ".\n"
        )
    lines.append(f"Measured on {time.strftime('%Y-%m-%d')} by `{command}`, on {machine.in_words(where)}.")
    return "\n".join(lines) + "\n"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description=__doc__.split("\n")[0])
    known_tools = [tool.name for tool in TOOLS]
    known_cases = [case.id for case in CASES]
    parser.add_argument("--tools", metavar="NAME,…", default="", help=f"of {', '.join(known_tools)}")
    parser.add_argument("--cases", metavar="T01,…", default="", help=f"of {', '.join(known_cases)}")
    parser.add_argument("--out", metavar="FILE", type=Path, help="docs/faults.md, if all cases are run")
    parser.add_argument("--limit", metavar="SECONDS", type=float, default=20.0, help="for each run (20)")
    asked = parser.parse_args()
    for names, known, option in (
        (asked.tools, known_tools, "--tools"),
        (asked.cases, known_cases, "--cases"),
    ):
        unknown = [name for name in names.split(",") if name and name not in known]
        if unknown:
            parser.error(f"{option}: {', '.join(unknown)}: not one of {', '.join(known)}")
    return asked


def main() -> int:
    asked = arguments()
    if not sys.platform.startswith("linux"):
        say("The faults are made and watched by means of /proc: this runs on Linux only.")
        return 2
    wanted = asked.tools.split(",") if asked.tools else [tool.name for tool in TOOLS]
    tools = [tool for tool in TOOLS if tool.name in wanted and tool.find()]
    missing = [name for name in wanted if name not in [tool.name for tool in tools]]
    cases = [case for case in CASES if not asked.cases or case.id in asked.cases.split(",")]
    results: dict[str, dict[str, str]] = {}
    for case in cases:
        for tool in tools:
            began = time.monotonic()
            words = attempt(case, tool, asked.limit)
            results.setdefault(case.id, {})[tool.name] = words
            say(f"{case.id} {tool.name}: {words}  [{time.monotonic() - began:.1f} s]")
    options = [
        f"--{name} {value}" for name, value in (("tools", asked.tools), ("cases", asked.cases)) if value
    ]
    command = " ".join(["python -m benchmarks.faults", *options])
    text = markdown(results, tools, command, missing)
    out = asked.out or (None if asked.cases or asked.tools else DEFAULT)
    if out is None:
        print(text)
    else:
        out.write_text(text)
        say(f"Written: {json.dumps(str(out))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
