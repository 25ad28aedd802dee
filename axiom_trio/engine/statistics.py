"""The figures of a whole run."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import attrs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from axiom_trio.engine.aggregator import StreamAggregator
    from axiom_trio.engine.child import Child
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
    """Bytes of output of all children."""
    lines: int
    """Lines of all children."""
    interventions: int
    """Interventions of all children, detected ones included."""
    next_cursor: int
    """The cursor that the next event gets."""
    oldest_cursor: int
    """The oldest event still held."""
    log_lag: int
    """Bytes by which the slowest lossless reader lags."""
    log_full: bool
    """Whether the children wait for that reader."""
    broken_lines: int
    """Over-long lines that were broken in the text form."""
    children: tuple[ChildStatistics, ...]
    """All children, in order of being given."""


def figures(aggregator: StreamAggregator, children: Sequence[Child] | None = None) -> AggregatorStatistics:
    """The figures of an aggregator, as of now; `children` of these alone, if given."""
    merger, log = aggregator._merger, aggregator._log
    return AggregatorStatistics(
        active=merger.active,
        queued=aggregator._schedule.waiting,
        completed=merger.completed,
        failed=merger.failed,
        bytes=merger.bytes,
        lines=merger.lines,
        interventions=merger.interventions,
        next_cursor=log.next,
        oldest_cursor=log.oldest,
        log_lag=log.lag,
        log_full=log.full,
        broken_lines=aggregator._services.broken_lines,
        children=tuple(
            child.statistics() for child in (aggregator.children if children is None else children)
        ),
    )
