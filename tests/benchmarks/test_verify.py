"""The checker of the benchmarks has teeth, in C and in Python, and the generator writes what it promises."""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path

import pytest

from benchmarks import helpers, verify

CHILDREN, LINES = 3, 400


def built(tmp_path_factory: pytest.TempPathFactory, language: str) -> helpers.Helpers:
    if language == "Python":
        return helpers.interpreted("asked for")
    cc = helpers.compiler()
    if cc is None:
        pytest.skip("no C compiler: cc, gcc or clang")
    return helpers.compiled(cc, tmp_path_factory.mktemp("build"))


@pytest.fixture(scope="module", params=["C", "Python"])
def programs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> helpers.Helpers:
    return built(tmp_path_factory, request.param)


def generate(programs: helpers.Helpers, name: str, *options: str) -> bytes:
    command = [*programs.generator, "block", name, f"lines={LINES}", *options]
    return subprocess.run(command, capture_output=True, check=True, timeout=30).stdout


@pytest.fixture(scope="module")
def merged(programs: helpers.Helpers) -> list[bytes]:
    """A right merged stream, as lines."""
    children = [f"c{i:05d}" for i in range(CHILDREN)]
    queues = {name: generate(programs, name).splitlines(keepends=True) for name in children}
    rng = random.Random(7)
    lines = []
    while any(queues.values()):
        name = rng.choice([name for name in children if queues[name]])
        lines.append(f"[{name}] ".encode() + queues[name].pop(0))
    return lines


def judge(programs: helpers.Helpers, stream: bytes, prefix: str = "[{}] ") -> dict[str, float]:
    options = [f"children={CHILDREN}", f"lines={LINES}", f"prefix={prefix}", "ansi=1"]
    done = subprocess.run(
        [*programs.verifier, *options], input=stream, capture_output=True, check=False, timeout=30
    )
    found = json.loads(done.stdout)
    assert (done.returncode == 0) == verify.complete(found)
    return found


def test_right_output_passes(programs: helpers.Helpers, merged: list[bytes]) -> None:
    found = judge(programs, b"".join(merged))
    assert verify.in_words(found) == "complete"
    assert found["good"] == CHILDREN * LINES
    assert found["noise"] == 0


def test_banners_and_colours_are_no_fault(programs: helpers.Helpers, merged: list[bytes]) -> None:
    coloured = [b"\x1b[36m[" + line[1:7] + b"]\x1b[0m" + line[8:] for line in merged]
    found = judge(programs, b"starting 3 tasks\n" + b"".join(coloured) + b"[c00001] exited with code 0\n")
    assert verify.complete(found)
    assert found["noise"] == 2


def test_digits_in_a_prefix(programs: helpers.Helpers, merged: list[bytes]) -> None:
    stream = b"".join(b"12:59:01 " + line[1:7] + b" | " + line[9:] for line in merged)
    assert verify.complete(judge(programs, stream, "##:##:## {} | "))
    assert not verify.complete(judge(programs, stream, "##:##:x# {} | "))


def without(lines: list[bytes]) -> list[bytes]:
    return lines[:500] + lines[501:]


def cut(lines: list[bytes]) -> list[bytes]:
    return [*lines[:500], lines[500][:50], b"\n", lines[500][50:], *lines[501:]]


def interleaved(lines: list[bytes]) -> list[bytes]:
    """One line within another, as two writers to one pipe make it."""
    return [*lines[:500], lines[500][:50], lines[501], lines[500][50:], *lines[502:]]


def glued(lines: list[bytes]) -> list[bytes]:
    return [*lines[:500], lines[500][:-1], lines[501], *lines[502:]]


def swapped(lines: list[bytes]) -> list[bytes]:
    """A child's line before the one it wrote earlier."""
    later = next(i for i in range(501, len(lines)) if lines[i][:8] == lines[500][:8])
    return [*lines[:500], lines[later], *lines[501:later], lines[500], *lines[later + 1 :]]


def twice(lines: list[bytes]) -> list[bytes]:
    return lines[:501] + lines[500:]


def halves(lines: list[bytes]) -> list[bytes]:
    """The head of a child's line with the tail of its next, everything between lost: right length."""
    later = next(i for i in range(501, len(lines)) if lines[i][:8] == lines[500][:8])
    return [*lines[:500], lines[500][:60] + lines[later][60:], *lines[501:later], *lines[later + 1 :]]


def stranger(lines: list[bytes]) -> list[bytes]:
    """A child's line behind another's prefix."""
    other = b"[c00000] " if not lines[500].startswith(b"[c00000] ") else b"[c00001] "
    return [*lines[:500], other + lines[500][9:], *lines[501:]]


def bare(lines: list[bytes]) -> list[bytes]:
    return [*lines[:500], lines[500][9:], *lines[501:]]


def unfinished(lines: list[bytes]) -> list[bytes]:
    return [*lines[:-1], lines[-1][:-1]]


def damaged(lines: list[bytes]) -> list[bytes]:
    return [*lines[:500], lines[500].replace(b"ghij", b"gh?j", 1), *lines[501:]]


@pytest.mark.parametrize(
    ("spoil", "defects"),
    [
        (without, {"lost"}),
        (cut, {"lost", "torn"}),
        (interleaved, {"lost", "torn", "glued"}),
        (glued, {"lost", "glued"}),
        (swapped, {"reordered"}),
        (twice, {"reordered", "duplicated"}),
        (halves, {"lost", "torn"}),
        (stranger, {"lost", "torn"}),
        (bare, {"lost", "torn"}),
        (unfinished, {"lost", "torn"}),
        (damaged, {"lost", "torn"}),
    ],
)
def test_wrong_output_is_caught(
    programs: helpers.Helpers, merged: list[bytes], spoil, defects: set[str]
) -> None:
    found = judge(programs, b"".join(spoil(merged)))
    assert {what for what in verify.DEFECTS if found[what]} == defects
    assert found["sample"] or defects == {"lost"}


def test_nothing_at_all_is_not_complete(programs: helpers.Helpers) -> None:
    assert judge(programs, b"")["lost"] == CHILDREN * LINES


@pytest.mark.parametrize("write", [0, 1000, 4096, 65536])
def test_the_size_of_writes_changes_nothing(programs: helpers.Helpers, write: int) -> None:
    assert generate(programs, "c00002", f"write={write}") == generate(programs, "c00002")


def test_c_and_python_write_the_same(tmp_path_factory: pytest.TempPathFactory) -> None:
    compiled, interpreted = built(tmp_path_factory, "C"), built(tmp_path_factory, "Python")
    assert generate(compiled, "c00011") == generate(interpreted, "c00011")


def test_a_child_says_what_it_used(programs: helpers.Helpers, tmp_path: Path) -> None:
    generate(programs, "c00000", f"cpu={tmp_path / 'cpu'}", f"pids={tmp_path / 'pids'}")
    pid, nanoseconds = (tmp_path / "cpu").read_text().split()
    assert pid == (tmp_path / "pids").read_text().strip()
    assert 0 < int(nanoseconds) < 30e9


def test_stamps_are_read(programs: helpers.Helpers) -> None:
    ticks = subprocess.Popen(
        [*programs.generator, "tick", "c00001", "for=1500", "every=20000"], stdout=subprocess.PIPE
    )
    with ticks:
        done = subprocess.run(
            [*programs.latency, "warm=100", "window=1000"],
            stdin=ticks.stdout,
            capture_output=True,
            check=True,
            timeout=30,
        )
    found = json.loads(done.stdout)
    assert 20 <= found["samples"] <= 55
    assert 0 < found["p50"] <= found["p99"] <= found["max"]
