"""Secrets masked as `***` in a byte stream, however it is cut.

A secret is looked for line by line: as it is, and as base64 (at each of its three
alignments), percent-encoded, JSON-escaped and shell-quoted. This is best effort, not
a boundary: a program that wants to show a secret can always encode it otherwise.

What is masked is what masking the whole output at once would mask: the leftmost
form first, the longest of those that begin there. So a `Masker` holds back the end of
what it was fed where that could be the beginning of a form. No form contains a
newline, so it's always a part of the open line.
"""

from __future__ import annotations

import base64
import json
from bisect import bisect_left
from heapq import heapify, heappop, heapreplace
from typing import TYPE_CHECKING, Final
from urllib.parse import quote_from_bytes

import attrs

from axiom_trio.sansio.errors import SpecificationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from axiom_trio.sansio.events import TaskMetadata

MASK: Final = b"***"
SHORTEST: Final = 6
"""Characters of the shortest secret: shorter ones would turn up everywhere."""
SHOWN_WHEN_SILENT: Final = 3
"""Bytes of what may be a secret's beginning that are shown if nothing follows for a while."""
_UNESCAPED: Final = ("", "/", "!~*'()", ";,/?:@&=+$!~*'()#")  # besides letters, digits and -._~


class Plain(str):
    """A secret that's masked only as it is: one of our own tokens, for which nobody should pay much."""

    __slots__ = ()


class Masks:
    """A set of secrets.

    Args:
        secrets: Each with at least 6 characters in one of its lines; shorter lines of a secret
            are not masked, nor is white space around a line.

    Raises:
        SpecificationError: A secret is too short. It's not named.
    """

    __slots__ = ("_firsts", "_forms", "_longest")

    def __init__(self, secrets: Iterable[str | bytes]) -> None:
        if isinstance(secrets, (str, bytes)):
            raise SpecificationError("mask takes a list of secrets, not a single one")
        self._forms = sorted({form for secret in secrets for form in _forms(secret)})
        self._firsts = frozenset(form[0] for form in self._forms)
        self._longest = max(map(len, self._forms), default=0)

    def mask(self, data: bytes) -> bytes:
        """Mask all of `data`."""
        return Masker(self).feed(data, final=True)

    def text(self, text: str) -> str:
        """Mask a text."""
        try:
            data = text.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            data = text.encode("utf-8", "backslashreplace")
        masked = self.mask(data)
        return text if masked is data else masked.decode("utf-8", "surrogateescape")

    def metadata(self, metadata: TaskMetadata) -> TaskMetadata:
        """Mask the texts of what is known of a child."""
        prompt, pattern = (text and self.text(text) for text in (metadata.prompt, metadata.pattern))
        return attrs.evolve(metadata, prompt=prompt, pattern=pattern)

    def matches(self, data: bytes) -> Iterator[tuple[int, int]]:
        """Where forms begin and end, from left to right, none overlapping another."""
        found = [(at, -len(form), form) for form in self._forms if (at := data.find(form)) >= 0]
        heapify(found)
        end = 0
        while found:
            start, size, form = found[0]
            if start >= end:
                end = start - size
                yield start, end
            at = data.find(form, end)
            if at < 0:
                heappop(found)
            else:
                heapreplace(found, (at, size, form))

    def open_at(self, data: bytes, start: int) -> int:
        """Where, from `start` on, `data` may end with the beginning of a form; its length if nowhere."""
        size = len(data)
        start = max(start, size - self._longest + 1)
        start = max(start, data.rfind(b"\n", start) + 1)
        for place in range(start, size):
            if data[place] in self._firsts and self._is_beginning(data[place:]):
                return place
        return size

    def _is_beginning(self, piece: bytes) -> bool:
        """Whether a form is longer than `piece` and begins with it."""
        at = bisect_left(self._forms, piece)
        if at < len(self._forms) and self._forms[at] == piece:
            at += 1
        return at < len(self._forms) and self._forms[at].startswith(piece)


class Masker:
    """Masks one stream, fed in pieces.

    Example::

        masker = Masker(Masks(["secret"]))
        masker.feed(b"my sec")   # b"my "
        masker.feed(b"ret is")   # b"*** i"
        masker.feed(b"", final=True)  # b"s"
    """

    __slots__ = ("_held", "_masks", "_shown")

    def __init__(self, masks: Masks) -> None:
        self._masks = masks
        self._held = b""
        self._shown = 0  # bytes of `_held` that are out

    @property
    def held(self) -> int:
        """Bytes that are held back."""
        return len(self._held) - self._shown

    @property
    def releasable(self) -> int:
        """Bytes that `release` would give."""
        return self.held if len(self._held) <= SHOWN_WHEN_SILENT else 0

    def feed(self, data: bytes, *, final: bool = False) -> bytes:
        """Take in bytes, cut anywhere; return those that can be shown, masked.

        With `final`, all comes out, and what is fed next is another stream.
        """
        data, shown = self._held + data, self._shown
        hold = len(data) if final else self._masks.open_at(data, 0)
        pieces: list[bytes] = []
        done = 0
        for start, end in self._masks.matches(data):
            if start >= hold:
                break
            pieces += (data[max(done, shown) : start], MASK)
            done = end
            if hold < end:
                hold = self._masks.open_at(data, end)
        self._held = data[hold:]
        self._shown = max(0, shown - hold)
        if not pieces and not shown and hold == len(data):
            return data
        pieces.append(data[max(done, shown) : hold])
        return b"".join(pieces)

    def release(self) -> bytes:
        """Nothing has followed for a while: show what is held if it's short.

        If it turns out to be a secret's beginning, the rest will still be masked.
        """
        if not self.releasable:
            return b""
        piece = self._held[self._shown :]
        self._shown = len(self._held)
        return piece


def _forms(secret: str | bytes) -> set[bytes]:
    forms: set[bytes] = set()
    try:
        whole = secret if isinstance(secret, bytes) else secret.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise SpecificationError("a secret has characters that can't be encoded as UTF-8") from None
    for line in whole.splitlines():
        stripped = line.strip()
        text = stripped.decode("utf-8", "surrogateescape")
        if len(text) >= SHORTEST and isinstance(secret, Plain):
            forms.add(stripped)
        elif len(text) >= SHORTEST:
            forms |= {stripped, *_quoted(text), *_percent_encoded(stripped), *_base64(stripped)}
    if not forms:
        raise SpecificationError(f"a secret is shorter than {SHORTEST} characters, too short to be masked")
    return forms


def _quoted(text: str) -> Iterator[bytes]:
    """As in JSON strings, in a shell's single quotes, and as a shell traces its commands."""
    for ascii_only in (True, False):
        escaped = json.dumps(text, ensure_ascii=ascii_only)[1:-1]
        for form in (escaped, escaped.replace("/", "\\/")):
            yield form.encode("utf-8", "surrogateescape")
    for quote in ("'\\''", "'\"'\"'"):
        yield text.replace("'", quote).encode("utf-8", "surrogateescape")


def _percent_encoded(data: bytes) -> Iterator[bytes]:
    for safe in _UNESCAPED:
        form = quote_from_bytes(data, safe)
        first, *parts = form.split("%")
        lower = first + "".join("%" + part[:2].lower() + part[2:] for part in parts)
        for variant in (form, lower):
            yield variant.encode()
            yield variant.replace("%20", "+").encode()


def _base64(data: bytes) -> Iterator[bytes]:
    """Those characters that are the same whatever stands around the secret."""
    for before in range(3):
        first = -(-8 * before // 6)
        last = 8 * (before + len(data)) // 6
        encoded = base64.b64encode(bytes(before) + data)[first:last]
        yield encoded
        yield encoded.replace(b"+", b"-").replace(b"/", b"_")
