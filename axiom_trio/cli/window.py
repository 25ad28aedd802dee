"""How much room the children's terminals have, next to what stands before their lines."""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING, Final, final

from axiom_trio.sansio.names import SHORT_ID, shorten

if TYPE_CHECKING:
    from axiom_trio.cli.options import RunOptions

_TIMESTAMP: Final = 25


@final
class Window:
    """The window of a run's children."""

    def __init__(self, options: RunOptions) -> None:
        self._options = options

    def size(self) -> tuple[int, int]:
        """Rows and columns for a child: our own, less the room that the prefix takes."""
        for descriptor in (1, 2, 0):
            try:
                columns, rows = os.get_terminal_size(descriptor)
            except OSError:
                continue
            if rows > 0 and columns > 0:
                return rows, max(20, columns - self._prefix - 1)
        return 24, 80

    @property
    def padding(self) -> int:
        """To how many columns prefixes are padded."""
        if not self._options.pad:
            return 0
        return self._prefix - (_TIMESTAMP if self._options.timestamps else 0)

    @cached_property  # it looks at all names, and each child asks
    def _prefix(self) -> int:
        options = self._options
        if options.output == "raw" or not options.prefix:
            return 0
        names = [task.name for task in options.tasks]
        if options.prefix_length is not None:
            names = shorten(names, options.prefix_length)
        fields = {"id": "x" * SHORT_ID, "index": len(names) - 1, "pid": "1234567", "time": "x" * 24}
        widths = (len(options.prefix.format(name=name, **fields)) for name in names)
        return max(widths, default=0) + (_TIMESTAMP if options.timestamps else 0)
