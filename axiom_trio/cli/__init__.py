"""The command `axiom-trio`: one module per verb, thin.

Here is only what answers before trio is imported: help, version and usage errors.
"""

from __future__ import annotations

import gc
import os
import sys

TYPE_CHECKING = False  # type checkers know better; importing typing takes 5 ms
if TYPE_CHECKING:
    from typing import Any, NoReturn

_NEVER_BLOCKS = 256  # bytes that a pipe or terminal takes at once when it's writable


def main() -> NoReturn:
    """Run the command line, and exit with its status."""
    closed = _keep_standard_descriptors()
    gc.disable()  # nothing the imports make is garbage
    try:
        status = _main(closed)
    except KeyboardInterrupt:  # while it reads a list, or is imported: nothing has been started
        import signal

        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    # Skips the interpreter's teardown, which takes 20 ms; whatever was opened has been closed.
    os._exit(status)


def _main(closed: set[int]) -> int:
    from axiom_trio.cli.options import parse
    from axiom_trio.cli.tasks import UsageError

    try:
        options = parse(sys.argv[1:], os.environ)
    except UsageError as error:
        say(f"{error}\n")
        return 2
    if isinstance(options, str):
        return _print(options + "\n")
    if options.verb == "replay":
        from axiom_trio.cli.replay import replay

        return replay(options, stdout_closed=1 in closed)
    if options.verb == "spawn":
        return _spawn(options, stdout_closed=1 in closed)
    if options.verb == "mcp":
        from axiom_trio.executors import cgroup

        cgroup.enter_soon()
        from axiom_trio.cli.mcp import mcp

        return mcp(options)
    if options.verb != "run":
        from axiom_trio.cli.verbs import run_verb

        return run_verb(options)
    if not options.allow_daemons:
        from axiom_trio.executors import cgroup

        cgroup.enter_soon()
    from axiom_trio.cli.run import run

    return run(options, stdout_closed=1 in closed)


def _spawn(options: Any, *, stdout_closed: bool) -> int:
    if options.detach:
        from axiom_trio.cli.detach import detach
        from axiom_trio.cli.tasks import UsageError

        try:
            status = detach(options)
        except UsageError as error:
            say(f"{error}\n")
            return 2
        if status is not None:
            return status
    if not options.allow_daemons and (options.execute or not options.plan.subtasks):
        from axiom_trio.executors import cgroup

        cgroup.enter_soon()
    from axiom_trio.cli.spawn import spawn

    return spawn(options, stdout_closed=stdout_closed)


def say(text: str) -> None:
    """Write to stderr, if anybody listens; one that takes nothing for a second doesn't."""
    import select

    data = text.encode("utf-8", "backslashreplace")
    try:
        poll = select.poll()
        poll.register(2, select.POLLOUT)
        while data and poll.poll(1000):
            data = data[os.write(2, data[:_NEVER_BLOCKS]) :]
    except OSError:
        pass


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of it, waiting as long as it takes. Raises OSError."""
    while data:
        data = data[os.write(descriptor, data) :]


def _print(text: str) -> int:
    try:
        write_all(1, text.encode("utf-8", "backslashreplace"))
    except BrokenPipeError:
        return 141
    except OSError as error:
        say(f"axiom-trio: can't write to stdout: {error.strerror}\n")
        return 3
    return 0


def _keep_standard_descriptors() -> set[int]:
    """Fill the standard descriptors that are closed, so that nothing else is opened in their place."""
    closed = set()
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            closed.add(descriptor)
            os.open(os.devnull, os.O_RDWR)  # the lowest free number
            os.set_inheritable(descriptor, True)
    return closed
