"""The command line of `axiom-trio run`, from words to checked values."""

from __future__ import annotations

import os

from axiom_trio import __version__
from axiom_trio.cli.config import from_environment, join_halt, join_interactive, join_pty
from axiom_trio.cli.settings import ONCE, SETTINGS
from axiom_trio.cli.tasks import UsageError, from_arguments, from_commands, from_file, name_tasks, near
from axiom_trio.cli.words import Grammar
from axiom_trio.sansio.success import check_success, default_success

TYPE_CHECKING = False  # type checkers know better; importing typing takes 5 ms
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, Literal, TypeAlias

    from axiom_trio.cli.mcp_options import McpOptions
    from axiom_trio.cli.replay_options import ReplayOptions
    from axiom_trio.cli.tasks import TaskSpec
    from axiom_trio.cli.verb_options import Verb, VerbOptions
    from axiom_trio.sansio.escapes import Escapes
    from axiom_trio.sansio.rule import Rule

    Options: TypeAlias = "RunOptions | ReplayOptions | McpOptions | VerbOptions"

_VERBS: tuple[Verb, ...] = ("ps", "logs", "send", "interrupt", "stop", "restart", "add", "wait", "attach")
_OTHERS = ("spawn", "mcp", "replay", *_VERBS)
_TO_RUN = "; to run commands: axiom-trio run COMMAND..."


class RunOptions:
    """What `axiom-trio run` was asked to do: checked values, the environment taken in.

    None is "as the terminal suggests" (`pty`, `escapes`), "no limit" or "nothing".
    """

    verb: Literal["run", "spawn"] = "run"
    __slots__ = (
        *("tasks", "prefix", "prefix_length", "pad", "timestamps", "color", "pty", "stderr", "stdin"),
        *("output", "escapes", "jobs", "halt", "success", "retries", "restart_after", "restart_window"),
        *("timeout", "idle_warn", "idle_timeout", "grace", "allow_daemons", "stats_interval", "summary"),
        *("buffer_size", "flush_interval", "quiet", "joblog", "files", "secrets", "journal", "pace"),
        *("fsync", "journal_size", "progress", "timings", "include", "exclude", "highlight", "interactive"),
        *("rules", "listen", "allow_host", "listen_anywhere"),
    )

    def __init__(
        self,
        tasks: list[TaskSpec],
        *,
        prefix: str = "[{name}]",
        prefix_length: int | None = None,
        pad: bool = False,
        timestamps: bool = False,
        color: str = "auto",
        pty: bool | None = None,
        stderr: Literal["join", "split"] = "join",
        stdin: Literal["null", "pipe"] = "null",
        output: str = "lines",
        escapes: Escapes | None = None,
        jobs: int | None = None,
        halt: str = "never",
        success: str = "all",
        retries: int = 0,
        restart_after: float | Literal["exponential"] = 0.0,
        restart_window: float | None = None,
        timeout: float | None = None,
        idle_warn: float | None = 30.0,
        idle_timeout: float | None = None,
        grace: float = 5.0,
        stats_interval: float = 5.0,
        summary: str | None = None,
        buffer_size: int | None = None,
        flush_interval: float = 0.0,
        quiet: bool = False,
        joblog: str | None = None,
        files: str | None = None,
        secrets: Sequence[str] = (),
        journal: str | None = None,
        pace: Literal["console", "journal"] | None = None,
        fsync: Literal["never", "interval", "always"] = "interval",
        journal_size: int | None = None,
        allow_daemons: bool = False,
        interactive: bool | None = None,
        progress: Literal["auto", "always", "never"] = "auto",
        timings: bool = False,
        include: str | None = None,
        exclude: str | None = None,
        highlight: str | None = None,
        rules: Sequence[Rule] = (),
        listen: tuple[str, int] | None = None,
        allow_host: Sequence[str] = (),
        listen_anywhere: bool = False,
    ) -> None:
        self.tasks = tasks
        self.prefix = prefix
        self.prefix_length = prefix_length
        self.pad = pad
        self.timestamps = timestamps
        self.color = color
        self.pty = pty
        self.stderr = stderr
        self.stdin = stdin
        self.output = output
        self.escapes = escapes
        self.jobs = jobs
        self.halt = halt
        self.success = success
        self.retries = retries
        self.restart_after = restart_after
        self.restart_window = restart_window
        self.timeout = timeout
        self.idle_warn = idle_warn
        self.idle_timeout = idle_timeout
        self.grace = grace
        self.stats_interval = stats_interval
        self.summary = summary
        self.buffer_size = buffer_size
        self.flush_interval = flush_interval
        self.quiet = quiet
        self.joblog = joblog
        self.files = files
        self.secrets = secrets
        self.journal = journal
        self.pace = pace
        self.fsync = fsync
        self.journal_size = journal_size
        self.allow_daemons = allow_daemons
        self.interactive = interactive
        self.progress = progress
        self.timings = timings
        self.include = include
        self.exclude = exclude
        self.highlight = highlight
        self.rules = rules
        self.listen = listen
        self.allow_host = allow_host
        self.listen_anywhere = listen_anywhere


def parse(argv: Sequence[str], environ: Mapping[str, str]) -> Options | str:
    """Understand a command line.

    Args:
        argv: The words after `axiom-trio`.
        environ: Where `NO_COLOR`, `FORCE_COLOR` and `DEBUG` are looked up.

    Returns:
        What to run, or a text to print on stdout and be done, with success.

    Raises:
        UsageError: Its `str` is the line for stderr; the exit status is 2.
    """
    if not argv:
        raise UsageError("say what to do, such as axiom-trio run 'make test'; or --help", "axiom-trio")
    if (verb := argv[0]) in ("-h", "--help"):
        from axiom_trio.cli.verb_options import HELP

        return HELP
    if verb == "--version":
        return f"axiom-trio {__version__}"
    if verb != "run" and verb not in _OTHERS:
        raise UsageError(f"there is no {verb!r}{near(verb, ('run', *_OTHERS)) or _TO_RUN}", "axiom-trio")
    try:
        return _parse(verb, argv[1:], environ)
    except UsageError as error:
        raise UsageError(error.sentence, f"axiom-trio {verb}") from None


def _parse(verb: str, argv: Sequence[str], environ: Mapping[str, str]) -> Options | str:
    if verb == "spawn":
        from axiom_trio.cli.spawn_options import parse_spawn

        return parse_spawn(argv, environ)
    if verb == "mcp":
        from axiom_trio.cli.mcp_options import parse_mcp

        return parse_mcp(argv, environ)
    if verb == "replay":
        from axiom_trio.cli.replay_options import parse_replay

        return parse_replay(argv, environ)
    for known in _VERBS:
        if verb == known:
            from axiom_trio.cli.verb_options import parse_verb

            return parse_verb(known, argv, environ)
    grammar = Grammar("run", SETTINGS | ONCE, once=(*ONCE, "mask-file"), quoting=True)
    given, commands, arguments = grammar.scan(argv)
    if "help" in given:
        from axiom_trio.cli.run_help import RUN_HELP

        return RUN_HELP
    return _resolve(given, commands, arguments, environ)


def _resolve(
    given: dict[str, Any], commands: list[str], arguments: list[str] | None, environ: Mapping[str, str]
) -> RunOptions | str:
    """Bring together the command line, the environment and the file, in this order of precedence."""
    join_pty(given, "--pty and --pipe")
    join_halt(given, dashes="--")
    join_interactive(given, "--interactive and --no-interactive")
    tasks: list[TaskSpec] = []
    settings: dict[str, Any] = {}
    path = given.pop("file", None)
    resume = given.pop("resume", None)
    if path is None and not commands and arguments is None and resume is None:
        if not os.path.lexists("axiom.toml"):
            raise UsageError("nothing to run: give a COMMAND, or -f FILE, or have an axiom.toml here")
        path = "axiom.toml"
    if path is not None:
        tasks, settings = from_file(path)
    tasks += from_commands(commands) if arguments is None else from_arguments(commands, arguments)
    settings.update(from_environment(environ))
    settings.update(given)
    if settings.get("interactive"):
        if path == "-":
            raise UsageError("-i reads standard input, which -f - has read to its end; give one of them")
        settings.setdefault("stdin", "pipe")  # who is to be written to needs an input
    settle(settings, tasks, environ, journalled=resume is not None)
    masked: Callable[[str], str] = str
    if "secrets" in settings:
        from axiom_trio.sansio.masks import Masks

        masked = Masks(settings["secrets"]).text
    name_tasks(tasks, settings.pop("names", []), masked)
    if resume is not None:
        if given.get("journal", resume) != resume:
            raise UsageError("--resume goes on with the journal that it reads; leave out --journal")
        from axiom_trio.cli.resume import unfinished

        settings["journal"] = resume
        tasks = unfinished(resume, tasks)
        if not tasks:
            return f"axiom-trio run: nothing is left to run: all tasks in {resume} have succeeded"
    if not tasks:
        raise UsageError(f"nothing to run: {'standard input' if path == '-' else path} has no commands")
    success = masked(settings.get("success", default_success(settings.get("halt", ""))))
    try:
        check_success(success, [task.name for task in tasks])
    except ValueError as error:
        raise UsageError(f"--success: {error}") from None
    settings["success"] = success
    return RunOptions(tasks, **{name.replace("-", "_"): value for name, value in settings.items()})


def settle(
    settings: dict[str, Any], tasks: Sequence[TaskSpec], environ: Mapping[str, str], *, journalled: bool
) -> None:
    """Check what goes together, and put the rules and secrets in the place of what is said of them.

    Args:
        settings: Changed.
        tasks: Whose variables may be secrets.
        environ: Our environment.
        journalled: Whether a journal is written though none is named.
    """
    rules = [settings.pop(name, None) for name in ("on", "own-rules", "rules", "rule-set")]
    if any(rules):
        settings["rules"] = _rules(*rules)
    for name in ("pace", "fsync", "journal-size"):
        if name in settings and "journal" not in settings and not journalled:
            raise UsageError(f"{name} says how a journal is written; give --journal DIR too")
    for name in ("allow-host", "listen-anywhere"):
        if name in settings and "listen" not in settings:
            raise UsageError(f"{name} says who may ask for the page; give --listen PORT too")
    mask_env, mask_file = settings.pop("mask-env", []), settings.pop("mask-file", None)
    if mask_env or mask_file:
        from axiom_trio.cli.secrets import read_secrets

        settings["secrets"] = read_secrets(mask_env, mask_file, tasks, environ)


def _rules(
    on: list[str] | None, own: list[Rule] | None, path: str | None, sets: list[str] | None
) -> list[Rule]:
    """All rules, those of the command line first."""
    from axiom_trio.cli.rules import from_file, from_options, from_sets

    return from_options(on or []) + (own or []) + (from_file(path) if path else []) + from_sets(sets or [])
