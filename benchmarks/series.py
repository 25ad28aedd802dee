"""Rounds: everyone once, then everyone again, so that what disturbs the machine disturbs all alike."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from benchmarks.helpers import Helpers
from benchmarks.peers import Peer
from benchmarks.roster import installed

Sample = dict[str, float]


@dataclass
class Context:
    """What was asked for on the command line."""

    helpers: Helpers
    quick: bool = False
    rounds: int = 5
    size: int | None = None
    tools: tuple[str, ...] = ()

    def peers(self, children: int = 0, *, floors: bool = False) -> list[Peer]:
        return [
            peer
            for peer in installed()
            if (not self.tools or peer.name in self.tools or peer.name == "axiom-trio")
            and (floors or not peer.floor)
            and children <= peer.most_children
        ]


@dataclass
class Case:
    """One comparison: per tool the samples of each round, and what a checker said of its output."""

    name: str
    title: str
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    verdicts: dict[str, dict[str, float]] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)

    def column(self, tool: str, metric: str) -> list[float]:
        return [sample[metric] for sample in self.samples.get(tool, []) if metric in sample]

    def median(self, tool: str, metric: str) -> float | None:
        values = self.column(tool, metric)
        return statistics.median(values) if values else None

    def ratio(self, ours: str, theirs: str, metric: str) -> float | None:
        """The median of the rounds' own ratios."""
        pairs = zip(self.samples.get(ours, []), self.samples.get(theirs, []), strict=False)
        ratios = [a[metric] / b[metric] for a, b in pairs if a.get(metric) and b.get(metric)]
        return statistics.median(ratios) if ratios else None


class ToolFailedError(Exception):
    """The tool did not do what it was asked; the sentence says how."""


def say(text: str, end: str = "\n") -> None:
    print(text, end=end, file=sys.stderr, flush=True)


def interleave(case: Case, subjects: Sequence[str], rounds: int, measure: Callable[[str], Sample]) -> Case:
    """Measures every subject once per round. One that fails is reported and sits out the rest."""
    say(f"{case.title}: {', '.join(subjects)}")
    for number in range(rounds):
        say(f"  round {number + 1}/{rounds}", end="")
        for subject in subjects:
            if subject in case.problems:
                continue
            try:
                sample = measure(subject)
            except ToolFailedError as error:
                case.problems[subject] = str(error)
                say(f"\n    {subject}: {error}", end="")
            else:
                case.samples.setdefault(subject, []).append(sample)
                say(".", end="")
        say("")
    return case
