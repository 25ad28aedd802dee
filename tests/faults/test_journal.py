"""The journal under real faults: full and failing disks, kills, other people's directories.

Each test begins with its number in the catalogue of faults, and can be run by it: `-k T07`.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from axiom_trio import JournalReader
from axiom_trio.sansio.events import Gap, Output, Started
from tests.commands import PATIENCE, Running, axiom, command, environment, lines_of, scripted, wait_until
from tests.faults.harness import KILLS

LINE = 100


def written(count: int, width: int = LINE) -> bytes:
    """What a flooding child writes."""
    return b"".join(b"%0*d\n" % (width - 1, number) for number in range(count))


def floods(folder: Path, children: int, lines: int) -> list[str]:
    return [scripted("flood", folder / f"report-{n}", lines, LINE) for n in range(children)]


def names(children: int) -> str:
    return ",".join(f"c{n}" for n in range(children))


def journal_of(directory: Path) -> list:
    with JournalReader(directory) as reader:
        return list(reader.events())


def data_by_name(events: list) -> dict[str, bytes]:
    """Each child's output, by its name."""
    found: dict[str, bytearray] = {}
    known: dict[str, str] = {}
    for event in events:
        if type(event) is Started:
            known[event.child] = event.name
            found[event.name] = bytearray()
        elif type(event) is Output:
            found[known[event.child]] += event.data
    return {name: bytes(data) for name, data in found.items()}


def shown(name: str, stdout: bytes) -> bytes:
    prefix = f"[{name}] ".encode()
    return b"".join(line.removeprefix(prefix) for line in lines_of(name, stdout))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 6 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=6m,mode=700", "none", str(place)],
        capture_output=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"can't mount a small file system here: {done.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def read_stderr(running: Running, wanted: str) -> str:
    assert running.process.stderr is not None
    seen = b""
    deadline = time.monotonic() + PATIENCE
    while wanted.encode() not in seen:
        assert time.monotonic() < deadline, seen
        data = os.read(running.process.stderr.fileno(), 4096)
        assert data, f"ended before {wanted!r}: {seen!r}"
        seen += data
    return seen.decode()


# --- T05, T06: stdout can't be written


def test_T05_stdout_closed_the_journal_has_it(tmp_path: Path) -> None:
    line = f"exec {' '.join(command('--journal', str(tmp_path / 'j'), 'echo hi'))} >&-"
    line = line.replace("echo hi", "'ls -l /proc/$PPID/fd; echo hi'")
    done = subprocess.run(
        ["bash", "-c", line], env=environment(), capture_output=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done
    assert b"stdout is closed" in done.stderr
    [data] = data_by_name(journal_of(tmp_path / "j")).values()
    assert data.endswith(b"hi\n")
    [first] = re.findall(rb" 1 -> (\S+)", data)
    assert first == b"/dev/null", "the journal is not where stdout was"


def test_T06_stdout_full_the_journal_is_complete(tmp_path: Path) -> None:
    with (
        open("/dev/full", "wb") as full,
        Running(
            "--journal", str(tmp_path / "j"), "-n", names(1), *floods(tmp_path, 1, 20_000), stdout=full
        ) as running,
    ):
        result = running.finish()
    assert result.status == 3
    assert "stdout could not be written" in result.stderr
    assert data_by_name(journal_of(tmp_path / "j")) == {"c0": written(20_000)}


# --- T07, T08: the disk is full


@contextmanager
def on_a_full_disk(folder: Path, disk: Path, lines: int, *options: str) -> Iterator[Running]:
    """A run whose journal soon finds no room; what it shows goes into the file `out`."""
    (disk / "filler").write_bytes(bytes(5 * 1024 * 1024))
    journal = ("--journal", str(disk / "j"))
    with Running(*journal, *options, "-n", names(3), *floods(folder, 3, lines)) as running:
        stdout = running.process.stdout
        assert stdout is not None
        with (folder / "out").open("wb") as out:
            reader = subprocess.Popen(["cat"], stdin=stdout, stdout=out)
        yield running
        stdout.close()
        running.process.stdout = None
        running.process.wait(PATIENCE)
        reader.wait(PATIENCE)


@pytest.mark.parametrize("pace", ["journal", "console"])
def test_T07_journal_enospc(tmp_path: Path, small_disk: Path, pace: str) -> None:
    journal = small_disk / "j"
    lines = 15_000
    with on_a_full_disk(tmp_path, small_disk, lines, "--pace", pace) as running:
        told = read_stderr(running, "for 2")
        reports = [(tmp_path / f"report-{n}").read_bytes() for n in range(3)]
        time.sleep(0.3)  # in which they would write on if they didn't wait
        assert reports == [(tmp_path / f"report-{n}").read_bytes() for n in range(3)], "the children wait"
        assert sum(map(int, reports)) < 3 * lines * LINE
        (small_disk / "filler").unlink()
        told += read_stderr(running, "3 completed")
    assert running.process.returncode == 0
    assert told.count("No space left on device") == 2, "at once, and after 2 s"
    assert "goes on after" in told
    assert data_by_name(journal_of(journal)) == {f"c{n}": written(lines) for n in range(3)}
    output = (tmp_path / "out").read_bytes()
    assert all(shown(f"c{n}", output) == written(lines) for n in range(3))


def test_T08_journal_enospc_for_ever(tmp_path: Path, small_disk: Path) -> None:
    journal = small_disk / "j"
    with on_a_full_disk(tmp_path, small_disk, 10**9, "--grace", "1s") as running:
        told = read_stderr(running, "No space left on device")
        since = time.monotonic()
        running.signal(signal.SIGTERM)
        told += read_stderr(running, "lacks")
        running.process.wait(PATIENCE)
        assert time.monotonic() - since < 30
    assert running.process.returncode == 143
    [missing] = re.findall(r"lacks (\d+) bytes", told)
    kept = data_by_name(journal_of(journal))
    output = (tmp_path / "out").read_bytes()
    for name, data in kept.items():
        assert shown(name, output).startswith(data.rpartition(b"\n")[0]), "the terminal got that and more"
    everything = sum(len(shown(name, output)) for name in kept)
    left = everything - sum(map(len, kept.values()))
    assert left - 3 <= int(missing) <= left, "to the byte, but for the newlines that end a last line"


# --- T09 to T11: the disk fails, goes, or takes no larger files


def strace(call: str, error: str, when: str, *run: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command of which the `when`-th call fails."""
    program = shutil.which("strace")
    if program is None:
        pytest.skip("needs strace")
    trace = [program, "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}"]
    inject = ["-e", f"inject={call}:error={error}:when={when}"]
    done = subprocess.run(
        [*trace, *inject, *run], env=environment(), capture_output=True, timeout=PATIENCE, check=False
    )
    if b"PTRACE" in done.stderr or b"Operation not permitted" in done.stderr:
        pytest.skip(f"can't trace here: {done.stderr.decode()}")
    return done


def test_T09_journal_eio_on_fsync(tmp_path: Path) -> None:
    line = f"{floods(tmp_path, 1, 2000)[0]}; sleep 1.5; echo end"
    run = command("--journal", str(tmp_path / "j"), "-n", names(1), line)
    done = strace("fdatasync", "EIO", "1", *run)
    assert done.returncode == 3, done.stderr
    assert done.stderr.count(b"could not be brought to the disk") == 1
    assert b"may not have reached the disk" in done.stderr
    assert done.stdout.endswith(b"[c0] end\n")
    assert len([*(tmp_path / "j").glob("*.journal")]) == 2
    assert data_by_name(journal_of(tmp_path / "j")) == {"c0": written(2000) + b"end\n"}


def test_T10_journal_read_only(tmp_path: Path) -> None:
    """As when the kernel remounts a failing disk read-only."""
    run = command("--journal", str(tmp_path / "j"), "-n", "a", "sleep 1; echo one; sleep 1; seq 1000")
    done = strace("writev", "EROFS", "3+", *run)
    assert done.returncode == 3, done.stderr
    assert b"is lost (Read-only file system); the run goes on without" in done.stderr
    assert b"lacks 3893 bytes" in done.stderr
    assert done.stdout == b"[a] one\n" + b"".join(b"[a] %d\n" % n for n in range(1, 1001))
    assert data_by_name(journal_of(tmp_path / "j")) == {"a": b"one\n"}


@pytest.mark.parametrize("how", ["removed", "moved", "segment removed"])
def test_T10_journal_directory_gone(tmp_path: Path, how: str) -> None:
    journal = tmp_path / "j"
    go = tmp_path / "go"
    wait = f"while [ ! -e {go} ]; do sleep 0.05; done"
    with Running("--journal", str(journal), "-n", "a", f"echo one; {wait}; seq 1000; exit 0") as running:
        running.read_until(b"one\n")
        if how == "removed":
            shutil.rmtree(journal)
        elif how == "moved":
            journal.rename(tmp_path / "elsewhere")
        else:
            next(journal.glob("*.journal")).unlink()
        go.touch()
        result = running.finish()
    assert result.status == 3
    assert "is lost" in result.stderr
    assert "lacks 3893 bytes" in result.stderr
    assert result.stdout == b"[a] one\n" + b"".join(b"[a] %d\n" % n for n in range(1, 1001))


def test_T11_rlimit_fsize(tmp_path: Path) -> None:
    run = command("--journal", str(tmp_path / "j"), "-n", names(2), *floods(tmp_path, 2, 20_000))
    limit = ["prlimit", "--fsize=300000"]
    done = subprocess.run(
        [*limit, *run], env=environment(), capture_output=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stderr
    sizes = [path.stat().st_size for path in (tmp_path / "j").glob("*.journal")]
    assert len(sizes) > 10
    assert max(sizes) <= 300_000
    assert data_by_name(journal_of(tmp_path / "j")) == {f"c{n}": written(20_000) for n in range(2)}
    tiny = subprocess.run(
        ["prlimit", "--fsize=10", *command("--journal", str(tmp_path / "k"), "true")],
        env=environment(), capture_output=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert tiny.returncode == 2
    assert b"can't be written" in tiny.stderr


# --- T43, T44, T46: killed


def kill_at_random(folder: Path, seed: int) -> None:
    journal = folder / "j"
    draw = random.Random(seed)
    with Running("--journal", str(journal), "-n", names(3), *floods(folder, 3, 10**9)) as running:
        stdout = running.process.stdout
        assert stdout is not None
        output = b""
        until = time.monotonic() + draw.uniform(0, 0.6)
        wait_until(lambda: journal.exists() and any(journal.glob("*.journal")))
        while time.monotonic() < until or not output:
            output += os.read(stdout.fileno(), draw.choice([100, 65536, 1 << 20]))
        running.signal(signal.SIGKILL)
        while data := os.read(stdout.fileno(), 1 << 20):
            output += data
    events = journal_of(journal)
    assert [event.cursor for event in events] == list(range(len(events)))
    kept = data_by_name(events)
    for n in range(3):
        if not kept.get(f"c{n}"):
            assert not lines_of(f"c{n}", output)
            continue
        data = kept[f"c{n}"]
        assert written(len(data) // LINE + 1).startswith(data), "an exact prefix of what it wrote"
        whole = output[: output.rfind(b"\n") + 1]
        assert data.startswith(shown(f"c{n}", whole)), "with all that was shown"
    with JournalReader(journal) as reader:
        assert not reader.runs[0].clean
        before = reader.next
    if seed % 4 == 0:  # what comes next goes on there
        again = axiom("--journal", str(journal), "echo again")
        assert again.status == 0
        after = journal_of(journal)
        assert after[: len(events)] == events
        assert [event.cursor for event in after] == list(range(len(after)))
        assert after[len(events)].cursor == before


@pytest.mark.parametrize("seed", range(KILLS))
def test_T43_kill_9_at_random(tmp_path: Path, seed: int) -> None:
    kill_at_random(tmp_path, seed)


@pytest.mark.parametrize("damage", ["torn", "flipped", "zeros", "twice"])
def test_T44_a_damaged_journal_is_read_and_continued(tmp_path: Path, damage: str) -> None:
    journal = tmp_path / "j"
    script = scripted("script", *(step for n in range(40) for step in (f"{n:0300d}\n".encode().hex(), "~3")))
    assert axiom("--journal", str(journal), "-n", "a", script).status == 0
    exact = journal_of(journal)
    [path] = journal.glob("*.journal")
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    if damage == "torn":
        del data[-700:]
    elif damage == "flipped":
        data[middle] ^= 0x10
    elif damage == "zeros":
        data[middle : middle + 4096] = bytes(4096)
    else:
        data[middle:middle] = data[middle - 3000 : middle]
    path.write_bytes(data)
    result = axiom("--journal", str(journal), "-n", "b", "echo more")
    assert result.status == 0
    assert ("are set aside in" in result.stderr) is (damage == "torn")
    assert bool([*journal.glob("*.torn")]) is (damage == "torn")
    events = journal_of(journal)
    position = 0
    for event in events:
        if type(event) is Gap:
            gone = [e for e in exact[event.from_cursor : event.to_cursor] if type(e) is Output]
            assert (event.lines, event.bytes) == (sum(e.lines for e in gone), sum(len(e.data) for e in gone))
            position = event.to_cursor
        else:
            assert event.cursor == position
            position += 1
    old = [e for e in events if type(e) is not Gap and e in exact]
    assert len(exact) - 14 <= len(old) <= len(exact)
    assert data_by_name(events[-4:])["b"] == b"more\n"


# --- T45, T64: somebody else's


def test_T45_two_instances_one_directory(tmp_path: Path) -> None:
    with Running("--journal", str(tmp_path / "j"), scripted("obedient")) as running:
        running.read_until(b"ready")
        second = axiom("--journal", str(tmp_path / "j"), "echo never")
        assert second.status == 2
        assert second.stdout == b""
        assert f"another run, process {running.process.pid};" in second.stderr
        running.signal(signal.SIGTERM)
        running.finish()
    assert axiom("--journal", str(tmp_path / "j"), "echo now").status == 0
    assert set(data_by_name(journal_of(tmp_path / "j"))) >= {"echo"}


def test_T46_a_journal_is_continued(tmp_path: Path) -> None:
    journal = tmp_path / "j"
    events: list = []
    for number in range(3):
        assert axiom("--journal", str(journal), "-n", f"n{number}", f"seq {number + 3}").status == 0
        now = journal_of(journal)
        assert now[: len(events)] == events, "what was there stays"
        assert [event.cursor for event in now] == list(range(len(now)))
        events = now
    assert data_by_name(events) == {"n0": b"1\n2\n3\n", "n1": b"1\n2\n3\n4\n", "n2": b"1\n2\n3\n4\n5\n"}
    with JournalReader(journal) as reader:
        tasks = [run.header["tasks"] for run in reader.runs]
        assert [task["command"] for [task] in tasks] == [["seq", "3"], ["seq", "4"], ["seq", "5"]] or [
            task["command"] for [task] in tasks
        ] == ["seq 3", "seq 4", "seq 5"]
        assert all(run.clean for run in reader.runs)


@pytest.mark.parametrize("what", ["directory", "lock", "segment"])
def test_T64_planted_symlink(tmp_path: Path, what: str) -> None:
    target = tmp_path / "target"
    journal = tmp_path / "j"
    if what == "directory":
        target.mkdir()
        journal.symlink_to(target)
    else:
        journal.mkdir(mode=0o700)
        name = "lock" if what == "lock" else "00000007-0000000000000000-01020304.journal"
        (journal / name).symlink_to(target)
    result = axiom("--journal", str(journal), f"touch {tmp_path}/ran")
    assert result.status == 2
    assert "symbolic link" in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "ran").exists()
    assert not target.exists() or not [*target.iterdir()]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give a directory away")
def test_T64_foreign_directory(tmp_path: Path) -> None:
    journal = tmp_path / "j"
    journal.mkdir(mode=0o777)
    os.chown(journal, 12345, 12345)
    result = axiom("--journal", str(journal), "echo never")
    assert result.status == 2
    assert "belongs to someone else" in result.stderr
    assert [*journal.iterdir()] == []


def test_T64_umask_0(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        assert axiom("--journal", str(tmp_path / "j"), "echo hi").status == 0
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "j").iterdir()}
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE((tmp_path / "j").stat().st_mode) == 0o700
