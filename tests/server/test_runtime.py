"""The private runtime directory: modes, links, stale sockets, kept tokens."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from axiom_trio.server import runtime

RUN = "0123456789abcdef" * 2


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path / "axiom-trio"


def test_the_socket_is_private_and_goes(directory: Path) -> None:
    listening = runtime.Listening(RUN)
    try:
        assert stat.S_IMODE(os.stat(directory).st_mode) == 0o700
        assert stat.S_IMODE(os.stat(listening.path).st_mode) == 0o600
        assert os.listdir(directory) == [f"{RUN}.sock"]
        found, problems = runtime.runs()
        assert [one.run_id for one in found] == [RUN]
        assert problems == []
        with runtime.connected(found[0]) as sock:
            assert runtime.peer(sock) == (os.getpid(), os.geteuid())
    finally:
        listening.close()
    assert os.listdir(directory) == []
    assert runtime.runs() == ([], [])


def test_a_long_path_is_no_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    deep.mkdir(parents=True)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(deep))
    listening = runtime.Listening(RUN)
    runtime.connected(runtime.runs()[0][0]).close()
    listening.close()


def test_a_stale_socket_is_removed_and_one_that_is_busy_is_not(directory: Path) -> None:
    code = (
        "from axiom_trio.server import runtime; import os, sys; "
        "runtime.Listening(sys.argv[1]); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, RUN], check=False, cwd=Path(runtime.__file__).parents[2])
    assert os.listdir(directory) == [f"{RUN}.sock"]
    listening = runtime.Listening("b" * 32)  # never accepts
    waiting = []
    try:
        found = runtime.runs()[0]
        assert [one.run_id for one in found] == ["b" * 32]
        assert os.listdir(directory) == ["b" * 32 + ".sock"]
        with pytest.raises(BlockingIOError):
            for _ in range(100):
                waiting.append(runtime.connected(found[0]))
        assert [one.run_id for one in runtime.runs()[0]] == ["b" * 32]
    finally:
        for sock in waiting:
            sock.close()
        listening.close()


def test_what_is_no_socket_is_left_alone(directory: Path) -> None:
    directory.mkdir(0o700)
    (directory / "notes.sock").write_text("mine")
    assert runtime.runs()[0] == []
    assert (directory / "notes.sock").read_text() == "mine"


@pytest.mark.parametrize("kind", ["open", "link", "file", "foreign"])
def test_a_directory_that_is_not_private_is_refused(directory: Path, tmp_path: Path, kind: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(0o700)
    if kind == "open":
        directory.mkdir()
        directory.chmod(0o755)
        why = "open to others"
    elif kind == "link":
        directory.symlink_to(elsewhere)
        why = "symbolic link"
    elif kind == "file":
        directory.write_text("")
        why = "no directory"
    else:
        if os.geteuid():
            pytest.skip("needs root")
        directory.mkdir(0o700)
        os.chown(directory, 12345, -1)
        why = "another user"
    with pytest.raises(runtime.RuntimeDirectoryError, match=why):
        runtime.Listening(RUN)
    assert os.listdir(elsewhere) == []
    found, problems = runtime.runs()
    assert found == []
    assert why in problems[0]


def test_a_runtime_directory_of_another_user_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.geteuid():
        pytest.skip("needs root")
    os.chown(tmp_path, 12345, -1)
    assert all(tmp_path not in place.parents for place in runtime.places())
    os.chown(tmp_path, os.geteuid(), -1)


def test_tokens_of_a_port_are_kept_and_private(directory: Path) -> None:
    kept = runtime.tokens(8123)
    assert runtime.tokens(8123) == kept
    assert runtime.tokens(8124) != kept
    assert kept.view != kept.control
    assert len(kept.view) >= 43
    assert kept.view not in repr(kept)
    file = directory / "port-8123.tokens"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.chmod(0o644)  # somebody may have read them
    renewed = runtime.tokens(8123)
    assert renewed != kept
    file.write_text("short words\n")
    assert len(runtime.tokens(8123).view) >= 43


def test_tokens_are_not_read_through_a_link(directory: Path, tmp_path: Path) -> None:
    directory.mkdir(0o700)
    planted = tmp_path / "planted"
    planted.write_text(f"{'a' * 43}\n{'b' * 43}\n")
    planted.chmod(0o600)
    (directory / "port-1.tokens").symlink_to(planted)
    assert runtime.tokens(1).view != "a" * 43
    assert planted.read_text() == f"{'a' * 43}\n{'b' * 43}\n"


def test_a_socket_that_is_being_made_is_not_stale(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory.mkdir(0o700)
    with socket.socket(socket.AF_UNIX) as sock:
        monkeypatch.chdir(directory)  # a socket's path is short
        sock.bind(f"{RUN}.new")
        assert runtime.runs() == ([], [])
        assert os.listdir(directory) == [f"{RUN}.new"]
    os.utime(directory / f"{RUN}.new", (0, 0))
    runtime.runs()
    assert os.listdir(directory) == []


def test_it_is_found_only_when_it_listens(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    rename = os.rename

    def look(old: str, new: str, **descriptors: int) -> None:
        seen.append(os.listdir(directory))
        rename(old, new, **descriptors)

    monkeypatch.setattr(os, "rename", look)
    runtime.Listening(RUN).close()
    assert seen == [[f"{RUN}.new"]]
