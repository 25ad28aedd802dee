"""Starting a process: without running Python in a forked child, and without a thread.

`posix_spawn` takes 0.3 ms where a fork of the whole interpreter takes 3, is safe
beside threads, and reports why a command can't be executed. The child leads a
session and a group of its own, has all signals at their defaults (Python itself
ignores SIGPIPE), and inherits descriptors 0, 1 and 2 only.
"""

from __future__ import annotations

import errno
import os
import resource
import signal
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from axiom_trio.executors import groups
from axiom_trio.sansio.errors import SpawnError, SpecificationError
from axiom_trio.sansio.names import default_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_DEFAULT_SIGNALS = [s for s in signal.valid_signals() if s not in (signal.SIGKILL, signal.SIGSTOP)]
SHELL = "/bin/sh"
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_ ./:=@%,+-")
# Plain characters and quoted text: what a shell would only cut into words.
_QUOTED = r"""(?:[\w ./:=@%,+-]|'[^']*'|"[^"$`\\!]*")*"""
_SHELL_OWN = frozenset(["[", "echo", "kill", "printf", "pwd", "test"])
"""Programs of which shells have their own version, with differences."""
# On a terminal, a shell that is asked to end waits for what it runs in the foreground, as it
# does by itself after SIGINT: the terminal ends with its leader.
_PATIENT = "trap 'trap - TERM; kill $$' TERM; "


def to_argv(
    command: str | Sequence[str],
    *,
    cwd: str | None = None,
    env: Mapping[str, str] | None = None,
    tty: bool = False,
) -> list[str]:
    """A str is a shell command line, a sequence is an argv.

    A line of nothing but words, the first one a program, is run without a shell, which
    would do the same: one process less, and the program itself gets the signals.

    Raises:
        SpecificationError: There is nothing to run, or a NUL in it.
    """
    if isinstance(command, str):
        argv = [SHELL, "-c", _PATIENT + command if tty else command] if command.strip() else []
        words = _words(command)
        if words and "=" not in words[0] and words[0] not in _SHELL_OWN and _is_program(words[0], cwd, env):
            argv = words
    else:
        argv = [os.fspath(part) for part in command]
    if not argv or not argv[0]:
        raise SpecificationError("an empty command can't be run")
    if any("\0" in part for part in argv):
        raise SpecificationError(f"the command {command!r} has a NUL byte in it")
    return argv


def _words(line: str) -> list[str]:
    """The words of a line in which a shell would do nothing but find words; else none."""
    if _PLAIN.issuperset(line):
        return line.split()
    if "'" in line or '"' in line:
        import re
        import shlex

        if re.fullmatch(_QUOTED, line, re.ASCII):
            return shlex.split(line)
    return []


def _is_program(name: str, cwd: str | None, env: Mapping[str, str] | None) -> bool:
    try:
        with open(_find(name, cwd, os.environ if env is None else env), "rb") as file:
            # Only a shell runs a script that names no interpreter.
            return file.read(4).startswith((b"#!", b"\x7fELF"))
    except OSError:  # not found, or it can be run but not read
        return False


def label_of(command: str | Sequence[str]) -> str:
    """A name for a command: the first word, without its folder."""
    return default_name(command if isinstance(command, str) else os.fspath(command[0]))


def spawn(
    argv: Sequence[str],
    *,
    cwd: str | None,
    env: Mapping[str, str] | None,
    extra: Mapping[str, str],
    files: Sequence[tuple[object, ...]],
) -> int:
    """Start a process that leads a session and a group, and return its pid.

    Args:
        argv: The program, looked up on the PATH of `env`, and its arguments.
        cwd: Its working directory; None: ours.
        env: Its environment; None: ours.
        extra: What to add to it.
        files: `posix_spawn` file actions that set up descriptors 0, 1 and 2.

    Raises:
        SpawnError: It can't be started; says what, and why.
    """
    environment = os.environ if env is None else env
    program = _find(argv[0], cwd, environment)
    arguments = list(argv)
    if cwd is not None:
        _check_directory(argv[0], cwd)
        cwd = os.path.abspath(cwd)  # `cd` would take `-` and CDPATH into account
        # posix_spawn can't change the directory; a shell does it and becomes the program.
        arguments = [SHELL, "-c", 'cd -- "$0" && exec "$@"', cwd, program, *argv[1:]]
        program = SHELL
    if extra:
        environment = {**environment, **extra}
    try:
        pid = start(program, arguments, environment, files)
    except OSError as error:
        raise spawn_error(argv[0], error) from error
    groups.begin(pid)
    return pid


def start(
    program: str,
    argv: list[str],
    env: Mapping[str, str],
    files: Sequence[tuple[object, ...]],
    *,
    keep: int = 3,
) -> int:
    """Start a program as it is, in a session of its own, with the first `keep` descriptors.

    Raises:
        OSError: It can't be started.
    """
    return os.posix_spawn(
        program,
        argv,
        env,
        file_actions=[*files, *_close_from(keep)],
        setsid=True,
        setsigmask=[],
        setsigdef=_DEFAULT_SIGNALS,
    )


def exit_status(status: int) -> tuple[int | None, int | None]:
    """Exit code and signal of a wait status; one of them is None."""
    if os.WIFSIGNALED(status):
        return None, os.WTERMSIG(status)
    return os.waitstatus_to_exitcode(status), None


def _find(name: str, cwd: str | None, env: Mapping[str, str]) -> str:
    if "/" in name:
        path = os.path.join(cwd, name) if cwd is not None else name
        error = None if os.access(path, os.X_OK) and not os.path.isdir(path) else errno.EACCES
        if not os.path.exists(path):
            error = errno.ENOENT
        if error is not None:
            raise spawn_error(name, OSError(error, os.strerror(error)))
        return os.path.abspath(path) if cwd is not None else path
    denied = False
    for folder in env.get("PATH", os.defpath).split(os.pathsep):
        path = os.path.join(folder or ".", name)
        if os.access(path, os.X_OK) and not os.path.isdir(path):
            return os.path.abspath(path) if cwd is not None else path
        denied = denied or os.path.isfile(path)
    code = errno.EACCES if denied else errno.ENOENT
    raise spawn_error(name, OSError(code, os.strerror(code)))


def _check_directory(name: str, cwd: str) -> None:
    if not os.path.isdir(cwd):
        code = errno.ENOTDIR if os.path.exists(cwd) else errno.ENOENT
        # No cause: FileNotFoundError would say that it's the command that was not found.
        raise SpawnError(code, f"can't start {name} in {cwd}: {os.strerror(code)}")


def spawn_error(name: str, error: OSError) -> SpawnError:
    """What to raise for a command that can't be started."""
    if error.errno == errno.ENOENT:
        why = "command not found"
    elif error.errno == errno.ENOEXEC:
        why = "not a program: its first line should name an interpreter (#!)"
    else:
        why = error.strerror or str(error)
    cause: OSError = FileNotFoundError() if error.errno == errno.ENOENT else error
    failure = SpawnError(error.errno, f"can't start {name}: {why}")
    failure.__cause__ = cause
    return failure


_inheritable: list[int] = []
_look_after = 0.0


def _close_from(lowest: int) -> list[tuple[int, ...]]:
    """Close what would be inherited: what our parent left open to us, or was made inheritable since.

    Python before 3.13 can't say so to the kernel; there it's looked for before each
    start, or, with many descriptors open, for at most a tenth of the time.
    """
    if sys.version_info >= (3, 13) and hasattr(os, "POSIX_SPAWN_CLOSEFROM"):
        return [(os.POSIX_SPAWN_CLOSEFROM, lowest)]
    global _inheritable, _look_after
    if time.monotonic() >= _look_after:
        began = time.thread_time()  # what others take of the processor is no reason to look less often
        _inheritable = _find_inheritable()
        _look_after = time.monotonic() + 9 * (time.thread_time() - began)
    return [(os.POSIX_SPAWN_CLOSE, descriptor) for descriptor in _inheritable if descriptor >= lowest]


def _find_inheritable() -> list[int]:
    try:
        descriptors = [int(name) for name in os.listdir("/proc/self/fd")]
    except OSError:
        descriptors = list(range(3, 256))
    found = []
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    for descriptor in descriptors:
        with suppress(OSError):  # the listing's own, closed by now
            if descriptor > 2 and os.get_inheritable(descriptor):
                if limit != resource.RLIM_INFINITY and descriptor >= limit:
                    os.set_inheritable(
                        descriptor, False
                    )  # the C library refuses to close it, and so the start
                else:
                    found.append(descriptor)
    return found
