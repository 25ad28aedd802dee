"""What real children write is what comes out: byte for byte, in whole lines, behind their own prefix."""

from __future__ import annotations

import itertools
import os
import threading

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from axiom_trio import ProcessExecutor, PtyExecutor, open_aggregator
from axiom_trio.executors import spawn
from tests.commands import Collector, expected, lines_of, scripted_argv

AWKWARD = {
    "no newline at the end": b"one\ntwo",
    "only a newline": b"\n",
    "empty lines": b"\n\n\na\n\n\n",
    "crlf": b"one\r\ntwo\r\n\r\n",
    "lone cr": b"10%\r20%\r30%\nx\ry",
    "invalid utf-8": b"\xff\xfe\x80\n\xc3\n\xe2\x82",
    "nul": b"\0\0a\0\n\0",
    "colours": b"\x1b[31mred\x1b[0m\n\x1b[41mleft open\nnext\n",
    "terminal drivers": b"\x1b[2J\x1b]0;title\x07\x1b]52;c;YQ==\x07\x1b[6n\x9b6n\n",
    "a forged prefix": b"[b] not b's\n[INTERVENTION] hello\n\r[b] again\n",
    "unicode separators": "a\u2028b\u0085c\x0bd\x0ce\x1cf\n".encode(),
    "long lines": b"x" * 300_000 + b"\n" + b"y" * 70_000,
    "nothing": b"",
}


async def run_all(executors: dict[str, ProcessExecutor | PtyExecutor]) -> Collector:
    sink = Collector()
    with trio.fail_after(60):
        async with open_aggregator([sink]) as aggregator:
            for name, executor in executors.items():
                aggregator.start_soon(executor, id=name, name=name)
    return sink


def cut(data: bytes, places: list[int]) -> list[bytes]:
    bounds = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(bounds)]


@pytest.mark.parametrize("output", AWKWARD.values(), ids=AWKWARD)
async def test_a_pipe_gives_the_bytes_as_written(output: bytes) -> None:
    sink = await run_all({"a": ProcessExecutor(scripted_argv("script", *_steps(cut(output, [7, 65536]))))})
    assert sink.data("a") == output
    assert sink.written == b"".join(expected("a", output))


@pytest.mark.parametrize("output", AWKWARD.values(), ids=AWKWARD)
async def test_a_terminal_gives_its_bytes_to_events_and_folds_crlf_in_text(output: bytes) -> None:
    sink = await run_all({"a": PtyExecutor(scripted_argv("script", *_steps([output])))})
    on_terminal = output.replace(b"\n", b"\r\n")
    assert sink.data("a") == on_terminal
    # Each \r\n is one newline; a \r that the child itself wrote before it stays.
    assert sink.written == b"".join(expected("a", on_terminal.replace(b"\r\n", b"\n")))


async def test_half_lines_of_neighbours_with_pauses_are_never_glued() -> None:
    def half_lines(letter: bytes, lines: int) -> list[bytes | int]:
        steps: list[bytes | int] = []
        for number in range(lines):
            steps += [letter * 9, 70, b" %d " % number, 10, letter, b"\n" if number % 2 else b"\nq"]
        return [*steps, b"last " + letter]

    for make in (ProcessExecutor, PtyExecutor):
        children = {
            name: make(scripted_argv("script", *_steps(half_lines(name.encode(), 6)))) for name in "abcd"
        }
        sink = await run_all(children)
        text = sink.written.split(b"\n")
        assert text.pop() == b""
        for name in children:
            data = sink.data(name).replace(b"\r\n", b"\n")
            assert data == b"".join(step for step in half_lines(name.encode(), 6) if isinstance(step, bytes))
            assert lines_of(name, sink.written) == expected(name, data)
        assert sum(len(lines_of(name, sink.written)) for name in children) == len(text)


async def test_a_character_split_at_every_byte_stays_whole() -> None:
    text = "é€😀".encode()
    steps = [piece for byte in text for piece in (bytes([byte]), 60)]
    sink = await run_all({"a": ProcessExecutor(scripted_argv("script", *_steps(steps)))})
    assert sink.written == "[a] é€😀\n".encode()


async def test_split_stderr_is_told_apart_and_whole() -> None:
    sink = Collector()
    with trio.fail_after(60):
        async with open_aggregator([sink]) as aggregator:
            line = "printf 'o1\\no'; printf 'e1\\ne' >&2; sleep 0.1; printf '2\\n'; printf '2' >&2"
            aggregator.start_soon(ProcessExecutor(line, stderr="split"), id="a", name="a")
    assert sink.data("a", "output") == b"o1\no2\n"
    assert sink.data("a", "error") == b"e1\ne2"
    assert sorted(sink.written.splitlines()) == [b"[a] e1", b"[a] e2", b"[a] o1", b"[a] o2"]


async def test_joined_stderr_keeps_the_childs_own_order() -> None:
    line = "i=0; while [ $i -lt 200 ]; do echo o$i; echo e$i >&2; i=$((i+1)); done"
    sink = await run_all({"a": ProcessExecutor(line)})
    assert sink.data("a") == b"".join(b"o%d\ne%d\n" % (n, n) for n in range(200))


PIECES = st.lists(
    st.one_of(
        st.binary(max_size=40),
        st.sampled_from(
            [
                b"\n",
                b"\r\n",
                b"\r",
                b"\0",
                b"[INTERVENTION] x\n",
                b"[",
                b"\xe2\x82",
                b"x" * 5000,
                b"l" * 70_000 + b"\n",  # at once: one that pauses may be broken (see the floor)
            ]
        ),
        st.integers(1, 60),
    ),
    max_size=8,
)


@settings(max_examples=30)
@given(st.lists(PIECES, min_size=1, max_size=4))
def test_any_scripts_come_out_byte_for_byte(scripts: list[list[bytes | int]]) -> None:
    names = "abcd"[: len(scripts)]
    children = {
        name: ProcessExecutor(scripted_argv("script", *_steps(script)))
        for name, script in zip(names, scripts, strict=True)
    }
    sink = trio.run(run_all, children)
    total = 0
    for name, script in zip(names, scripts, strict=True):
        output = b"".join(piece for piece in script if isinstance(piece, bytes))
        assert sink.data(name) == output
        assert lines_of(name, sink.written) == expected(name, output)
        total += len(expected(name, output))
    assert sink.written.count(b"\n") == total


@pytest.mark.parametrize("make", [ProcessExecutor, PtyExecutor])
async def test_a_child_starts_clean(
    make: type[ProcessExecutor | PtyExecutor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spawn, "_look_after", 0.0)  # whenever it was looked for them last
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    try:
        sink = await run_all({"a": make(scripted_argv("descriptors"))})
    finally:
        os.close(reader)
        os.close(writer)
    tty = str(make is PtyExecutor).encode()
    lines = sink.written.replace(b"\r", b"")
    assert b"fds [0, 1, 2] " in lines
    # SIGPIPE (and SIGXFSZ) are ignored by the child's own Python, nothing else is.
    assert b"ignored ['SIGPIPE', 'SIGXFSZ']" in lines
    assert b"leads True tty " + tty in lines


async def test_sigpipe_ends_a_childs_pipeline_silently() -> None:
    for make in (ProcessExecutor, PtyExecutor):
        sink = await run_all({"a": make("yes | head -1; echo ${?}")})
        assert sink.written == b"[a] y\n[a] 0\n"


async def test_no_thread_is_needed_for_children() -> None:
    before = threading.active_count()
    counts = set()

    class Counting(Collector):
        async def write(self, batch: object) -> None:
            counts.add(threading.active_count())

    with trio.fail_after(60):
        async with open_aggregator([Counting()]) as aggregator:
            for make in (ProcessExecutor, PtyExecutor):
                aggregator.start_soon(make("echo a; sleep 0.1; echo b"))
    assert counts == {before}


def _steps(pieces: list[bytes | int]) -> list[str]:
    """As scripted.py's `script` takes them; an argument of the kernel is at most 128 KiB, 64 KiB of bytes."""
    steps = []
    for piece in pieces:
        if isinstance(piece, int):
            steps.append(f"~{piece}")
        else:
            steps += [piece[at : at + 60_000].hex() for at in range(0, len(piece), 60_000)]
    return steps
