r"""Keys as people write them, and texts that can't be keys.

`parse_keys("1<Enter>")` is what a terminal would send. `neutralise` makes a message one that
is only text: none of its characters is a key, a signal or the end of a bracketed paste.
"""

from __future__ import annotations

import re
from typing import Final

_NAMED: Final = {
    "enter": b"\r",
    "return": b"\r",
    "cr": b"\r",
    "tab": b"\t",
    "s-tab": b"\x1b[Z",
    "esc": b"\x1b",
    "escape": b"\x1b",
    "space": b" ",
    "backspace": b"\x7f",
    "bs": b"\x7f",
    "delete": b"\x1b[3~",
    "del": b"\x1b[3~",
    "insert": b"\x1b[2~",
    "up": b"\x1b[A",
    "down": b"\x1b[B",
    "right": b"\x1b[C",
    "left": b"\x1b[D",
    "home": b"\x1b[H",
    "end": b"\x1b[F",
    "pageup": b"\x1b[5~",
    "pagedown": b"\x1b[6~",
    "lt": b"<",
    "gt": b">",
    **{f"f{n}": b"\x1bO" + b"PQRS"[n - 1 : n] for n in range(1, 5)},
    **{
        f"f{n}": b"\x1b[%d~" % code
        for n, code in zip(range(5, 13), (15, 17, 18, 19, 20, 21, 23, 24), strict=True)
    },
}
"""By the names that vim and tmux users know, in lower case; as xterm sends them."""

KEY_NAMES: Final = tuple(name for name in _NAMED if len(name) > 2)
"""Names of keys that are long enough to be misspelt."""

_ESCAPES: Final = {"n": b"\n", "r": b"\r", "t": b"\t", "e": b"\x1b", "0": b"\0", "\\": b"\\"}
_CONTROL: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_TOKEN: Final = re.compile(
    r"<(?P<name>[A-Za-z0-9-]{2,12}|[CcMmAa]-[^\s>])>|\\x(?P<hex>[0-9A-Fa-f]{2})|\\(?P<escape>.)|(?P<text>[^<\\]+|<)",
    re.DOTALL,
)


def parse_keys(text: str) -> list[bytes]:
    r"""Read keys: plain text, `<Enter>`, `<Up>`, `<C-c>`, `<M-x>`, `\x03`, `\n`; `<lt>` is a `<`.

    Returns:
        What to write, one write each: a run of plain text, or one special key.

    Raises:
        ValueError: A key isn't known, or there is none; the text is one sentence.
    """
    writes: list[bytes] = []
    plain = bytearray()
    place = 0
    while place < len(text):
        token = _TOKEN.match(text, place)
        if token is None:  # a backslash at the end
            raise ValueError(f"{text!r} ends with a lone backslash; write \\\\ for one")
        place = token.end()
        if token["text"] is not None:
            plain += token["text"].encode()
            continue
        if token["name"] is not None:
            key = _key(token["name"])
        elif token["hex"] is not None:
            key = bytes([int(token["hex"], 16)])
        elif (known := _ESCAPES.get(token["escape"])) is not None:
            key = known
        else:
            raise ValueError(f"\\{token['escape']} is no key; write \\x03, \\n, \\r, \\t, \\e or \\\\")
        if key in (b"<", b">", b" ", b"\\"):
            plain += key
            continue
        if plain:
            writes.append(bytes(plain))
            plain.clear()
        writes.append(key)
    if plain:
        writes.append(bytes(plain))
    if not writes:
        raise ValueError("there are no keys; write such as 1<Enter>")
    return writes


def _key(name: str) -> bytes:
    known = _NAMED.get(name.lower())
    if known is not None:
        return known
    modifier, _, key = name.partition("-")
    if modifier.lower() == "c" and len(key) == 1 and ("@" <= key.upper() <= "_" or key in "? "):
        return b"\x7f" if key == "?" else bytes([ord(key.upper()) & 0x1F])
    if modifier.lower() in ("m", "a") and key:
        return b"\x1b" + (key.encode() if len(key) == 1 else _key(key))
    raise ValueError(
        f"<{name}> is no key; write such as <Enter>, <Esc>, <Tab>, <Up>, <F1>, <C-c>, <M-x>, <lt>"
    )


def neutralise(text: str) -> str:
    r"""Make a text one that is only text.

    Newlines and tabs stay, `\r\n` and a lone `\r` become newlines; other control characters are made
    visible: ESC becomes `^[`, C1 controls and undecodable bytes become `\x9b`. So it can be
    encoded, and holds no key, no signal, and no end of a bracketed paste.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROL.sub(_visible, text)


def _visible(control: re.Match[str]) -> str:
    code = ord(control.group())
    return "^" + chr(code ^ 0x40) if code < 0x80 else f"\\x{code & 0xFF:02x}"
