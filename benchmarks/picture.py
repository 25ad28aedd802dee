"""The run as one SVG picture, drawn by hand; it brings its own ground, so it reads on light and dark pages."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from html import escape

from benchmarks import machine, verify
from benchmarks.goals import OURS, Cases
from benchmarks.series import Case

WIDTH, MARGIN, GAP, ROW, LABELS, VALUES = 1120, 36, 44, 25, 118, 96
MOST = 25
PANEL = (WIDTH - 2 * MARGIN - GAP) // 2

STYLE = """
text { font: 12px ui-sans-serif, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif;
  fill: #1f2937 }
.ground { fill: #ffffff; stroke: #e5e7eb } .title { font-size: 20px; font-weight: 700 }
.head { font-size: 14px; font-weight: 600 } .soft { fill: #6b7280 } .small { font-size: 11px }
.bold { font-weight: 700 } .bad { fill: #b91c1c } .end { text-anchor: end } .mid { text-anchor: middle }
.ours { fill: #0f766e } .peer { fill: #94a3b8 } .floor { fill: #cbd5e1 } .gone { fill: #fecaca }
.ours2 { fill: #5eead4 } .peer2 { fill: #d5dce6 } .grid { stroke: #e5e7eb } .cut { stroke: #ffffff; stroke-width: 2.5 }
@media (prefers-color-scheme: dark) {
  text { fill: #e5e7eb } .ground { fill: #0d1117; stroke: #30363d } .soft { fill: #9ca3af } .bad { fill: #fca5a5 }
  .ours { fill: #2dd4bf } .peer { fill: #64748b } .floor { fill: #3b4658 } .gone { fill: #7f1d1d }
  .ours2 { fill: #115e59 } .peer2 { fill: #364152 } .grid { stroke: #262c36 } .cut { stroke: #0d1117 }
}
"""


@dataclass(frozen=True)
class Bar:
    name: str
    value: float | None  # None: nothing to draw, only the remark
    text: str
    kind: str = "peer"
    remark: str = ""
    second: float | None = None  # a paler bar behind it, or the far end of a range
    beside: tuple[float, float] | None = None  # a second range, drawn below the first


@dataclass(frozen=True)
class Panel:
    title: str
    hint: str
    bars: list[Bar]
    log: bool = False
    cut: bool = False  # bars that are very much longer than ours are cut short

    @property
    def height(self) -> int:
        return 46 + ROW * len(self.bars) + (20 if self.log else 0)


def text(x: float, y: float, words: str, style: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{style}">{escape(words)}</text>'


def rect(x: float, y: float, width: float, height: float, style: str) -> str:
    size = f'width="{max(width, 1.5):.1f}" height="{height:.1f}"'
    return f'<rect x="{x:.1f}" y="{y:.1f}" {size} rx="2.5" class="{style}"/>'


def short(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


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
        if flood:
            words += f" / {short(high / 1000)}   {speed:,.0f}" if high and speed is not None else " / –   –"
        beside = (low / 1000, high / 1000) if low and high else None
        start, end = (near / 1000, far / 1000) if near and far else (None, None)
        bars.append(Bar(tool, start, words, kind_of(tool, result), second=end, beside=beside))
    return sorted(bars, key=lambda bar: (bar.beside or (0, math.inf))[1])


def scale_of(panel: Panel, width: float) -> tuple[Callable[[float], float], list[float]]:
    values = [v for b in panel.bars for v in (b.value, b.second, *(b.beside or ())) if v]
    if not values:
        return (lambda _: 0.0), []
    if not panel.log:
        ours = [bar.value for bar in panel.bars if bar.kind == "ours" and bar.value]
        most = min([max(values), *(value * MOST for value in ours[:1])]) if panel.cut else max(values)
        return (lambda v: v / most * width), []
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    ticks = [10.0**n for n in range(low, high + 1)]
    return (lambda v: (math.log10(v) - low) / max(1, high - low) * width), ticks


def end_words(bar: Bar, x: float, y: float) -> list[str]:
    parts = [text(x + 7, y + 14, bar.text, "bold small" if bar.kind == "ours" else "small")]
    if bar.remark:
        parts.append(text(x + (13 if bar.text else 4) + 6.6 * len(bar.text), y + 14, bar.remark, "bad small"))
    return parts


def drawn_bar(bar: Bar, x: float, y: float, at: Callable[[float], float], width: float) -> list[str]:
    parts = [name_of(bar, x, y)]
    end = 0.0
    behind, inset = bar.second, 2
    if behind is not None:
        parts.append(rect(x, y + 2, min(at(behind), width), 16, "ours2" if bar.kind == "ours" else "peer2"))
        end, inset = min(at(behind), width), 5
    if bar.value is not None:
        length = at(bar.value)
        parts.append(rect(x, y + inset, min(length, width), 20 - 2 * inset, bar.kind))
        end = max(end, min(length, width))
        if length > width:  # it goes on: two cuts
            parts += [f'<path d="M{x + width - n} {y + 19} l5 -18" class="cut"/>' for n in (22, 15)]
    return parts + end_words(bar, x + end, y)


def name_of(bar: Bar, x: float, y: float) -> str:
    return text(x - 8, y + 13.5, bar.name, "bold end" if bar.kind == "ours" else "end")


def drawn_range(bar: Bar, x: float, y: float, at: Callable[[float], float], right: float) -> list[str]:
    pale = "ours2" if bar.kind == "ours" else "peer2"
    parts = [name_of(bar, x, y), text(right, y + 14, bar.text, "small end" + " bold" * (bar.kind == "ours"))]
    for near, far, top, look in (
        (bar.value, bar.second, y + 3, pale),
        (*(bar.beside or (None, None)), y + 10, bar.kind),
    ):
        if near and far:
            parts.append(rect(x + at(near), top, at(far) - at(near), 6, look))
    return parts


def drawn(panel: Panel, x: float, y: float) -> list[str]:
    parts = [text(x, y + 14, panel.title, "head"), text(x, y + 31, panel.hint, "soft small")]
    left, top = x + LABELS, y + 42
    width = PANEL - LABELS - (VALUES + 34 if panel.log else VALUES)
    at, ticks = scale_of(panel, width)
    bottom = top + ROW * len(panel.bars)
    for tick in ticks:
        line = left + at(tick)
        parts.append(f'<line x1="{line:.1f}" x2="{line:.1f}" y1="{top}" y2="{bottom}" class="grid"/>')
        parts.append(
            text(line, bottom + 14, f"{tick:g} ms" if tick < 1000 else f"{tick / 1000:g} s", "soft small mid")
        )
    for n, bar in enumerate(panel.bars):
        row = top + n * ROW
        parts += (
            drawn_range(bar, left, row, at, x + PANEL) if panel.log else drawn_bar(bar, left, row, at, width)
        )
    return parts


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
            hint = "p50 to p99, log scale, left is better; pale: quiet, strong: beside a flood; p99, and MB/s of the flood"
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
    todo, parts, y = panels(result, cases), [], 92.0
    for pair in (todo[i : i + 2] for i in range(0, len(todo), 2)):
        for column, panel in enumerate(pair):
            parts += drawn(panel, MARGIN + column * (PANEL + GAP), y)
        y += max(panel.height for panel in pair) + 26
    height = int(y + 6)
    where = f"{machine.in_words(result['machine'])}; {result['when']}; medians of {result['rounds']} interleaved rounds"
    size = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="axiom-trio and its peers">',
            f"<style>{STYLE}</style>",
            f'<rect x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="10" class="ground"/>',
            text(MARGIN, 42, "axiom-trio beside its peers", "title"),
            text(MARGIN, 63, where, "soft"),
            *parts,
            "</svg>\n",
        ]
    )
