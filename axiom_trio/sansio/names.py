"""Names of children: a default from the command, made unique, cut to a length, safe to show.

A name may contain anything, since it can come from a file, an argument or an
agent. Apply `printable`, then `unique`, then `shorten`: each keeps what the
one before it promised, but not the other way round.
"""

from __future__ import annotations

TYPE_CHECKING = False  # type checkers know better; importing typing takes 5 ms
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

SHORT_ID = 8
"""Characters of an id that are shown; unique within a run."""
_ENDS_WORD = frozenset(" \t\r\n;|&<>()")
_ENV_OPTIONS_WITH_VALUE = ("-u", "--unset", "-C", "--chdir")


def default_name(command: str) -> str:
    """Name a shell command line after its program: the first word's last path component.

    Assignments (`PORT=80 ./api`) and a leading `env` with its options are
    skipped. Never raises and is never empty; a line without any word, such as
    `""` or `A=1`, is called `task`.
    """
    words = _words(command)
    for word in words:
        base = word.rstrip("/").rpartition("/")[2]
        if _is_assignment(word) or not base:
            continue
        if base != "env":
            return base
        for argument in words:
            if argument in _ENV_OPTIONS_WITH_VALUE:
                next(words, None)
            elif not argument.startswith("-") and not _is_assignment(argument):
                return argument.rstrip("/").rpartition("/")[2] or base
        return base
    return "task"


def unique(names: Sequence[str], taken: Collection[str] = ()) -> list[str]:
    """Make names differ: `sleep`, `sleep-2`, `sleep-3`.

    The first of equal names keeps it. An added number never makes a name that
    another one was given, nor one of `taken`.
    """
    used = {*taken}
    avoid = {*names, *taken}
    numbers: dict[str, int] = {}  # where to go on counting: thousands of equal names stay cheap
    result = []
    for name in names:
        new = name
        if name in used:
            number = numbers.get(name, 2)
            while (new := f"{name}-{number}") in used or new in avoid:
                number += 1
            numbers[name] = number + 1
        used.add(new)
        result.append(new)
    return result


def shorten(names: Sequence[str], length: int, taken: Collection[str] = ()) -> list[str]:
    """Cut unique names to at most `length` characters, so that they stay unique.

    A name that fits stays as it is. A longer one keeps its beginning and its
    end, which is where names differ most: `integration-tests` at 9 becomes
    `inte…ests`. Where that is taken already, the end gives way to a number:
    `integra…2`. Only when `length` has no room for the digits does a name grow
    beyond it: being told apart comes first. No cut name is one of `taken`.
    """
    used = {*taken, *(name for name in names if len(name) <= length)}
    numbers: dict[str, int] = {}
    result = []
    for name in names:
        new = name
        if len(name) > length:
            tail = (length - 1) // 2
            new = name[: length - 1 - tail] + "…" + name[len(name) - tail :]
            first = new
            number = numbers.get(first, 2)
            while new in used:
                ending = f"…{number}"
                new = name[: max(0, length - len(ending))] + ending
                if len(new) > length:
                    new = str(number)
                number += 1
            numbers[first] = number
            used.add(new)
        result.append(new)
    return result


def printable(name: str) -> str:
    r"""Make a text harmless to show: one line, no escapes, nothing invisible or reordering.

    Control characters become `^[` and the like, other characters that don't
    print (C1 controls, bidi marks, undecodable bytes) `\x9b`, `\u202e`, `\udcff`.
    """
    if name.isprintable():
        return name
    return "".join(ch if ch.isprintable() else _visible(ch) for ch in name)


def _visible(ch: str) -> str:
    if ch < " " or ch == "\x7f":
        return "^" + chr(ord(ch) ^ 0x40)
    return ch.encode("unicode_escape").decode("ascii")


def _is_assignment(word: str) -> bool:
    name, equals, _ = word.partition("=")
    return bool(equals) and name.removesuffix("+").isidentifier()


def _words(command: str) -> Iterator[str]:
    """Split as a shell would, about: an open quote ends with the line, an operator ends a word."""
    word: str | None = None
    quote = ""
    characters = iter(command)
    for ch in characters:
        if ch == "\\" and quote != "'":
            word = (word or "") + next(characters, "")
        elif quote:
            if ch == quote:
                quote = ""
            else:
                word = (word or "") + ch
        elif ch in "'\"":
            quote, word = ch, word or ""
        elif ch not in _ENDS_WORD:
            word = (word or "") + ch
        elif word is not None:
            yield word
            word = None
    if word is not None:
        yield word
