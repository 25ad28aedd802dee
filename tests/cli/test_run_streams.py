"""Where the stream of `axiom-trio run` goes: slow readers, leaving readers, files, sockets, closed ones."""

from __future__ import annotations

import fcntl
import os
import select
import socket
import subprocess
import threading
import time
from typing import TYPE_CHECKING

import pytest

from tests.commands import PATIENCE, Result, Running, axiom, command, environment, scripted, shell, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.leaks import LeakCheck

both = pytest.mark.parametrize("on", ["--pipe", "--pty"])
SEQ = b"".join(b"[seq] %d\n" % n for n in range(1, 100_001))
MEMORY = "grep VmHWM /proc/$PPID/status | tr -dc 0-9 > "
"""A shell line that leaves the peak memory of `axiom-trio`, its parent, in a file: KiB."""


def written(report: Path) -> int:
    return int(report.read_bytes() or b"0") if report.exists() else 0


def settled(report: Path) -> int:
    """What a flood has written when it writes no more."""
    seen = -1

    def unchanged() -> bool:
        nonlocal seen
        before, seen = seen, written(report)
        time.sleep(0.15)
        return seen == before > 0

    wait_until(unchanged)
    return seen


@both
def test_nothing_is_lost_when_the_child_ends_before_it_is_read(on: str) -> None:
    result = shell(f"$AXIOM {on} 'seq 1 100000' | (sleep 1; cat)")
    assert result.stdout == SEQ


@both
def test_a_reader_that_pauses_stops_the_children_and_loses_nothing(on: str, tmp_path: Path) -> None:
    reports = [tmp_path / "a", tmp_path / "b"]
    floods = [scripted("flood", report, 60_000) + f"; {MEMORY}{report}.peak" for report in reports]
    with Running(on, "-n", "a,b", *floods) as run:
        held = [settled(report) for report in reports]
        # Of 6 MB each: the kernel's buffers, a read, and a share of the log.
        assert all(size < 2_500_000 for size in held), held
        time.sleep(0.3)
        assert [written(report) for report in reports] == held
        result = run.finish()
    for name, report in zip("ab", reports, strict=True):
        prefix = f"[{name}] ".encode()
        lines = [line for line in result.stdout.split(b"\n") if line.startswith(prefix)]
        assert lines == [prefix + b"%099d" % n for n in range(60_000)]
        assert int((tmp_path / f"{report.name}.peak").read_text()) < 80_000
    assert result.stdout.count(b"\n") == 120_000


@both
def test_a_slow_reader_loses_nothing(on: str) -> None:
    with Running(on, "-n", "a,b", "seq 1 30000", "seq 1 30000") as run:
        assert run.process.stdout is not None
        data = b""
        while piece := os.read(run.process.stdout.fileno(), 8192):
            data += piece
            time.sleep(0.005)
        assert run.finish().status == 0
    for name in (b"a", b"b"):
        lines = [line for line in data.splitlines() if line.startswith(b"[%s] " % name)]
        assert lines == [b"[%s] %d" % (name, n) for n in range(1, 30_001)]


@pytest.mark.parametrize(
    ("size", "on"),
    [
        (1 << 20, "--pipe"),
        (1 << 20, "--pty"),
        pytest.param(100_000_000, "--pipe", marks=pytest.mark.slow),
        pytest.param(100_000_000, "--pty", marks=pytest.mark.slow),
    ],
)
def test_an_endless_line_comes_out_whole_and_memory_stays(size: int, on: str, tmp_path: Path) -> None:
    line = scripted("bigline", size) + f"; {MEMORY}{tmp_path / 'peak'}"
    quiet = "i=0; while [ $i -lt 20 ]; do echo quiet $i; sleep 0.02; i=$((i+1)); done"
    for _ in range(20):
        result = axiom(on, "-n", "big,quiet", line, quiet)
        lines = [text for text in result.stdout.split(b"\n") if not text.startswith(b"[quiet] ")]
        assert lines[-2:] == [b"[big] the end", b""]
        big = b"".join(text.removeprefix(b"[big] ") for text in lines[:-2])
        assert big == (b"0123456789abcdef" * (size // 16 + 1))[:size]
        assert result.stdout.count(b"[quiet] quiet ") == 20
        assert int((tmp_path / "peak").read_text()) < 80_000
        if "lines were broken" not in result.stderr:  # as it's where a busy machine lets it wait for 100 ms
            break
    assert len(lines) == 3


# --- readers that leave


@both
@pytest.mark.parametrize("output", ["lines", "grouped", "raw", "jsonl"])
def test_a_reader_that_leaves_ends_the_run_silently(on: str, output: str, leak_check: LeakCheck) -> None:
    result = shell(f"$AXIOM {on} --output {output} 'exec yes' 'exec yes' | head -1; exit ${{PIPESTATUS[0]}}")
    assert result.status == 141
    assert result.stderr == ""
    assert result.stdout.count(b"\n") == 1
    leak_check.wait_until_gone()


def test_a_reader_that_has_left_is_seen_at_the_next_line(leak_check: LeakCheck) -> None:
    result = shell("$AXIOM 'sleep 0.3; echo a; exec sleep 1000' | true; exit ${PIPESTATUS[0]}")
    assert (result.status, result.stderr) == (141, "")
    leak_check.wait_until_gone()


def test_a_socket_whose_reader_leaves() -> None:
    ours, theirs = socket.socketpair()
    with Running("exec yes", stdout=theirs.fileno()) as run:
        theirs.close()
        assert ours.recv(100)
        ours.close()
        result = run.finish()
    assert (result.status, result.stderr) == (141, "")


# --- places that take nothing


@pytest.mark.parametrize("output", ["lines", "grouped", "raw", "jsonl"])
def test_a_full_disk_is_said_and_is_an_error(output: str) -> None:
    result = shell(f"$AXIOM --output {output} 'seq 1 1000' > /dev/full")
    assert result.status == 3
    assert result.stderr.count("output was lost") == 1
    assert "No space left" in result.stderr


@pytest.mark.parametrize("output", ["lines", "grouped", "raw", "jsonl"])
def test_a_closed_stdout_is_an_error(output: str, tmp_path: Path) -> None:
    result = shell(f"$AXIOM --output {output} 'echo hi; echo ran > {tmp_path}/file' >&-")
    assert result.status == 3
    assert "stdout is closed" in result.stderr
    assert (tmp_path / "file").read_text() == "ran\n"


def test_a_closed_stdout_does_not_matter_where_nothing_is_shown() -> None:
    assert shell("$AXIOM --output none 'echo hi' >&-").status == 0


@pytest.mark.parametrize("closing", ["<&-", "2>&-", "<&- 2>&-", "2>/dev/full"])
def test_other_standard_descriptors_may_be_closed(closing: str) -> None:
    result = shell(f"$AXIOM 'echo hi; exit 3' {scripted('descriptors')!r} {closing}")
    assert result.status == 1
    assert b"[echo] hi\n" in result.stdout
    assert b"fds [0, 1, 2] " in result.stdout


@pytest.mark.parametrize("arguments", ["--help", "run --help", "--version"])
def test_help_to_places_that_take_nothing(arguments: str) -> None:
    line = "${AXIOM% run} " + arguments
    assert shell(f"{line} > /dev/full").status == 3
    assert shell(f"{line} >&-").status in (0, 3)
    assert shell(f"{line} | true; exit ${{PIPESTATUS[0]}}").status in (0, 141)


# --- files


def test_a_file_is_written_and_its_offset_is_shared(tmp_path: Path) -> None:
    for into in (">", ">>"):
        result = shell(f"(echo a; $AXIOM 'echo b'; echo c) {into} {tmp_path}/file")
        assert result.status == 0
    assert (tmp_path / "file").read_bytes() == b"a\n[echo] b\nc\n" * 2


def test_a_file_gets_all_of_many_children(tmp_path: Path) -> None:
    with (
        open(tmp_path / "file", "wb") as file,
        Running("-n", "a,b", "seq 1 50000", "seq 1 50000", stdout=file) as run,
    ):
        assert run.finish().status == 0
    lines = (tmp_path / "file").read_bytes().splitlines()
    for name in (b"a", b"b"):
        assert [line for line in lines if line.startswith(b"[%s]" % name)] == [
            b"[%s] %d" % (name, n) for n in range(1, 50_001)
        ]
    assert len(lines) == 100_000


def test_a_named_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    result = shell(f"$AXIOM 'seq 1 100000' > {tmp_path}/pipe & sleep 0.3; cat {tmp_path}/pipe; wait $!")
    assert result.stdout == SEQ


def test_a_socket() -> None:
    ours, theirs = socket.socketpair()
    data = b""
    with ours, Running("seq 1 100000", stdout=theirs.fileno()) as run:
        theirs.close()
        time.sleep(0.3)
        while piece := ours.recv(65536):
            data += piece
        assert run.finish().status == 0
    assert data == SEQ


@pytest.mark.parametrize("kind", ["pipe", "socket"])
@pytest.mark.parametrize("blocking", [True, False])
def test_the_blocking_mode_of_what_others_share_is_left_alone(kind: str, blocking: bool) -> None:
    if kind == "pipe":
        reader, writer = os.pipe()
    else:
        pair = socket.socketpair()
        reader, writer = (end.detach() for end in pair)
    os.set_blocking(writer, blocking)
    before = fcntl.fcntl(writer, fcntl.F_GETFL)
    seen = set()
    data = b""
    try:
        with Running("seq 1 100000", stdout=writer) as run:
            time.sleep(0.5)  # full by now: it waits
            while not data.endswith(b" 100000\n"):
                seen.add(fcntl.fcntl(writer, fcntl.F_GETFL))
                data += os.read(reader, 65536)
            assert run.finish().status == 0
        seen.add(fcntl.fcntl(writer, fcntl.F_GETFL))
    finally:
        os.close(reader)
        os.close(writer)
    assert seen == {before}
    assert data == SEQ


def test_a_sibling_that_makes_the_pipe_non_blocking_later_harms_nothing() -> None:
    reader, writer = os.pipe()
    with Running("seq 1 100000", stdout=writer) as run:
        data = os.read(reader, 10)
        os.set_blocking(writer, False)
        os.close(writer)
        time.sleep(0.2)
        while piece := os.read(reader, 65536):
            data += piece
        assert run.finish().status == 0
    os.close(reader)
    assert data == SEQ


def test_a_reader_of_stderr_that_sleeps_holds_nothing_up() -> None:
    """Sixty-four kilobytes and more of failures, told to a pipe that nobody reads."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    with Running("exit 3", ":::", *map(str, range(300)), stderr=writer) as run:
        os.close(writer)
        killer = threading.Timer(PATIENCE / 2, run.process.kill)
        killer.start()
        stdout, _ = run.process.communicate()
        killer.cancel()
        assert run.process.returncode == 1
        assert stdout == b""
    os.close(reader)


def test_a_stdout_whose_reader_never_reads_is_given_up_after_a_signal() -> None:
    reader, writer = os.pipe()
    process = subprocess.Popen(
        command("--grace", "300ms", "seq 1 100000000"),
        stdout=writer,
        stderr=subprocess.PIPE,
        env=environment(),
    )
    os.close(writer)
    select.select([reader], [], [], PATIENCE)
    time.sleep(0.3)  # the pipe is full by then, and the run waits for its reader
    process.terminate()
    _, stderr = process.communicate(timeout=PATIENCE)
    os.close(reader)
    assert Result(process.returncode, b"", stderr).status == 143
    assert b"output was lost" in stderr
