"""The text form of the stream: each line behind its child's prefix.

Whole blocks are prefixed with one `bytes.replace`, and the number of lines falls
out of the growth in length; nothing here makes an object per line.

A line comes out whole and never glued to another's. What has come of an open line
is held until its newline. Beyond `LINE_HOLD` bytes the line is given out in pieces
and has **the floor**: if another's text comes before its newline, it's broken there,
and its rest goes on behind a prefix of its own.
"""

from __future__ import annotations

from itertools import repeat
from typing import TYPE_CHECKING, Final

import attrs

from axiom_trio.sansio.errors import SpecificationError
from axiom_trio.sansio.events import Completed, Gap, Intervention, Output, Restarting, Started
from axiom_trio.sansio.lines import fold
from axiom_trio.sansio.names import SHORT_ID, printable, shorten
from axiom_trio.sansio.rows import OURS, SCREEN_MARK_EVERY, Row

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from axiom_trio.sansio.cursor import Buffer
    from axiom_trio.sansio.escapes import Escapes
    from axiom_trio.sansio.events import Event, Kind

LINE_HOLD: Final = 64 * 1024
SCREEN_MARK: Final = "▣ full-screen"


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
    """How lines look. Sinks of equal format share the work of formatting.

    Raises:
        SpecificationError: The prefix has a field that isn't there.
    """

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

    __slots__ = ("_floor", "_format", "_labels", "_rows", "broken_lines")

    def __init__(self, text_format: TextFormat, labels: dict[str, str] | None = None) -> None:
        self._format = text_format
        self._rows: dict[tuple[str, bool], Row] = {}
        self._labels: dict[str, str] = {} if labels is None else labels
        self._floor: Row | None = None
        self.broken_lines = 0
        """Lines that were broken because another's text came while they had the floor."""

    def add(self, child: str, name: str, index: int, pid: int | None, *, tty: bool) -> None:
        """Make a child's prefix; again when it is started again."""
        text_format = self._format
        label = self._labels[child] = self._label(child, name)
        for error in (False, True):
            row = self._rows.get((child, error))
            if row is None:
                row = self._rows[child, error] = Row(text_format)
            row.begin(child, label, index, pid, tty=tty, error=error)

    def output(
        self, child: str, data: bytes, kind: Kind, time: float, *, partial: bool
    ) -> tuple[list[Buffer], int]:
        """The text of a block, as pieces to be joined, and the newlines in it.

        `data` is whole lines, or, if `partial`, a piece of an open line without
        newline. Anything else that does not end with a newline is the child's last line.
        """
        row = self._rows[child, kind == "error"]
        if not (partial or row.held) and self._floor is None:
            block = self._block(row, data, kind, time)
            if block is not None:
                return block
        pieces: list[Buffer] = []
        classifier = row.classifier
        for screen, piece in ((False, data),) if classifier is None else classifier.split(data):
            if not screen:
                self._text(pieces, row, piece, kind, time)
            elif not row.screen:
                self._enter_screen(pieces, row, time)
            row.screen = screen
        size = row.held_size + (0 if classifier is None else len(classifier.held))
        if not row.screen and ((partial and size >= LINE_HOLD) or self._floor is row):
            self._take_floor(pieces, row, time)
        return pieces, data.count(b"\n")

    def block(
        self, child: str, data: bytes, kind: Kind, time: float, *, partial: bool
    ) -> tuple[list[Buffer], int] | None:
        """As `output`, for who has no line open, whoever that is; changes nothing. None: not so simple."""
        return None if partial else self._block(self._rows[child, kind == "error"], data, kind, time)

    def _block(self, row: Row, data: bytes, kind: Kind, time: float) -> tuple[list[Buffer], int] | None:
        """The hot path: one pass over a block of whole lines, one copy."""
        if row.filter is not None or kind == "intervention" or not data.endswith(b"\n"):
            return None
        if row.tty:
            data = fold(data)
        prefix = row.prefix_at(time) if row.per_block else row.prefix
        if not prefix:
            return [data], data.count(b"\n")
        text = data.replace(b"\n", b"\n" + prefix)
        size = len(prefix)
        return [prefix, memoryview(text)[:-size]], (len(text) - len(data)) // size

    def is_screen(self, child: str) -> bool:
        """Whether what it writes are no lines now."""
        return (row := self._rows.get((child, False))) is not None and row.screen

    def end(self, child: str) -> list[Buffer]:
        """The text that ends a child: its open lines, and no more of it."""
        pieces = self.end_lines(child)
        self._rows.pop((child, True), None)
        self._rows.pop((child, False), None)
        self._labels.pop(child, None)
        return pieces

    def end_lines(self, child: str) -> list[Buffer]:
        """The text that ends a child's open lines: nothing is glued to what comes next."""
        pieces: list[Buffer] = []
        for error in (False, True):
            row = self._rows.get((child, error))
            if row is not None and row.classifier is not None:
                if (rest := row.classifier.end()) and not row.screen:
                    row.held.append(rest)
                row.screen = False
                row.marked = -SCREEN_MARK_EVERY
            if row is not None and (self._floor is row or row.held):
                self._lines(pieces, row, b"\n", "output", row.held_time)
        return pieces

    def intervention(self, event: Intervention) -> list[Buffer]:
        """The line that shows what was written into a child; a detected one shows itself."""
        row = self._rows.get((event.child, False))
        if row is None or event.origin == "detected" or not self._format.prefix:
            return []
        pieces: list[Buffer] = []
        self._break(pieces)
        prefix = row.prefix_at(event.time, OURS)
        for line in event.text.splitlines() or [""]:
            text = f"[INTERVENTION] {printable(line)}"
            if self._format.color:
                text = f"\x1b[{OURS}m{text}\x1b[0m"
            pieces += (prefix, text.encode("utf-8", "replace"), b"\n")
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
        elif type(event) is Restarting:
            return self.end_lines(event.child)
        elif type(event) is Intervention:
            return self.intervention(event)
        elif type(event) is Gap:  # nothing is glued to what was open before it
            pieces: list[Buffer] = []
            for row in self._rows.values():
                if self._floor is row or row.held:
                    self._lines(pieces, row, b"\n", "output", row.held_time)
            return pieces
        return []

    def batch(self, events: Sequence[Event], blocks: Sequence[Iterable[Buffer]]) -> list[Buffer]:
        """As `event`, for several.

        Args:
            events: They.
            blocks: Of each what `block` made of it elsewhere, in the same format, or nothing. It's taken
                where no line is open here: so it never matters who has made the text, nor where.
        """
        pieces: list[Buffer] = []
        rows = self._rows
        none: Iterable[Iterable[Buffer]] = repeat(())
        for event, block in zip(events, blocks or none, strict=False):
            if (
                block
                and type(event) is Output
                and self._floor is None
                and (row := rows.get((event.child, event.kind == "error"))) is not None
                and not row.held
            ):
                pieces += block
            else:
                pieces += self.event(event)
        return pieces

    # --- lines

    def _text(self, pieces: list[Buffer], row: Row, data: bytes, kind: Kind, time: float) -> None:
        if row.classifier is not None and not data.endswith(b"\n") and (cut := data.rfind(b"\n") + 1):
            self._lines(pieces, row, data[:cut], kind, time)  # a screen has cut the block
            data = data[cut:]
        if data.endswith(b"\n"):
            self._lines(pieces, row, data, kind, time)
            return
        row.held.append(data)
        row.held_size += len(data)
        row.held_time = time

    def _enter_screen(self, pieces: list[Buffer], row: Row, time: float) -> None:
        """What it writes from now on are no lines: say so once, and let nothing of it through."""
        if row.held or self._floor is row:
            self._lines(pieces, row, b"\n", "output", time)
        if not row.marked <= time < row.marked + SCREEN_MARK_EVERY:
            self._break(pieces)
            row.marked = time
            pieces += (row.prefix_at(time), f"{SCREEN_MARK}\n".encode())

    def _lines(self, pieces: list[Buffer], row: Row, data: bytes, kind: Kind, time: float) -> None:
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
        if row.classifier is not None and b"\b" in data:
            from axiom_trio.sansio.backspaces import settle  # few write any

            data = settle(data)
        if row.filter is not None:
            data = row.filter.feed(data)
        prefix = row.prefix_at(time)
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

    def _take_floor(self, pieces: list[Buffer], row: Row, time: float) -> None:
        data = b"".join(row.held)
        row.held.clear()
        undecided = row.classifier is not None and row.classifier.held
        if row.tty and data.endswith(b"\r") and not undecided:  # may be half of a \r\n
            row.held.append(b"\r")
            data = data[:-1]
        row.held_size = len(row.held)
        prefix = row.prefix_at(time)
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
            begun = b"" if row.classifier is None else row.classifier.release()
            pieces.append(row.filter.feed(begun) + row.filter.end())
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
