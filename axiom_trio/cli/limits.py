"""How many descriptors a run may need."""

from __future__ import annotations

import resource
from typing import Final

_EACH: Final = 5  # two outputs, input, the watch on its exit, what waits for its turn in a file
_OWN: Final = 200  # and who looks on from elsewhere


def allow_descriptors(tasks: int) -> None:
    """Have the limit raised where it's too low for so many; otherwise children inherit what we were given."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = _EACH * tasks + _OWN
    if soft != resource.RLIM_INFINITY and soft < needed:
        wanted = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
