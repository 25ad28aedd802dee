"""A real terminal to look at: a tmux server of one's own, with one pane."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from typing import TYPE_CHECKING, Self

import pytest

from tests.commands import environment, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

needs_tmux = pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux")


class Tmux:
    """Runs a command in a pane of `columns` × `rows`; the server ends with the block."""

    def __init__(self, *argv: str, columns: int = 100, rows: int = 30, **env: str) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="axiom-tmux-")
        self._socket = os.path.join(self._folder.name, "socket")
        self._env = environment(**env)
        self._env.pop("TMUX", None)
        size = ("-x", str(columns), "-y", str(rows))
        self.status = os.path.join(self._folder.name, "status")
        line = f"{shlex.join(argv)}; echo $? >{self.status}; sleep 1000"
        history = ("set-option", "-g", "history-limit", "200000", ";")  # counts for panes to come only
        self.call(
            *("-f", os.devnull, "start-server", ";", *history, "new-session", "-d", "-s", "main", *size, line)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.call("kill-server", check=False)
        self._folder.cleanup()

    def call(self, *words: str, check: bool = True) -> str:
        """Have tmux do something."""
        done = subprocess.run(
            ["tmux", "-S", self._socket, *words],
            env=self._env,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert not check or done.returncode == 0, done.stderr
        return done.stdout

    def screen(self, *, colors: bool = False, history: bool | int = False) -> str:
        """What is to be seen, a line a row; with what has scrolled off, or so many lines of it, if asked for."""
        start = () if history is False else ("-S", "-" if history is True else f"-{history}")
        return self.call(*("capture-pane", "-p", "-t", "main"), *["-e"] * colors, *start, "-J")

    def keys(self, *keys: str) -> None:
        """Type; names such as `Enter` and `C-c` are keys, all else is text."""
        self.call("send-keys", "-t", "main", *keys)

    def resize(self, columns: int, rows: int, *, crossing: float = 0.0) -> None:
        """Change the size of the pane; what was written for so many seconds before comes after the change."""
        words = ("resize-window", "-t", "main", "-x", str(columns), "-y", str(rows))
        if not crossing:
            self.call(*words)
            return
        server = int(self.call("display-message", "-p", "#{pid}"))
        os.kill(server, signal.SIGSTOP)
        try:
            client = subprocess.Popen(["tmux", "-S", self._socket, *words], env=self._env)
            time.sleep(crossing)
        finally:
            os.kill(server, signal.SIGCONT)
        assert client.wait(30) == 0

    def wait_for(self, found: str | Callable[[str], object], *, history: bool | int = False) -> str:
        """Wait until a text is to be seen, or something is true of the screen; returns the screen."""
        seen = ""

        def look() -> bool:
            nonlocal seen
            seen = self.screen(history=history)
            return found in seen if isinstance(found, str) else bool(found(seen))

        try:
            wait_until(look, f"for {found!r}")
        except AssertionError as error:
            raise AssertionError(f"{error}:\n{seen}") from None
        return seen

    def exit_status(self) -> int:
        """Wait for the command's end."""
        wait_until(lambda: os.path.exists(self.status) and os.path.getsize(self.status), "for the end")
        with open(self.status) as file:
            return int(file.read())
