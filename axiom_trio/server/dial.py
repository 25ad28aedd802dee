"""How a run is reached: over its control socket, or the port of its page."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias, final
from urllib.parse import urlsplit

import attrs
import msgspec
import trio

from axiom_trio.server import runtime
from axiom_trio.server.lines import LineConnection
from axiom_trio.server.remote import ConnectError, LostError, NoRunError, run_info

if TYPE_CHECKING:
    from trio_websocket import WebSocketConnection

    from axiom_trio.server.remote import RunInfo

LONGEST: Final = 64 * 1024 * 1024
"""Bytes of a message of the run's; a reply with history is the longest."""
_GOODBYE: Final = 0.5  # seconds to say it


class Wire(Protocol):
    """Messages of one or more JSON lines, both ways."""

    async def send(self, text: bytes) -> None:
        """Send lines. Raises trio.BrokenResourceError."""

    async def receive(self) -> bytes | None:
        """The next message; None at the end."""

    def abort(self) -> None:
        """End it at once."""


@final
@attrs.frozen
class Port:
    """Where a page is served."""

    url: str
    token: str = attrs.field(repr=False)


Address: TypeAlias = runtime.Found | Port


def resolve(run: str | None, *, url: str | None, token: str | None) -> Address:
    """Which run is meant. Raises NoRunError, ConnectError."""
    if url is not None:
        return _port(url, token)
    found, problems = runtime.runs()
    meant = [one for one in found if run is None or one.run_id.startswith(run)]
    if len(meant) == 1:
        return meant[0]
    ids = ", ".join(one.run_id[:8] for one in meant or found)
    if meant:
        which = "runs go on" if run is None else f"runs have ids that begin with {run!r}"
        raise NoRunError(f"{len(meant)} {which}: {ids}; say which with --run")
    if run is not None:
        raise NoRunError(f"there is no run {run!r}; {f'there are: {ids}' if ids else 'none goes on'}")
    raise NoRunError("; ".join(["no run goes on", *problems]))


def _port(url: str, token: str | None) -> Port:
    """The port of a page, given as its URL is printed."""
    parts = urlsplit(url if "//" in url else f"http://{url}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if parts.scheme not in ("http", "ws") or not host or not port:
        raise ConnectError(f"{url.partition('#')[0]!r} is no URL of a run's page, http://127.0.0.1:PORT/")
    if not _is_loopback(host):
        raise ConnectError(
            f"{host} is another machine, and what is sent there could be read on the way: "
            f"use ssh -L {port}:127.0.0.1:{port} {host}, and --url http://127.0.0.1:{port}/"
        )
    token = token or parts.fragment
    if not token:
        raise ConnectError("the token is missing: give it in a file, or as the URL's part behind #")
    if not (token.isascii() and token.isprintable()):
        raise ConnectError("the token must be a word of letters, digits, - and _, as the run has printed it")
    return Port(f"ws://{parts.netloc.rpartition('@')[2]}/ws", token)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


async def dialled(address: Address, nursery: trio.Nursery) -> Wire:
    """A connection to it, which may have a task in the nursery.

    Raises:
        ConnectError: It can't be reached.
    """
    if isinstance(address, Port):
        return await _websocket(address, nursery)
    await trio.lowlevel.checkpoint()
    name = address.run_id[:8]
    try:
        sock = runtime.connected(address)
    except (ConnectionRefusedError, FileNotFoundError):
        raise LostError(f"the run {name} has gone") from None
    except BlockingIOError:
        raise ConnectError(f"the run {name} takes no more connections: is it stopped?") from None
    except OSError as error:
        raise ConnectError(f"the run {name} can't be reached: {error.strerror}") from None
    except runtime.RuntimeDirectoryError as error:
        raise ConnectError(f"the run {name} can't be reached: {error}") from None
    return LineConnection(sock, longest=LONGEST)


@final
class _WebSocket:
    def __init__(self, connection: WebSocketConnection, nursery: trio.Nursery) -> None:
        self._connection = connection
        self._nursery = nursery

    async def send(self, text: bytes) -> None:
        from trio_websocket import ConnectionClosed

        try:
            await self._connection.send_message(text.decode())
        except ConnectionClosed:
            raise trio.BrokenResourceError("the connection was closed") from None

    async def receive(self) -> bytes | None:
        from trio_websocket import ConnectionClosed

        try:
            message = await self._connection.get_message()
        except ConnectionClosed:
            return None
        return message.encode() if isinstance(message, str) else message

    def abort(self) -> None:
        self._nursery.start_soon(self._aclose)

    async def _aclose(self) -> None:
        with trio.move_on_after(_GOODBYE):
            await self._connection.aclose()


async def _websocket(port: Port, nursery: trio.Nursery) -> Wire:
    import trio_websocket

    where = urlsplit(port.url).netloc
    parts = urlsplit(port.url)
    assert parts.hostname is not None
    assert parts.port is not None
    protocols = ["axiom.v1", f"axiom.token.{port.token}"]
    try:
        stream = await trio.open_tcp_stream(parts.hostname, parts.port)
    except OSError:
        raise LostError(f"nothing answers at {where}") from None
    try:
        connection = await trio_websocket.wrap_client_stream(
            nursery, stream, where, parts.path, subprotocols=protocols, max_message_size=LONGEST
        )
    except BaseException as error:  # noqa: BLE001 (cancelled, too, if what reads it has failed)
        stream.socket.close()
        raise (refusal(error, port) or error) from None
    return _WebSocket(connection, nursery)


async def hello(wire: Wire) -> RunInfo:
    """What the run says of itself. Raises LostError."""
    data = await wire.receive()
    if data is None:
        raise LostError("the run has gone, or takes nobody more")
    message = msgspec.json.decode(data.split(b"\n", 1)[0])
    if message.get("type") != "hello":
        raise LostError(f"what answers is no axiom-trio run: {data[:80]!r}")
    return run_info(message["data"])


def refusal(error: BaseException, address: Address) -> ConnectError | None:
    """What a failed handshake means, for a person; None if it's none. It may come up anywhere."""
    if not isinstance(address, Port):
        return None
    import h11
    import trio_websocket
    from wsproto.utilities import ProtocolError

    where = urlsplit(address.url).netloc
    if isinstance(error, trio_websocket.ConnectionRejected):
        why = {
            401: "it doesn't know the token; perhaps it was started anew",
            403: "it refuses who asks",
            421: f"it isn't called {where}; start it with --allow-host {where}",
            429: "it was given too many wrong tokens; try again in a moment",
            503: "it has too many viewers",
        }.get(error.status_code, f"it answered {error.status_code}")
        return ConnectError(f"{where} refused the connection: {why}")
    if isinstance(error, trio_websocket.HandshakeError | h11.ProtocolError | ProtocolError):
        return ConnectError(f"what answers at {where} is no axiom-trio run")
    return None
