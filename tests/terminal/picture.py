"""A picture of a terminal's screen, as SVG: what README and guide show of the real thing."""

from __future__ import annotations

from itertools import groupby
from xml.sax.saxutils import escape, quoteattr

import pyte

_COLORS = {
    "default": "#cdd6f4",
    "black": "#45475a",
    "red": "#f38ba8",
    "green": "#a6e3a1",
    "brown": "#f9e2af",
    "blue": "#89b4fa",
    "magenta": "#cba6f7",
    "cyan": "#94e2d5",
    "white": "#bac2de",
    "brightblack": "#7f849c",
    "brightred": "#f38ba8",
    "brightgreen": "#a6e3a1",
    "brightbrown": "#f9e2af",
    "brightblue": "#89b4fa",
    "brightmagenta": "#f5c2e7",
    "brightcyan": "#89dceb",
    "brightwhite": "#ffffff",
}
_BACKGROUND = "#1e1e2e"
_FONTS = "ui-monospace,SFMono-Regular,Menlo,Consolas,DejaVu Sans Mono,monospace"
_WIDTH, _HEIGHT, _LEFT, _TOP = 8.43, 18, 16, 44


def svg(capture: str, columns: int, rows: int, title: str) -> str:
    """Draw a screen.

    Args:
        capture: Its rows with their SGR sequences, as `tmux capture-pane -e -p` prints them.
        columns: Its width.
        rows: Its height.
        title: Says what is to be seen, to those who can't.
    """
    screen = pyte.Screen(columns, rows)
    pyte.Stream(screen).feed("\r\n".join(capture.rstrip("\n").split("\n")[-rows:]))
    width, height = round(2 * _LEFT + columns * _WIDTH), _TOP + rows * _HEIGHT
    box = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {box} role="img" aria-label={quoteattr(title)}>',
        f'<rect width="{width}" height="{height}" rx="10" fill="{_BACKGROUND}"/>',
        *[
            f'<circle cx="{x}" cy="18" r="6" fill="{c}"/>'
            for x, c in zip((20, 40, 60), ("#f38ba8", "#f9e2af", "#a6e3a1"), strict=True)
        ],
        "<style>text{white-space:pre}</style>",  # browsers have given up xml:space
        f'<g font-family="{_FONTS}" font-size="14" xml:space="preserve">',
    ]
    for row in range(rows):
        cells = [(column, screen.buffer[row][column]) for column in range(columns)]
        y = _TOP + row * _HEIGHT
        for look, run in groupby(cells, lambda cell: _look(cell[1])):
            part = list(run)
            text = "".join(char.data for _, char in part)
            color, background, bold = look
            x = _LEFT + part[0][0] * _WIDTH
            if background != _BACKGROUND:
                span = len(part) * _WIDTH
                out.append(
                    f'<rect x="{x:.1f}" y="{y - 13}" width="{span:.1f}" height="{_HEIGHT}" fill="{background}"/>'
                )
            if text.strip():
                weight = ' font-weight="bold"' if bold else ""
                length = f' textLength="{len(part) * _WIDTH:.1f}"'
                out.append(f'<text x="{x:.1f}" y="{y}" fill="{color}"{weight}{length}>{escape(text)}</text>')
    return "\n".join([*out, "</g>", "</svg>", ""])


def _look(char: pyte.screens.Char) -> tuple[str, str, bool]:
    color = _COLORS.get(char.fg, f"#{char.fg}")
    background = _BACKGROUND if char.bg == "default" else _COLORS.get(char.bg, f"#{char.bg}")
    return (background, color, char.bold) if char.reverse else (color, background, char.bold)


def main(path: str) -> None:
    """Make the picture of the guide and the README: ten children, a rule at work, and somebody who types."""
    from tests.commands import command
    from tests.terminal.test_master import CHILDREN, LATELY, OPTIONS
    from tests.tmux import Tmux

    columns, rows = 110, 38
    with Tmux(*command(*OPTIONS, *CHILDREN.values()), columns=columns, rows=rows) as tmux:
        tmux.wait_for("✗ [fails] Failed", history=LATELY)
        tmux.keys("repl:answer * 2", "Enter")
        tmux.wait_for("[repl] 84", history=LATELY)
        tmux.keys("agent:stop planning, write the file", "Enter")
        tmux.wait_for("[agent] understood", history=LATELY)
        tmux.keys("agent:now run the te")
        tmux.wait_for("run the te▏")
        title = "Ten children in one terminal: their lines, a row for each below, and a message being typed"
        picture = svg(tmux.screen(colors=True), columns, rows, title)
        tmux.keys("C-c")
        tmux.exit_status()
    with open(path, "w") as file:
        file.write(picture)


if __name__ == "__main__":
    import sys

    main(sys.argv[1])
