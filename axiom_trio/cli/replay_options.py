"""The command line of `axiom-trio replay`."""

from __future__ import annotations

from axiom_trio.cli.config import from_environment
from axiom_trio.cli.settings import SETTINGS
from axiom_trio.cli.tasks import UsageError
from axiom_trio.cli.words import Grammar
from axiom_trio.sansio.durations import parse_duration

TYPE_CHECKING = False  # type checkers know better; importing typing takes 5 ms
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, Literal

    from axiom_trio.sansio.escapes import Escapes

HELP = """\
usage: axiom-trio replay [options] DIR

Print the journal in DIR again, as `axiom-trio run` would have shown it.

which part
  -t, --task A,B,...         only these: names, ids or their beginnings, or
                             patterns such as 'test-*'
  --since TIME               from this time on (2026-11-23T05:36:55Z), or the
                             last 10m of the journal
  --follow                   go on until the run that writes it has ended
  --speed FACTOR             1: as fast as it was, 10: ten times as fast, 0: at
                             once (0)

how it is shown
  -p, --prefix TEMPLATE      '[{name}]'; fields: name id index pid time
  -l, --prefix-length N      cut names to N characters, in the middle
  -T, --timestamps           UTC time first (also if DEBUG is set)
  --color auto|always|never  also by NO_COLOR, FORCE_COLOR, TERM (auto)
  --output FORM              lines, grouped by command, raw (without prefix),
                             jsonl (events), none (lines)
  --escapes color|none|raw   default: color on a terminal, else raw
  --files DIR                each child's output in a file of its own
  -q, --quiet                nothing of our own on stderr but errors

  -h, --help                 this text

Exit status: 0; 1 nothing matched; 2 usage; 3 a part of the journal is damaged.

examples
  axiom-trio replay -T journal
  axiom-trio replay --task web --since 10m --follow journal
  axiom-trio replay --output none --files logs journal"""

_PROGRAM = "axiom-trio replay"
_SHARED = ("prefix", "prefix-length", "timestamps", "color", "output", "escapes", "files", "quiet")


def _since(text: str) -> tuple[str, float]:
    try:
        return "last", parse_duration(text)
    except ValueError:
        from datetime import UTC, datetime

        try:
            time = datetime.fromisoformat(text)
        except ValueError:
            raise ValueError(
                f"{text!r} is neither a duration nor a time; write 10m or 2026-11-23T05:36:55Z"
            ) from None
        return "time", (time if time.tzinfo is not None else time.replace(tzinfo=UTC)).timestamp()


def _speed(text: str) -> float:
    if not (text.isascii() and text.replace(".", "", 1).isdigit() and len(text) < 13):
        raise ValueError(
            f"{text!r} is no factor; write 1 for as it was, 10 for ten times as fast, 0 for at once"
        )
    return float(text)


OPTIONS: dict[str, tuple[str, Callable[[str], Any] | None]] = {
    **{name: SETTINGS[name] for name in _SHARED},
    "task": ("t", lambda text: [name for name in text.split(",") if name]),
    "since": ("", _since),
    "follow": ("", None),
    "speed": ("", _speed),
}


class ReplayOptions:
    """What `axiom-trio replay` was asked to do."""

    verb: Literal["replay"] = "replay"
    __slots__ = (
        *("color", "directory", "escapes", "files", "follow", "output", "prefix", "prefix_length"),
        *("quiet", "since", "speed", "task", "timestamps"),
    )

    def __init__(
        self,
        directory: str,
        *,
        task: Sequence[str] = (),
        since: tuple[str, float] | None = None,
        follow: bool = False,
        speed: float = 0.0,
        prefix: str = "[{name}]",
        prefix_length: int | None = None,
        timestamps: bool = False,
        color: str = "auto",
        output: str = "lines",
        escapes: Escapes | None = None,
        files: str | None = None,
        quiet: bool = False,
    ) -> None:
        self.directory = directory
        self.task = task
        self.since = since
        self.follow = follow
        self.speed = speed
        self.prefix = prefix
        self.prefix_length = prefix_length
        self.timestamps = timestamps
        self.color = color
        self.output = output
        self.escapes = escapes
        self.files = files
        self.quiet = quiet


def parse_replay(argv: Sequence[str], environ: Mapping[str, str]) -> ReplayOptions | str:
    """Understand the words after `axiom-trio replay`; see `options.parse`."""
    given, words, behind = Grammar("replay", OPTIONS).scan(argv)
    if "help" in given:
        return HELP
    if len(words) != 1 or behind is not None:
        raise UsageError(f"say which journal to print, one directory: {_PROGRAM} DIR")
    settings = {name.replace("-", "_"): value for name, value in given.items()}
    return ReplayOptions(words[0], **{**from_environment(environ), **settings})
