"""`--listen`: what is told, when, and what the verbs do through the port."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands import PATIENCE, Result, axiom, environment
from tests.faults.test_server import Served, runtime_directory  # noqa: F401 (a fixture)

URLS = re.compile(
    r"axiom-trio: to look on: (http://127\.0\.0\.1:\d+/#[\w-]{43})\n"
    r"axiom-trio: to steer, too: (http://127\.0\.0\.1:\d+/#[\w-]{43})\n"
)


def verb(*words: str, stdin: bytes = b"") -> Result:
    done = subprocess.run(
        [sys.executable, "-m", "axiom_trio", *words],
        input=stdin,
        capture_output=True,
        env=environment(),
        timeout=PATIENCE,
        check=False,
    )
    return Result(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("options", [[], ["-q"], ["--output", "none"], ["--output", "jsonl"]])
def test_both_urls_are_told_on_stderr(options: list[str]) -> None:
    shown = axiom(*options, "--listen", "0", "echo hello")
    assert shown.status == 0
    found = URLS.match(shown.stderr)
    assert found is not None
    assert found[1] != found[2]
    assert b"http" not in shown.stdout


def test_a_port_has_the_same_urls_each_time_and_any_free_one_others() -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = str(sock.getsockname()[1])
    told = [
        axiom("--listen", where, "true").stderr.split("✓")[0]
        for where in (port, f"127.0.0.1:{port}", "0", "0")
    ]
    assert told[0] == told[1]
    assert len({re.sub(r":\d+/", "", text) for text in told}) == 3


def test_where_tokens_can_not_be_kept_they_are_new(runtime_directory: Path) -> None:  # noqa: F811 (the fixture is imported)
    runtime_directory.mkdir(mode=0o755)
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = str(sock.getsockname()[1])
    shown = axiom("--listen", port, "true")
    assert shown.status == 0
    assert (
        "is open to others: chmod 700 it, or remove it; so the addresses are others each time" in shown.stderr
    )


def test_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "axiom.toml").write_text(
        '[run]\nlisten = 0\nallow-host = ["app.test", "app.test:9000"]\n[tasks.a]\ncommand = "echo hello"\n'
    )
    shown = axiom(cwd=tmp_path)
    assert shown.status == 0
    assert URLS.match(shown.stderr)


def test_verbs_through_the_port(tmp_path: Path) -> None:
    with Served("-n", "talk", "--pty", "echo hello; exec cat") as run:
        run.read_until(b"[talk] hello\n")
        view, control, wrong = (tmp_path / name for name in ("view", "control", "wrong"))
        view.write_text(f"{run.view}\n")
        control.write_text(run.control)
        wrong.write_text("x" * 43)
        where = ["--url", f"http://127.0.0.1:{run.port}/", "--token-file"]
        assert verb("logs", *where, str(view)).stdout == b"[talk] hello\n"
        assert verb("logs", *where, "-", stdin=run.view.encode()).stdout == b"[talk] hello\n"
        assert json.loads(verb("ps", "--json", *where, str(view)).stdout)["children"][0]["name"] == "talk"
        for words, file, status, sentence in (
            (["send", "talk", "x"], view, 1, "this needs the control token"),
            (["logs"], wrong, 1, "it doesn't know the token"),
            (["send", "nobody", "x"], control, 4, "there is no child 'nobody'"),
        ):
            refused = verb(*words, *where, str(file))
            assert (refused.status, refused.stderr.count("\n")) == (status, 1)
            assert sentence in refused.stderr
        assert verb("send", "talk", "again", *where, str(control)).status == 0
        run.read_until(b"[talk] again\n")
        assert verb("wait", "talk", "--match", "again", *where, str(view)).status == 0
        run.signal(signal.SIGTERM)
        run.finish()
    gone = verb("logs", *where, str(view))
    assert (gone.status, gone.stderr.count("\n")) == (4, 1)
    assert "nothing answers" in gone.stderr


def test_help_names_them() -> None:
    assert b"--url URL" in verb("logs", "--help").stdout
    assert b"--token-file FILE" in verb("send", "--help").stdout


def test_a_page_that_can_not_be_had_costs_nobody_anything() -> None:
    broken = (
        "import sys\n"
        "from axiom_trio.cli import main, serving\n"
        "def none(): raise ImportError('no such module')\n"
        "serving._load_page = none\n"
        "sys.argv = ['axiom-trio', 'run', '--listen', '0', 'sleep 0.3; echo hello']\n"
        "sys.exit(main())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", broken],
        capture_output=True,
        env=environment(),
        timeout=PATIENCE,
        check=False,
        text=True,
    )
    assert done.returncode == 0
    assert "hello" in done.stdout
    assert "the page can't be reached any more: ImportError('no such module')" in done.stderr
    assert "Traceback" not in done.stderr
