"""Where a page can be listened for, and how it is called there."""

from __future__ import annotations

import errno
import os
import socket
from ipaddress import ip_address
from typing import Final

from axiom_trio.sansio.errors import SpecificationError
from axiom_trio.server import runtime

_BACKLOG: Final = 128


def bound(port: int, host: str = "127.0.0.1", *, anywhere: bool = False) -> socket.socket:
    """A socket that listens.

    Args:
        port: 0: any that's free.
        host: An address of this machine, or `localhost`.
        anywhere: Whether others than this machine may be reached from.

    Raises:
        SpecificationError: It can't be; says why in a sentence.
    """
    bare = "127.0.0.1" if host == "localhost" else host.removeprefix("[").removesuffix("]")
    try:
        address = ip_address(bare)
    except ValueError:
        raise SpecificationError(
            f"{host!r} is no address that can be listened on, such as 127.0.0.1"
        ) from None
    if not 0 <= port < 1 << 16:
        raise SpecificationError(f"there is no port {port}")
    if not (address.is_loopback or anywhere):
        raise SpecificationError(
            f"at {host} other machines could come in and, as nothing is encrypted, read the tokens: listen "
            "on 127.0.0.1 and use ssh -L, or insist with --listen-anywhere (in Python: anywhere=True)"
        )
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    sock = None
    try:
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((bare, port))
        sock.listen(_BACKLOG)
        sock.setblocking(False)
    except OSError as error:
        if sock is not None:
            sock.close()
        where = f"{host}:{port}"
        if error.errno == errno.EADDRINUSE:
            raise SpecificationError(f"{where} is in use: give another port, or 0 for any") from None
        raise SpecificationError(f"can't listen on {where}: {os.strerror(error.errno or 0)}") from None
    return sock


def default_tokens(port: int) -> runtime.Tokens:
    """Those of a port, the same each time; with port 0 new ones. Raises RuntimeDirectoryError."""
    return runtime.tokens(port) if port else runtime.fresh_tokens()


def page_url(host: str, port: int, token: str) -> str:
    """The URL of the page, with the token behind the `#`, which no browser sends on."""
    host = host.removeprefix("[").removesuffix("]")
    if host in ("0.0.0.0", "::"):
        host = "127.0.0.1" if host == "0.0.0.0" else "::1"
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/#{token}"
