"""Viewers that nobody here wrote get all of ten flooding children, in order, whoever drops the connection."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands import PATIENCE, Running, environment
from tests.faults.test_server import urls

HERE = Path(__file__).parent
LINES = 20_000
NAMES = "abcdefghij"


def command() -> str:
    """Writes numbered lines as fast as it can, some of them not ASCII."""
    return (
        f"exec {sys.executable} -I -S -c 'import sys\n"
        f'for n in range({LINES}): sys.stdout.write(f"{{n:06}} é {{chr(120) * (n % 90)}}\\n")\''
    )


def written() -> str:
    return "".join(f"{number:06} é {'x' * (number % 90)}\n" for number in range(LINES))


@pytest.mark.parametrize("peer", ["websockets", "ws"])
def test_all_of_ten_flooding_children(peer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if peer == "ws" and (not os.environ.get("AXIOM_WS") or shutil.which("node") is None):
        pytest.skip("there is no node, or AXIOM_WS names no directory with node_modules/ws")
    if peer == "websockets":
        pytest.importorskip("websockets")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    program = ["node", str(HERE / "peer.mjs")] if peer == "ws" else [sys.executable, str(HERE / "peer.py")]
    seen = tmp_path / "seen"
    seen.mkdir()
    journal = str(tmp_path / "journal")
    children = [command()] * len(NAMES)
    options = ["--journal", journal, "--fsync", "never", "--listen", "0", "--output", "none"]
    hold = f"until test -e {seen}/go; do sleep 0.01; done"
    with Running(*options, "-n", ",".join([*NAMES, "hold"]), *children, hold) as run:
        port, view, _ = urls(run)
        done = subprocess.run(
            [*program, str(port), str(seen), "3"],
            input=view.encode(),
            capture_output=True,
            env=environment(),
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        run.finish()
    told = json.loads(done.stdout)
    assert told["wrong"] == []
    assert told["gaps"] == 0
    assert told["drops"] == 5
    for name in NAMES:
        assert Path(seen, name).read_bytes().decode() == written()
