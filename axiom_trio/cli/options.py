"""The command line of `axiom-trio run`, from words to checked values.

Written by hand: argparse alone takes as long to import as the rest of
`--help`, and its errors begin with a page of usage.
"""

from __future__ import annotations

import os

from axiom_trio.cli.config import LATER, SETTINGS, convert, join_pty
from axiom_trio.cli.tasks import UsageError, from_arguments, from_commands, from_file, name_tasks, near

TYPE_CHECKING = False  # type checkers know better; importing typing takes 5 ms
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any, Literal

    from axiom_trio.cli.tasks import TaskSpec
    from axiom_trio.sansio.escapes import Escapes

HELP = """\
usage: axiom-trio run [options] COMMAND...
       axiom-trio --version

Run many commands at once; `axiom-trio run --help` shows the options."""

RUN_HELP = """\
usage: axiom-trio run [options] COMMAND...
       axiom-trio run [options] 'COMMAND {}' ::: ARGUMENT...
       axiom-trio run [options] -f FILE

Run commands at once and show their output as one live stream: whole lines, in
order, each behind the name of its command. A COMMAND is one shell command
line: quote it. With :::, it runs once for each ARGUMENT, which replaces {} or
is appended. With neither COMMAND nor FILE, the tasks in ./axiom.toml run.

what to run
  -f, --file FILE            *.toml, Procfile*, else a command a line; -: stdin
  -n, --names A,B,...        names; default: the program's, or the ARGUMENT
  -j, --jobs N               at most N at once, the rest wait
  --pty, --pipe              what children write to; default: a PTY when stdout
                             is a terminal
  --stdin null|pipe          what children on pipes read (null)
  --stderr join|split        one pipe for both, in order, or two (join)
  --grace DURATION           between asking a child to end and killing it (5s)

what is shown
  -p, --prefix TEMPLATE      '[{name}]'; fields: name id index pid time
  -l, --prefix-length N      cut names to N characters, in the middle
  --pad                      align the lines behind their prefixes
  -T, --timestamps           UTC time first (also if DEBUG is set)
  --color auto|always|never  also by NO_COLOR and FORCE_COLOR (auto)
  --output FORM              lines, grouped by command, raw (without prefix),
                             jsonl (events), none (lines)
  --escapes color|none|raw   which of the children's control sequences to show;
                             default: color on a terminal, else raw
  -q, --quiet                nothing of our own on stderr but errors
  --summary FILE             write a summary in JSON at the end
  --stats-interval DURATION  between statistics events; 0: none (5s)
  --buffer-size BYTES        how far output may run ahead of its reader
  --flush-interval DURATION  collect output that long before a write (0)

  -h, --help                 this text
  --                         only COMMANDs follow

A DURATION is 500ms, 10s, 5m, 2h or plain seconds; BYTES may be 64k or 1M.
Exit status: 0; 1 a child failed; 2 usage; 3 output was lost; 128 + signal.

examples
  axiom-trio run 'npm run dev' 'cargo watch' 'pytest -q'
  axiom-trio run -n api,web './api --port 8080' 'npm start'
  axiom-trio run -j 4 'ping -c 3 {}' ::: one.example two.example
  axiom-trio run --output jsonl -f Procfile | jq .type"""

_SHORT = {short: name for name, (short, _) in SETTINGS.items() if short} | {"f": "file", "h": "help"}
_LONG = {name: read is not None for name, (_, read) in SETTINGS.items()} | {"file": True, "help": False}
"""Whether an option takes a value."""


class RunOptions:
    """What `axiom-trio run` was asked to do: checked values, the environment taken in.

    None is "as the terminal suggests" (`pty`, `escapes`), "no limit" or "nothing".
    """

    __slots__ = (
        *("tasks", "prefix", "prefix_length", "pad", "timestamps", "color", "pty", "stderr", "stdin"),
        *("output", "escapes", "jobs", "grace", "stats_interval", "summary", "buffer_size"),
        *("flush_interval", "quiet"),
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
        grace: float = 5.0,
        stats_interval: float = 5.0,
        summary: str | None = None,
        buffer_size: int | None = None,
        flush_interval: float = 0.0,
        quiet: bool = False,
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
        self.grace = grace
        self.stats_interval = stats_interval
        self.summary = summary
        self.buffer_size = buffer_size
        self.flush_interval = flush_interval
        self.quiet = quiet


def parse(argv: Sequence[str], environ: Mapping[str, str]) -> RunOptions | str:
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
        return HELP
    if verb == "--version":
        return _version()
    if verb != "run":
        raise UsageError(f"there is no {verb!r}; to run commands: axiom-trio run COMMAND...", "axiom-trio")
    given, commands, arguments = _scan(argv[1:])
    return RUN_HELP if "help" in given else _resolve(given, commands, arguments, environ)


def _scan(argv: Sequence[str]) -> tuple[dict[str, Any], list[str], list[str] | None]:
    """Sort the words into options, commands, and arguments behind `:::`."""
    given: dict[str, Any] = {}
    commands: list[str] = []
    words = iter(argv)
    options_ended = False
    for word in words:
        if word == ":::":
            return given, commands, list(words)
        if options_ended or not word.startswith("-"):
            commands.append(word)
        elif word == "--":
            options_ended = True
        elif word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            _take(given, name, f"--{name}", value if equals else None, words, commands)
        else:
            _take_short(given, word, words, commands)
        if "help" in given:
            break
    return given, commands, None


def _take_short(given: dict[str, Any], word: str, words: Iterator[str], commands: list[str]) -> None:
    """Take a word such as `-T`, `-j4`, `-j=4` or `-Tqj 4`."""
    if word == "-":
        raise UsageError("- is no COMMAND; to read commands from standard input, write -f -")
    if word[1:] in _LONG:  # else -pty would be a prefix "ty"
        raise UsageError(f"there is no option {word}; did you mean -{word}?")
    for place, letter in enumerate(word[1:], 2):
        name, rest = _SHORT.get(letter, letter), word[place:]
        if rest and _LONG.get(name):
            _take(given, name, f"-{letter}", rest.removeprefix("="), words, commands)
            return
        _take(given, name, f"-{letter}", None, words, commands)


def _take(
    given: dict[str, Any], name: str, label: str, value: str | None, words: Iterator[str], commands: list[str]
) -> None:
    if name in LATER:
        raise UsageError(f"{label} is not supported yet by this version")
    if name not in _LONG:
        whole = "; if it is part of a command, quote that command" if commands else ""
        hint = near(label, [f"--{long}" for long in _LONG]) or whole or "; axiom-trio run --help lists all"
        raise UsageError(f"there is no option {label}{hint}")
    if not _LONG[name]:
        if value is not None:
            raise UsageError(f"{label} takes no value, so leave out {value!r}")
    elif value is None and (value := next(words, None)) is None:
        raise UsageError(f"{label} needs a value after it; axiom-trio run --help shows which")
    if name == "file" and (name in given or not value):
        raise UsageError(f"{label} takes the name of one file, and may stand only once")
    given[name] = convert(name, True if value is None else value, label) if name in SETTINGS else value


def _resolve(
    given: dict[str, Any], commands: list[str], arguments: list[str] | None, environ: Mapping[str, str]
) -> RunOptions:
    """Bring together the command line, the environment and the file, in this order of precedence."""
    join_pty(given, "--pty and --pipe")
    tasks: list[TaskSpec] = []
    settings: dict[str, Any] = {}
    path = given.pop("file", None)
    if path is None and not commands and arguments is None:
        if not os.path.lexists("axiom.toml"):
            raise UsageError("nothing to run: give a COMMAND, or -f FILE, or have an axiom.toml here")
        path = "axiom.toml"
    if path is not None:
        tasks, settings = from_file(path)
    tasks += from_commands(commands) if arguments is None else from_arguments(commands, arguments)
    if not tasks:
        raise UsageError(f"nothing to run: {'standard input' if path == '-' else path} has no commands")
    if environ.get("NO_COLOR"):
        settings["color"] = "never"
    elif force := environ.get("FORCE_COLOR"):
        settings["color"] = "never" if force in ("0", "false") else "always"
    if environ.get("DEBUG"):
        settings["timestamps"] = True
    settings.update(given)
    name_tasks(tasks, settings.pop("names", []))
    return RunOptions(tasks, **{name.replace("-", "_"): value for name, value in settings.items()})


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"axiom-trio {version('axiom-trio')}"
    except PackageNotFoundError:
        return "axiom-trio, not installed"
