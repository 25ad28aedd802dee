"""Lines understood as messages."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from axiom_trio import Executor, Exit, open_aggregator
from axiom_trio.terminal import piped
from axiom_trio.terminal.messages import MOST, MessageError, complete, understand

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from axiom_trio import Port


def children(*names: str) -> list[Any]:
    return [
        SimpleNamespace(name=name, id=f"{number:08x}{name}", short_id=f"{number:08x}", completed=None)
        for number, name in enumerate(names, 0xABC00000)
    ]


THREE = children("api", "api-test", "build:css")


@pytest.mark.parametrize(
    ("line", "name", "text"),
    [
        ("api:hello", "api", "hello"),
        ("api: hello", "api", "hello"),
        ("api:  hello", "api", " hello"),
        ("api:a:b", "api", "a:b"),
        ("api:", "api", ""),
        ("api-test:x", "api-test", "x"),
        ("build:css:x", "build:css", "x"),
        ("abc00001: by id", "api-test", "by id"),
        ("api:one\ntwo", "api", "one\ntwo"),
    ],
)
def test_who_is_meant(line: str, name: str, text: str) -> None:
    message = understand(line, THREE)
    assert [child.name for child in message.children] == [name]
    assert message.text == text
    assert not message.to_all


def test_all() -> None:
    message = understand("*: go", THREE)
    assert (len(message.children), message.text, message.to_all) == (3, "go", True)


def test_the_example_is_one_that_runs() -> None:
    some = children("ended", "api")
    some[0].completed = object()
    with pytest.raises(MessageError, match="a message begins with a name: api:hello"):
        understand("hello", some)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("ap:x", "there is no child 'ap', so nothing was sent; did you mean api?"),
        ("API:x", "did you mean api?"),
        ("apo:x", "did you mean api?"),
        ("abc0000:x", "there is no child 'abc0000'"),  # of several
        ("zzz:x", "there is no child 'zzz', so nothing was sent; there is api, api-test, build:css"),
        (":x", "there is no child ''"),
        ("hello", "a message begins with a name: api:hello"),
        (" api:x", "there is no child ' api'"),
    ],
)
def test_what_is_not_sent(line: str, why: str) -> None:
    with pytest.raises(MessageError) as caught:
        understand(line, THREE)
    assert why in str(caught.value)


def test_equal_names_are_told_apart_by_ids() -> None:
    with pytest.raises(MessageError, match="2 children have the name a; use an id: abc00000, abc00001"):
        understand("a:x", children("a", "a"))


@given(st.sampled_from(["api", "api-test", "build:css"]), st.text())
def test_nothing_of_the_text_is_changed(name: str, text: str) -> None:
    others = [child for child in THREE if child.name.startswith(f"{name}:")]
    assert not others
    message = understand(f"{name}:{text}", THREE)
    assert message.text == text.removeprefix(" ")


def test_completion() -> None:
    assert complete("a", THREE) == ["api:", "api-test:"]
    assert complete("api:", THREE) == []
    assert complete("build:", THREE) == ["build:css:"]
    assert complete("abc00001", THREE) == [f"{THREE[1].id}:"]
    assert complete("q", THREE) == []
    ended = children("api", "api-test")
    ended[0].completed = object()
    assert complete("a", ended) == ["api-test:"]


class Deaf(Executor):
    """It reads nothing of what is written into it."""

    async def run(self, port: Port) -> Exit:
        port.started()
        await trio.sleep_forever()
        return Exit(0)

    async def write(self, _: bytes) -> None:
        await trio.sleep_forever()


def test_who_writes_more_than_a_child_reads_has_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = 0

    async def stdin() -> AsyncGenerator[bytes, None]:
        nonlocal taken
        while taken < 10 * MOST:
            await trio.lowlevel.checkpoint()
            taken += 10
            yield b"deaf:hello\n" * 10

    async def main() -> None:
        monkeypatch.setattr(piped, "_stdin", stdin)
        async with open_aggregator([]) as aggregator:
            await aggregator.start(Deaf(), name="deaf")
            with trio.move_on_after(1):
                await piped.send_lines(aggregator, print)
            aggregator.stop(grace=0)

    trio.run(main, clock=MockClock(autojump_threshold=0))
    assert MOST <= taken <= MOST + 20
