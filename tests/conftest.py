"""Every test leaves nothing behind; what real commands need is here."""

from __future__ import annotations

import os
import signal
import tempfile
import uuid
from typing import TYPE_CHECKING

import hypothesis
import pytest

from tests.leaks import MARKER, LeakCheck

if TYPE_CHECKING:
    from collections.abc import Iterator

hypothesis.settings.register_profile("axiom", deadline=None)
hypothesis.settings.load_profile("axiom")

# A shell's background jobs ignore them, and so would all that the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGQUIT, signal.SIG_DFL)

# Runs that tests kill leave their control sockets here, not among the user's.
_runtime = tempfile.TemporaryDirectory(prefix="axiom-runtime-")
os.environ["XDG_RUNTIME_DIR"] = _runtime.name
os.environ.pop("AXIOM_RUN_ID", None)

for _name in ("NO_COLOR", "FORCE_COLOR", "DEBUG", "CDPATH"):
    os.environ.pop(_name, None)


@pytest.fixture(autouse=True)
def leak_check(monkeypatch: pytest.MonkeyPatch) -> Iterator[LeakCheck]:
    """No process, zombie, thread, descriptor or PTY is left behind by any test."""
    marker = uuid.uuid4().hex
    monkeypatch.setenv(MARKER, marker)
    check = LeakCheck(marker)
    yield check
    problems = check.problems()
    assert not problems, "left behind: " + "; ".join(problems)
