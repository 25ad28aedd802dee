"""Who may come in at the port of a page, told from the head of a request.

A page of any site may send requests to a port of this machine, and a name that its owner points at
127.0.0.1 makes it the same origin. So the host asked for and the origin of who asks must be ones
that are expected, and a token opens the WebSocket: it's in a subprotocol, which neither
browsers nor servers write into logs or histories, as they do a URL.
"""

from __future__ import annotations

import hmac
import re
from typing import TYPE_CHECKING, Final, final

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PROTOCOL: Final = "axiom.v1"
"""The subprotocol that is spoken."""
_TOKEN: Final = "axiom.token."
_LONGEST: Final = 256  # characters of a token
_HOST: Final = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?)(:[0-9]{1,5})?")
_HTTP_PORT: Final = 80
_FIRST_PAUSE: Final = 0.05  # seconds
_LONGEST_PAUSE: Final = 3.2
_FORGIVEN: Final = 60.0  # seconds without a refusal


@final
@attrs.frozen
class Refusal:
    """Why somebody may not come in: the HTTP status and a sentence."""

    status: int
    reason: str


def host_names(bound: str, port: int) -> frozenset[str]:
    """How a port of this machine is called in a `Host` header.

    Args:
        bound: The address that is listened on, as a literal; what means all of them has no name.
        port: Its port.
    """
    names = {"127.0.0.1", "localhost", "[::1]"}
    if bound not in ("0.0.0.0", "::", ""):
        names.add(f"[{bound}]" if ":" in bound else bound)
    return _with_port(names, port)


def allowed_names(name: str, port: int) -> frozenset[str]:
    """What a name given as HOST or HOST:PORT allows: with the port of its own, else with none or ours.

    Raises:
        ValueError: It is none.
    """
    name = name.lower()
    match = _HOST.fullmatch(name)
    if match is None or (match[3] and not 0 < int(match[3][1:]) < 1 << 16):
        raise ValueError(f"{name!r} is no HOST or HOST:PORT")
    return frozenset([name]) if match[3] else frozenset([name, f"{name}:{port}"])


def _with_port(names: Iterable[str], port: int) -> frozenset[str]:
    bare = names if port == _HTTP_PORT else ()
    return frozenset([*(f"{name}:{port}" for name in names), *bare])


@final
class Gate:
    """The checks of one port.

    Args:
        hosts: How it's called, as `host_names` says.
        others: And how a forwarded one is: over TLS, too.
        view: The token with which one may look on.
        control: The token with which one may do all.
    """

    def __init__(self, hosts: Iterable[str], others: Iterable[str], *, view: str, control: str) -> None:
        self._others = frozenset(others)
        self._hosts = frozenset(hosts) | self._others
        self._view = view.encode()
        self._control = control.encode()

    def refusal(
        self, target: bytes, headers: Sequence[tuple[bytes, bytes]], local: str | None = None
    ) -> Refusal | None:
        """Why this request is not for us, or comes from another site; None if it may come in.

        Args:
            target: As it was sent.
            headers: Names in lower case, in order.
            local: Another name of ours: the address at which the connection has come in, if that's
                beyond loopback. No site can have it for a name of its own.
        """
        if not target.startswith(b"/") or target.startswith(b"//"):
            return Refusal(400, "ask for a path, such as /")
        hosts, origins = _values(headers, b"host"), _values(headers, b"origin")
        if len(hosts) != 1 or not _HOST.fullmatch(host := hosts[0].lower()):
            return Refusal(400, "there must be one Host, with a name")
        if host not in self._hosts and host != local:
            return Refusal(421, "this is not called so; --allow-host HOST:PORT allows a name")
        if len(origins) > 1 or (origins and not self._is_ours(origins[0].lower(), local)):
            return Refusal(403, "pages of other sites may not come in")
        return None

    def _is_ours(self, origin: str, local: str | None) -> bool:
        scheme, _, host = origin.partition("://")
        if scheme == "https":
            return host in self._others
        return scheme == "http" and bool(host) and (host in self._hosts or host == local)

    def rights(self, headers: Sequence[tuple[bytes, bytes]]) -> tuple[str, ...]:
        """What the token gives the right to: nothing, `view`, or `view` and `control`."""
        tokens = [word.removeprefix(_TOKEN) for word in _protocols(headers) if word.startswith(_TOKEN)]
        token = tokens[0] if len(tokens) == 1 else ""
        given = token.encode("latin-1") if len(token) <= _LONGEST else b""
        # Both, always: how long it takes tells nothing about which came near.
        view = hmac.compare_digest(given, self._view)
        control = hmac.compare_digest(given, self._control)
        return ("view", "control") if control else ("view",) if view else ()


def says_who(headers: Sequence[tuple[bytes, bytes]]) -> bool:
    """Whether who asks has a token, though a wrong one, or is a browser."""
    return bool(_values(headers, b"origin")) or any(word.startswith(_TOKEN) for word in _protocols(headers))


def speaks(headers: Sequence[tuple[bytes, bytes]]) -> bool:
    """Whether who asks speaks our protocol."""
    return PROTOCOL in _protocols(headers)


def _protocols(headers: Sequence[tuple[bytes, bytes]]) -> list[str]:
    values = _values(headers, b"sec-websocket-protocol")
    return [word.strip() for value in values for word in value.split(",")]


def _values(headers: Sequence[tuple[bytes, bytes]], name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in headers if key == name]


@final
class Refusals:
    """How long who gave a wrong token waits for the answer: twice as long each time, up to 3.2 s."""

    def __init__(self) -> None:
        self._count = 0
        self._last = 0.0

    def pause(self, now: float) -> float:
        """Seconds, for one more at `now`."""
        if now - self._last > _FORGIVEN:
            self._count = 0
        self._last = now
        pause = min(_FIRST_PAUSE * 2.0**self._count, _LONGEST_PAUSE)
        self._count = min(self._count + 1, 16)
        return pause
