"""What of a run goes into the picture."""

from __future__ import annotations

import math

from benchmarks import machine, verify
from benchmarks.goals import OURS, Cases
from benchmarks.series import Case
from benchmarks.svg import Bar, Panel, page, short


def kind_of(tool: str, result: dict) -> str:
    if tool.startswith(OURS):
        return "ours"
    known = result["tools"].get(tool)
    return "floor" if known is None or known["floor"] else "peer"


def in_order(bars: list[Bar], *, most_first: bool) -> list[Bar]:
    far = -math.inf if most_first else math.inf
    return sorted(bars, key=lambda bar: far if bar.value is None else bar.value, reverse=most_first)


def flaw(case: Case, tool: str) -> str:
    found = case.verdicts.get(tool)
    return "" if not found or verify.complete(found) else "not complete"


def simple(
    case: Case, result: dict, metric: str, *, most_first: bool, unit: str = "", floors: bool = True
) -> list[Bar]:
    bars = []
    for tool in case.samples:
        value = case.median(tool, metric)
        kind = kind_of(tool, result)
        if value is not None and (floors or kind != "floor"):
            bars.append(Bar(tool, value, short(value) + unit, kind, flaw(case, tool)))
    bars = in_order(bars, most_first=most_first)
    return bars + [
        Bar(tool, None, "", "gone", "failed") for tool in case.problems if tool not in case.samples
    ]


def paired(first: Case, second: Case | None, result: dict, metric: str) -> list[Bar]:
    bars = []
    for tool in dict.fromkeys([*first.samples, *(second.samples if second else [])]):
        value, other = first.median(tool, metric), second.median(tool, metric) if second else None
        words = " / ".join("–" if v is None else short(v) for v in (value, *([other] if second else [])))
        bars.append(Bar(tool, value, words, kind_of(tool, result), second=other))
    bars = in_order(bars, most_first=False)
    return bars + [
        Bar(tool, None, "", "gone", "over 4 GB") for tool in first.problems if tool not in first.samples
    ]


def ranges(idle: Case, flood: Case | None, result: dict) -> list[Bar]:
    bars = []
    for tool in dict.fromkeys([*idle.samples, *(flood.samples if flood else [])]):
        near, far = idle.median(tool, "p50"), idle.median(tool, "p99")
        low, high = (flood.median(tool, "p50"), flood.median(tool, "p99")) if flood else (None, None)
        words = f"{short(far / 1000)}" if far else "–"
        speed = flood.median(tool, "mb_s") if flood else None
        remark = "" if flood is None else "–" if speed is None else f"{speed:,.0f}"
        words += "" if flood is None else " / " + (short(high / 1000) if high else "–")
        beside = (low / 1000, high / 1000) if low and high else None
        start, end = (near / 1000, far / 1000) if near and far else (None, None)
        bars.append(Bar(tool, start, words, kind_of(tool, result), remark, end, beside))
    return sorted(bars, key=lambda bar: (bar.beside or (0, math.inf))[1])


def startup_bars(case: Case) -> list[Bar]:
    bars = []
    for subject in case.samples:
        value = case.median(subject, "ms")
        name = (
            subject.removesuffix(": true").replace("axiom-trio", "axiom").replace("python -c pass", "python")
        )
        kind = "ours" if subject.startswith(OURS) else "peer" if ": true" in subject else "floor"
        if value is not None:
            bars.append(Bar(name, value, short(value), kind))
    return in_order(bars, most_first=False)


def panels(result: dict, cases: Cases) -> list[Panel]:
    found: list[Panel] = []
    fast = cases.get("throughput-large") or cases.get("throughput-small")
    if fast:
        hint = "MB/s, longer is better; start-up included"
        size = fast.title.rsplit(", ", 1)[1]
        bars = simple(fast, result, "mb_s", most_first=True)
        found.append(Panel(f"Throughput, 10 children, 100-byte lines, {size}", hint, bars))
        bars = [b for b in simple(fast, result, "cpu_s_gb", most_first=False) if b.value is not None]
        hint = "seconds per GB of output, shorter is better; the same runs"
        found.append(Panel("CPU of the tool itself", hint, bars, cut=True))
    for count in (100, 10):
        idle = cases.get(f"latency-{count}-idle")
        if idle:
            hint = (
                "p50 to p99, log scale; pale: quiet, strong: beside a flood; right: p99, and the flood's MB/s"
            )
            bars = ranges(idle, cases.get(f"latency-{count}-flood"), result)
            found.append(Panel(f"Latency, {count} children, child to reader", hint, bars, log=True))
            break
    if "memory-100" in cases:
        idle = cases.get("memory-idle")
        hint = "MB, all processes of the tool: 100 children that flood"
        hint += f" / {idle.title.split(', ')[1]} (pale)" if idle else ""
        found.append(Panel("Peak memory", hint, paired(cases["memory-100"], idle, result, "tree_mb")))
    if "many" in cases:
        bars = simple(cases["many"], result, "seconds", most_first=False, unit=" s")
        found.append(Panel(cases["many"].title.capitalize(), "seconds, shorter is better", bars))
    if "startup" in cases:
        bars = startup_bars(cases["startup"])
        found.append(Panel("Start-up, one child that does nothing", "ms, shorter is better", bars))
    return found


def svg(result: dict, cases: Cases) -> str:
    rounds = f"medians of {result['rounds']} interleaved rounds"
    where = f"{machine.in_words(result['machine'])}; {result['when']}; {rounds}"
    return page("axiom-trio beside its peers", where, panels(result, cases))
