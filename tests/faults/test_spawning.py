"""T12–T16: a child can't be started; the others are not harmed."""

from __future__ import annotations

import errno
import os
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trio

from axiom_trio import ProcessExecutor, PtyExecutor, SpawnError, open_aggregator
from tests.commands import PATIENCE, Collector, Result, axiom, command, environment, expected
from tests.faults.harness import BOTH, argv, line
from tests.faults.oracle import check

if TYPE_CHECKING:
    pass

TASKS = [f"t{n}" for n in range(12)]
LINES = 30


def run_limited(wrapper: list[str], on: str, tasks: list[str]) -> Result:
    """Run the tasks side by side behind a wrapper that limits something."""
    children = ["exec " + line("lines", task, n=LINES, every=20, lines_per_write=1) for task in tasks]
    done = subprocess.run(
        [*wrapper, *command(on, "-n", ",".join(tasks), *children)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=environment(),
        timeout=PATIENCE,
        check=False,
    )
    return Result(done.returncode, done.stdout, done.stderr)


def the_rest_is_unharmed(result: Result, tasks: list[str], why: str) -> int:
    """Each task ran to its end or failed for that reason; how many failed."""
    lines = result.stdout.splitlines(keepends=True)
    ours = b"".join(line for line in lines if b"] [ERROR] " not in line)
    found = check(ours.replace(b"\r\n", b"\n"), tasks)
    assert found.exact, result
    failed = [task for task in tasks if not found.good(task)]
    assert all(found.good(task) == LINES for task in tasks if task not in failed), result
    for task in failed:
        assert any(
            text.startswith(f"[{task}] [ERROR] can't start ".encode()) and why.encode() in text
            for text in lines
        ), result
        assert f"[{task}] Failed" in result.stderr, result
    assert result.status == (1 if failed else 0)
    return len(failed)


@BOTH
@pytest.mark.parametrize("descriptors", [28, 16])
def test_T12_emfile_at_spawn(on: str, descriptors: int) -> None:
    """With 28, all twelve find room: where there is no descriptor left to wait on, an exit is polled for."""
    wrapper = ["sh", "-c", f'ulimit -n {descriptors}; exec "$@"', "sh"]
    failed = the_rest_is_unharmed(run_limited(wrapper, on, TASKS), TASKS, os.strerror(errno.EMFILE))
    assert failed == 0 if descriptors == 28 else 0 < failed < len(TASKS)


@BOTH
def test_T12_a_descriptor_above_the_limit(on: str) -> None:
    """As `ulimit -n` leaves it behind where something was open before: it harms nobody, and nobody inherits it."""
    wrapper = ["bash", "-c", 'exec 200</dev/null; ulimit -n 64; exec "$@"', "bash"]
    assert the_rest_is_unharmed(run_limited(wrapper, on, TASKS[:3]), TASKS[:3], "") == 0
    listed = subprocess.run(
        [*wrapper, *command(on, "-n", "a", "ls -l /proc/self/fd | grep -c ' 200 ->'")],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=environment(),
        timeout=PATIENCE,
        check=False,
    )
    assert b"[a] 0" in listed.stdout, listed


PTYS = 4
_FEW_PTYS = (
    f"mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,max={PTYS} devpts /dev/pts && "
    'mount --bind /dev/pts/ptmx /dev/ptmx && exec "$@"'
)


def test_T14_pty_exhaustion() -> None:
    """In a mount namespace of its own, so that nobody else is short of PTYs."""
    wrapper = ["unshare", *(["-m"] if os.getuid() == 0 else ["-Urm"]), "sh", "-c", _FEW_PTYS, "sh"]
    if shutil.which("unshare") is None or subprocess.run([*wrapper, "true"], check=False).returncode:
        pytest.skip("a mount namespace with its own PTYs can't be had here (unshare, root)")
    tasks = TASKS[:7]
    failed = the_rest_is_unharmed(run_limited(wrapper, "--pty", tasks), tasks, "no free pseudo-terminal")
    assert failed == len(tasks) - PTYS


PROCESSES = 6
NOBODY_ELSE = 60_000 + os.getpid() % 5_000


def fewer_processes() -> list[str]:
    """A wrapper under which fork fails: as a user nobody else is, or short of what we have."""
    if os.getuid() == 0:
        caps = [f"--{which}-caps=+dac_read_search" for which in ("inh", "ambient")]  # python may be in /root
        user = ["setpriv", f"--reuid={NOBODY_ELSE}", f"--regid={NOBODY_ELSE}", "--clear-groups", *caps]
        limit = PROCESSES
    else:
        user, limit = [], PROCESSES
        for status in Path("/proc").glob("[0-9]*/task/*/status"):
            try:
                limit += f"\nUid:\t{os.getuid()}\t" in status.read_text()
            except OSError:
                continue
    return [*user, "prlimit", f"--nproc={limit}"]


@BOTH
def test_T15_eagain_at_fork(on: str) -> None:
    wrapper = fewer_processes()
    can_run = [*wrapper, *command("--help")]
    if (
        any(shutil.which(word) is None for word in ("setpriv", "prlimit"))
        or subprocess.run(can_run, capture_output=True, env=environment(), check=False).returncode
    ):
        pytest.skip("the number of processes can't be limited here (setpriv, prlimit)")
    failed = the_rest_is_unharmed(run_limited(wrapper, on, TASKS), TASKS, os.strerror(errno.EAGAIN))
    assert 0 < failed < len(TASKS)


def bad(kind: str, folder: Path) -> tuple[dict[str, Any], int, int, str]:
    """Arguments of an executor that can't be started; errno, exit code, and the name in its error."""
    file = folder / "file"
    file.write_bytes(b"\x7fELF no more than that")
    file.chmod(0o600 if kind == "EACCES" else 0o700)
    name = str(file)
    return {
        "ENOENT": ({"command": ["no-such-program-x", "1"]}, errno.ENOENT, 127, "no-such-program-x"),
        "EACCES": ({"command": [name]}, errno.EACCES, 126, name),
        "ENOEXEC": ({"command": [name]}, errno.ENOEXEC, 126, name),
        "E2BIG": ({"command": ["true", "x" * 3_000_000]}, errno.E2BIG, 126, "true"),
        "bad cwd": ({"command": ["true"], "cwd": folder / "none"}, errno.ENOENT, 126, str(folder / "none")),
    }[kind]


@pytest.mark.parametrize("make", [ProcessExecutor, PtyExecutor], ids=["pipe", "pty"])
@pytest.mark.parametrize("kind", ["ENOENT", "EACCES", "ENOEXEC", "E2BIG", "bad cwd"])
async def test_T16_spawn_errors(kind: str, make: Any, tmp_path: Path) -> None:
    arguments, number, code, name = bad(kind, tmp_path)
    sink = Collector()
    with trio.fail_after(60):
        async with open_aggregator([sink]) as aggregator:
            peer = aggregator.start_soon(make(argv("lines", "p", n=200, every=20)), name="p", id="p")
            with pytest.raises(SpawnError, match=r".") as caught:
                await aggregator.start(make(**arguments), name="x", id="x")
            assert caught.value.errno == number
            assert name in str(caught.value)
            late = aggregator.start_soon(make(argv("lines", "q", n=5)), name="q", id="q")
    broken = aggregator.children[1].completed
    assert broken is not None
    assert (broken.exit.code, broken.reason) == (code, "error")
    assert sink.data("x", "error").startswith(b"[ERROR] ")
    assert all(child.completed and child.completed.ok for child in (peer, late))
    stream = b"".join(line for line in sink.written.splitlines(True) if not line.startswith(b"[x] "))
    found = check(stream, "pq")
    assert found.exact
    assert found.lost({"p": 200, "q": 5}) == 0


@BOTH
def test_T16_is_shown_with_its_status(on: str, tmp_path: Path) -> None:
    script = tmp_path / "not-executable"
    script.write_text("#!/bin/sh\n")
    result = axiom(on, "-n", "x,y,p", "no-such-program-x 1", shlex.quote(str(script)), "echo fine")
    assert result.status == 1
    assert expected("p", b"fine\n")[0] in result.stdout
    assert "[x] Failed: exit 127" in result.stderr
    assert "[y] Failed: exit 126" in result.stderr
