"""The text form of the stream: each line behind its child's prefix.

Whole blocks are prefixed with one `bytes.replace`, and the number of lines falls
out of the growth in length; nothing here makes an object per line.

A line comes out whole and never glued to another's. What has come of an open line
is held until its newline. Beyond `LINE_HOLD` bytes the line is given out in pieces
and has **the floor**: if another's text comes before its newline, it's broken there,
and its rest goes on behind a prefix of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from axiom_trio.sansio.errors import SpecificationError
from axiom_trio.sansio.events import Completed, Gap, Intervention, Output, Started
from axiom_trio.sansio.lines import fold
from axiom_trio.sansio.names import printable, shorten

if TYPE_CHECKING:
    from axiom_trio.sansio.cursor import Buffer
    from axiom_trio.sansio.escapes import EscapeFilter, Escapes
    from axiom_trio.sansio.events import Event, Kind

LINE_HOLD: Final = 64 * 1024
SHORT_ID: Final = 8
COLORS: Final = ("36", "33", "32", "35", "34", "96", "93", "92", "95", "94")
"""SGR colours of the children, in turn; red is left for errors."""


def _valid_prefix(_format: object, _attribute: object, template: str) -> None:
    try:
        for pid in (0, "-"):  # not each child is a process
            template.format(name="", id="", index=0, pid=pid, time="")
    except (LookupError, ValueError, AttributeError, TypeError) as error:
        fields = "{name} {id} {index} {pid} {time}"
        raise SpecificationError(
            f"bad prefix template {template!r} ({error}): its fields are {fields}"
        ) from None


@attrs.frozen(kw_only=True)
class TextFormat:
    """How lines look. Sinks of equal format share the work of formatting."""

    prefix: str = attrs.field(default="[{name}]", validator=_valid_prefix)
    """Template of what stands before each line, then one space; fields `name id index pid time`.
    Empty: no prefix and no space."""
    timestamps: bool = False
    """Whether the time stands before the prefix: UTC, milliseconds, `Z`."""
    color: bool = False
    """Whether prefixes are coloured, a stable colour per child, and marked lines highlighted."""
    escapes: Escapes = "raw"
    """Which control sequences of the children are let through."""
    name_length: int | None = None
    """Longest name shown, in characters; longer ones are cut in the middle."""
    width: int = 0
    """Prefixes are padded to this many characters."""


class TextFormatter:
    """Turns output into text, keeping each child's open line. One per format and run.

    Args:
        text_format: How lines look.
        labels: Shared by formatters whose texts come together, so that shortened names differ.
    """

    __slots__ = ("_floor", "_format", "_labels", "_plain", "_rows", "broken_lines")

    def __init__(self, text_format: TextFormat, labels: dict[str, str] | None = None) -> None:
        self._format = text_format
        self._rows: dict[tuple[str, bool], _Row] = {}
        self._labels: dict[str, str] = {} if labels is None else labels
        self._floor: _Row | None = None
        self._plain = not text_format.prefix and not text_format.timestamps
        self.broken_lines = 0
        """Lines that were broken because another's text came while they had the floor."""

    def add(self, child: str, name: str, index: int, pid: int | None, *, tty: bool) -> None:
        """Make a child's prefix; again when it is started again."""
        text_format = self._format
        label = self._labels[child] = self._label(child, name)
        for error in (False, True):
            row = self._rows.get((child, error))
            row = self._rows[child, error] = row if row is not None else _Row()
            row.tty = tty
            row.template = text_format.prefix
            row.fields = {"name": label, "id": printable(child[:SHORT_ID]), "index": index, "pid": pid or "-"}
            row.color = "31" if error else COLORS[index % len(COLORS)]
            row.per_block = text_format.timestamps or "{time" in text_format.prefix
            row.prefix = self._prefix(row, 0.0)
            if text_format.escapes != "raw" and row.filter is None:
                from axiom_trio.sansio.escapes import EscapeFilter  # its expressions take 4 ms to compile

                row.filter = EscapeFilter(text_format.escapes)

    def output(
        self, child: str, data: bytes, kind: Kind, time: float, *, partial: bool
    ) -> tuple[list[Buffer], int]:
        """The text of a block, as pieces to be joined, and the newlines in it.

        `data` is whole lines, or, if `partial`, a piece of an open line without
        newline. Anything else that does not end with a newline is the child's last line.
        """
        row = self._rows[child, kind == "error"]
        if (
            not (partial or row.held)
            and self._floor is None
            and row.filter is None
            and data.endswith(b"\n")
            and kind != "intervention"
        ):
            # The hot path: one pass over the block, one copy.
            if row.tty:
                data = fold(data)
            prefix = self._prefix(row, time) if row.per_block else row.prefix
            if not prefix:
                return [data], data.count(b"\n")
            text = data.replace(b"\n", b"\n" + prefix)
            size = len(prefix)
            return [prefix, memoryview(text)[:-size]], (len(text) - len(data)) // size
        pieces: list[Buffer] = []
        if data.endswith(b"\n"):
            self._lines(pieces, row, data, kind, time)
            return pieces, data.count(b"\n")
        row.held.append(data)
        row.held_size += len(data)
        row.held_time = time
        if partial and (row.held_size >= LINE_HOLD or self._floor is row):
            self._take_floor(pieces, row, time)
        return pieces, data.count(b"\n")

    def end(self, child: str) -> list[Buffer]:
        """The text that ends a child's open lines: nothing is glued to what comes next."""
        pieces: list[Buffer] = []
        for error in (False, True):
            row = self._rows.pop((child, error), None)
            if row is None:
                continue
            if self._floor is row or row.held:
                self._lines(pieces, row, b"\n", "output", row.held_time)
        self._labels.pop(child, None)
        return pieces

    def intervention(self, event: Intervention) -> list[Buffer]:
        """The line that shows what was written into a child; a detected one shows itself."""
        row = self._rows.get((event.child, False))
        if row is None or event.origin == "detected" or not self._format.prefix:
            return []
        pieces: list[Buffer] = []
        self._break(pieces)
        prefix = self._prefix(row, event.time)
        for line in event.text.splitlines() or [""]:
            text = f"⚡ #{event.count} {printable(line)}"
            if self._format.color:
                text = f"\x1b[1;33m{text}\x1b[0m"
            pieces += (prefix, text.encode(), b"\n")
        return pieces

    def event(self, event: Event) -> list[Buffer]:
        """The text of any event, for a sink that formats for itself; it may have missed some (`Gap`)."""
        if type(event) is Output:
            if (event.child, False) not in self._rows:
                self.add(event.child, event.child[:SHORT_ID], 0, None, tty=False)
            # A last line without newline is complete, but its end is told by `Completed`.
            return self.output(event.child, event.data, event.kind, event.time, partial=event.partial)[0]
        if type(event) is Started:
            self.add(event.child, event.name, event.index, event.pid, tty=event.tty)
        elif type(event) is Completed:
            return self.end(event.child)
        elif type(event) is Intervention:
            return self.intervention(event)
        elif type(event) is Gap:  # nothing is glued to what was open before it
            pieces: list[Buffer] = []
            for row in self._rows.values():
                if self._floor is row or row.held:
                    self._lines(pieces, row, b"\n", "output", row.held_time)
            return pieces
        return []

    # --- lines

    def _lines(self, pieces: list[Buffer], row: _Row, data: bytes, kind: Kind, time: float) -> None:
        """Whole lines, the first of which may continue what is held or on the floor."""
        on_floor = self._floor is row
        if not on_floor:
            self._break(pieces)
        if row.held:
            data = b"".join((*row.held, data))
            row.held.clear()
            row.held_size = 0
        if row.tty:
            data = fold(data)
        if row.filter is not None:
            data = row.filter.feed(data)
        prefix = self._prefix(row, time)
        if kind == "intervention" and self._format.color and not on_floor:
            data = b"\x1b[1;33m" + data[:-1].replace(b"\x1b[0m", b"\x1b[0;1;33m") + b"\x1b[0m\n"
        if on_floor:
            self._floor = None
        elif prefix:
            pieces.append(prefix)
        if prefix:
            pieces.append(memoryview(data.replace(b"\n", b"\n" + prefix))[: -len(prefix)])
        else:
            pieces.append(data)

    def _take_floor(self, pieces: list[Buffer], row: _Row, time: float) -> None:
        data = b"".join(row.held)
        row.held.clear()
        if row.tty and data.endswith(b"\r"):
            row.held.append(b"\r")
            data = data[:-1]
        row.held_size = len(row.held)
        prefix = self._prefix(row, time)
        if row.filter is not None:
            data = row.filter.feed(data).replace(b"\n", b"\n" + prefix)
        if self._floor is not row:
            self._break(pieces)
            self._floor = row
            pieces.append(prefix)
        pieces.append(data)

    def _break(self, pieces: list[Buffer]) -> None:
        """Another's text is about to be shown: end the line that has the floor, if any."""
        row = self._floor
        if row is None:
            return
        if row.filter is not None:
            pieces.append(row.filter.end())
        pieces.append(b"\n")
        self.broken_lines += 1
        self._floor = None

    # --- prefixes

    def _label(self, child: str, name: str) -> str:
        name = printable(name)
        length = self._format.name_length
        if length is None or len(name) <= length:
            return name
        taken = {label for other, label in self._labels.items() if other != child}
        return shorten([name], length, taken)[0]

    def _prefix(self, row: _Row, time: float) -> bytes:
        text_format = self._format
        if self._plain:
            return b""
        if not row.per_block and row.prefix:
            return row.prefix
        stamp = _stamp(time) if row.per_block else ""
        text = row.template.format(**row.fields, time=stamp)
        if text_format.width:
            text = text.ljust(text_format.width)
        if text_format.color and text:
            text = f"\x1b[{row.color}m{text}\x1b[0m"
        if text:
            text += " "
        if text_format.timestamps:
            text = f"{stamp} {text}"
        return text.encode("utf-8", "replace")


class _Row:
    """What is known of a child's line: its prefix, and what came of it without newline."""

    __slots__ = (
        "color",
        "fields",
        "filter",
        "held",
        "held_size",
        "held_time",
        "per_block",
        "prefix",
        "template",
        "tty",
    )

    def __init__(self) -> None:
        self.held: list[bytes] = []
        self.held_size = 0
        self.held_time = 0.0
        self.filter: EscapeFilter | None = None
        self.prefix = b""
        self.per_block = False
        self.tty = False
        self.color = ""
        self.template = ""
        self.fields: dict[str, object] = {}


def _stamp(time: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
