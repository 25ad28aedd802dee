"""The page in a real browser, with a run in this process: what it shows, and what it does not let happen."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
import trio

import axiom_trio
from axiom_trio import JournalSink, PtyExecutor
from axiom_trio.sansio.escapes import EscapeFilter
from axiom_trio.server.host import Host
from axiom_trio.server.stream import ViewerStream
from axiom_trio.testing import Puppet
from tests.browser import MISSING, PROGRAM, Chromium
from tests.commands import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from axiom_trio import Child, StreamAggregator
    from axiom_trio.server.serve import Server

pytestmark = pytest.mark.skipif(PROGRAM is None, reason=MISSING)

TOKENS = ("view-view-view-view", "control-control-control")
NAMES = [f"agent{number}" for number in range(10)]
TEXTS = (
    "Array.from({length: app.merged.rows.length}, (_, at) => app.merged.rows.at(app.merged.rows.first + at))"
)
LINES = f"{TEXTS}.filter((row) => row.mark === '').map((row) => row.text)"
MARKS = f"{TEXTS}.filter((row) => row.mark !== '').map((row) => row.text)"
DRAWN = (
    "new Promise((drawn) => { const look = () => app.scheduled ? setTimeout(look, 20) : drawn();"
    " requestAnimationFrame(() => setTimeout(look, 200)); })"
)
SEEN = "[...document.querySelectorAll('main .row')].map((row) => row.innerText)"


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    with Chromium() as started:
        yield started


@asynccontextmanager
async def running(**options: Any) -> AsyncIterator[StreamAggregator]:
    with trio.fail_after(4 * PATIENCE):
        async with axiom_trio.open_aggregator(**options) as aggregator:
            try:
                yield aggregator
            finally:
                aggregator.stop(grace=0.1)


@asynccontextmanager
async def serving(aggregator: StreamAggregator, port: int = 0) -> AsyncIterator[Server]:
    """Served for as long as the block takes: then it's cut off."""
    with trio.CancelScope() as scope:
        async with axiom_trio.serve(aggregator, port, tokens=TOKENS) as server:
            yield server
            scope.cancel()


async def start(aggregator: StreamAggregator, *names: str) -> list[Puppet]:
    puppets = [Puppet(label=name, signals="obey", takes_input=True) for name in names]
    for puppet, name in zip(puppets, names, strict=True):
        await aggregator.start(puppet, name=name)
    return puppets


def numbered(first: int, count: int) -> bytes:
    return b"".join(b"line %06d\n" % number for number in range(first, first + count))


async def test_ten_children_live(browser: Chromium) -> None:
    async with running() as aggregator, serving(aggregator) as server:
        puppets = await start(aggregator, *NAMES)
        async with browser.page(server.url) as page:
            for puppet, name in zip(puppets, NAMES, strict=True):
                await puppet.send(f"\x1b[32mhello\x1b[0m from {name}\n".encode())
            for name in NAMES:
                await page.see(f"hello from {name}")
            await page.wait("document.querySelectorAll('#children li.running').length === 10")
            await puppets[0].send(b"[PROGRESS] 42% done\n", "progress")
            await puppets[1].send(b"it is broken\n", "error")
            await page.wait("document.querySelector('#children li').innerText.includes('42 %')")
            await page.wait("document.querySelectorAll('#children polygon[points*=\" \"]').length >= 10")
            await page.wait(
                "document.getElementById('totals').innerText.includes('10 of 10 active · 12 lines')"
            )
            puppets[2].end(0)
            puppets[3].end(7)
            await page.see("✓ exit 0 after")
            await page.see("✗ exit 7 after")
            await page.wait(
                "document.querySelector('#children li:nth-child(4).failed').innerText.includes('exit 7')"
            )
            await page.key("l")
            await page.wait("document.querySelectorAll('.lane .row.error').length === 1")
            assert await page.eval("document.querySelectorAll('.lane').length") == 10
            assert await page.eval(
                "[...app.lanes.lanes.values()].every(({child, list: {selection: {rows}}}) =>"
                " Array.from({length: rows.length}, (_, at) => rows.at(rows.first + at))"
                " .every((row) => row.child === child.id))"
            )
            assert await page.eval("document.activeElement === document.body")
            origin = f"http://127.0.0.1:{server.port}/"
            asked = [url for url in page.requests if url != "about:blank" and not url.startswith("data:")]
            assert all(url.startswith((origin, origin.replace("http", "ws"))) for url in asked), asked
            assert not any(TOKENS[0] in url.partition("#")[0] for url in asked)


async def test_filters_by_child_kind_and_text(browser: Chromium) -> None:
    async with running() as aggregator, serving(aggregator) as server:
        one, other = await start(aggregator, "one", "other")
        async with browser.page(server.url) as page:
            await one.send(b"alpha 1\nbeta 2\nAlpha (3)\n")
            await other.send(b"al\x1b[31mpha\x1b[0m 4\ngamma 5\n")
            await other.send(b"delta 6\n", "error")
            await page.see("delta 6")

            async def shown(*rows: str) -> None:
                wanted = json.dumps(rows)
                await page.wait(
                    "JSON.stringify([...document.querySelectorAll('main .row:not(.control) .text')]"
                    f".map((text) => text.textContent)) === JSON.stringify({wanted})",
                    f"for just {wanted}",
                )

            every = ("alpha 1", "beta 2", "Alpha (3)", "alpha 4", "gamma 5", "delta 6")
            await shown(*every)
            await page.key("1")
            await shown("alpha 1", "beta 2", "Alpha (3)")
            assert await page.eval("document.getElementById('target').selectedOptions[0].text") == "one"
            await page.key("0")
            await page.key("/")
            await page.type("alpha")
            await shown("alpha 1", "Alpha (3)", "alpha 4")
            await page.eval("app.tools.find('A')")
            await shown("Alpha (3)")
            await page.eval("app.tools.find('(3)')")
            await shown("Alpha (3)")
            await page.click("#regex")
            await page.eval("app.tools.find('^(beta|g.*5$)')")
            await shown("beta 2", "gamma 5")
            await page.eval("app.tools.find('(')")
            await page.wait("document.querySelector('#search:invalid') !== null")
            await shown(*every)
            await page.eval("app.tools.find('')")
            await page.click(".kind.output")
            await shown("delta 6")
            await page.click(".kind.output")
            await page.click("#children li:nth-child(2) .eye")
            await shown("alpha 1", "beta 2", "Alpha (3)")


async def test_intervenes_and_shows_what_became_of_it(browser: Chromium) -> None:
    async with running() as aggregator, serving(aggregator) as server:
        await aggregator.start(PtyExecutor(["cat"]), name="cat")
        (puppet,) = await start(aggregator, "puppet")
        async with browser.page(server.control_url) as page:
            await page.wait(
                "!document.getElementById('steer').hidden && !document.getElementById('send').disabled"
            )
            await page.key("i")
            await page.type("make <b>haste</b>")
            await page.key("Enter")
            await page.wait("document.querySelector('#outbox .badge.confirmed') !== null")
            await page.wait("document.querySelector('main .row.sent .badge.confirmed') !== null")
            await page.see("make <b>haste</b>")
            await page.click("#as-keys")
            await page.key("i")
            await page.type("quick<C-u>slow<Enter>")
            await page.key("Enter")
            await page.wait("document.querySelectorAll('#outbox li').length === 2")
            await page.see("slow")
            await page.click("#as-keys")
            await page.eval("app.steer.choose([...app.run.children.keys()][1])")
            await page.key("i")
            await page.type("to the puppet")
            await page.key("Enter")
            await page.wait("document.querySelector('#outbox .badge.unconfirmed') !== null")
            assert bytes(puppet.input) == b"to the puppet\n"
            await page.eval(f"document.getElementById('message').value = '{'ä' * 40_000}'")
            await page.key("Enter")
            await page.wait("document.querySelector('#outbox .badge.refused')?.innerText.includes('64 KiB')")
            assert await page.eval("app.connection.isOpen")
            await page.eval("document.activeElement.blur()")
            await page.click("#stop")
            await page.wait("document.getElementById('stop').innerText === 'Stop puppet?'")
            assert puppet.running
            await page.click("#stop")
            await page.see("stopped after")
            await page.wait("document.getElementById('stop').disabled")


async def test_who_is_restarted_after_its_end_is_chosen_and_a_refusal_goes(
    browser: Chromium, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running() as aggregator:

        def again(ended: Child) -> Child:
            return aggregator.start_soon(Puppet(label="again", takes_input=True), name=ended.name)

        monkeypatch.setattr("axiom_trio.server.serve.Host", partial(Host, again=again))
        async with serving(aggregator) as server, browser.page(server.control_url) as page:
            (puppet,) = await start(aggregator, "puppet")
            await page.wait("!document.getElementById('send').disabled")
            puppet.end(1)
            await page.wait("document.getElementById('send').disabled")
            await page.click("#restart")
            await page.click("#restart")
            await page.wait("app.run.children.size === 2 && !document.getElementById('send').disabled")
            await page.eval("globalThis.setTimeout = (soon) => soon()")
            await page.eval("app.run.child('nobody'), app.steer.update(), app.steer.choose('nobody')")
            await page.click("#interrupt")
            await page.wait(
                "document.getElementById('banner').hidden"
                " && document.getElementById('banner').textContent.includes('there is no child')"
            )


async def test_a_message_is_sent_once_though_its_answer_was_lost(browser: Chromium) -> None:
    async with running() as aggregator:
        (puppet,) = await start(aggregator, "puppet")
        async with serving(aggregator) as server:
            port = server.port
            async with browser.page(server.control_url) as page:
                await page.wait("!document.getElementById('send').disabled")
                await page.key("i")
                await page.type("once")
                await page.eval("document.getElementById('steer').requestSubmit()")
                await page.eval(
                    "app.connection.restart()"
                )  # it's lost before the answer, which takes a second
                await page.wait("document.querySelector('#outbox .badge.unconfirmed') !== null")
                await page.wait("app.connection.isOpen")
                await puppet.send(b"later\n")
                await page.see("later")  # so all that came before it is there
                assert bytes(puppet.input) == b"once\n"
                assert await page.eval(f"{MARKS}.filter((text) => text === 'once').length") == 1
                assert port == server.port


async def test_the_view_token_is_for_looking_on(browser: Chromium) -> None:
    async with running() as aggregator, serving(aggregator) as server:
        (puppet,) = await start(aggregator, "puppet")
        async with browser.page(server.url, refused=True) as page:
            await puppet.send(b"visible\n")
            await page.see("visible")
            assert await page.eval("document.getElementById('steer').hidden")
            assert await page.eval("!document.getElementById('hint').hidden")
            for request in ("intervene", "interrupt", "stop", "restart", "add"):
                code = f"app.connection.request('{request}', {{task: 'puppet', text: 'x'}})"
                assert await page.eval(f"{code}.then(() => 'done', (error) => error.code)") == "forbidden"
            assert puppet.running
            assert not puppet.input
            await page.eval("location.hash = 'wrong-wrong-wrong-wrong'")
            await page.wait("document.getElementById('banner').innerText.includes('token is refused')")


async def test_survives_a_reload(browser: Chromium) -> None:
    async with running() as aggregator, serving(aggregator) as server:
        (puppet,) = await start(aggregator, "puppet")
        await puppet.send(numbered(0, 300))
        async with browser.page(server.url) as page:
            await page.see("line 000299")
            await page.eval("app.tools.find('line')")
            await page.key("t")
            await puppet.send(numbered(300, 1) + b"open")
            await page.wait(f"{LINES}.at(-1) === 'open'")
            await aggregator.children[0].intervene("line of ours")
            await page.wait("document.querySelector('main .row.sent .badge.unconfirmed') !== null")
            await page.reload()
            await page.see("line 000300")
            await page.wait("document.querySelector('main .row.sent .badge.unconfirmed') !== null")
            await puppet.send(b" and ended\n")
            await page.wait(f"{LINES}.at(-1) === 'open and ended'", "for the line that was open meanwhile")
            assert await page.eval(f"{LINES}.length") == 302
            assert await page.eval("document.getElementById('search').value") == "line"
            assert await page.eval("document.documentElement.dataset.theme") == "dark"


async def test_resumes_without_gap_or_duplicate(browser: Chromium) -> None:
    async with running() as aggregator, browser.page(refused=True) as page:
        (puppet,) = await start(aggregator, "puppet")
        async with serving(aggregator) as server:
            port = server.port
            await page.go(server.url)
            await puppet.send(numbered(0, 500))
            await page.see("line 000499")
        await page.wait("!app.connection.isOpen && !document.getElementById('banner').hidden")
        await puppet.send(numbered(500, 500) + b"half of ")
        async with serving(aggregator, port):
            await puppet.send(b"a line\n" + numbered(1000, 500))
            await page.see("line 001499")
            wanted = [f"line {number:06d}" for number in range(1500)]
            wanted.insert(1000, "half of a line")
            assert await page.eval(LINES) == wanted
            assert await page.eval("app.run.skipped") == 0


async def test_what_was_missed_is_shown_as_skipped(browser: Chromium) -> None:
    async with running(history=64 * 1024) as aggregator, browser.page(refused=True) as page:
        (puppet,) = await start(aggregator, "puppet")
        async with serving(aggregator) as server:
            port = server.port
            await page.go(server.url)
            await puppet.send(numbered(0, 10))
            await page.see("line 000009")
        await page.wait("!app.connection.isOpen")
        for block in range(20):
            await puppet.send(numbered(10 + 2000 * block, 2000))
        async with serving(aggregator, port):
            await puppet.send(b"the end\n")
            await page.see("the end")
            gap = await page.wait(f"{MARKS}.find((text) => text.includes('skipped'))")
            missing = int(gap.split()[2].replace(",", ""))
            lines = await page.eval(LINES)
            assert missing > 1000
            assert len(lines) + missing == 10 + 40_000 + 1
            assert await page.eval("document.getElementById('totals').innerText.includes('skipped')")


async def test_who_ended_in_what_was_missed_has_ended(
    browser: Chromium, monkeypatch: pytest.MonkeyPatch
) -> None:
    send_text, way = ViewerStream.send_text, trio.Event()
    way.set()

    async def held_up(self: ViewerStream, text: bytes) -> None:
        await way.wait()
        await send_text(self, text)

    monkeypatch.setattr(ViewerStream, "send_text", held_up)
    async with running(history=64 * 1024) as aggregator, serving(aggregator) as server:
        ender, flooder = await start(aggregator, "ender", "flooder")
        async with browser.page(server.url) as page:
            await ender.send(b"hello\n")
            await page.see("hello")
            way, log = trio.Event(), aggregator._log
            block = 0
            while not any(c.position < log.oldest for c in log._cursors if not c.lossless):
                await flooder.send(numbered(2000 * block, 2000))
                await trio.sleep(0.01)
                block += 1
            ender.end(7)  # the page has been left behind before
            await aggregator.children[0].wait()
            for more in range(block, block + 20):
                await flooder.send(numbered(2000 * more, 2000))
            way.set()
            await page.wait(f"{MARKS}.some((text) => text.includes('skipped'))")
            await page.wait("document.querySelector('#children li.failed')?.innerText.includes('exit 7')")
            assert not await page.eval(f"{MARKS}.some((text) => text.includes('exit 7'))")
            detail = "document.querySelector('#children li:nth-child(2) .detail').innerText"
            await page.wait(f"{detail}.startsWith('silent ')")  # else that is what is cut


async def test_the_end_of_a_run_is_shown_though_the_page_is_behind(browser: Chromium) -> None:
    slow = (
        "app.connection.receive = (message, hurry) => {"
        " for (const until = performance.now() + 3; performance.now() < until; );"
        " app.receive(message, hurry); }"
    )
    async with browser.page(refused=True) as page:
        async with (
            axiom_trio.open_aggregator() as aggregator,
            axiom_trio.serve(aggregator, tokens=TOKENS) as server,
        ):
            (puppet,) = await start(aggregator, "puppet")
            await page.go(server.url)
            await page.wait("app.connection.isOpen")
            await page.eval(slow)
            for number in range(300):
                await puppet.send(b"line %06d\n" % number)
            puppet.end(0)
        await page.see("line 000299")
        await page.see("all 1 have ended")
        await page.wait("document.getElementById('connection').innerText === 'ended'")
        assert len(await page.eval(LINES)) == 300
        await page.wait("document.getElementById('totals').innerText === '0 of 1 active · 300 lines · 0/s'")


async def test_a_browser_that_keeps_nothing_shows_it_all_the_same(browser: Chromium) -> None:
    async with running() as aggregator, serving(aggregator) as server:
        (puppet,) = await start(aggregator, "puppet")
        async with browser.page() as page:
            refuse = (
                "Object.defineProperty(window, 'sessionStorage', {get() { throw new Error('kept from'); }})"
            )
            await page.call("Page.addScriptToEvaluateOnNewDocument", source=refuse)
            await page.go(server.url)
            await puppet.send(b"visible\n")
            await page.see("visible")


async def test_durations_in_words(browser: Chromium) -> None:
    async with running() as aggregator, serving(aggregator) as server, browser.page(server.url) as page:
        code = (
            "import('/words.js').then(({duration}) => [40, 9_960, 59_700, 119_700, 3_600_000].map(duration))"
        )
        assert await page.eval(code) == ["0.0 s", "10 s", "1 m 0 s", "2 m 0 s", "1 h 0 m"]


async def test_where_history_begins_is_shown(browser: Chromium) -> None:
    async with running(history=64 * 1024) as aggregator, serving(aggregator) as server:
        (puppet,) = await start(aggregator, "puppet")
        for block in range(20):
            await puppet.send(numbered(2000 * block, 2000))
        async with browser.page(server.url) as page:
            await page.see("line 039999")
            await page.wait(f"app.list.toTop(), {SEEN}[0]?.includes('what came before is no longer held')")
            lines = await page.eval(LINES)
            assert lines == [f"line {number:06d}" for number in range(40_000 - len(lines), 40_000)]


async def test_a_journal_is_history_too(browser: Chromium, tmp_path: Path) -> None:
    async with (
        running(sinks=[JournalSink(tmp_path / "journal")], history=64 * 1024) as aggregator,
        serving(aggregator) as server,
    ):
        (puppet,) = await start(aggregator, "puppet")
        for block in range(20):
            await puppet.send(numbered(2000 * block, 2000))
        async with browser.page(server.url) as page:
            await page.see("line 039999")
            await page.wait(f"app.list.toTop(), {SEEN}.some((text) => text.includes('line 000000'))")
            assert await page.eval(LINES) == [f"line {number:06d}" for number in range(40_000)]
            assert (
                await page.eval(f"{MARKS}.some((text) => text.includes('held') || text.includes('skipped'))")
                is False
            )


async def test_a_new_run_on_the_port_begins_afresh(browser: Chromium) -> None:
    async with browser.page(refused=True) as page:
        async with running() as aggregator, serving(aggregator) as server:
            await (await start(aggregator, "old"))[0].send(b"of the first run\n")
            port = server.port
            await page.go(server.control_url)
            await page.see("of the first run")
        await page.wait("!app.connection.isOpen")
        async with running() as aggregator, serving(aggregator, port):
            await (await start(aggregator, "new"))[0].send(b"of the second run\n")
            await page.see("of the second run")
            await page.see("A new run has begun")
            assert await page.eval(LINES) == ["of the second run"]
            assert (
                await page.eval("[...app.run.children.values()].map((child) => child.name).join()") == "new"
            )
            assert await page.eval("document.querySelectorAll('#children li').length") == 1


HOSTILE = (
    b"<img src=x onerror='hacked=1'><script>hacked=1</script>\n"
    b"\x1b]0;owned\x07title \x1b]8;;javascript:hacked=1\x07link\x1b]8;;\x07\n"
    b"\x1b[2J\x1b[H\x1b[?1049hcleared\x1b[1;1H\n"
    b"\x1b]52;c;aGFja2Vk\x07clipboard\x1bP$q\x1b\\\n"
    b"bidi \xe2\x80\xaegnihton\xe2\x81\xa6 and nul \x00\x07 and \xff bad\n"
    b"progress 10%\rprogress 20%\rprogress 30%\n"
    b"back\x08\x08ed\n"
    b"\x1b[38;2;1;2;3;48;5;196;1;4mstyled\x1b[0m \x1b[7minverse\n"
    b"plain again\n"
)


async def test_hostile_output_stays_inert_t38(browser: Chromium) -> None:
    async with running() as aggregator, serving(aggregator) as server:
        (puppet,) = await start(aggregator, "<img src=x onerror=hacked=1>\x1b[31m\u202e")
        async with browser.page(server.control_url) as page:
            title = await page.wait("app.run.id && document.title")
            await puppet.send(HOSTILE)
            await puppet.send(b"cut \x1b[3")
            await page.wait(f"{LINES}.at(-1).startsWith('cut')")
            await puppet.send(b"1mred\x1b]0;tit")
            await puppet.send(b"le\x07 on\n")
            for _ in range(16):
                await puppet.send(b"x<i>" * (65536 // 4))
            await puppet.send(b" end of the long line\n")
            await puppet.send(b"last\n")
            await page.see("last")
            texts = await page.eval(
                "[...document.querySelectorAll('main .row:not(.mark) .text')].map((t) => t.textContent)"
            )
            assert texts[:9] == [
                "<img src=x onerror='hacked=1'><script>hacked=1</script>",
                "title link",
                "cleared",
                "clipboard",
                "bidi <U+202E>gnihton<U+2066> and nul ^@^G and \ufffd bad",
                "progress 30%",
                "baed",
                "styled inverse",
                "plain again",
            ]
            assert texts[9] == "cut red on"
            assert texts[10].startswith("x<i>x<i>")
            assert len(texts[10]) < 10_000
            more = "document.querySelector('.more')"
            assert "1.0 MB" in await page.eval(f"{more}.innerText")
            await page.click(".more")
            await page.wait("document.querySelector('.text.opened').textContent.length > 7000")
            await page.see("last")
            assert await page.eval("document.querySelectorAll('main :is(img, script, i, a)').length") == 0
            assert await page.eval("globalThis.hacked === undefined")
            assert await page.eval("document.title") == title
            styled = (
                "[...document.querySelectorAll('main .text span')].find((s) => s.textContent === 'styled')"
            )
            assert await page.eval(f"getComputedStyle({styled}).color") == "rgb(1, 2, 3)"
            assert await page.eval(f"getComputedStyle({styled}).backgroundColor") == "rgb(255, 0, 0)"
            name = await page.eval("document.querySelector('#children .name').textContent")
            assert name.startswith("<img src=x onerror=hacked=1>")
            assert "\x1b" not in name
            assert "\u202e" not in name


async def test_colours_are_what_the_terminal_shows(browser: Chromium) -> None:
    """Random text: the page's rows and the filter for terminals agree, but for what the page adds."""
    chance = Random(7)
    parts = [
        "a",
        "é",
        "漢",
        "\t",
        "\r",
        "\x1b",
        "[",
        "]",
        "3",
        "1",
        ";",
        "m",
        "K",
        "\x07",
        "\\",
        "P",
        "(",
        "\x00",
        " ",
        "\x9b",
        "\u202e",
        "\x7f",
    ]
    lines = ["".join(chance.choices(parts, k=chance.randrange(1, 30))) for _ in range(1500)]

    def terminal(line: str) -> str:
        return EscapeFilter("none").feed(line.encode() + b"\n").decode().removesuffix("\n")

    async with running() as aggregator, serving(aggregator) as server:
        await start(aggregator, "puppet")
        async with browser.page(server.url) as page:
            shown = await page.eval(
                "import('/ansi.js').then(({fill}) => " + json.dumps(lines) + ".map((line) =>"
                " { const one = document.createElement('p'); fill(one, line, 1e9); return one.textContent; }))"
            )
    differ = [
        (line, terminal(line), page)
        for line, page in zip(lines, shown, strict=True)
        if terminal(line) != page
    ]
    assert not differ, differ[:5]


SEAMS = """
async (cases) => {
  const {Rows, Assembler} = await import('/rows.js');
  const {Selection} = await import('/filter.js');
  return cases.map(({events, split, steps}) => {
    const live = new Assembler();
    const views = [null, 'a', 'b'].map((child) => {
      const rows = new Rows();
      return {child, rows, selection: new Selection(rows, () => true), low: split};
    });
    let high = split;
    for (const [step, which] of steps) {
      const found = [];
      const {child, rows, selection, low} = views[which];
      if (step === 0 && high < events.length) {
        const grown = live.block(events[high], high, found);
        for (const {child, rows} of views)
          if (child === null || child === events[high].taskId) {
            rows.grown(grown);
            for (const row of found) rows.push(row);
          }
        high += 1;
      } else if (step > 0 && low > 0) {
        const first = Math.max(0, low - step);
        const assembler = new Assembler();
        for (let at = first; at < low; at += 1)
          if (child === null || child === events[at].taskId) assembler.block(events[at], at, found);
        rows.unshift(found, assembler, live);
        views[which].low = first;
      } else if (step === -1) selection.pump(Infinity);
      else if (step === -2)
        for (const [child, row] of [...live.open]) {
          for (const {rows} of views) rows.expect(row);
          live.giveUp(child);
        }
    }
    return views.map(({rows, selection}) => {
      selection.pump(Infinity);
      const all = Array.from({length: rows.length}, (_, at) => rows.at(rows.first + at));
      return {
        lines: all.map((row) => [row.child, row.text]),
        same: all.length === selection.length && all.every((row, at) => row === selection.at(at)),
      };
    });
  });
}
"""


def blocks_of(chance: Random) -> tuple[list[dict[str, Any]], dict[str, list[str]]]:
    """Events of two children, cut anywhere, and their lines."""
    events: list[dict[str, Any]] = []
    written = {"a": "", "b": ""}
    for number in range(chance.randrange(1, 24)):
        child = chance.choice("ab")
        text = "".join(
            chance.choices([f"{child}{number}", "\n", "."], weights=[3, 2, 1], k=chance.randrange(1, 5))
        )
        written[child] += text
        events.append(
            {"taskId": child, "text": text, "kind": "output", "timestamp": 0, "partial": text[-1] != "\n"}
        )
    return events, {child: text.splitlines() for child, text in written.items()}


def seams(chance: Random, count: int) -> tuple[list[dict[str, Any]], list[dict[str, list[str]]]]:
    """Events, where a page joins in, and what it does then: goes on, fetches, looks; and what it must show."""
    cases, wanted = [], []
    for _ in range(count):
        events, lines = blocks_of(chance)
        steps = [(chance.choice([-2, -1, 0, 0, 1, 2, 5]), chance.randrange(3)) for _ in range(40)]
        steps += [(0, 0)] * len(events) + [(3, which) for which in range(3)] * len(events)
        cases.append({"events": events, "split": chance.randrange(len(events) + 1), "steps": steps})
        wanted.append(lines)
    return cases, wanted


async def test_history_and_live_join_wherever_lines_are_cut(browser: Chromium) -> None:
    cases, wanted = seams(Random(11), 1000)
    async with running() as aggregator, serving(aggregator) as server:
        await start(aggregator, "puppet")
        async with browser.page(server.url) as page:
            results = await page.eval(f"({SEAMS})({json.dumps(cases)})")
    for case, views, lines in zip(cases, results, wanted, strict=True):
        for which, view in enumerate(views):
            assert view["same"], (which, case)
            for child in "ab":
                found = [text for name, text in view["lines"] if name == child]
                assert found == (lines[child] if which in (0, " ab".index(child)) else []), (which, case)


async def test_a_flood_is_bounded_and_one_can_read_back(browser: Chromium) -> None:
    held, size = 40_000, 1000

    def in_order(lines: list[str], last: int) -> bool:
        numbers = [int(line.split()[1]) for line in lines if line.startswith("line")]
        return numbers == [*range(last - len(numbers) + 1, last + 1)]

    async with running(history=16 * 1024 * 1024) as aggregator, serving(aggregator) as server:
        quiet, flood = await start(aggregator, "quiet", "flood")
        async with browser.page(server.url) as page:
            await page.eval(f"app.merged.rows.most = {held}")
            await quiet.send(b"said early\n")
            await page.see("said early")
            for block in range(60):
                await flood.send(numbered(block * size, size))
            await page.see("line 059999")
            lines = await page.eval(LINES)
            assert len(lines) <= held
            assert await page.eval("app.run.seen") == 60_001
            if not await page.eval("app.run.skipped"):
                assert in_order(lines, 59_999)
            assert await page.eval("document.querySelectorAll('main .row').length") < 200

            await page.eval(DRAWN)
            await page.key("k")  # a row back: it stays there
            await page.wait("!app.list.follow")
            await page.eval(DRAWN)
            seen = await page.eval(SEEN)
            for block in range(60, 110):
                await flood.send(numbered(block * size, size))
            await page.wait("app.run.seen === 110_001")
            assert await page.eval(SEEN) == seen, "what is being read has moved"
            await page.key("G")
            await page.see("line 109999")

            await page.key("g")  # to the oldest that is held, and then on into history
            await page.wait(f"app.list.toTop(), {SEEN}.some((text) => text.includes('said early'))")
            await page.wait("!app.merged.history.busy")
            await page.eval(DRAWN)
            seen = await page.eval(SEEN)
            for block in range(110, 130):
                await flood.send(numbered(block * size, size))
            await quiet.send(b"said late\n")
            await page.wait("app.run.seen === 130_002")
            assert await page.eval("app.merged.rows.length") <= held
            assert await page.eval(SEEN) == seen, "what is being read has moved"
            await page.wait("document.querySelector('.pill').innerText.includes('newer')")
            await page.key("f")
            await page.see("said late")
            await page.wait("app.merged.rows.length > 1000")
            lines = await page.eval(LINES)
            assert lines[-1] == "said late"
            assert in_order(lines, 129_999)

            await page.key("1")  # what the flood has pushed out of the stream is still there
            await page.see("said early")
            await page.key("0")
            await page.key("l")
            await page.see("said early")


async def test_a_burst_can_be_scrolled_at_once(browser: Chromium) -> None:
    async with running() as aggregator, serving(aggregator) as server:
        (puppet,) = await start(aggregator, "puppet")
        async with browser.page(server.url) as page:
            await puppet.send(b"said early\n")
            await page.see("said early")
            await page.eval(DRAWN)
            # Nothing else that comes has it drawn again.
            await page.eval(
                "app.connection.receive = (m, hurry) => m.type === 'stats' || app.receive(m, hurry)"
            )
            await page.eval("app.tick = () => undefined")
            await puppet.send(numbered(0, 500))
            await page.see("line 000499")
            await page.eval(DRAWN)
            await page.key("k")
            assert not await page.eval("app.list.follow")


async def test_what_is_too_fast_to_be_shown_is_counted(browser: Chromium) -> None:
    async with running(history=16 * 1024 * 1024) as aggregator, serving(aggregator) as server:
        (puppet,) = await start(aggregator, "puppet")
        async with browser.page(server.url) as page:
            await page.wait("app.run.id")
            await page.eval("app.skips.isTooMuch(150_000)")
            for _ in range(10):
                await puppet.send(b"y\n" * 100_000)
            await puppet.send(b"the end\n")
            await page.see("the end")
            skipped = await page.eval("app.run.skipped")
            assert skipped > 0
            assert await page.eval("app.run.seen") == 1_000_001
            await page.key("1")
            await page.wait(f"{SEEN}.length > 0 && app.list.source.child !== null")
            shown = "app.list.source.rows"
            counts = await page.eval(
                f"Array.from({{length: {shown}.length}}, (_, at) => {shown}.at({shown}.first + at))"
                ".filter((row) => row.mark === 'gap').map((row) => row.text)"
            )
            assert all("too fast to be shown" in text for text in counts)
            marks = await page.eval(f"{MARKS}.filter((text) => text.includes('too fast'))")
            assert sum(int(text.split()[2].replace(",", "")) for text in marks) <= skipped


async def test_each_lane_has_what_its_child_wrote_once(browser: Chromium) -> None:
    async with running() as aggregator, serving(aggregator) as server:
        puppets = await start(aggregator, "a", "b", "c")
        for puppet in puppets:
            await puppet.send(numbered(0, 40) + b"open ")
        async with browser.page(server.url) as page:
            await page.see("open")
            await page.key("l")
            for puppet in puppets:
                await puppet.send(b"and ended\n" + numbered(40, 40))
            rows = (
                "JSON.stringify([...app.sources.values()].map(({rows}) => Array.from({length: rows.length},"
                " (_, at) => rows.at(rows.first + at)).filter((row) => !row.mark).map((row) => row.text)))"
            )
            wanted = [f"line {number:06d}" for number in range(80)]
            wanted.insert(40, "open and ended")
            lanes = "[...document.querySelectorAll('.lane .scroller')]"
            newest = f"{lanes}.filter((l) => l.innerText.includes('line 000079')).length === 3"
            await page.wait(f"{newest} && {lanes}.every((l) => l.scrollHeight > l.clientHeight)")
            await page.eval(DRAWN)
            await page.click(".lane:nth-child(2) .scroller")
            await page.key("g")
            await page.wait("!document.querySelector('.lane:nth-child(2) .pill').hidden")
            top = "[...app.lanes.lanes.values()].forEach(({list}) => list.toTop())"
            await page.wait(f"{top}, {rows} === JSON.stringify({json.dumps([wanted] * 3)})", "for all lines")
            await page.key("f")
            await page.wait(newest)


CONTRASTS = """
(() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const luminance = (color, below, opacity) => {
    for (const [one, alpha] of [[below, 1], [color, opacity]]) {
      canvas.globalAlpha = alpha;
      canvas.fillStyle = one;
      canvas.fillRect(0, 0, 1, 1);
    }
    const parts = [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map((part) => part / 255);
    const [r, g, b] = parts.map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (one) => {
    for (; one; one = one.parentElement) {
      const {backgroundColor} = getComputedStyle(one);
      if (!/, 0\\)$/.test(backgroundColor)) return backgroundColor;
    }
    return 'white';
  };
  const found = {};
  for (const one of document.querySelectorAll('body *')) {
    const said = [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!said || !one.checkVisibility() || one.disabled) continue;
    const below = ground(one);
    const {color, opacity} = getComputedStyle(one);
    const [a, b] = [luminance(color, below, opacity), luminance(below, below, 1)];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    found[`${one.tagName}#${one.id}.${one.className} ${one.textContent.slice(0, 20)}`] = contrast;
  }
  return found;
})()
"""


@pytest.mark.parametrize("dark", [True, False], ids=["dark", "light"])
async def test_dark_and_light_can_be_read(browser: Chromium, dark: bool) -> None:
    """Contrast as WCAG 2 has it, of all there is to be read: 4.5 to 1 for texts."""
    async with running() as aggregator, serving(aggregator) as server:
        puppets = await start(aggregator, *NAMES)
        async with browser.page(server.control_url) as page:
            await page.resize(1280, 800, dark=dark)
            for colour in range(16):
                code = 30 + colour if colour < 8 else 82 + colour
                await puppets[0].send(b"\x1b[%dmcolour %d\x1b[0m\n" % (code, colour))
            await puppets[1].send(b"broken\n", "error")
            await puppets[2].send(b"[PROGRESS] 42% done\n", "progress")
            await aggregator.children[4].intervene("said")
            puppets[3].end(7)
            await page.see("exit 7 after")
            await page.eval(DRAWN)
            ground = await page.eval("getComputedStyle(document.body).backgroundColor")
            assert (ground == "rgb(255, 255, 255)") is not dark
            contrasts = await page.eval(CONTRASTS)
            assert len(contrasts) > 60
            low = {what: found for what, found in contrasts.items() if found < 4.5}
            assert all(dark and "colour 0" in what for what in low), low  # black is dark


async def test_all_can_be_done_by_keyboard(browser: Chromium) -> None:
    async with running() as aggregator, serving(aggregator) as server:
        one, other = await start(aggregator, "one", "other")
        async with browser.page(server.control_url) as page:
            await one.send(b"of the one\n")
            await other.send(b"of the other\n")
            await page.see("of the other")

            async def reach(what: str) -> None:
                for _ in range(60):
                    await page.key("Tab")
                    if await page.eval(f"document.activeElement.matches({json.dumps(what)})"):
                        outline = "getComputedStyle(document.activeElement).outlineStyle"
                        assert await page.eval(outline) != "none", f"the focus on {what} is not seen"
                        return
                raise AssertionError(f"{what} is not reached")

            for what in ("#search", "#regex", ".kind", "#view", "#wrap", "#theme", "#help"):
                await reach(what)
            await reach("#children li:nth-child(2) .eye")
            await page.key(" ")
            await page.wait(f"!{SEEN}.some((text) => text.includes('of the other'))")
            await page.key("0")
            await page.see("of the other")
            await reach(".scroller")
            await page.key("i")
            await page.type("go on")
            await page.key("Enter")
            await page.wait("document.querySelector('#outbox .badge.unconfirmed') !== null")
            assert bytes(one.input) == b"go on\n"
            for what in ("#idle", "#as-keys", "#send", "#interrupt", "#restart", "#stop"):
                await reach(what)
            await page.key(" ")
            await page.wait("document.getElementById('stop').innerText === 'Stop one?'")
            await page.key(" ")
            await page.see("stopped after")


async def test_a_phone_is_wide_enough(browser: Chromium) -> None:
    async with running() as aggregator, serving(aggregator) as server:
        puppets = await start(aggregator, *NAMES)
        async with browser.page(server.control_url) as page:
            await page.resize(375, 700, mobile=True)
            for puppet in puppets:
                await puppet.send(b"words " * 40 + b"\n")
            await page.see("words words")
            assert await page.eval("document.documentElement.scrollWidth") <= 375
            assert await page.eval("document.querySelector('main').clientHeight") > 250
            box = await page.eval("document.getElementById('send').getBoundingClientRect().toJSON()")
            assert box["right"] <= 375
            assert box["bottom"] <= 700
