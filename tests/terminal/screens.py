"""A terminal with a screen that can be looked at: pyte follows what is written to it."""

from __future__ import annotations

import re
import termios
from typing import TYPE_CHECKING, Any

import pyte
import pyte.modes

from tests.commands import Terminal, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

UP, DOWN, PAGE_UP, PAGE_DOWN, HOME, END = (b"\x1b[A", b"\x1b[B", b"\x1b[5~", b"\x1b[6~", b"\x1b[H", b"\x1b[F")
ESCAPES = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-~])")


class Screen(Terminal):
    """A `Terminal` whose screen is known; the alternate screen is not told from the other."""

    def __init__(self, *arguments: str, rows: int = 30, columns: int = 100, **options: Any) -> None:
        super().__init__(*arguments, rows=rows, columns=columns, **options)
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self._cut = b""

    def read(self) -> bytes:
        data = super().read()
        # pyte takes the private forms for plain ones: `CSI > 4 m` would underline.
        self._stream.feed(re.sub(rb"\x1b\[[<=>][0-?]*[ -/]*[@-~]", b"", data))
        return data

    def rows(self) -> list[str]:
        self.read()
        return [row.rstrip() for row in self.screen.display]

    def wait_for(self, found: str | Callable[[str], object]) -> str:
        """Wait until a text is to be seen, or something is true of all that is."""
        text = ""

        def look() -> bool:
            nonlocal text
            text = "\n".join(self.rows())
            return found in text if isinstance(found, str) else bool(found(text))

        try:
            wait_until(look, f"for {found!r}")
        except AssertionError as error:
            raise AssertionError(f"{error}:\n{text}") from None
        return text

    def wait_seen(self, wanted: bytes, count: int = 1) -> None:
        """Wait until it was written, on whatever screen."""
        wait_until(
            lambda: self.read() is not None and self.seen.count(wanted) >= count,
            f"for {wanted!r} in {self.seen[-3000:]!r}",
        )

    @property
    def now(self) -> list[Any]:
        """Its modes."""
        return termios.tcgetattr(self.slave)

    @property
    def reads_keys(self) -> bool:
        """Whether single keys are read from it."""
        return not self.now[3] & termios.ICANON

    def numbers(self) -> list[int]:
        """Of the lines that a `numbered` child has written, in the stream, as they came."""
        return [int(number) for number in re.findall(rb"=(\d+)=\r\n", self.seen)]


def numbered(count: int, pause: float = 0.002) -> str:
    """The shell line of a child that writes numbered lines."""
    return f'i=0; while [ $i -lt {count} ]; do i=$((i+1)); echo "=$i="; sleep {pause}; done'
