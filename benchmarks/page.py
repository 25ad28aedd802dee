"""What the page asks of the browser while ten children write: its longest task, and its heap."""

from __future__ import annotations

import shutil

from benchmarks.program import run_program
from benchmarks.series import Case, Context, Sample, interleave
from benchmarks.startup import python_of_axiom

CHILDREN = 10
WAYS = {
    "merged": (50_000, "merged stream, 50 000 lines/s"),
    "lanes": (50_000, "ten lanes, 50 000 lines/s"),
    "reading": (50_000, "while one reads back, 50 000 lines/s"),
    "flood": (0, "merged stream, as fast as they can"),
}


def page(context: Context) -> list[Case]:
    lines = 200_000 if context.quick else 1_000_000
    python = python_of_axiom()
    cases = []
    for name, (rate, title) in WAYS.items():
        result = Case(f"page-{name}", title)
        cases.append(result)
        if python is None or shutil.which("chromium") is None:
            result.problems["page"] = (
                "no interpreter with trio found" if python is None else "no chromium found"
            )
            continue
        view = "merged" if name == "flood" else name

        def measure(_: str, python: str = python, rate: int = rate, view: str = view) -> Sample:
            return run_program(python, "benchmarks.pagerun", lines, rate, view)

        interleave(result, ["page"], min(context.rounds, 3), measure)
    return cases
