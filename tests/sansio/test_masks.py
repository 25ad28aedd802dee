"""Masking a stream: against masking the whole at once, for any cutting; and what the forms are."""

from __future__ import annotations

import base64
import json
import shlex
import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axiom_trio.sansio.errors import SpecificationError
from axiom_trio.sansio.masks import MASK, SHOWN_WHEN_SILENT, Masker, Masks, Plain

# Few letters, so that secrets overlap, contain and begin one another.
secrets = st.text("ab", min_size=6, max_size=10)
streams = st.lists(
    st.one_of(st.text("ab", max_size=12), st.sampled_from(["\n", "x", "aaaaaa", "aaaaaab", "ababab"])),
    max_size=12,
).map(lambda parts: "".join(parts).encode())


def model(forms: list[bytes], data: bytes) -> bytes:
    """What masking all of `data` means: leftmost, longest, one after the other."""
    out = b""
    while data:
        form = max((form for form in forms if data.startswith(form)), key=len, default=None)
        out += data[:1] if form is None else MASK
        data = data[1 if form is None else len(form) :]
    return out


def pieces_of(draw: st.DataObject, data: bytes) -> list[bytes]:
    places = sorted(draw.draw(st.lists(st.integers(0, len(data)), max_size=8)))
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]


@given(st.lists(secrets, min_size=1, max_size=4), streams, st.data())
def test_any_cutting_masks_what_masking_the_whole_does(
    chosen: list[str], data: bytes, draw: st.DataObject
) -> None:
    masks = Masks(chosen)
    masker = Masker(masks)
    pieces = pieces_of(draw, data)
    out = [masker.feed(piece) for piece in pieces]
    out.append(masker.feed(b"", final=True))
    assert b"".join(out) == model([secret.encode() for secret in chosen], data) == masks.mask(data)
    assert masker.held == 0


@given(secrets, streams)
def test_one_secret_is_replaced_as_bytes_replace_does(secret: str, data: bytes) -> None:
    assert Masks([secret]).mask(data) == data.replace(secret.encode(), MASK)


@given(st.lists(secrets, min_size=1, max_size=4), streams, st.data())
def test_only_what_may_begin_a_secret_is_held_back(
    chosen: list[str], data: bytes, draw: st.DataObject
) -> None:
    masker = Masker(Masks(chosen))
    fed = b""
    for piece in pieces_of(draw, data):
        masker.feed(piece)
        fed += piece
        held = fed[len(fed) - masker.held :]
        assert not held or any(s.encode().startswith(held) and len(s) > len(held) for s in chosen)


@given(st.lists(secrets, min_size=1, max_size=3), streams, st.data())
def test_what_was_shown_in_a_silence_is_not_shown_again_and_the_rest_of_a_secret_is_masked(
    chosen: list[str], data: bytes, draw: st.DataObject
) -> None:
    masker = Masker(Masks(chosen))
    forms = [secret.encode() for secret in chosen]
    out = b""
    shown = []  # where pieces were shown before their time
    for piece in pieces_of(draw, data):
        out += masker.feed(piece)
        if draw.draw(st.booleans()):
            before = masker.held
            released = masker.release()
            assert masker.releasable == 0
            assert len(released) in (0, before)
            assert len(released) <= SHOWN_WHEN_SILENT
            shown.append(released)
            out += released
    out += masker.feed(b"", final=True)
    # The only bytes too many are those that were shown; without them it's what masking the whole gives.
    whole = model(forms, data)
    rest = out
    extra = 0
    for ch in whole.decode():
        while rest[:1] != ch.encode():
            rest = rest[1:]
            extra += 1
        rest = rest[1:]
    assert extra + len(rest) <= sum(map(len, shown))
    assert not any(form in out for form in forms)


def test_a_beginning_shown_in_a_silence() -> None:
    masker = Masker(Masks(["secret"]))
    assert masker.feed(b"is it s") == b"is it "
    assert masker.release() == b"s"
    assert masker.feed(b"e") == b""
    assert masker.release() == b"e"
    assert masker.feed(b"cr") == b""
    assert masker.release() == b"", "four bytes of it are not shown"
    assert masker.feed(b"et?") == b"***?"


def test_a_stream_that_ends_is_followed_by_another() -> None:
    masker = Masker(Masks(["secret"]))
    assert masker.feed(b"secr") == b""
    assert masker.feed(b"", final=True) == b"secr"
    assert masker.feed(b"et\n") == b"et\n"


def test_a_secret_that_begins_another_one_waits_for_it() -> None:
    masker = Masker(Masks(["secret", "secret-two"]))
    assert masker.feed(b"secret") == b""
    assert masker.feed(b"-t") == b""
    assert masker.feed(b"wo secret-tw") == b"*** "
    assert masker.feed(b"\n") == b"***-tw\n"


def test_a_newline_is_in_no_secret() -> None:
    masker = Masker(Masks(["first line\n  second line\r\n}\n"]))
    assert masker.feed(b"first li\nne, first line\nsecond") == b"first li\nne, ***\n"
    assert masker.feed(b" line\n}\n") == b"***\n}\n", "a line too short to be masked is shown"


AWKWARD = "p\"a/s\\s w%ö+r'd&=?"


@pytest.mark.parametrize(
    "shown",
    [
        json.dumps(AWKWARD),
        json.dumps(AWKWARD, ensure_ascii=False),
        json.dumps(AWKWARD).replace("/", "\\/"),
        urllib.parse.quote(AWKWARD),
        urllib.parse.quote(AWKWARD, safe=""),
        urllib.parse.quote_plus(AWKWARD),
        urllib.parse.quote(AWKWARD, safe="!~*'()"),
        "p%22a%2fs%5cs%20w%25%c3%b6%2br%27d%26%3d%3f",
        shlex.quote(AWKWARD),
        "'p\"a/s\\s w%ö+r'\\''d&=?'",
        AWKWARD,
    ],
)
def test_encoded_forms(shown: str) -> None:
    assert Masks([AWKWARD]).text(f"<{shown}>").strip("\"'<>") == "***"


@given(st.binary(min_size=6, max_size=40), st.binary(max_size=9), st.binary(max_size=9), st.booleans())
def test_base64_at_each_alignment(secret: bytes, before: bytes, after: bytes, url: bool) -> None:
    secret = b"k" + secret.replace(b"\n", b"n").replace(b"\r", b"r") + b"k"
    encode = base64.urlsafe_b64encode if url else base64.b64encode
    masked = Masks([secret]).mask(encode(before + secret + after))
    assert MASK in masked
    assert len(masked) <= 3 + len(encode(before)) + len(encode(after)) + 4


def test_bytes_that_are_no_text_are_masked() -> None:
    masks = Masks([b"\xff\xfe\x00secret", "caf\udce9-secret"])
    assert masks.mask(b"a\xff\xfe\x00secretb caf\xe9-secret") == b"a***b ***"
    assert masks.text("caf\udce9-secret") == "***"
    assert masks.text("\ud800 12345") == "\ud800 12345"


@pytest.mark.parametrize("short", ["", "12345", "a\nb\nc", "  12345  ", b"12345", "öööää"])
def test_a_short_secret_is_refused_and_not_named(short: str | bytes) -> None:
    with pytest.raises(SpecificationError, match="shorter than 6 characters") as error:
        Masks([short])
    if short:
        assert repr(short) not in str(error.value)


def test_a_string_is_no_list_of_secrets() -> None:
    with pytest.raises(SpecificationError, match="takes a list"):
        Masks("secret-one")


def test_nothing_to_mask_costs_no_copy() -> None:
    masks = Masks(["secret-one"])
    data = b"nothing of that kind\n" * 1000
    assert Masker(masks).feed(data) is data
    text = "nothing either"
    assert masks.text(text) is text


def test_a_stream_that_is_almost_a_secret_all_along() -> None:
    """A quadratic masker would take minutes."""
    masks = Masks(["a" * 4000 + "b", "ab" * 2000 + "c"])
    masker = Masker(masks)
    size = 4_000_000
    out = sum(len(masker.feed(b"a" * 65536)) for _ in range(size // 65536))
    out += sum(len(masker.feed(b"a")) for _ in range(20_000))
    assert 0 <= size + 20_000 - out - masker.held < 65536
    masker.feed(b"", final=True)
    for _ in range(5):  # builds up what is held, and breaks it, over and over
        for byte in b"ab" * 1999 + b"x":
            masker.feed(bytes([byte]))
    assert masker.held == 0


def test_a_plain_secret_is_masked_as_it_is_and_costs_no_more() -> None:
    secret = "correct-horse-battery"
    masks = Masks([Plain(secret)])
    assert masks.mask(f"<{secret}>".encode()) == b"<***>"
    encoded = base64.b64encode(secret.encode())
    assert masks.mask(encoded) == encoded
    with pytest.raises(SpecificationError):
        Masks([Plain("short")])
