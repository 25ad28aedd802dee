"""What we want to reach, and whether a run reached it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks import verify
from benchmarks.series import Case

OURS = "axiom-trio"
Cases = dict[str, Case]


@dataclass(frozen=True)
class Goal:
    what: str
    wanted: float
    unit: str
    value: Callable[[Cases], float | None]
    at_least: bool = False

    def reached(self, value: float) -> bool:
        return value >= self.wanted if self.at_least else value <= self.wanted

    @property
    def target(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.wanted:g} {self.unit}"


def against(case: str, peer: str, metric: str = "mb_s") -> Callable[[Cases], float | None]:
    return lambda cases: cases[case].ratio(OURS, peer, metric) if case in cases else None


def journal_against(other: str) -> Callable[[Cases], float | None]:
    ours = "axiom-trio --journal"
    return lambda cases: cases["journal"].ratio(ours, other, "mb_s") if "journal" in cases else None


def of(case: str, metric: str, subject: str = OURS, scale: float = 1.0) -> Callable[[Cases], float | None]:
    def value(cases: Cases) -> float | None:
        found = cases[case].median(subject, metric) if case in cases else None
        return None if found is None else found * scale

    return value


def worst(cases: Cases, names: tuple[str, ...], metric: str, scale: float) -> float | None:
    found = [value for name in names if (value := of(name, metric)(cases)) is not None]
    return max(found) * scale if found else None


def defects(cases: Cases) -> float | None:
    """Everything that a checker found wrong in our output, in all cases."""
    verdicts = [case.verdicts[OURS] for case in cases.values() if OURS in case.verdicts]
    if not verdicts:
        return None
    return float(sum(v.get(what, 0) for v in verdicts for what in (*verify.DEFECTS, "unread")))


def footer(case: str, metric: str) -> Callable[[Cases], float | None]:
    """With a footer, against without."""
    return lambda cases: cases[case].ratio("with footer", "without", metric) if case in cases else None


def of_page(metric: str) -> Callable[[Cases], float | None]:
    """The highest of the page's cases."""

    def value(cases: Cases) -> float | None:
        ways = [name for name in cases if name.startswith("page-")]
        found = [value for name in ways if (value := of(name, metric, "page")(cases)) is not None]
        return max(found, default=None)

    return value


def slowest_answer(cases: Cases) -> float | None:
    """The longest that a call to spawn agents took."""
    ways = [case for name, case in cases.items() if name.startswith("spawn-")]
    return max((value for case in ways for value in case.column(OURS, "ms")), default=None)


def best_peer(cases: Cases) -> float | None:
    """Our time for many children against the best peer whose output was complete."""
    case = cases.get("many")
    if case is None:
        return None
    whole = [name for name, found in case.verdicts.items() if name != OURS and verify.complete(found)]
    ratios = [ratio for name in whole if (ratio := case.ratio(OURS, name, "seconds")) is not None]
    return max(ratios) if ratios else None


def run_true(cases: Cases) -> float | None:
    case = cases.get("startup")
    if case is None:
        return None
    pairs = zip(
        case.samples.get("axiom-trio run true", []), case.samples.get("import trio", []), strict=False
    )
    ratios = sorted(ours["ms"] / theirs["ms"] for ours, theirs in pairs)
    return ratios[len(ratios) // 2] if ratios else None


IDLE, FLOOD = ("latency-10-idle", "latency-100-idle"), ("latency-10-flood", "latency-100-flood")

GOALS = [
    Goal("throughput, small, against `cat \\| cat`", 0.8, "×", against("throughput-small", "cat|cat"), True),
    Goal("throughput, large, against `cat \\| cat`", 1.1, "×", against("throughput-large", "cat|cat"), True),
    Goal("throughput, small, against parallel", 2.2, "×", against("throughput-small", "parallel"), True),
    Goal("throughput, large, against parallel", 2.5, "×", against("throughput-large", "parallel"), True),
    Goal("throughput, small, against turbo", 1.1, "×", against("throughput-small", "turbo"), True),
    Goal("throughput, large, against turbo", 1.2, "×", against("throughput-large", "turbo"), True),
    Goal("line by line, against parallel", 1.3, "×", against("lines", "parallel"), True),
    Goal("own CPU from pipes", 1.0, "s/GB", of("throughput-large", "cpu_s_gb")),
    Goal("own CPU from PTYs", 3.0, "s/GB", of("pty", "cpu_s_gb")),
    Goal("PTYs, against C readers", 0.6, "×", against("pty", "C readers"), True),
    Goal("with a journal, against without", 0.67, "×", journal_against("axiom-trio"), True),
    Goal("with a journal, against tee per child", 1.0, "×", journal_against("tee per child"), True),
    Goal("with a journal, against script -c", 1.0, "×", journal_against("script -c"), True),
    Goal("latency p50, 10 and 100 children", 0.2, "ms", lambda cases: worst(cases, IDLE, "p50", 1e-3)),
    Goal("latency p99, 10 and 100 children", 0.6, "ms", lambda cases: worst(cases, IDLE, "p99", 1e-3)),
    Goal("latency p99 beside a flood", 1.0, "ms", lambda cases: worst(cases, FLOOD, "p99", 1e-3)),
    Goal(
        "intervention p99, to console and subscriptions", 5, "ms", of("intervention-idle", "p99", scale=1e-3)
    ),
    Goal("intervention p99, beside ten floods", 5, "ms", of("intervention-flood", "p99", scale=1e-3)),
    Goal("the same by a rule", 5, "ms", of("intervention-rule", "p99", scale=1e-3)),
    Goal("the same by the keyboard", 5, "ms", of("intervention-keyboard", "p99", scale=1e-3)),
    Goal("MCP: 10 agents with `returnImmediately`, till the answer", 200, "ms", slowest_answer),
    Goal("throughput with a footer, against without", 0.9, "×", footer("footer-throughput", "mb_s"), True),
    Goal("latency p50 with a footer, against without", 1.1, "×", footer("footer-latency-idle", "p50")),
    Goal("the same beside a flood", 1.1, "×", footer("footer-latency-flood", "p50")),
    Goal("page: longest task, in any view, own processor time", 200, "ms", of_page("cpu_ms")),
    Goal("page: heap after a million lines", 64, "MB", of_page("kept_mb")),
    Goal("peak memory, 10 children that flood", 32, "MB", of("memory-10", "mb")),
    Goal("peak memory, 100 children that flood", 40, "MB", of("memory-100", "mb")),
    Goal("peak memory, 1000 idle children", 40, "MB", of("memory-idle", "mb")),
    Goal("peak memory, 1000 children, stalled reader", 80, "MB", of("memory-stalled", "mb")),
    Goal("1000 × 1000 lines, time against the best complete peer", 0.5, "×", best_peer),
    Goal("stop 1000 children", 0.3, "s", of("stop", "seconds")),
    Goal("stop 1000 that ignore TERM, grace 0.5 s", 0.8, "s", of("stop-ignoring", "seconds")),
    Goal("`axiom-trio --help`", 30, "ms", of("startup", "ms", "axiom-trio --help")),
    Goal("`axiom-trio run true`, against `import trio`", 1.0, "×", run_true),
    Goal("in-process sources", 500, "k events/s", of("inprocess", "events_s", OURS, 1e-3), True),
    Goal("lines to one viewer", 1.5, "M/s", of("websocket-one", "lines_s", OURS, 1e-6), True),
    Goal("lines to 100 viewers", 1.0, "M/s", of("websocket-hundred", "lines_s", OURS, 1e-6), True),
    Goal("latency p99, child → viewer, with the tick", 20, "ms", of("websocket-tick", "p99", scale=1e-3)),
    Goal("the same without", 5, "ms", of("websocket-no-tick", "p99", scale=1e-3)),
    Goal("lost, torn, glued, reordered, duplicated lines", 0, "", defects),
]


def judge(cases: Cases) -> list[dict[str, object]]:
    rows = []
    for goal in GOALS:
        value = goal.value(cases)
        reached = None if value is None else goal.reached(value)
        row = {"what": goal.what, "goal": goal.target, "value": value, "unit": goal.unit, "reached": reached}
        rows.append(row)
    return rows
