"""A real browser: Debian's chromium, headless, driven over its DevTools protocol."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import trio
from trio_websocket import ConnectionClosed, connect_websocket_url

from tests.commands import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PROGRAM = shutil.which("chromium")
MISSING = "chromium is not installed"
_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--mute-audio"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-dev-shm-usage", "--no-default-browser-check", "--remote-debugging-port=0"),
)
_LARGEST = 64 * 1024 * 1024
_REFUSALS = ("WebSocket connection to ", "Failed to load resource: ")
_KEYS = {
    "Enter": ("Enter", 13, "\r"),
    "Escape": ("Escape", 27, ""),
    "End": ("End", 35, ""),
    "Tab": ("Tab", 9, ""),
}


class Chromium:
    """A browser of its own, with a new and empty profile."""

    def __init__(self) -> None:
        assert PROGRAM is not None
        self._profile = tempfile.mkdtemp(prefix="axiom-chromium-")
        self._process = subprocess.Popen(
            [PROGRAM, *_FLAGS, f"--user-data-dir={self._profile}", "about:blank"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._address = Path(self._profile, "DevToolsActivePort")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        deadline = time.monotonic() + PATIENCE
        while os.path.exists(self._profile) and time.monotonic() < deadline:
            shutil.rmtree(self._profile, ignore_errors=True)

    def memory(self) -> int:
        """Bytes that all its processes hold for themselves."""
        total = 0
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    if os.getsid(int(entry)) == self._process.pid:
                        text = Path("/proc", entry, "smaps_rollup").read_text()
                        total += sum(int(row.split()[1]) for row in text.splitlines() if "Private" in row)
                except OSError:
                    continue
        return total * 1024

    @contextlib.asynccontextmanager
    async def page(
        self, url: str | None = None, *, width: int = 1280, height: int = 800, refused: bool = False
    ) -> AsyncIterator[Page]:
        """
        A page in a context of its own, so with an empty storage; at the end it has thrown nothing.
        If it is to be refused, by a server or since there is none, the browser may complain of that.
        """
        with trio.fail_after(PATIENCE):
            while not (self._address.exists() and self._address.read_text().count("\n")):
                assert self._process.poll() is None, "chromium has ended"
                await trio.sleep(0.02)
        port, path = self._address.read_text().split()
        async with trio.open_nursery() as nursery:
            wire = await connect_websocket_url(
                nursery, f"ws://127.0.0.1:{port}{path}", max_message_size=_LARGEST, message_queue_size=100
            )
            page = Page(wire, refused)
            nursery.start_soon(page._listen)
            try:
                context = (await page.call("Target.createBrowserContext"))["browserContextId"]
                target = await page.call("Target.createTarget", url="about:blank", browserContextId=context)
                attached = await page.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
                page._session = attached["sessionId"]
                for domain in ("Page", "Runtime", "Log", "Network"):
                    await page.call(f"{domain}.enable")
                await page.resize(width, height)
                if url is not None:
                    await page.go(url)
                yield page
                await page.eval("1")  # what it threw has come
                assert not page.problems, page.problems
            finally:
                with trio.move_on_after(5, shield=True):
                    page._session = None
                    await page.call("Target.disposeBrowserContext", browserContextId=context)
                    await wire.aclose()
                nursery.cancel_scope.cancel()


class Page:
    """A page of the browser."""

    def __init__(self, wire: Any, refused: bool) -> None:
        self._wire = wire
        self._refused = refused
        self._session: str | None = None
        self._next = 0
        self._waiting: dict[int, tuple[trio.Event, list[dict[str, Any]]]] = {}
        self.problems: list[str] = []
        """What it threw, and what the browser complained of."""
        self._traced = trio.Event()
        self.tasks: list[float] = []
        """Milliseconds of processor that each task of the browser's threads took, once traced."""
        self.requests: list[str] = []
        """The addresses it asked for."""

    async def _listen(self) -> None:
        while True:
            try:
                message = json.loads(await self._wire.get_message())
            except ConnectionClosed:
                return
            if "id" in message:
                event, found = self._waiting.pop(message["id"])
                found.append(message)
                event.set()
                continue
            method, data = message["method"], message.get("params", {})
            if method == "Tracing.dataCollected":
                self.tasks += [
                    event.get("tdur", 0) / 1000 for event in data["value"] if "RunTask" in event["name"]
                ]
            elif method == "Tracing.tracingComplete":
                self._traced.set()
            elif method == "Runtime.exceptionThrown":
                details = data["exceptionDetails"]
                self.problems.append(details.get("exception", {}).get("description") or details["text"])
            elif method == "Log.entryAdded" and data["entry"]["level"] == "error":
                text = data["entry"]["text"]
                if not (self._refused and text.startswith(_REFUSALS)):
                    self.problems.append(f"{text} {data['entry'].get('url', '')}")
            elif method in ("Network.requestWillBeSent", "Network.webSocketCreated"):
                self.requests.append(data["url"] if "url" in data else data["request"]["url"])

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method of the protocol."""
        self._next += 1
        message: dict[str, Any] = {"id": self._next, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        event, found = self._waiting[self._next] = trio.Event(), []
        await self._wire.send_message(json.dumps(message))
        with trio.fail_after(PATIENCE):
            await event.wait()
        assert "error" not in found[0], (method, found[0]["error"])
        return found[0]["result"]

    @contextlib.asynccontextmanager
    async def traced(self) -> AsyncIterator[None]:
        """Trace it meanwhile: `tasks` are there at the end."""
        session = self._session
        self._session = None
        config = {"includedCategories": ["toplevel", "disabled-by-default-toplevel"]}
        await self.call("Tracing.start", traceConfig=config, transferMode="ReportEvents")
        self._session = session
        yield
        self._session = None
        await self.call("Tracing.end")
        self._session = session
        with trio.fail_after(PATIENCE):
            await self._traced.wait()

    async def go(self, url: str) -> None:
        """Load a page anew."""
        await self.call("Page.navigate", url="about:blank")
        await self.call("Page.navigate", url=url)
        await self.wait("document.readyState === 'complete' && globalThis.app !== undefined", "for the page")

    async def reload(self) -> None:
        """As the user would."""
        await self.eval("globalThis.before = true")
        await self.call("Page.reload")
        await self.wait("globalThis.before === undefined && globalThis.app !== undefined", "for the page")

    async def eval(self, code: str) -> Any:
        """The value of an expression of JavaScript; promises are awaited."""
        result = await self.call(
            "Runtime.evaluate", expression=code, returnByValue=True, awaitPromise=True, userGesture=True
        )
        assert "exceptionDetails" not in result, (code, result["exceptionDetails"])
        return result["result"].get("value")

    async def wait(self, code: str, what: str = "") -> Any:
        """Wait until an expression is true."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                value = await self.eval(code)
            except AssertionError:  # the page is just being loaded
                if time.monotonic() > deadline:
                    raise
                value = None
            if value:
                return value
            if time.monotonic() > deadline:
                shown = await self.eval("document.body.innerText.slice(0, 3000)")
                raise AssertionError(f"waited in vain {what or code}\n{self.problems}\n{shown}")
            await trio.sleep(0.03)

    async def see(self, text: str) -> None:
        """Wait until a row of the stream has this text."""
        await self.wait(
            f"document.querySelector('main').innerText.includes({json.dumps(text)})", f"for {text!r}"
        )

    async def key(self, name: str) -> None:
        """Press a key."""
        code, number, text = _KEYS.get(name, (name, ord(name[0].upper()), name))
        common = {"key": name, "code": code, "windowsVirtualKeyCode": number}
        await self.call(
            "Input.dispatchKeyEvent", type="keyDown", **({"text": text} if text else {}), **common
        )
        await self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    async def type(self, text: str) -> None:
        """Type into what has the focus."""
        await self.call("Input.insertText", text=text)

    async def click(self, selector: str) -> None:
        """Click the middle of the first element that a selector finds."""
        where = await self.wait(
            f"(() => {{ const one = document.querySelector({json.dumps(selector)});"
            " if (!one) return null; one.scrollIntoView({block: 'nearest', inline: 'nearest'});"
            " const box = one.getBoundingClientRect();"
            " return box.width ? [box.x + box.width / 2, box.y + box.height / 2] : null; })()",
            f"for {selector}",
        )
        for kind in ("mousePressed", "mouseReleased"):
            await self.call(
                "Input.dispatchMouseEvent", type=kind, x=where[0], y=where[1], button="left", clickCount=1
            )

    async def resize(
        self, width: int, height: int, *, mobile: bool = False, dark: bool | None = None
    ) -> None:
        """Another size of the window; phones have smaller ones."""
        await self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=mobile,
        )
        if dark is not None:
            features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
            await self.call("Emulation.setEmulatedMedia", features=features)

    async def picture(self, path: str | Path) -> None:
        """Write what is to be seen as a PNG."""
        found = await self.call("Page.captureScreenshot", format="png")
        await trio.Path(path).write_bytes(base64.b64decode(found["data"]))
