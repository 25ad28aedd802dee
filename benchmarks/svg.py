"""Bars and ranges as SVG, drawn by hand. The picture brings its own ground: it reads on any page."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from html import escape

WIDTH, MARGIN, GAP, ROW, LABELS, VALUES = 1120, 36, 44, 25, 118, 96
MOST = 25
PANEL = (WIDTH - 2 * MARGIN - GAP) // 2

STYLE = """
text { fill: #1f2937;
  font: 12px ui-sans-serif, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif }
.ground { fill: #ffffff; stroke: #e5e7eb } .title { font-size: 20px; font-weight: 700 }
.head { font-size: 14px; font-weight: 600 } .soft { fill: #6b7280 } .small { font-size: 11px }
.bold { font-weight: 700 } .bad { fill: #b91c1c } .end { text-anchor: end } .mid { text-anchor: middle }
.ours { fill: #0f766e } .peer { fill: #94a3b8 } .floor { fill: #cbd5e1 } .gone { fill: #fecaca }
.ours2 { fill: #5eead4 } .peer2 { fill: #d5dce6 } .grid { stroke: #e5e7eb }
.cut { stroke: #ffffff; stroke-width: 2.5 }
@media (prefers-color-scheme: dark) {
  text { fill: #e5e7eb } .ground { fill: #0d1117; stroke: #30363d } .soft { fill: #9ca3af }
  .bad { fill: #fca5a5 }
  .ours { fill: #2dd4bf } .peer { fill: #64748b } .floor { fill: #3b4658 } .gone { fill: #7f1d1d }
  .ours2 { fill: #115e59 } .peer2 { fill: #364152 } .grid { stroke: #262c36 }
  .cut { stroke: #0d1117 }
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
    look = "small end" + " bold" * (bar.kind == "ours")
    parts = [name_of(bar, x, y), text(right - 46 * bool(bar.remark), y + 14, bar.text, look)]
    parts.append(text(right, y + 14, bar.remark, look + " soft"))
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
    width = PANEL - LABELS - (VALUES + 40 if panel.log else VALUES)
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


def page(title: str, subtitle: str, panels: list[Panel]) -> str:
    """The panels two by two."""
    parts, y = [], 92.0
    for pair in (panels[i : i + 2] for i in range(0, len(panels), 2)):
        for column, panel in enumerate(pair):
            parts += drawn(panel, MARGIN + column * (PANEL + GAP), y)
        y += max(panel.height for panel in pair) + 26
    height = int(y + 6)
    size = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{escape(title)}">',
        f"<style>{STYLE}</style>",
        f'<rect x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="10" class="ground"/>',
        text(MARGIN, 42, title, "title"),
        text(MARGIN, 63, subtitle, "soft"),
        *parts,
        "</svg>\n",
    ]
    return "\n".join(lines)
