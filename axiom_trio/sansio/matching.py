r"""Searching a child's text as it comes, so that how it was cut into pieces makes no difference.

A line is searched once, when it's whole; the open line only when somebody asks, and only its end.
So each byte costs the same, also when they come one by one. A line longer than the window is
searched in windows at fixed places that overlap by half.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import re

SPAN: Final = 65536  # bytes that a match may span
_WINDOW: Final = 2 * SPAN
RECENT: Final = 8192  # bytes of the last lines
OPEN: Final = 4096  # bytes at the end of an open line in which a prompt is looked for


class Found:
    """A match: its text, its groups by number and name, and where it lies in its line or text."""

    __slots__ = ("end", "groups", "start", "text")

    def __init__(self, match: re.Match[bytes], base: int) -> None:
        self.text = match.group()
        self.groups: dict[Any, bytes | None] = {**dict(enumerate(match.groups(), 1)), **match.groupdict()}
        self.start = base + match.start()
        self.end = base + match.end()


class LineSearch:
    r"""Finds a pattern in each line that is whole, without its `\n` or `\r\n`.

    Args:
        pattern: What to look for; None: only keep track of the open line.
    """

    __slots__ = ("_any", "_base", "_clean", "_next", "_pattern", "_rest", "consumed")

    def __init__(self, pattern: re.Pattern[bytes] | None) -> None:
        self._pattern = pattern
        self.reset()

    def reset(self) -> None:
        """A new line begins."""
        self._rest = bytearray()  # of the open line, from `_base` on
        self._base = 0
        self._next = 0  # where its next window begins
        self._clean = 0  # up to where it was searched
        self._any = False  # whether anything was found in it
        self.consumed = 0
        """Up to where the open line has been answered already."""

    def open(self) -> tuple[bytes, int, int]:
        r"""The end of the open line, where that begins in it, and from where on nothing has matched yet.

        A `\r` at its very end may belong to a `\r\n`, and is left out.
        """
        start = max(0, len(self._rest) - OPEN)
        return (
            bytes(self._rest[start:]).removesuffix(b"\r"),
            self._base + start,
            max(self._clean, self.consumed),
        )

    @property
    def length(self) -> int:
        """Of the open line."""
        return self._base + len(self._rest)

    def feed(self, text: bytes) -> list[Found]:
        """Take in text, cut anywhere; the matches in the lines it completes, and in endless ones."""
        found: list[Found] = []
        cut = text.find(b"\n")
        if cut >= 0:
            self._extend(text[:cut], found)
            self._finish(found)
            last = text.rfind(b"\n")
            if last > cut and self._pattern is not None:
                lines = text[cut + 1 : last].split(b"\n")
                if b"\r" in text:
                    lines = [line.removesuffix(b"\r") for line in lines]
                for hit in map(self._pattern.search, lines):  # at the speed of C: most don't match
                    if hit is not None:
                        self._extend(hit.string, found)
                        self._finish(found)
            text = text[last + 1 :]
        self._extend(text, found)
        return found

    def _extend(self, text: bytes, found: list[Found]) -> None:
        self._rest += text
        if self.length <= self._next + _WINDOW + SPAN:
            return
        while self.length > self._next + _WINDOW + SPAN:
            origin = max(0, self._next - 1)  # one byte more, so that `^` can't match where a window begins
            view = bytes(self._rest[origin - self._base : self._next + _WINDOW - self._base])
            self._search(view, origin, self._next, found, self._next + SPAN)
            self._next += SPAN
            self._clean = max(self._clean, self._next)
        keep = self._next - 1
        del self._rest[: keep - self._base]
        self._base = keep

    def _finish(self, found: list[Found]) -> None:
        self._search(bytes(self._rest).removesuffix(b"\r"), self._base, 0, found, None)
        self.reset()

    def _search(self, view: bytes, origin: int, first: int, found: list[Found], defer: int | None) -> None:
        """Search a part of the line that begins at `origin`, from `first` on.

        What reaches the end of a window and begins behind `defer` is left to the next one: it may go on,
        or a `$` may have met an end that is none.
        """
        if self._pattern is None:
            return
        for match in self._pattern.finditer(view, max(first, self._clean, self.consumed) - origin):
            if defer is not None and match.end() == len(view) and origin + match.start() >= defer:
                break
            if match.end() > match.start() or not (self._any or self.consumed):  # `.*` also finds an end
                self._any = True
                found.append(Found(match, origin))
                self._clean = origin + match.end()


class Matcher:
    """What of a child's text a rule looks at.

    Args:
        pattern: What to look for, if the rule has a `match`.
        on: Where: `any`, `line`, `tail` or `screen`.
        recent: Whether its last lines are needed for a veto.
    """

    __slots__ = (
        *("_ahead", "_answered", "_consumed", "_lines", "_on", "_pattern", "_recent", "_screen", "_total"),
        *("_track", "changed", "standing", "unsearched"),
    )

    def __init__(self, pattern: re.Pattern[bytes] | None, on: str, *, recent: bool) -> None:
        self._pattern = pattern
        self._on = on
        self._track = recent or on == "screen"
        self._lines = LineSearch(pattern if on in ("any", "line") else None)
        self.reset()

    def reset(self) -> None:
        """Forget all text."""
        self._lines.reset()
        self._recent = bytearray()
        self._total = 0  # bytes of text so far
        self._ahead = b""  # of the open line, not yet in the text
        self._screen: bytes | None = None
        self._consumed = 0  # of the text, by `screen`
        self._answered: bytes | None = None  # a prompt that may still be shown
        self.changed = False
        """Whether the last `feed` brought anything."""
        self.unsearched = False
        """Whether a prompt may stand in what has come since the last look."""
        self.standing: Found | None = None
        """The prompt that stands, as far as it's known."""

    def feed(self, text: bytes, open_line: bytes, screen: bytes | None) -> list[Found]:
        """Take in what the child wrote; the matches in whole lines."""
        found: list[Found] = []
        ahead = b""
        if self._track or self._pattern is not None:
            found = self._lines.feed(text)
            if self._lines.length < len(open_line) < OPEN:
                ahead = open_line[self._lines.length :]
        if b"\n" in text and self._on != "screen":
            self._answered = None
        if self._track:
            self._recent += text
            self._total += len(text)
            if len(self._recent) > 2 * RECENT:
                del self._recent[:-RECENT]
        self.changed = bool(text) or ahead != self._ahead or screen != self._screen
        self._ahead = ahead
        self._screen = screen
        if screen is not None and self._answered is not None and self._answered not in screen:
            self._answered = None  # it has left the screen; one like it is another
        if self.changed and self._pattern is not None and self._on != "line":
            self.unsearched = True
        return found

    def veto_text(self) -> bytes:
        """The last lines and the open line."""
        if self._screen is not None:
            return self._screen
        return bytes(self._recent[-RECENT:]) + self._ahead

    def prompt(self) -> Found | None:
        """The prompt that stands now and has not been answered."""
        if self.unsearched:
            self.unsearched = False
            self.standing = self._on_screen() if self._on == "screen" else self._on_open_line()
        return self.standing

    def consume(self, prompt: Found) -> None:
        """It's decided on: its bytes match no more."""
        self.standing = None
        self._answered = prompt.text
        if self._on == "screen":
            self._consumed = prompt.end
        else:
            self._lines.consumed = prompt.end

    def _on_open_line(self) -> Found | None:
        text, base, first = self._lines.open()
        text += self._ahead
        found = self._last(text, base, first)
        # The same again behind a lone `\r` is the same prompt, drawn again.
        if (
            found is not None
            and found.text == self._answered
            and b"\r" in text[first - base : found.start - base]
        ):
            self.consume(found)
            return None
        return found

    def _on_screen(self) -> Found | None:
        text = self.veto_text()
        base = 0 if self._screen is not None else self._total - len(text)
        found = self._last(text, base, 0 if self._screen is not None else self._consumed)
        if found is None or text[found.end - base :].strip():
            return None  # what something follows is quoted, or past
        if found.text == self._answered:
            if self._screen is not None:
                return None
            if not text[max(0, self._consumed - base) : found.start - base].strip():
                self.consume(found)
                return None
        return found

    def _last(self, text: bytes, base: int, first: int) -> Found | None:
        last = None
        assert self._pattern is not None
        for match in self._pattern.finditer(text, max(0, first - base)):
            if match.end() > match.start():  # where nothing is matched, nothing could be consumed
                last = match
        return None if last is None else Found(last, base)
