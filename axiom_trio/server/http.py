"""A request's head, and the packaged files of the page: as much HTTP as that needs, no more."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Final, final

import attrs
import h11
import trio

if TYPE_CHECKING:
    from collections.abc import Sequence

    from axiom_trio.server.stream import ViewerStream

HEAD_TIME: Final = 5.0
"""Seconds in which the head must have come."""
LONGEST_HEAD: Final = 16 * 1024
"""Bytes of it."""
_FILE: Final = re.compile(r"/([a-z0-9][a-z0-9_-]*\.([a-z0-9]+))?")
_KEY: Final = re.compile(r"[A-Za-z0-9+/]{22}==")
_TYPES: Final = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "png": "image/png",
}
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = (
    ("Content-Security-Policy", _POLICY),
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Connection", "close"),
)


class BadHead(Exception):  # noqa: N818 (it's what was sent that is bad)
    """What was sent is no head of a request, or too long a one."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@final
@attrs.frozen
class Head:
    """The head of a request, names of headers in lower case."""

    method: bytes
    target: bytes
    version: bytes
    headers: Sequence[tuple[bytes, bytes]] = attrs.field(repr=False)
    rest: bytes = attrs.field(repr=False)
    """What came behind it."""

    def words(self, name: bytes) -> list[bytes]:
        """The words of a header with a list, in lower case."""
        values = [value for key, value in self.headers if key == name]
        return [word.strip().lower() for value in values for word in value.split(b",")]

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition(b"?")[0].decode("latin-1")

    @property
    def upgrades(self) -> bool:
        """Whether it asks for a WebSocket."""
        return b"websocket" in self.words(b"upgrade") and b"upgrade" in self.words(b"connection")


async def read_head(stream: ViewerStream) -> Head | None:
    """The head of a request; None if nothing came.

    Raises:
        BadHead: It is none.
        trio.TooSlowError: It did not come within 5 s.
        trio.BrokenResourceError: The other side has gone.
    """
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=LONGEST_HEAD)
    size = 0
    with trio.fail_after(HEAD_TIME):
        while True:
            try:
                event = connection.next_event()
            except h11.RemoteProtocolError as error:
                raise BadHead(error.error_status_hint, "this is no request of HTTP/1.1") from None
            if isinstance(event, h11.Request):
                if size - len(connection.trailing_data[0]) > LONGEST_HEAD:
                    raise BadHead(431, "the head of the request is too long")
                rest = connection.trailing_data[0]
                return Head(event.method, event.target, event.http_version, [*event.headers], rest)
            if event is not h11.NEED_DATA:
                return None
            data = await stream.receive_some()
            size += len(data)
            connection.receive_data(data)


async def answer(
    stream: ViewerStream,
    status: int,
    body: bytes,
    *,
    content: str = "text/plain; charset=utf-8",
    headers: Sequence[tuple[str, str]] = (),
    bodiless: bool = False,
) -> None:
    """Answer a request, and close. Raises trio.BrokenResourceError."""
    connection = h11.Connection(h11.SERVER)
    fields = [("Content-Type", content), ("Content-Length", str(len(body))), *headers, *_HEADERS]
    data = connection.send(h11.Response(status_code=status, headers=fields, reason=_reason(status)))
    assert data is not None
    await stream.send_all(data + (b"" if bodiless else body))
    await stream.aclose()


async def refuse(stream: ViewerStream, status: int, reason: str, *headers: tuple[str, str]) -> None:
    """Answer with a sentence that says why not, and close. Raises trio.BrokenResourceError."""
    await answer(stream, status, f"{reason}\n".encode(), headers=headers)


async def serve_file(stream: ViewerStream, head: Head) -> None:
    """Answer with a file of the page. Raises trio.BrokenResourceError."""
    if head.method not in (b"GET", b"HEAD"):
        await refuse(stream, 405, "only GET and HEAD are answered", ("Allow", "GET, HEAD"))
        return
    match = _FILE.fullmatch(head.path)
    name, kind = ("index.html", "html") if match is None or match[1] is None else (match[1], match[2])
    body = _files().get(name) if match is not None and kind in _TYPES else None
    if body is None:
        await refuse(stream, 404, "there is nothing of this name")
        return
    await answer(stream, 200, body, content=_TYPES[kind], bodiless=head.method == b"HEAD")


@cache
def _files() -> dict[str, bytes]:
    """Those of the page, by name: whatever else is asked for leaves nothing behind."""
    from importlib.resources import files

    page = files("axiom_trio.server").joinpath("page")
    return {found.name: found.read_bytes() for found in page.iterdir() if found.is_file()}


def _reason(status: int) -> str:
    from http import HTTPStatus

    return HTTPStatus(status).phrase


def is_websocket(head: Head) -> bool:
    """Whether it's a proper request for a WebSocket."""
    return (
        head.method == b"GET"
        and head.version == b"1.1"
        and head.upgrades
        and head.words(b"sec-websocket-version") == [b"13"]
        and _KEY.fullmatch(key_of(head)) is not None
    )


def key_of(head: Head) -> str:
    """The `Sec-WebSocket-Key`; empty if there is none, or several."""
    keys = [value.decode("latin-1") for name, value in head.headers if name == b"sec-websocket-key"]
    return keys[0].strip() if len(keys) == 1 else ""
