"""Amounts as people read them: `3.2 MB`, `12.3k`."""

from __future__ import annotations


def format_size(size: float) -> str:
    """`512 B`, `3.2 MB`: bytes for people, in powers of 1000."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 999.5 or unit == "GB":
            break
        size /= 1000
    return f"{size:.0f} {unit}" if unit == "B" or size >= 99.95 else f"{size:.1f} {unit}"


def format_count(count: float) -> str:
    """`0.4`, `56`, `12.3k`, `1.2M`: a number for people."""
    if count < 9.95:
        return f"{count:.1f}".removesuffix(".0")
    for unit in ("", "k", "M"):
        if count < 999.5 or unit == "M":
            break
        count /= 1000
    return f"{count:.0f}{unit}" if not unit or count >= 99.95 else f"{count:.1f}{unit}"
