"""T30–T37: open lines, bytes that are no text, and output that would drive the terminal or lie."""

from __future__ import annotations

import base64
import json

import pytest
import trio

from axiom_trio import Output, ProcessExecutor, PtyExecutor, open_aggregator
from tests.commands import Collector, Terminal, axiom
from tests.faults import child
from tests.faults.harness import BOTH, PLAIN, RSS_BOUND, Witness, argv, idle_rss, line, status_field
from tests.faults.oracle import check

MAKE = pytest.mark.parametrize("make", [ProcessExecutor, PtyExecutor], ids=["pipe", "pty"])


async def collect(make: type[ProcessExecutor | PtyExecutor], **children: list[str]) -> Collector:
    sink = Collector()
    with trio.fail_after(60):
        async with open_aggregator([sink]) as aggregator:
            for name, words in children.items():
                aggregator.start_soon(make(words), id=name, name=name)
    return sink


def on_terminal(*children: str, on: str = "--pipe") -> bytes:
    """What reaches a terminal from children a, b, …"""
    names = ",".join("abcd"[: len(children)])
    with Terminal("-q", "--color", "never", on, "-n", names, *children, columns=200, rows=200) as terminal:
        result = terminal.finish()
    assert result.status == 0, result
    return result.stdout


def as_events(*children: str) -> list[dict]:
    result = axiom("-q", "--output", "jsonl", "-n", ",".join("abcd"[: len(children)]), *children)
    assert result.status == 0, result
    return [json.loads(row) for row in result.stdout.splitlines()]


def raw_output(events: list[dict], name: str) -> bytes:
    """The bytes of a child, put together from the wire form."""
    blocks = [e["data"] for e in events if e["type"] == "stream" and e["data"]["name"] == name]
    return b"".join(base64.b64decode(b["raw"]) if "raw" in b else b["text"].encode() for b in blocks)


@MAKE
async def test_T30_a_partial_last_line(make: type[ProcessExecutor | PtyExecutor]) -> None:
    """Kept, told to be a line, and closed: never glued to what another says next."""
    names = ["a", "b", "c"]
    sink = await collect(make, **{name: argv("partial", name) for name in names})
    found = check(sink.written, names)
    assert found.exact
    assert found.lost(dict.fromkeys(names, 2)) == 0
    for name in names:
        last = [event for event in sink.events if type(event) is Output and event.child == name][-1]
        assert last.data.endswith(b"without newline")
        statistics = [event for event in sink.events if getattr(event, "child", "") == name][-1]
        assert statistics.lines == 2


@BOTH
def test_T30_on_stdout(on: str) -> None:
    result = axiom(on, "-q", "-n", "a,b", line("partial", "a"), line("partial", "b"))
    found = check(result.stdout, "ab")
    assert found.exact
    assert found.lost({"a": 2, "b": 2}) == 0
    assert result.stdout.endswith(b"\n")


@BOTH
def test_T31_partial_writers_interleaved(on: str) -> None:
    """With pauses in which the beginnings are published."""
    tasks = dict.fromkeys("abcd", 8)
    result = axiom(on, "-q", "-n", "a,b,c,d", *(line("halves", task, n=8, every=70) for task in tasks))
    found = check(result.stdout, [*tasks])
    assert found.exact
    assert found.lost(tasks) == 0


BAD = (child.BAD_TEXT + b"\n") * (len(child.BAD_TEXT) + 1) + child.BAD_TEXT[:1]


@MAKE
async def test_T32_bad_utf8_is_kept_byte_by_byte(make: type[ProcessExecutor | PtyExecutor]) -> None:
    sink = await collect(make, a=argv("badutf8", "a"))
    assert sink.data("a").replace(b"\r\n", b"\n") == BAD
    assert sink.written == b"".join(b"[a] " + text + b"\n" for text in BAD.split(b"\n"))


def test_T32_bad_utf8_on_the_wire_and_on_a_terminal() -> None:
    assert raw_output(as_events(line("badutf8", "a")), "a") == BAD
    shown = on_terminal(line("badutf8", "a"))
    text = shown.decode()  # valid
    whole = r"[a] é€😀\xff\xc0\x80^@\xed\xa0\x80ü"
    assert text.splitlines() == [whole] * (len(child.BAD_TEXT) + 1) + [r"[a] \xc3"]


@BOTH
def test_T33_carriage_returns_beside_another(on: str) -> None:
    """On a terminal no redraw begins outside of its own prefix; elsewhere bytes are bytes."""
    children = (line("crprog", "a"), line("lines", "b", n=20, every=40, lines_per_write=1))
    witness = Witness(on_terminal(*children, on=on))
    assert witness.driven == []
    assert {text[:4] for text in witness.lines} == {"[a] ", "[b] "}
    rows = [text[4:] for text in witness.lines if text.startswith("[a] ")]
    assert rows[-2:] == ["progress 100%", "the end"]
    assert all(row.startswith("progress ") for row in rows[:-1])
    found = check("\n".join(text for text in witness.lines if text.startswith("[b] ")).encode() + b"\n", "b")
    assert found.exact and found.lost({"b": 20}) == 0
    plain = axiom("--pipe", "-q", "-n", "a,b", *children).stdout
    drawn = b"".join(b"\rprogress %d%%" % percent for percent in range(0, 101, 5))
    assert b"[a] " + drawn + b"\n" in plain


@BOTH
def test_T34_nothing_of_a_child_drives_the_terminal(on: str) -> None:
    data = on_terminal(line("esc", "a"), "sleep 0.3; echo other", on=on)
    for name, sequence in child.ESCAPES.items():
        assert sequence not in data, name
    assert b"\x1b" not in data
    assert all(byte >= 0x20 or byte in b"\r\n\t" for byte in data)
    assert not any(0x80 <= ord(character) < 0xA0 for character in data.decode())
    witness = Witness(data)
    assert witness.driven == []
    assert witness.screen.title == ""
    assert {text[:4] for text in witness.lines} == {"[a] ", "[b] "}
    assert {f"[a] {child.DONE.decode()}", "[b] other"} <= {*witness.lines}  # a screen's last rows come late
    shown = Witness(on_terminal(line("esc", "a", screen=0), on=on)).lines[:-1]
    assert len(shown) == len(child.ESCAPES) - len(child.SCREEN)
    if on == "--pty":  # backspaces go back there, and not beyond the row
        assert shown.pop([*child.ESCAPES].index("backspaces") - len(child.SCREEN)) == "[a] beafter"
    assert all(text.startswith("[a] before") and text.endswith("after") for text in shown)


def test_T34_events_have_the_bytes() -> None:
    output = b"".join(b"before" + sequence + b"after\n" for sequence in child.ESCAPES.values())
    assert raw_output(as_events(line("esc", "a")), "a") == output + child.DONE + b"\n"


@BOTH
def test_T35_sequences_cut_anywhere(on: str) -> None:
    """Byte by byte, the same is shown as in one write; of a screen what has settled, so that's left out."""
    whole = on_terminal(line("esc", "a", screen=0), on=on)
    assert on_terminal(line("esc", "a", screen=0, split=1, every=1), on=on) == whole


@BOTH
@pytest.mark.parametrize("size", [1_000_000, pytest.param(10_000_000, marks=pytest.mark.slow)])
def test_T35_sequences_that_never_end(on: str, size: int) -> None:
    """They swallow 4 KiB at most, and no memory."""
    peak = 0
    with Terminal("-q", "--color", "never", "-n", "a", on, line("escopen", "a", size=size)) as terminal:
        while terminal.process.poll() is None:
            terminal.read()
            peak = max(peak, status_field(terminal.process.pid, "VmHWM"))
        data = terminal.finish().stdout
    assert b"\x1b" not in data
    rows = data.split(b"\r\n")
    assert rows.count(b"[a] next") == 5
    assert rows.count(b"[a] the end") == 1
    assert size - 5000 < data.count(b"A") <= size
    assert peak < idle_rss() + RSS_BOUND


@BOTH
def test_T36_colours_end_with_their_line(on: str) -> None:
    data = on_terminal(line("bleed", "a"), "sleep 0.3; echo clean", on=on)
    witness = Witness(data)
    assert witness.driven == []
    assert witness.lines == ["[a] red to the end of the line", "[a] plain", "[a] still on", "[b] clean"]
    assert [len(witness.styles(row)) for row in range(4)] == [2, 1, 2, 1]
    assert witness.styles(1) == witness.styles(3) == {PLAIN}
    for row in range(4):
        prefix = witness.screen.buffer[row]
        assert all(prefix[column].bg == "default" for column in range(4))
    assert witness.screen.cursor.attrs.bg == "default"


@BOTH
def test_T37_forged_lines_on_a_terminal(on: str) -> None:
    """Whoever it claims to be, it's shown behind its own prefix."""
    witness = Witness(on_terminal(line("forge", "a"), "sleep 0.3; echo mine", on=on))
    assert witness.driven == []
    assert len(witness.lines) == len(child.FORGED) + 2
    assert witness.lines[-1] == "[b] mine"
    assert [text[:4] for text in witness.lines[:-1]] == ["[a] "] * (len(child.FORGED) + 1), witness.lines
    assert "[a] [b] from b after a carriage return" in witness.lines
    assert any("<U+202E>" in text for text in witness.lines)


def test_T37_forged_lines_as_events() -> None:
    """Events tell a claim from the thing: kinds and types are not made of text."""
    events = as_events(line("forge", "a"), "sleep 0.3; echo mine")
    names = {e["data"]["taskId"]: e["data"]["name"] for e in events if e["type"] == "started"}
    forged = b"".join(text + b"\n" for text in child.FORGED)
    assert raw_output(events, "a") == forged + child.DONE + b"\n"
    assert raw_output(events, "b") == b"mine\n"
    completed = [names[e["data"]["taskId"]] for e in events if e["type"] == "complete"]
    assert completed == ["a", "b"]
    claims = [e["data"] for e in events if e["type"] == "intervention"]
    assert [(names[c["taskId"]], c["origin"], c["receipt"]) for c in claims] == [("a", "detected", None)]
