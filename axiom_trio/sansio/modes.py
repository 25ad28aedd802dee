"""How a child's terminal treats what is typed into it."""

from __future__ import annotations

from typing import final

import attrs


@final
@attrs.frozen
class InputMode:
    """What `Executor.input_mode` tells."""

    canonical: bool
    """Whether the terminal itself edits lines: the child gets whole ones, of at most 4095 bytes each."""
    echo: bool
    """Whether the terminal shows what is typed."""
    bracketed_paste: bool = False
    """Whether the child told it to mark what is pasted (mode 2004)."""
    hides: bool = False
    """Whether the child has switched the echo off, as it does where a password is typed."""
