"""The figures of a whole run."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import attrs

if TYPE_CHECKING:
    from axiom_trio.sansio.events import ChildStatistics


@final
@attrs.frozen(kw_only=True)
class AggregatorStatistics:
    """A view of an aggregator."""

    active: int
    """Children that have not ended, queued ones included."""
    queued: int
    """Children that wait for a place (`jobs`)."""
    completed: int
    """Children that have ended."""
    failed: int
    """Children that have ended without success."""
    bytes: int
    """Bytes of output of all children; so the next two."""
    lines: int
    interventions: int
    next_cursor: int
    """The cursor that the next event gets."""
    oldest_cursor: int
    """The oldest event still held."""
    log_lag: int
    """Bytes by which the slowest lossless reader lags."""
    broken_lines: int
    """Over-long lines that were broken in the text form."""
    children: tuple[ChildStatistics, ...]
    """All children, in order of being given."""
