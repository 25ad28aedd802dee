"""The command lines of the verbs that talk to a running run: `ps`, `logs`, `send` and the others."""

from __future__ import annotations

from axiom_trio.cli.config import from_environment
from axiom_trio.cli.settings import SETTINGS
from axiom_trio.cli.tasks import UsageError, read_text
from axiom_trio.cli.words import Grammar
from axiom_trio.sansio.durations import parse_duration

TYPE_CHECKING = False  # type checkers know better; importing typing takes 5 ms
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, Literal, TypeAlias

    Verb: TypeAlias = Literal["ps", "logs", "send", "interrupt", "stop", "restart", "add", "wait", "attach"]
    Reader: TypeAlias = tuple[str, Callable[[str], Any] | None]

HELP = """\
usage: axiom-trio run [options] COMMAND...     run many commands at once
       axiom-trio spawn [options] PROMPT       have agents work on a task
       axiom-trio replay [options] DIR         print a journal again
       axiom-trio mcp [options]                an MCP server, for agents
       axiom-trio --version

and from another terminal, with runs that go on:
       axiom-trio ps                           show them and their children
       axiom-trio attach [NAME]                a run here, or one child
       axiom-trio logs [NAME]                  print what was written
       axiom-trio send NAME TEXT               write to a child
       axiom-trio wait NAME                    for its end, or --match REGEX
       axiom-trio interrupt | restart NAME, stop [NAME], add COMMAND

`axiom-trio run --help`, and so on, show the options."""


_WHICH = """\
      --run ID               which run, by the beginning of its id; default: the
                             one this is started in, or the only one
      --url URL              the one whose page is there, such as that behind
                             ssh -L 8080:127.0.0.1:8080
      --token-file FILE      holds its token (-: stdin), if URL does not end in
                             #TOKEN, which other users can see while this runs
%s  -h, --help                 this text

Exit status: 0; 1 refused, failed or not found; 2 usage; 4 no such run or child;
124 time is up."""
_JSON = "      --json                 in JSON, an object a line\n"

_TEXTS = {
    "ps": """\
usage: axiom-trio ps [options]

Show the runs that go on, and their children.

""",
    "logs": """\
usage: axiom-trio logs [options] [NAME]

Print what the children of a run have written, as it showed it, and end.

      --tail N               the last N lines; with --json, events
      --since DURATION       what is no older than that
      --after CURSOR         what came after this event
      --grep REGEX           only lines in which it is found
  -f, --follow               go on until the run has ended
      --cursor               say on stderr where to go on: the last cursor
  -p, --prefix TEMPLATE      '[{name}]'; fields: name id index pid time
  -T, --timestamps           UTC time first (also if DEBUG is set)
      --color auto|always|never  also by NO_COLOR, FORCE_COLOR, TERM (auto)
""",
    "send": """\
usage: axiom-trio send [options] NAME TEXT
       axiom-trio send [options] NAME -f FILE

Write a message into a child, as if typed, with Enter; say what became of it:
confirmed, queued (written, not read yet), unconfirmed or refused (then the
exit status is 1).

  -f, --file FILE            the text is in FILE; -: on stdin
      --keys                 TEXT is keys, such as '1<Enter>' or '<C-c>'
      --when now|idle        idle: when it has been silent for 2 s (now)
      --wait DURATION        how long to wait for that (60s)
      --secret               it may answer a prompt for a password
      --force                also where a dialog of an agent takes it for an answer
      --id ID                the same ID is never sent twice
      --                     what follows is no option, such as -5
""",
    "interrupt": """\
usage: axiom-trio interrupt [options] NAME

Send a child SIGINT, as Ctrl-C does.

""",
    "stop": """\
usage: axiom-trio stop [options] [NAME]

Ask a child to end, or the whole run, and kill it after the grace. Returns at
once; `axiom-trio wait NAME` waits for the end.

      --grace DURATION       between asking and killing (the run's)
""",
    "restart": """\
usage: axiom-trio restart [options] NAME

Start a child again; one that has ended comes back under its name.

""",
    "add": """\
usage: axiom-trio add [options] COMMAND

Give a run another child: a shell command line, run in this directory.

  -n, --name NAME            its name
      --pty, --pipe          what it writes to; default: as the run's others
""",
    "wait": """\
usage: axiom-trio wait [options] NAME [--match REGEX | --exit]

Wait until a child has written something, or has ended. What it has written
before counts, so nothing is missed.

      --match REGEX          until this is found in what it writes; ^ and $ are
                             where a line begins and ends
      --exit                 until it has ended; 1 if it failed (the default)
      --after CURSOR         look only at what came after this event
      --timeout DURATION     how long; then the exit status is 124
""",
    "attach": """\
usage: axiom-trio attach [options] [NAME]

Show a run in this terminal, its children below the stream, or one child of it
in full. In a run, name:text and Enter writes to a child, Up, Down and Enter
show one in full, and ? lists all keys. Leaving it (Ctrl-] for a child; Ctrl-C,
Ctrl-D, or q and Enter for a run) does not touch the run.

""",
}
_ARGUMENTS = {  # how many: at least, at most, and what to say
    "ps": (0, 0, "it takes no arguments"),
    "logs": (0, 1, "give the name of one child, or none for all"),
    "send": (1, 2, "give the name of a child and the text, in quotes"),
    "interrupt": (1, 1, "give the name of one child"),
    "stop": (0, 1, "give the name of one child, or none for the whole run"),
    "restart": (1, 1, "give the name of one child"),
    "add": (1, 1, "give one command line, in quotes"),
    "wait": (1, 1, "give the name of one child"),
    "attach": (0, 1, "give the name of one child, or none for the whole run"),
}


_EXCLUDING = (
    ("run", "url"),
    ("pty", "pipe"),
    ("match", "exit"),
    ("tail", "after"),
    ("keys", "secret"),
    ("keys", "force"),
    ("keys", "when"),
    ("keys", "wait"),
)


def _text(text: str) -> str:
    if not text:
        raise ValueError("it must not be empty")
    return text


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise ValueError(f"{text!r} is not a whole number")
    return int(text)


def _when(text: str) -> str:
    if text not in ("now", "idle"):
        raise ValueError(f"{text!r} is neither now nor idle")
    return text


_COMMON: dict[str, Reader] = {
    "run": ("", _text),
    "url": ("", _text),
    "token-file": ("", _text),
    "json": ("", None),
}
_OPTIONS: dict[str, dict[str, Reader]] = {
    "ps": {},
    "logs": {
        "tail": ("", _number),
        "since": ("", parse_duration),
        "after": ("", _number),
        "grep": SETTINGS["include"],
        "follow": ("f", None),
        "cursor": ("", None),
        **{name: SETTINGS[name] for name in ("prefix", "timestamps", "color")},
    },
    "send": {
        "file": ("f", _text),
        "keys": ("", None),
        "when": ("", _when),
        "wait": ("", parse_duration),
        "secret": ("", None),
        "force": ("", None),
        "id": ("", _text),
    },
    "interrupt": {},
    "stop": {"grace": ("", parse_duration)},
    "restart": {},
    "add": {"name": ("n", _text), "pty": ("", None), "pipe": ("", None)},
    "wait": {
        "match": SETTINGS["include"],
        "exit": ("", None),
        "after": ("", _number),
        "timeout": ("", parse_duration),
    },
    "attach": {},
}


class VerbOptions:
    """What a verb was asked to do: `name` and `text` are its words, the rest are options."""

    verb: Verb
    __slots__ = ("_given", "name", "text", "token", "verb")

    def __init__(
        self, verb: Verb, name: str | None, text: str | None, token: str | None, given: dict[str, Any]
    ) -> None:
        self.verb = verb
        self.name = name
        self.text = text
        self.token = token
        self._given = given

    def get(self, option: str, default: Any = None) -> Any:
        """The value of an option, by its long name."""
        return self._given.get(option, default)


def parse_verb(verb: Verb, argv: Sequence[str], environ: Mapping[str, str]) -> VerbOptions | str:
    """Understand the words after `axiom-trio VERB`; see `options.parse`."""
    hint = "; if it is the text, write -- before it" if verb == "send" else ""
    grammar = Grammar(verb, _OPTIONS[verb] | _COMMON, quoting=verb == "add", hint=hint)
    given, words, behind = grammar.scan(argv)
    if "help" in given:
        return _TEXTS[verb] + _WHICH % ("" if verb == "attach" else _JSON)
    words += behind or []
    least, most, hint = _ARGUMENTS[verb]
    if not least <= len(words) <= most:
        raise UsageError(f"{hint}: axiom-trio {verb} --help")
    for one, other in _EXCLUDING:
        if given.get(one) and given.get(other) is not None:
            raise UsageError(f"--{one} and --{other} exclude each other; give one of them")
    if "token-file" in given and "url" not in given:
        raise UsageError("--token-file goes with --url; runs on this machine need no token")
    token = None
    if "token-file" in given:
        token = read_text(given["token-file"]).strip()
        if not (token.isascii() and token.isprintable() and token and " " not in token):
            raise UsageError(f"{given['token-file']} holds no token: it must be one word")
    text = words[1] if len(words) > 1 else None
    if verb == "send":
        if (text is None) == ("file" not in given):
            raise UsageError(f"give the text, or --file: axiom-trio {verb} --help")
        if text is None:
            text = read_text(given["file"]).removesuffix("\n")
    if verb == "add":
        text, words = words[0], []
        if not text.strip():
            raise UsageError("the COMMAND is empty; write what to run, such as 'make test'")
    if verb == "logs":
        given = {**from_environment(environ), **given}
    if "run" not in given and "url" not in given and environ.get("AXIOM_RUN_ID"):
        given["inside"] = environ["AXIOM_RUN_ID"]
    return VerbOptions(verb, words[0] if words else None, text, token, given)
