"""Lines that bear a marker: a child's claim that it was intervened upon, or its progress.

A marker is searched only where a `[` is: a search that finds none costs 1/90 of
a nanosecond a byte. A marker is a claim, not an identity: see `Intervention.origin`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from axiom_trio.sansio.events import Kind

INTERVENTION: Final = b"[INTERVENTION]"
PROGRESS: Final = b"[PROGRESS]"


def has_marker(data: bytes) -> bool:
    """Whether a marker stands anywhere in `data`."""
    return b"[" in data and (INTERVENTION in data or PROGRESS in data)


def kind_of(line: bytes) -> Kind:
    """The kind of a single line, by the marker it bears."""
    if INTERVENTION in line:
        return "intervention"
    return "progress" if PROGRESS in line else "output"


def cut(block: bytes, kind: Kind = "output") -> list[tuple[Kind, bytes]]:
    """Cut a block of lines around those that bear a marker.

    Each marked line is a piece of its own, what lies between is left whole; joined,
    the pieces are the block. Unmarked pieces are of `kind`. Linear in the block: each
    marker is looked for once beyond its last place.
    """
    pieces: list[tuple[Kind, bytes]] = []
    done = 0
    nearest = [block.find(INTERVENTION), block.find(PROGRESS)]
    while any(at >= 0 for at in nearest):
        at = min(at for at in nearest if at >= 0)
        start = max(done, block.rfind(b"\n", done, at) + 1)
        end = block.find(b"\n", at) + 1 or len(block)
        if start > done:
            pieces.append((kind, block[done:start]))
        line = block[start:end]
        pieces.append((kind_of(line), line))
        done = end
        nearest = [
            block.find(marker, end) if 0 <= place < end else place
            for marker, place in zip((INTERVENTION, PROGRESS), nearest, strict=True)
        ]
    if done < len(block):
        pieces.append((kind, block[done:]))
    return pieces


def claimed_text(line: bytes) -> str:
    """What a line says behind its `[INTERVENTION]`."""
    return line.partition(INTERVENTION)[2].strip().decode("utf-8", "replace")
