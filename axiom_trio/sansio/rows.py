"""What the text form knows of a child's line: its prefix, and what came of it without newline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from axiom_trio.sansio.durations import stamp
from axiom_trio.sansio.names import SHORT_ID, printable

if TYPE_CHECKING:
    from axiom_trio.sansio.escapes import EscapeFilter
    from axiom_trio.sansio.redraw import Classifier
    from axiom_trio.sansio.text import TextFormat

SCREEN_MARK_EVERY: Final = 10.0  # seconds at least: one that comes and goes doesn't fill the stream
COLORS: Final = ("36", "33", "32", "35", "34", "96", "93", "92", "95", "94")
"""SGR colours of the children, in turn; red is left for errors, and bold red for what we say to them."""
OURS: Final = "1;31"
"""SGR of what was written into a child: prefix and line, so that no child's own line looks like it."""


class Row:
    """The line of a child's output, or of its errors, as it stands."""

    __slots__ = (
        *("_color", "_fields", "_format", "classifier", "filter", "held", "held_size", "held_time"),
        *("marked", "per_block", "prefix", "screen", "tty"),
    )

    def __init__(self, text_format: TextFormat) -> None:
        self._format = text_format
        self._color = ""
        self._fields: dict[str, object] = {}
        self.held: list[bytes] = []
        """What has come of an open line and is not shown."""
        self.held_size = 0
        self.held_time = 0.0
        self.filter: EscapeFilter | None = None
        self.classifier: Classifier | None = None
        self.screen = False
        """Whether what comes are no lines now."""
        self.marked = -SCREEN_MARK_EVERY
        """When it was last said that they aren't."""
        self.per_block = text_format.timestamps or "{time" in text_format.prefix
        """Whether the prefix has the time in it."""
        self.prefix = b""
        """Of a line, where the time is not in it."""
        self.tty = False

    def begin(self, child: str, label: str, index: int, pid: int | None, *, tty: bool, error: bool) -> None:
        """An attempt of the child has started."""
        self.tty = tty
        self._fields = {"name": label, "id": printable(child[:SHORT_ID]), "index": index, "pid": pid or "-"}
        self._color = "31" if error else COLORS[index % len(COLORS)]
        self.prefix = b"" if self.per_block else self._make(0.0, self._color)
        escapes = self._format.escapes
        if escapes != "raw" and self.filter is None:
            from axiom_trio.sansio.escapes import EscapeFilter  # its expressions take 4 ms to compile

            self.filter = EscapeFilter(escapes)
        if tty and escapes == "color" and self.classifier is None:
            from axiom_trio.sansio.redraw import Classifier  # nobody else needs it

            self.classifier = Classifier()

    def prefix_at(self, time: float, color: str = "") -> bytes:
        """The prefix of a line that came then; `color`: in that SGR instead of the child's."""
        if not self.per_block and not color:
            return self.prefix
        return self._make(time, color or self._color)

    def _make(self, time: float, color: str) -> bytes:
        text_format = self._format
        if not text_format.prefix and not text_format.timestamps:
            return b""
        when = stamp(time) if self.per_block else ""
        text = text_format.prefix.format(**self._fields, time=when)
        if text_format.width:
            text = text.ljust(text_format.width)
        if text_format.color and text:
            text = f"\x1b[{color}m{text}\x1b[0m"
        if text:
            text += " "
        if text_format.timestamps:
            text = f"{when} {text}"
        return text.encode("utf-8", "replace")
