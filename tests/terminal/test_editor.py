"""The line editor against a list of cells and a number."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axiom_trio.terminal.editor import HISTORY, LONGEST, Editor, Submit, cells, width
from axiom_trio.terminal.keys import Key, Text

CHARACTERS = st.sampled_from([*"ab: *", "é", "漢", "👍", "e\u0301", "👩\u200d🚀"])


class Model:
    """What it must do, as simply as it can be said."""

    def __init__(self) -> None:
        self.line: list[str] = []
        self.at = 0

    def press(self, name: str) -> None:
        if name in ("backspace", "delete"):
            at = self.at - (name == "backspace")
            if 0 <= at < len(self.line):
                del self.line[at]
                self.at = at
        elif name in ("left", "right"):
            self.at = max(0, min(len(self.line), self.at + (1 if name == "right" else -1)))
        elif name in ("home", "ctrl-a"):
            self.at = 0
        elif name in ("end", "ctrl-e"):
            self.at = len(self.line)
        elif name == "ctrl-k":
            del self.line[self.at :]
        elif name in ("ctrl-u", "escape"):
            self.line, self.at = [], 0
        elif name == "ctrl-w":
            start = self.at
            while start and self.line[start - 1] == " ":
                start -= 1
            while start and self.line[start - 1] != " ":
                start -= 1
            del self.line[start : self.at]
            self.at = start

    def type(self, cell: str) -> None:
        self.line.insert(self.at, cell)
        self.at += 1


NAMES = [
    *(
        "backspace",
        "delete",
        "left",
        "right",
        "home",
        "end",
        "ctrl-a",
        "ctrl-e",
        "ctrl-k",
        "ctrl-u",
        "ctrl-w",
    ),
    "escape",
]


@given(
    st.lists(st.one_of(CHARACTERS.map(Text), st.sampled_from(NAMES).map(Key)), max_size=40),
    st.integers(2, 12),
)
def test_it_edits_as_the_model_does(presses: list[Text | Key], columns: int) -> None:
    editor, model = Editor(), Model()
    for press in presses:
        assert editor.press(press) is True
        if isinstance(press, Text):
            model.type(press.text)
        else:
            model.press(press.name)
        assert editor.text == "".join(model.line)
        assert editor.cursor == len("".join(model.line[: model.at]))
        shown, column = editor.view(columns)
        assert width(shown) <= columns
        assert shown in editor.text
        # The cell at the cursor is shown where the cursor stands, whole.
        here = model.line[model.at : model.at + 1]
        assert 0 <= column <= columns - (width(here[0]) if here else 1)
        left, used = [], 0
        for cell in cells(shown):
            if used == column:
                break
            left.append(cell)
            used += width(cell)
        assert used == column
        assert "".join(model.line[: model.at]).endswith("".join(left))
        if here:
            assert cells(shown)[len(left)] == here[0]
        if width(editor.text) < columns:
            assert shown == editor.text


@given(st.text(max_size=30))
def test_cells_are_the_text(text: str) -> None:
    assert "".join(cells(text)) == text


def test_what_combines_stays_together() -> None:
    editor = Editor()
    editor.press(Text("xe"))
    editor.press(Text("\u0301"))
    editor.press(Key("backspace"))
    assert editor.text == "x"


@pytest.mark.parametrize(
    ("pasted", "text", "shown"),
    [
        ("a\r\nb\rc\nd", "a\nb\nc\nd", "a⏎b⏎c⏎d"),
        ("a\tb", "a\tb", "a→b"),
        ("\x03\x1b[201~\x7f\x00", "^C^[[201~^?^@", "^C^[[201~^?^@"),
        ("\x9b1m\u202e", "\\x9b1m<U+202E>", "\\x9b1m<U+202E>"),
    ],
)
def test_a_paste_is_text(pasted: str, text: str, shown: str) -> None:
    editor = Editor()
    assert editor.press(Text(pasted, pasted=True)) is True
    assert editor.text == text
    assert editor.view(80) == (shown, len(shown))


@given(st.text(st.characters(codec="utf-8")))
def test_no_control_character_is_shown(text: str) -> None:
    editor = Editor()
    editor.insert(text)
    shown, _ = editor.view(200)
    assert not any(ord(character) < 32 or 0x7F <= ord(character) < 0xA0 for character in shown)


def test_enter_gives_the_line_and_keeps_it() -> None:
    editor = Editor()
    editor.press(Text("a:b"))
    assert editor.press(Key("enter")) == Submit("a:b")
    assert editor.text == "a:b"
    editor.remember()
    assert not editor


def test_keys_of_others() -> None:
    editor = Editor()
    for name in ("page-up", "f1", "ctrl-r", "ctrl-x", "shift-tab"):
        assert editor.press(Key(name)) is False


def test_history() -> None:
    editor = Editor()
    for text in ("one", "two", "two", "three"):
        editor.press(Text(text))
        editor.remember()
    editor.press(Text("draft"))
    seen = []
    for name in ("up", "up", "up", "up", "down", "down", "down", "down"):
        editor.press(Key(name))
        seen.append(editor.text)
    assert seen == ["three", "two", "one", "one", "two", "three", "draft", "draft"]
    editor.press(Key("up"))
    editor.press(Text("!"))
    editor.remember()
    editor.press(Text("x"))
    editor.press(Key("up"))
    assert editor.text == "three!"


def test_history_is_bounded_and_so_is_the_line() -> None:
    editor = Editor()
    for number in range(HISTORY + 10):
        editor.press(Text(str(number)))
        editor.remember()
    assert len(editor._history) == HISTORY
    editor.insert("x" * (LONGEST + 10))
    assert len(editor.text) == LONGEST


def test_completion() -> None:
    names = ["api", "api-test", "web"]
    editor = Editor(lambda start: [f"{name}:" for name in names if name.startswith(start)])
    editor.press(Text("w"))
    editor.press(Key("tab"))
    assert editor.text == "web:"
    editor.press(Key("ctrl-u"))
    editor.press(Text("a"))
    editor.press(Key("tab"))
    assert editor.text == "api"
    editor.press(Key("tab"))
    assert editor.choices == ["api:", "api-test:"]
    seen = []
    for _ in range(3):
        editor.press(Key("tab"))
        seen.append(editor.text)
    assert seen == ["api:", "api-test:", "api:"]
    editor.press(Text(" hi"))
    assert editor.choices == ()
    editor.press(Key("ctrl-u"))
    editor.press(Text("q"))
    editor.press(Key("tab"))
    assert editor.text == "q"


def test_completion_leaves_what_follows() -> None:
    editor = Editor(lambda start: ["web:"])
    editor.press(Text("w hello"))
    editor.press(Key("home"))
    editor.press(Key("right"))
    editor.press(Key("tab"))
    assert (editor.text, editor.cursor) == ("web: hello", 4)


def test_killed_text_comes_back() -> None:
    editor = Editor()
    editor.press(Text("one two"))
    editor.press(Key("ctrl-w"))
    assert editor.text == "one "
    editor.press(Key("ctrl-y"))
    assert editor.text == "one two"
