r"""Rule sets that come with the program, to be chosen by name; none is on by itself.

Those for agents' confirm prompts fail closed: only the whole known prompt, with yes as the choice
that is marked, at the very end of what is shown, is answered. Another version's, a prompt with
another default, or any other menu or question that has stood for 3 s is told (`notify`) and left
alone. What is asked about trust, or reads a password, is never answered.

The prompts are those of Claude Code 2.1.332, Codex 0.169.0, Gemini CLI 0.61.0 and aider 0.86.2, which were
tried, and of some that came before; `[^\n]` stands for what differs in each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from axiom_trio.sansio.rule import Mode, Rule

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_EDGE: Final = r"(?:[ \t]|│|\|)*"
_END: Final = rf"{_EDGE}\r?\n{_EDGE}"  # from one row to the next, in a box or not
_BLANK: Final = rf"(?:{_EDGE}\r?\n)*{_EDGE}"
_BORDER: Final = r"(?:╰|└|╭|┌|─|━|╌|╯|┘|╮|┐)+"
_POINTER: Final = r"(?:❯|›|»|▶|●|>)"
_IN: Final = r"(?:(?!│)[^\n])"  # not `[^\n│]`: patterns are bytes, and `’` begins as `│` does
_WRAPPED: Final = rf"(?:{_END}(?!{_EDGE}(?:\d{{1,2}}[.)]|{_POINTER})){_IN}{{1,200}}?){{0,3}}"
"""Rows that go on with a long option."""

_FOOTER: Final = (
    rf"(?:{_BORDER}|[^\n]*(?:[Ee]sc|[Ee]nter|Tab|↑|[Cc]trl)[ +/-][^\n]*"
    r"|[^\n]*(?:sandbox|context left|Waiting for user)[^\n]*)"
)
_CHOICE: Final = r"\d{1,2}[.)][^\n]*"
_ROW: Final = (  # below the marked choice: others, long ones' continuations, blank rows, frames and footers
    rf"\n(?:{_EDGE}{_POINTER}?[ \t]*{_CHOICE}|(?:[ \t]|│){{2,}}(?![ \t]|│|{_POINTER})[^\n]*"
    rf"|{_EDGE}\r?|{_EDGE}{_FOOTER})(?=\n|\Z)"
)
_WAITING: Final = (
    rf"(?m:^{_EDGE}{_POINTER}[ \t]*{_CHOICE}(?:{_ROW}){{0,20}}"  # a menu
    r"|^[^\n]*[\[(](?:[Yy]|[Yy]es)[/|](?:[Nn]|[Nn]o)[^\])\n]{0,20}[\])][^\n]{0,20}"  # [y/N]
    r"|^[^\n]*\(Y\)es/\(N\)o[^\n]{0,80}"
    r"|^[^\n]*(?:[Ee]nter to (?:confirm|select|submit|continue)|[Ee]sc to (?:cancel|exit))[^\n]*)"
)
"""What looks as if it waited for a choice, at the end of what is shown."""
MENU_ROW: Final = rf"^{_EDGE}{_POINTER}[ \t]*(?:{_CHOICE}|(?:Yes|No|Allow|Trust)\b[^\n]*)(?:{_ROW}){{0,20}}"
"""The marked choice of a dialog, and what may stand below it."""
END_OF_MENU: Final = r"(?:\s|│)*\Z"
QUESTIONS: Final = (
    r"Do you want to (?:proceed|make this edit to|create|overwrite|use this API key)\b[^\n]*"
    r"|Would you like to (?:run the following command|make the following edits)\?"
    r"|Apply this change\?|Allow execution of[^\n]*|Exit plan mode\?"
    r"|Do you trust the files in this folder\?|Trust this folder\?"
    r"|Quick safety check: Is this a project you created or one you trust\?"
)
"""What agents ask in dialogs in which Enter takes the marked choice; the first row of it."""
ABOVE_INPUT: Final = (
    r"(?m)^[ \t]*❯ %(text)s[^\n]*\n(?:[ \t]+[^\n]*\n){0,8}?[ \t]*⎿[ \t]*Queued\b",
    r"(?m)^[ \t]*(?:❯|>) %(text)s[^\n]*\n(?:[^\n]*\n){0,60}?[ \t]*❯ Press up to edit queued messages",
    r"(?m)^[ \t]*Queued \([^\n]*edit\):[ \t]*\n(?:[ \t]+[^\n]*\n){0,20}?[ \t]+%(text)s",
    r"(?m)^› %(text)s[^\n]*\n(?:[ \t]*\n|[ \t]+[^\n]*\n){0,8}?• Working \(",
)
"""How agents at work show a message, or the last of them, that they keep for later."""
_PASSWORD: Final = r"(?i:pass(?:word|phrase|code)|\bPIN\b|one-time code)[^\n]{0,100}[:?][ \t]*\Z"
_NOT_NOW: Final = rf"(?:{_WAITING}(?:\s|│)*\Z)|{_PASSWORD}"
"""Against messages: where a choice or a password is waited for, a text would be taken for it."""

DANGEROUS: Final = (
    r"\brm +-\w*[rRf]\w*[rRf]|\bgit +push\b[^\n]*(?:--force|-f\b)"
    r"|\bgit +reset +--hard|\bmkfs|\bdd +[^\n]*of=/"
    r"|\b(?:curl|wget)\b[^\n]*\| *(?:sudo +)?(?:ba|z|da)?sh\b|\bDROP +(?:TABLE|DATABASE)\b"
)
"""Where this is shown, no command is agreed to."""

FILE_WRITTEN: Final = (
    r"\b(?:Write|Edit|MultiEdit|Update|Create|WriteFile|apply_patch)\b *\("
    r"|\b(?:[Ww]rote|[Cc]reated|[Uu]pdated|[Ee]dited|[Aa]dded|Applied edit to)\b[^\n]{0,200}[\w/]\.\w{1,8}\b"
)
"""A line that tells of a file written, as agents and people put it."""

PLACEHOLDER: Final = (
    r"(?:#|//|/\*|<!--|-- ) *(?:TODO|FIXME)\b|\braise NotImplementedError\b|\b(?:todo|unimplemented)!\("
)
"""A line of code that stands where code should."""


def planning(
    *,
    tasks: str = "*",
    after: float = 300.0,
    progress: str = FILE_WRITTEN,
    text: str = "Stop planning now: write the first file, and go on from there.",
    mode: Mode = "auto",
) -> list[Rule]:
    """For one that plans too long: no file written for `after` seconds."""
    return [
        Rule(
            name="planning",
            tasks=tasks,
            no_progress=after,
            progress=progress,
            unless=_NOT_NOW,
            send=text,
            limit=3,
            mode=mode,
        )
    ]


def todo(
    *,
    tasks: str = "*",
    match: str = PLACEHOLDER,
    text: str = "Don't leave placeholders: write the code that is missing there, whole.",
    mode: Mode = "auto",
) -> list[Rule]:
    """For one that writes TODO instead of code; at most once a minute."""
    return [
        Rule(
            name="todo",
            tasks=tasks,
            match=match,
            on="line",
            unless=_NOT_NOW,
            send=text,
            cooldown=60.0,
            limit=5,
            mode=mode,
        )
    ]


def progress_check(
    *,
    tasks: str = "*",
    every: float = 600.0,
    text: str = "In one sentence: what is done, what is next, and is anything in your way? Then go on.",
    mode: Mode = "auto",
) -> list[Rule]:
    """Ask how it goes, every so many seconds in which it has written something."""
    return [
        Rule(name="progress-check", tasks=tasks, every=every, unless=_NOT_NOW, send=text, limit=20, mode=mode)
    ]


def _confirming(
    agent: str, tasks: str, mode: Mode, unless: str, *rules: tuple[str, str, dict[str, str]]
) -> list[Rule]:
    """Rules that answer known prompts, and one that tells of all others."""
    answers = [
        Rule(
            name=f"{agent}: {name}",
            tasks=tasks,
            match=match,
            on="screen",
            unless=f"{unless}|{_PASSWORD}" if unless else _PASSWORD,
            limit=200,
            mode=mode,
            keys=does.get("keys"),
            send=does.get("send"),
        )
        for name, match, does in rules
    ]
    other = Rule(
        name=f"{agent}: waits for an answer",
        tasks=tasks,
        match=_WAITING,
        on="screen",
        settle=3.0,
        cooldown=30.0,
        limit=None,
        action="notify",
        mode="notify",
    )
    return [*answers, other]


def _menu(question: str, options: list[str], footer: str = "", body: str = "") -> str:
    """A whole menu: the question in a row of its own, then the options, then what may stand below."""
    rows = _END.join([options[0]]) + "".join(f"(?:{_END}{row})" for row in options[1:])
    end = rf"(?:{_BLANK}{_BORDER})?" + (f"(?:{_BLANK}{footer})*" if footer else "")
    return rf"(?m)^{_EDGE}{question}{_EDGE}\r?\n{body}{_BLANK}{rows}{end}"


def claude(*, tasks: str = "claude*", mode: Mode = "auto", unless: str = DANGEROUS) -> list[Rule]:
    """Claude Code: yes to `Do you want to proceed?` and the like."""
    question = r"Do you want to (?:proceed|(?:make this edit to|create|overwrite) [^\n?]{1,200})\?"
    no = r"[234]\. No(?:, and tell Claude what to do differently)?(?: \(esc\))?"
    also = rf"[23]\. Yes, (?:and|allow|for)\b{_IN}{{1,200}}?{_WRAPPED}"
    menu = _menu(question, ["❯ 1\\. Yes", rf"(?:{also}{_END}){{0,2}}{no}"], rf"Esc to cancel{_IN}*")
    return _confirming("claude", tasks, mode, unless, ("yes", menu, {"keys": "1"}))


def codex(*, tasks: str = "codex*", mode: Mode = "auto", unless: str = DANGEROUS) -> list[Rule]:
    """Codex: yes to running a command or making edits."""
    question = r"Would you like to (?:run the following command|make the following edits)\?"
    also = rf"2\. Yes, and don't ask again {_IN}{{1,200}}?{_WRAPPED}"
    no = r"[23]\. No, and tell Codex what to do differently \((?:esc|n)\)"
    menu = _menu(
        question,
        [
            r"› 1\. Yes, proceed \(y\)",
            rf"(?:{also}{_END})?{no}",
            r"(?:\r?\n)?[ \t]*Press enter to confirm or esc to cancel",
        ],
        body=r"(?:[^\n]*\n){0,60}?",
    )
    return _confirming("codex", tasks, mode, unless, ("yes", menu, {"keys": "y"}))


def gemini(*, tasks: str = "gemini*", mode: Mode = "auto", unless: str = DANGEROUS) -> list[Rule]:
    """Gemini CLI: allow once."""
    question = (
        r"(?:Apply this change\?|Do you want to proceed\?|Allow execution of(?:: '[^\n]{1,200}'| \[Shell\])\?"
        r"|Allow execution of MCP tool \"[^\n\"]{1,100}\" from server \"[^\n\"]{1,100}\"\?)"
    )
    also = (
        rf"\d\. (?:Yes, (?:allow|always allow) {_IN}{{1,200}}?|Allow for {_IN}{{1,100}}?"
        r"|Modify with external editor)"
    )
    menu = _menu(
        question,
        [
            r"● 1\. (?:Yes, allow|Allow) once",
            rf"(?:{also}{_END}){{0,3}}\d\. No(?:, suggest changes)? \(esc\)",
        ],
        r"[^\n]*(?:Waiting for user confirmation|sandbox|context left)[^\n]*",
    )
    return _confirming("gemini", tasks, mode, unless, ("allow once", menu, {"keys": "1"}))


def aider(*, tasks: str = "aider*", mode: Mode = "auto", unless: str = DANGEROUS) -> list[Rule]:
    """Aider: yes where yes is the default."""
    question = (
        r"(?:Add [^\n?]{1,300} to the chat|Add file to the chat|Create new file|Run shell commands?"
        r"|Allow edits to file that has not been added to the chat|Attempt to fix (?:lint|test) errors"
        r"|Add command output to the chat)\?"
    )
    options = r" \(Y\)es/\(N\)o(?:/\(A\)ll)?(?:/\(S\)kip all)?(?:/\(D\)on't ask again)? \[Yes\]:[ \t]*\Z"
    # What was answered stays on the screen: the rows above tell the next one from it.
    above = r"(?<![^\n])(?:[^\n]*\n){0,5}(?:[^\n]*\r)?"
    return _confirming("aider", tasks, mode, unless, ("yes", f"{above}{question}{options}", {"send": "y"}))


RULE_SETS: Mapping[str, Callable[..., list[Rule]]] = {
    "planning": planning,
    "todo": todo,
    "progress-check": progress_check,
    "claude": claude,
    "codex": codex,
    "gemini": gemini,
    "aider": aider,
}
"""The sets by name; each takes keyword arguments and makes its rules."""
