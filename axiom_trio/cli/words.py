"""From the words of a command line to options and the rest.

Written by hand: argparse alone takes as long to import as the rest of `--help`, and
its errors begin with a page of usage.
"""

from __future__ import annotations

from axiom_trio.cli.tasks import UsageError, near

TYPE_CHECKING = False  # type checkers know better; importing typing takes 5 ms
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any


_DASH = {"run": "- is no COMMAND", "add": "- is no COMMAND", "replay": "- is no directory"}


class Grammar:
    """The options of a verb.

    Args:
        verb: For hints, such as `run`.
        options: Long name: short one, and what reads its value; None for a flag. Where that's a list, an
            option may stand again and again, and adds to it.
        once: Those that name one file, and may stand only once.
        quoting: Whether words may be parts of a command that should have been quoted.
        hint: What to say of one that is no option, behind other words.
    """

    def __init__(
        self,
        verb: str,
        options: Mapping[str, tuple[str, Callable[[str], Any] | None]],
        *,
        once: Sequence[str] = (),
        quoting: bool = False,
        hint: str = "",
    ) -> None:
        self._verb = verb
        self._options = {**options, "help": ("h", None)}
        self._once = once
        self._short = {short: name for name, (short, _) in self._options.items() if short}
        self._quoting = quoting
        self._hint = hint

    def scan(self, argv: Sequence[str]) -> tuple[dict[str, Any], list[str], list[str] | None]:
        """Sort the words into options, other words, and those behind `:::` (None if there is none)."""
        given: dict[str, Any] = {}
        others: list[str] = []
        words = iter(argv)
        options_ended = False
        for word in words:
            if word == ":::":
                return given, others, list(words)
            if options_ended or not word.startswith("-"):
                others.append(word)
            elif word == "--":
                options_ended = True
            elif word.startswith("--"):
                name, equals, value = word[2:].partition("=")
                self._take(given, name, f"--{name}", value if equals else None, words, others)
            else:
                self._take_short(given, word, words, others)
            if "help" in given:
                break
        return given, others, None

    def _take_short(self, given: dict[str, Any], word: str, words: Iterator[str], others: list[str]) -> None:
        """Take a word such as `-T`, `-j4`, `-j=4` or `-Tqj 4`."""
        if word == "-":
            what = _DASH.get(self._verb, "there is no option -")
            read = "commands " if self._verb == "run" else ""
            hint = f"; to read {read}from standard input, write -f -" if "file" in self._options else ""
            raise UsageError(what + hint)
        if word[1:] in self._options:  # else -pty would be a prefix "ty"
            raise UsageError(f"there is no option {word}; did you mean -{word}?")
        for place, letter in enumerate(word[1:], 2):
            name, rest = self._short.get(letter, letter), word[place:]
            takes_value = name in self._options and self._options[name][1] is not None
            if rest and (takes_value or (rest[0] == "=" and name in self._options)):
                self._take(given, name, f"-{letter}", rest.removeprefix("="), words, others)
                return
            self._take(given, name, f"-{letter}", None, words, others)

    def _take(
        self,
        given: dict[str, Any],
        name: str,
        label: str,
        value: str | None,
        words: Iterator[str],
        others: list[str],
    ) -> None:
        quote = "; if it is part of a command, quote that command" if self._quoting and others else ""
        if name not in self._options:
            text = self._hint if others else ""
            hint = near(name, self._options, "--") or quote or text
            hint = hint or f"; axiom-trio {self._verb} --help lists all"
            raise UsageError(f"there is no option {label}{hint}")
        read = self._options[name][1]
        if read is None:
            if value is not None:
                raise UsageError(f"{label} takes no value, so leave out {value!r}")
            given[name] = True
            return
        if value is None and (value := next(words, None)) is None:
            raise UsageError(f"{label} needs a value after it; axiom-trio {self._verb} --help shows which")
        if name in self._once and name in given:
            raise UsageError(f"{label} takes the name of one file, and may stand only once")
        try:
            read_value = read(value)
        except ValueError as error:
            raise UsageError(f"{label}: {error}{quote}") from None
        given[name] = given.get(name, []) + read_value if isinstance(read_value, list) else read_value
