"""Every test leaves nothing behind; what real commands need is here."""

from __future__ import annotations

import os
import uuid
from typing import TYPE_CHECKING

import hypothesis
import pytest

from tests.leaks import MARKER, LeakCheck

if TYPE_CHECKING:
    from collections.abc import Iterator

hypothesis.settings.register_profile("axiom", deadline=None)
hypothesis.settings.load_profile("axiom")

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
