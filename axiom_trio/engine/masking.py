"""Cutting a stream into lines, its secrets masked before anything else sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from axiom_trio.engine.chunks import Splitter
from axiom_trio.sansio.masks import Masker

if TYPE_CHECKING:
    from axiom_trio.sansio.events import Kind
    from axiom_trio.sansio.masks import Masks


class MaskingSplitter(Splitter):
    """A splitter that masks what it is fed.

    What the masker would show after a silence counts as `pending`, so that the tail
    clock looks at it.
    """

    __slots__ = ("_masker", "_releasable")

    def __init__(self, kind: Kind, masks: Masks) -> None:
        super().__init__(kind)
        self._masker = Masker(masks)
        self._releasable = 0

    @property
    def open(self) -> bool:
        """Whether a line has begun and not ended, even if all of it is held back."""
        return super().open or self._masker.held > 0

    def feed(self, data: bytes) -> bytes:
        """See `LineSplitter.feed`."""
        return self._split(self._masker.feed(data))

    def take(self, *, final: bool = False) -> bytes:
        """See `LineSplitter.take`."""
        if final:
            self._split(self._masker.feed(b"", final=True))
        piece = super().take(final=final)
        self.pending += self._releasable
        return piece

    def silent(self) -> None:
        """Nothing has come for a while: what may begin a secret is shown if it's short."""
        self._split(self._masker.release())

    def _split(self, data: bytes) -> bytes:
        self.pending -= self._releasable
        block = super().feed(data)
        self._releasable = self._masker.releasable
        self.pending += self._releasable
        return block
