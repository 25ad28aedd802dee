"""The command line of `axiom-trio mcp`."""

from __future__ import annotations

from axiom_trio.cli.config import join_interactive
from axiom_trio.cli.settings import SETTINGS
from axiom_trio.cli.tasks import UsageError
from axiom_trio.cli.words import Grammar

TYPE_CHECKING = False  # type checkers know better; importing typing takes 5 ms
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, Literal

HELP = """\
usage: axiom-trio mcp [options]

Serve the Model Context Protocol on stdin and stdout: an agent that has this
server spawns other agents, sees what they write, and steers them. Hosts start
it themselves; it ends with them, and so do all agents it has started.

  --agent AGENT              claude, codex, gemini, aider, each with options
                             if need be, or a command with {prompt} (claude)
  --interactive              run them on a terminal, where messages can be
                             typed to them and they wait for more
  --no-interactive           never do; by default where the prompt speaks of
                             install, login, permission or server
  --worktree                 each in a git worktree of its own
  --keep-going               a sequence goes on after a failure
  -j, --jobs N               at most N at once, the rest wait
  --timeout DURATION         stop an agent that takes longer: it has failed
  --idle-timeout DURATION    stop an agent silent for so long: it has failed
  --grace DURATION           between asking one to end and killing it (5s)
  --mask-env A,B,...         show *** for the values of these variables
  --mask-file FILE           and for the secrets in FILE, one a line
  --journal DIR              keep all they write in DIR, for axiom-trio replay;
                             by default it goes with the server
  --journal-size BYTES       keep no more than the newest BYTES of it
                             (without --journal: 1G)

  -h, --help                 this text

It needs the extra mcp: pip install 'axiom-trio[mcp]'. A DURATION is 500ms,
10s, 5m, 2h or plain seconds; BYTES may be 64k or 1M.
Exit status: 0; 2 usage; 3 output was lost; 128 + signal.

examples
  claude mcp add axiom -- axiom-trio mcp
  codex mcp add axiom -- axiom-trio mcp --agent codex"""

_PROGRAM = "axiom-trio mcp"
_SHARED = (
    *("interactive", "no-interactive", "jobs", "timeout", "idle-timeout", "grace", "mask-env", "mask-file"),
    *("journal", "journal-size"),
)


def _agent(text: str) -> str:
    if not text.strip():
        raise ValueError("it must not be empty")
    return text


_OWN: dict[str, tuple[str, Callable[[str], Any] | None]] = {
    "agent": ("", _agent),
    "worktree": ("", None),
    "keep-going": ("", None),
}
OPTIONS = {**_OWN, **{name: SETTINGS[name] for name in _SHARED}}


class McpOptions:
    """What `axiom-trio mcp` was asked to do."""

    verb: Literal["mcp"] = "mcp"
    __slots__ = (
        *("agent", "grace", "idle_timeout", "interactive", "jobs", "journal", "journal_size", "keep_going"),
        *("secrets", "timeout", "worktree"),
    )

    def __init__(
        self,
        *,
        agent: str = "claude",
        interactive: bool | None = None,
        worktree: bool = False,
        keep_going: bool = False,
        jobs: int | None = None,
        timeout: float | None = None,
        idle_timeout: float | None = None,
        grace: float = 5.0,
        secrets: Sequence[str] = (),
        journal: str | None = None,
        journal_size: int | None = None,
    ) -> None:
        self.agent = agent
        self.interactive = interactive
        self.worktree = worktree
        self.keep_going = keep_going
        self.jobs = jobs
        self.timeout = timeout
        self.idle_timeout = idle_timeout
        self.grace = grace
        self.secrets = secrets
        self.journal = journal
        self.journal_size = journal_size


def parse_mcp(argv: Sequence[str], environ: Mapping[str, str]) -> McpOptions | str:
    """Understand the words after `axiom-trio mcp`; see `options.parse`."""
    given, words, behind = Grammar("mcp", OPTIONS, once=("mask-file",)).scan(argv)
    if "help" in given:
        return HELP
    if words or behind is not None:
        raise UsageError(f"it takes no arguments, but options: {_PROGRAM} --help")
    join_interactive(given, "--interactive and --no-interactive")
    names, path = given.pop("mask-env", ()), given.pop("mask-file", None)
    if names or path is not None:
        from axiom_trio.cli.secrets import read_secrets

        given["secrets"] = read_secrets(names, path, (), environ)
    return McpOptions(**{name.replace("-", "_"): value for name, value in given.items()})
