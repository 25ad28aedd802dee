"""The command line of `axiom-trio spawn`, from words to checked values."""

from __future__ import annotations

from axiom_trio.cli.config import from_environment, join_halt
from axiom_trio.cli.options import RunOptions, settle
from axiom_trio.cli.settings import ONCE, SETTINGS
from axiom_trio.cli.tasks import UsageError, near, read_text
from axiom_trio.cli.words import Grammar

TYPE_CHECKING = False  # type checkers know better; importing typing takes 5 ms
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from axiom_trio.spawn.plan import Plan, Subtask

SPAWN_HELP = """\
usage: axiom-trio spawn [options] PROMPT

Have agents work on a task, each a child in one live stream, as with
axiom-trio run. PROMPT says what is to be done: quote it.

who does what
      --pattern PATTERN      parallel: all at once, each on PROMPT or on one of
                             the subtasks (the default);
                             sequential: one after the other, each told how the
                             one before has ended;
                             decompose: one plans subtasks, others do them;
                             recursive: one begins, and may ask for others
      --count N              how many children, 1 to 10 (3); for decompose and
                             recursive: how many one parent may have
      --max-depth N          how many generations for recursive, 1 to 5 (3)
  -a, --agent AGENT          claude (the default), codex, gemini or aider, with
                             options if you like: 'claude --model opus'; or any
                             command with {prompt}: 'my-agent --task={prompt}'
      --subtask TEXT         what one child is to do; may be given again
      --plan FILE            the plan in JSON, as --no-execute --json prints
                             it; -: on stdin
  -f, --file FILE            PROMPT is in FILE; -: on stdin
      --keep-going           a sequence goes on after a failure
      --worktree             each child in a git worktree of its own, a
                             sequence in one: what has changes in the end is
                             kept, and named
      --interactive          agents on terminals, as if you had started them;
                             by default only if the prompt speaks of
                             installing, logging in, permissions or servers
      --no-interactive       never: each agent works by itself, and ends

what then
      --no-execute           only show the plan
      --detach               go on without this terminal, with a journal, and
                             say the children's ids; axiom-trio ps, logs, wait,
                             send and stop reach it
      --json                 what --no-execute or --detach say in JSON; else
                             the events of the run, as --output jsonl

and of axiom-trio run, whose help explains them
  -j, --jobs; --halt, --kill-others, --kill-others-on-fail; --retries,
  --restart-after, --restart-window, --timeout, --idle-warn, --idle-timeout,
  --grace, --allow-daemons; --on, --rules, --rule-set; -p, --prefix,
  -T, --timestamps, --color, --output, --escapes, --include, --exclude,
  --highlight, --progress, --timings, -q, --quiet, --summary, --joblog,
  --files, --mask-env, --mask-file, --journal, --pace, --fsync,
  --journal-size, --stats-interval, --buffer-size, --flush-interval; --listen,
  --allow-host, --listen-anywhere

  -h, --help                 this text

Exit status: 0; 1 a child failed, or there is no plan; 2 usage; 3 output was
lost; 128 + signal.

examples
  axiom-trio spawn --subtask 'Review src' --subtask 'Review tests' 'Review it'
  axiom-trio spawn --pattern decompose --agent codex 'Port this to Python 3.13'
  axiom-trio spawn --worktree --count 2 'Make the tests faster'"""

_NOT_OURS = (
    *("names", "pad", "prefix-length", "pty", "pipe", "stdin", "stderr", "success"),
    *("interactive", "no-interactive"),
)
PREFIX = "[{name} {id}]"


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise ValueError(f"{text!r} is not a whole number")
    return int(text)


def _text(text: str) -> str:
    if not text.strip():
        raise ValueError("it must not be empty")
    return text


def _subtask(text: str) -> list[str]:
    return [_text(text)]


_OWN: dict[str, tuple[str, Callable[[str], Any] | None]] = {
    "pattern": ("", _text),
    "count": ("", _number),
    "max-depth": ("", _number),
    "agent": ("a", _text),
    "subtask": ("", _subtask),
    "keep-going": ("", None),
    "worktree": ("", None),
    "interactive": ("", None),
    "no-interactive": ("", None),
    "no-execute": ("", None),
    "detach": ("", None),
    "json": ("", None),
}
_FILES = {"plan": ("", _text), "file": ONCE["file"]}


class SpawnOptions(RunOptions):
    """What `axiom-trio spawn` was asked to do.

    `plan`: what; `agent`: who; `terminals`: whether on terminals, None as the prompt suggests;
    `report`: the descriptor to tell the ids to, of one that has been detached.
    """

    verb = "spawn"
    __slots__ = (
        *("plan", "agent", "terminals", "keep_going", "worktree", "execute", "detach", "json", "report"),
    )

    def __init__(self, plan: Plan, given: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
        super().__init__([], **settings)
        self.plan = plan
        self.agent: str = given.get("agent", "claude")
        self.terminals: bool | None = given.get("terminals")
        self.keep_going = bool(given.get("keep-going"))
        self.worktree = bool(given.get("worktree"))
        self.execute = not given.get("no-execute")
        self.detach = bool(given.get("detach"))
        self.json = bool(given.get("json"))
        self.report: int | None = None


def parse_spawn(argv: Sequence[str], environ: Mapping[str, str]) -> SpawnOptions | str:
    """Understand the words after `axiom-trio spawn`; see `options.parse`."""
    settings = {name: known for name, known in SETTINGS.items() if name not in _NOT_OURS}
    grammar = Grammar("spawn", settings | _OWN | _FILES, once=(*_FILES, "mask-file"))
    given, words, behind = grammar.scan(argv)
    if "help" in given:
        return SPAWN_HELP
    words += behind or []
    if len(words) > 1:
        raise UsageError(f"there are {len(words)} words where one PROMPT should be; put it in quotes")
    if words and "file" in given:
        raise UsageError("the prompt is given twice: leave out PROMPT or --file")
    if given.get("plan") == given.get("file") == "-":
        raise UsageError("--plan and --file can't both be read from standard input")
    _join(given)
    prompt = read_text(given["file"]) if "file" in given else words[0] if words else None
    plan = _plan(prompt, given)
    return SpawnOptions(plan, given, _settings(given, environ))


def _join(given: dict[str, Any]) -> None:
    """Bring together those that mean one thing."""
    join_halt(given, dashes="--")
    if "interactive" in given and "no-interactive" in given:
        raise UsageError("--interactive and --no-interactive exclude each other; give one of them")
    if "interactive" in given or "no-interactive" in given:
        given["terminals"] = "interactive" in given
    if given.get("detach"):
        if "no-execute" in given:
            raise UsageError("--detach and --no-execute exclude each other; give one of them")
        if "output" in given:
            raise UsageError("--detach shows nothing: leave out --output; axiom-trio logs prints it")
        if "listen" in given:
            raise UsageError("--detach has no page, as nobody is told its address: leave out --listen")
    if given.get("json") and given.get("output", "jsonl") != "jsonl":
        raise UsageError(f"--json and --output {given['output']} exclude each other; give one of them")


def _plan(prompt: str | None, given: Mapping[str, Any]) -> Plan:
    """The plan, as the file and the command line have it."""
    from axiom_trio.spawn.plan import PATTERNS, PlanError, Subtask, make_plan

    subtasks: Sequence[Subtask] = [Subtask(text) for text in given.get("subtask", [])]
    said: dict[str, Any] = {}
    if "plan" in given:
        if subtasks:
            raise UsageError("the subtasks are given twice: leave out --plan or --subtask")
        said, subtasks = _from_file(given["plan"])
    prompt = prompt if prompt is not None else said.get("prompt")
    if prompt is None:
        raise UsageError("say what is to be done: axiom-trio spawn 'Find the bug in parse.py'")
    pattern = given.get("pattern", said.get("spawnPattern", "parallel"))
    if pattern not in PATTERNS:
        hint = near(str(pattern), PATTERNS)
        raise UsageError(f"there is no pattern {pattern!r}; it must be {', '.join(PATTERNS)}{hint}")
    try:
        return make_plan(
            prompt,
            pattern,
            count=given.get("count", said.get("spawnCount")),
            max_depth=given.get("max-depth", said.get("maxDepth")),
            subtasks=subtasks,
        )
    except PlanError as error:
        text = str(error)
        for name, option in (("spawnCount", "--count"), ("maxDepth", "--max-depth")):
            text = text.replace(name, option) if option[2:] in given else text
        raise UsageError(text) from None


def _from_file(path: str) -> tuple[dict[str, Any], Sequence[Subtask]]:
    """What a plan in a file says, and its subtasks."""
    import json

    from axiom_trio.spawn.plan import PlanError, read_plan

    text = read_text(path)
    try:
        document = json.loads(text)
        if isinstance(document, dict) and document.get("subtasks") == []:
            subtasks: Sequence[Subtask] = ()
        else:
            subtasks = read_plan(json.dumps(document))
    except (ValueError, RecursionError) as error:  # a PlanError is one
        why = error if isinstance(error, PlanError) else f"it is not valid JSON: {error}"
        raise UsageError(f"--plan {path}: {why}") from None
    if not isinstance(document, dict):
        return {}, subtasks
    for name in ("prompt", "spawnCount", "maxDepth"):
        kind, what = (str, "string") if name == "prompt" else (int, "whole number")
        if name in document and type(document[name]) is not kind:
            raise UsageError(f"--plan {path}: {name} is no {what}")
    return document, subtasks


def _settings(given: dict[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    """What a run needs to know."""
    settings: dict[str, Any] = {"prefix": PREFIX, **from_environment(environ)}
    settings.update((name, value) for name, value in given.items() if name in SETTINGS and name not in _OWN)
    settle(settings, [], environ, journalled=bool(given.get("detach")))
    if given.get("detach"):
        settings["output"] = "none"
    elif given.get("json") and not given.get("no-execute"):
        settings["output"] = "jsonl"
    return {name.replace("-", "_"): value for name, value in settings.items()}
