"""`axiom-trio run` and the files it writes: --joblog, --summary and --files."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest

from axiom_trio.cli import summary as summary_module
from tests.commands import Running, axiom, scripted, shell, wait_until

if TYPE_CHECKING:
    from pathlib import Path

HEADER = b"Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n"
NUMBERS = re.compile(rb"^(\d+)\t:\t\d{10}\.\d{3}\t *\d+\.\d{3}\t", re.MULTILINE)


def rows(joblog: bytes) -> list[list[str]]:
    assert joblog.startswith(HEADER)
    assert joblog.endswith(b"\n")
    return [line.split("\t", 8) for line in joblog[len(HEADER) :].decode().split("\n")[:-1]]


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())


# --- the joblog


JOBS = [
    "echo hi",
    "exit 3",
    "kill -9 $$",
    "nosuchcmd_x; exit 127",
    'printf "a\\tb";\techo x',
    "echo 1\necho 2",
]


def test_the_joblog_is_in_the_order_of_ending(tmp_path: Path) -> None:
    started = time.time()
    axiom("--joblog", str(tmp_path / "j"), "-j", "1", *JOBS)
    found = rows((tmp_path / "j").read_bytes())
    assert [row[0] for row in found] == ["1", "2", "3", "4", "5", "6"]
    assert [row[8] for row in found] == [job.replace("\n", "\0") for job in JOBS]
    assert [(row[6], row[7]) for row in found] == [
        ("0", "0"), ("3", "0"), ("0", "9"), ("127", "0"), ("0", "0"), ("0", "0")
    ]  # fmt: skip
    assert [row[5] for row in found][:3] == ["3", "0", "0"]
    for row in found:
        assert row[1] == ":"
        assert started - 1 < float(row[2]) < time.time()
        assert 0 <= float(row[3]) < 60
    axiom("--joblog", str(tmp_path / "j"), scripted("script", "~300"), "true")
    assert [row[0] for row in rows((tmp_path / "j").read_bytes())] == ["2", "1"], "what was in it is gone"


def test_the_joblog_has_a_line_for_each_end_and_none_for_what_comes_before(tmp_path: Path) -> None:
    options = ("--retries", "1", "--idle-warn", "100ms", "--summary", str(tmp_path / "s"))
    result = axiom("--joblog", str(tmp_path / "j"), *options, scripted("script", "~400", "!3"))
    assert "idle for" in result.stderr
    assert "attempt 2 starts" in result.stderr
    assert result.status == 1, result
    [row] = rows((tmp_path / "j").read_bytes())
    assert row[6] == str(json.loads((tmp_path / "s").read_bytes())["children"][0]["exitCode"])


@pytest.mark.skipif(shutil.which("parallel") is None, reason="needs GNU parallel")
def test_the_joblog_is_as_parallel_writes_it(tmp_path: Path) -> None:
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    words = ["parallel", "--will-cite", "-j1", "-0", "--joblog", str(theirs)]
    given = b"\0".join(job.encode() for job in JOBS)
    subprocess.run(
        words,
        input=given,
        capture_output=True,
        timeout=60,
        check=False,
        env={**os.environ, "HOME": str(tmp_path)},
    )
    axiom("-j1", "--joblog", str(ours), *JOBS)

    def comparable(joblog: bytes) -> list[tuple[str, ...]]:
        assert len(NUMBERS.findall(joblog)) == len(JOBS)
        # Theirs gives what is received on stdout only.
        return [(row[0], row[1], row[4], row[6], row[7], row[8]) for row in rows(joblog)]

    assert comparable(ours.read_bytes()) == comparable(theirs.read_bytes())


def test_a_line_is_there_when_its_child_has_ended(tmp_path: Path) -> None:
    path = tmp_path / "j"
    with Running(
        "--joblog", str(path), "-j", "2", "echo a", scripted("obedient"), "true", "echo never"
    ) as run:
        wait_until(lambda: path.exists() and path.read_bytes().count(b"\n") == 4, "for three lines")
        run.signal(signal.SIGTERM)
        run.finish()
    found = rows(path.read_bytes())
    assert [row[0] for row in found] == ["1", "3", "4", "2"]


def test_silence_and_restarts_are_no_ends_in_the_joblog(tmp_path: Path) -> None:
    result = axiom(
        "--joblog", str(tmp_path / "j"), "--idle-warn", "100ms", "--retries", "1", "sleep 0.4; exit 3"
    )
    assert result.status == 1
    assert result.stderr.count("idle for") == 2
    [row] = rows((tmp_path / "j").read_bytes())
    assert row[6] == "3"


def test_one_whose_time_was_up_has_failed_in_the_joblog(tmp_path: Path) -> None:
    words = ["--timeout", "300ms", "trap 'exit 0' TERM; sleep 1000 & wait", "sleep 1000"]
    axiom("--joblog", str(tmp_path / "j"), *words)
    found = {row[0]: (row[6], row[7]) for row in rows((tmp_path / "j").read_bytes())}
    assert found == {"1": ("-1", "0"), "2": ("-1", "15")}


def test_a_run_that_cannot_begin_leaves_the_joblog_of_an_earlier_one(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    (tmp_path / "j").write_text("earlier\n")
    assert axiom("--joblog", str(tmp_path / "j"), "--journal", str(tmp_path / "link"), "true").status == 2
    assert (tmp_path / "j").read_text() == "earlier\n"


def test_what_never_ran_is_not_in_the_joblog_and_said_so_in_the_summary(tmp_path: Path) -> None:
    files = ["--joblog", str(tmp_path / "j"), "--summary", str(tmp_path / "s")]
    with Running(*files, "-j", "1", scripted("obedient"), "echo never") as run:
        run.read_until(b"ready")
        run.signal(signal.SIGTERM)
        run.finish()
    assert [row[0] for row in rows((tmp_path / "j").read_bytes())] == ["1"]
    ran, never = read(tmp_path / "s")["children"]
    assert (ran["state"], ran["attempts"]) == ("completed", 1)
    assert (never["state"], never["attempts"], never["startTime"], never["reason"]) == (
        *("neverStarted", 0, None),
        "stopped",
    )


def test_a_joblog_that_cannot_be_written(tmp_path: Path) -> None:
    result = axiom("--joblog", str(tmp_path / "no" / "j"), "echo a")
    assert (result.status, result.stdout) == (2, b"")
    assert result.stderr == (
        f"axiom-trio run: the joblog can't be written to {tmp_path}/no/j: No such file or directory\n"
    )
    assert axiom("--joblog", "/dev/full", "echo a").status == 2


def test_a_joblog_that_fails_later_costs_no_output_but_the_status(tmp_path: Path) -> None:
    # The limit lets the header through, and a part of the first line.
    line = f'ulimit -f 1; $AXIOM --joblog {tmp_path}/j -n a,b "echo $(printf %2000s) a" "echo b" | cat; exit ${{PIPESTATUS[0]}}'
    result = shell(f"trap '' XFSZ; {line}")
    assert result.status == 3, result
    assert result.stderr.count("the joblog could not be written") == 1
    assert b"[a] a\n" in result.stdout
    assert b"[b] b\n" in result.stdout


# --- the summary


def test_the_summary_tells_all(tmp_path: Path) -> None:
    before = time.time() * 1000
    result = axiom(
        *("--summary", str(tmp_path / "s"), "-j", "3", "-n", "a,b,c"), "echo a", "exit 3", "no-such-program-x"
    )
    found = read(tmp_path / "s")
    assert result.status == found["exitStatus"] == 1
    assert found["options"] == {"jobs": 3, "halt": "never", "success": "all"}
    assert found["failedSinks"] == []
    assert before <= found["startTime"] + 1000
    assert found["startTime"] <= found["endTime"] <= time.time() * 1000 + 1
    a, b, c = found["children"]
    for child in (a, b):
        assert found["startTime"] - 1 <= child["startTime"] <= child["endTime"] <= found["endTime"] + 1
        assert abs(child["endTime"] - child["startTime"] - child["duration"]) <= 1
        assert (child["state"], child["attempts"], child["escaped"]) == ("completed", 1, [])
    assert (c["exitCode"], c["reason"], c["error"]) == (127, "exit", None)
    assert (tmp_path / "s").stat().st_mode & 0o777 == 0o666 & ~_umask()


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask


def test_the_summary_replaces_a_file_in_one_step(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_text("old" * 10_000)
    real.chmod(0o640)
    link.symlink_to(real)
    held = real.open()
    axiom("--summary", str(link), "true")
    assert held.read() == "old" * 10_000, "who reads the old one is not disturbed"
    held.close()
    assert read(real)["completed"] == 1
    assert link.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    assert sorted(os.listdir(tmp_path)) == ["link", "real"]


def test_the_summary_is_not_there_before_the_end(tmp_path: Path) -> None:
    with Running("--summary", str(tmp_path / "s"), scripted("obedient")) as run:
        run.read_until(b"ready")
        assert not (tmp_path / "s").exists()
        run.signal(signal.SIGTERM)
        run.finish()
    assert read(tmp_path / "s")["exitStatus"] == 143


def test_a_summary_to_what_is_no_file(tmp_path: Path) -> None:
    result = axiom("--summary", "/dev/stdout", "-n", "a", "echo a")
    line, _, rest = result.stdout.partition(b"\n")
    assert line == b"[a] a"
    assert json.loads(rest)["completed"] == 1
    assert shell(f"$AXIOM --summary /dev/stdout -n a 'echo a' > {tmp_path}/out").status == 0
    assert (tmp_path / "out").read_bytes().startswith(b"[a] a\n{")
    os.mkfifo(tmp_path / "fifo")
    result = shell(f"cat {tmp_path}/fifo & $AXIOM -q --output none --summary {tmp_path}/fifo true; wait")
    assert json.loads(result.stdout)["exitStatus"] == 0


def test_a_sink_that_failed_is_in_the_summary(tmp_path: Path) -> None:
    result = shell(f"$AXIOM --summary {tmp_path}/s 'echo a' > /dev/full")
    assert result.status == 3
    assert read(tmp_path / "s")["failedSinks"] == [{"sink": "stdout", "error": "No space left on device"}]


def test_a_temporary_file_that_cannot_be_written_is_not_left(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    with pytest.raises(OSError, match="directory"):
        summary_module.check(str(tmp_path / "s"))
    assert os.listdir(tmp_path) == ["s"]


# --- the children's files


@pytest.mark.parametrize("on", ["--pipe", "--pty"])
def test_each_child_has_a_file(on: str, tmp_path: Path) -> None:
    result = axiom(
        on, "--files", str(tmp_path / "f"), "--output", "none", "-n", "a,b", "seq 1 5000", "printf x"
    )
    assert (result.status, result.stdout) == (0, b"")
    assert (tmp_path / "f" / "a.log").read_text() == "".join(f"{n}\n" for n in range(1, 5001))
    assert (tmp_path / "f" / "b.log").read_bytes() == b"x"


def test_files_go_on_when_stdout_is_closed(tmp_path: Path) -> None:
    result = shell(f"$AXIOM --files {tmp_path}/f -n a 'echo a' >&-")
    assert result.status == 0
    assert (tmp_path / "f" / "a.log").read_bytes() == b"a\n"
    assert shell("$AXIOM -n a 'echo a' >&-").status == 3


def test_a_file_that_cannot_be_written_costs_no_output_but_the_status(tmp_path: Path) -> None:
    (tmp_path / "a.log").symlink_to(tmp_path / "victim")
    result = axiom("--files", str(tmp_path), "-n", "a,b", "echo a", "echo b")
    assert result.status == 3
    assert sorted(result.stdout.splitlines()) == [b"[a] a", b"[b] b"]
    assert "a.log is a symbolic link, which is not followed" in result.stderr
    assert not (tmp_path / "victim").exists()


def test_a_directory_that_cannot_be_used(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    for path, why in ((tmp_path, "every user may write to it"), ("/dev/null", "Not a directory")):
        result = axiom("--files", str(path), "echo a")
        assert (result.status, result.stdout) == (2, b"")
        assert why in result.stderr


def test_what_a_file_lacks_is_said_though_the_reader_left(tmp_path: Path) -> None:
    (tmp_path / "a.log").symlink_to("/dev/full")
    result = shell(f"$AXIOM -n a --files {tmp_path} yes | head -1; exit ${{PIPESTATUS[0]}}")
    assert result.status == 141
    assert "a.log is a symbolic link" in result.stderr


def test_two_runs_do_not_write_the_same_files(tmp_path: Path) -> None:
    with Running("-n", "a", "--files", str(tmp_path / "f"), "echo one; sleep 60") as first:
        first.read_until(b"[a] one\n")
        second = axiom("-n", "a", "--files", str(tmp_path / "f"), "echo two")
        assert second.status == 2
        assert "another run is writing there; name another directory" in second.stderr
        first.signal(signal.SIGTERM)
        first.finish()
    assert (tmp_path / "f" / "a.log").read_bytes() == b"one\n"
    assert axiom("-n", "a", "--files", str(tmp_path / "f"), "echo two").status == 0
