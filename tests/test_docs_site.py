"""The guides are a site without a warning: no link is dead, no name in it is unknown."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.snippets import ROOT

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE = 600


@pytest.mark.slow
def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    for module in ("sphinx", "myst_parser", "sphinxcontrib_trio", "furo"):
        pytest.importorskip(module, reason="building the guides needs the extra `docs`")
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-W", "-n", "--keep-going", "docs", str(tmp_path / "site")],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    pages = {path.stem for path in (ROOT / "docs").glob("*.md")}
    assert {path.stem for path in (tmp_path / "site").glob("*.html")} >= pages
    reference = (tmp_path / "site" / "api.html").read_text(encoding="utf-8")
    assert 'id="axiom_trio.open_aggregator"' in reference
    assert "async with open_aggregator(" in re.sub("<[^>]+>", "", reference)  # not a plain function
