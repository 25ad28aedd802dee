"""Who may come in: each way of asking that is not quite ours, and a model that is trivially right."""

from __future__ import annotations

import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axiom_trio.sansio import gate
from axiom_trio.sansio.gate import Gate, Refusals, allowed_names, host_names, speaks

VIEW, CONTROL = "v" * 43, "c" * 43
GATE = Gate(host_names("127.0.0.1", 8080), allowed_names("App.test", 8080), view=VIEW, control=CONTROL)
OURS = {"127.0.0.1:8080", "localhost:8080", "[::1]:8080"}
OTHERS = {"app.test", "app.test:8080"}


def headers(*pairs: tuple[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode("latin-1")) for name, value in pairs]


def refused(target: str, *pairs: tuple[str, str]) -> int | None:
    refusal = GATE.refusal(target.encode(), headers(*pairs))
    assert refusal is None or refusal.reason
    return None if refusal is None else refusal.status


def rights(*protocols: str) -> tuple[str, ...]:
    return GATE.rights(headers(*(("sec-websocket-protocol", value) for value in protocols)))


@pytest.mark.parametrize("host", sorted(OURS | OTHERS | {"LocalHost:8080", "APP.test"}))
def test_our_names(host: str) -> None:
    assert refused("/ws", ("host", host)) is None
    assert refused("/ws", ("host", host), ("origin", f"http://{host}")) is None


@pytest.mark.parametrize(
    "host",
    [
        *(
            "evil.test:8080",
            "127.0.0.1",
            "127.0.0.1:80",
            "127.0.0.1:8081",
            "localhost",
            "localhost.evil.test:8080",
        ),
        *("127.1:8080", "0.0.0.0:8080", "[::]:8080", "[::ffff:127.0.0.1]:8080", "127.0.0.1.nip.test:8080"),
        *("127.0.0.1:08080", "2130706433:8080", "app.test:80", "x.app.test"),
    ],
)
def test_other_names(host: str) -> None:
    assert refused("/", ("host", host)) == 421


@pytest.mark.parametrize(
    "hosts",
    [
        [],
        [""],
        ["127.0.0.1:8080", "127.0.0.1:8080"],
        ["127.0.0.1:8080, evil.test"],
        ["user@127.0.0.1:8080"],
        ["localhost.:8080"],
        ["127.0.0.1:8080/"],
        ["127.0.0.1:8080\xa0"],
        ["127.0.0.1:"],
        ["::1:8080"],
        ["http://127.0.0.1:8080"],
    ],
)
def test_no_name_at_all(hosts: list[str]) -> None:
    assert refused("/", *(("host", host) for host in hosts)) == 400


@pytest.mark.parametrize(
    "target", ["http://127.0.0.1:8080/", "//127.0.0.1:8080/", "*", "ws", "", "127.0.0.1:8080"]
)
def test_no_path(target: str) -> None:
    assert refused(target, ("host", "127.0.0.1:8080")) == 400


@pytest.mark.parametrize(
    "origin",
    [
        *("null", "", "http://", "http://evil.test", "http://evil.test:8080", "https://127.0.0.1:8080"),
        *("http://127.0.0.1", "http://127.0.0.1:8081", "http://192.168.1.2:8080", "http://[::2]:8080"),
        *("file://", "ws://127.0.0.1:8080", "chrome-extension://127.0.0.1:8080", "127.0.0.1:8080"),
        *("http://127.0.0.1:8080/", "http://127.0.0.1:8080 ", "http://127.0.0.1:8080, http://evil.test"),
        *("http://127.0.0.1:8080.evil.test", "http://user@127.0.0.1:8080", "http://2130706433:8080"),
    ],
)
def test_other_origins(origin: str) -> None:
    assert refused("/ws", ("host", "127.0.0.1:8080"), ("origin", origin)) == 403


def test_two_origins() -> None:
    ours = ("origin", "http://127.0.0.1:8080")
    assert refused("/ws", ("host", "127.0.0.1:8080"), ours, ours) == 403


def test_a_forwarded_name_may_be_over_tls() -> None:
    assert refused("/ws", ("host", "app.test"), ("origin", "https://app.test")) is None


def test_beyond_loopback_the_own_address_is_a_name() -> None:
    asked = headers(("host", "192.168.1.2:8080"), ("origin", "http://192.168.1.2:8080"))
    assert GATE.refusal(b"/ws", asked, "192.168.1.2:8080") is None
    assert GATE.refusal(b"/ws", asked, "192.168.1.3:8080") is not None


def test_on_port_80_browsers_leave_it_out() -> None:
    assert {"localhost", "localhost:80"} <= host_names("127.0.0.1", 80)
    assert "[::1:2]:7" in host_names("::1:2", 7)
    assert not any("0.0.0.0" in name for name in host_names("0.0.0.0", 80))


@pytest.mark.parametrize(
    "name", ["", "a/b", "a b", "http://a", "a:", "a:0", "a:65536", "a:x", "*", "a.", "::1"]
)
def test_no_name_to_allow(name: str) -> None:
    with pytest.raises(ValueError, match="is no HOST or HOST:PORT"):
        allowed_names(name, 1)


NAMES = st.sampled_from(
    [
        *(
            "127.0.0.1",
            "localhost",
            "[::1]",
            "app.test",
            "evil.test",
            "localhost.evil.test",
            "127.0.0.2",
            "[::2]",
        )
    ]
)
PORTS = st.sampled_from(["", ":8080", ":80", ":443", ":08080", ":1"])
HOSTS = st.builds(
    lambda name, port, up: (name + port).upper() if up else name + port, NAMES, PORTS, st.booleans()
)
ORIGINS = st.none() | st.builds(
    lambda s, h: s + h, st.sampled_from(["http://", "https://", "", "ws://"]), HOSTS
)


@given(HOSTS, ORIGINS)
def test_a_model_that_is_trivially_right(host: str, origin: str | None) -> None:
    right = None
    if host.lower() not in OURS | OTHERS:
        right = 421
    elif origin is not None and origin.lower() not in (
        {f"http://{name}" for name in OURS | OTHERS} | {f"https://{name}" for name in OTHERS}
    ):
        right = 403
    pairs = [("host", host)] if origin is None else [("host", host), ("origin", origin)]
    assert refused("/ws", *pairs) == right


@given(st.text(st.characters(max_codepoint=255), max_size=60) | st.sampled_from(sorted(OURS)))
def test_any_text_is_one_of_ours_or_refused(host: str) -> None:
    assert refused("/", ("host", host)) in ({None} if host.lower() in OURS | OTHERS else {400, 421})


# --- tokens


def test_rights() -> None:
    assert rights(f"axiom.v1, axiom.token.{VIEW}") == ("view",)
    assert rights("axiom.v1", f"axiom.token.{CONTROL}") == ("view", "control")
    assert rights(f"axiom.token.{CONTROL} ,axiom.v1") == ("view", "control")


@pytest.mark.parametrize(
    "protocols",
    [
        "",
        "axiom.v1",
        "axiom.token.",
        f"axiom.token.{VIEW}x",
        f"axiom.token.{VIEW[:-1]}",
        f"axiom.token.{VIEW.upper()}",
        f"axiom.token.{VIEW}, axiom.token.{VIEW}",
        f"axiom.token.{VIEW}, axiom.token.{CONTROL}",
        f"axiom.token.{'v' * 100_000}",
        "axiom.token.\xff\xfe",
        f"axiom.Token.{VIEW}",
        VIEW,
    ],
)
def test_no_rights(protocols: str) -> None:
    assert rights(protocols) == ()


@given(st.text(st.characters(max_codepoint=255), max_size=50))
def test_any_other_token_opens_nothing(token: str) -> None:
    assert rights(f"axiom.v1, axiom.token.{token}") == ()


def test_both_tokens_are_compared_in_constant_time_always(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return hmac.compare_digest(one, other)

    class Hmac:
        compare_digest = staticmethod(compare)

    monkeypatch.setattr(gate, "hmac", Hmac)
    for token in (VIEW, CONTROL, "", "x" * 1000, "\xff"):
        compared.clear()
        rights(f"axiom.token.{token}")
        assert {other for _, other in compared} == {VIEW.encode(), CONTROL.encode()}


def test_the_protocol_is_named() -> None:
    assert speaks(headers(("sec-websocket-protocol", "x, axiom.v1")))
    assert not speaks(headers(("sec-websocket-protocol", "axiom.v10")))
    assert not speaks([])


def test_wrong_tokens_wait_longer_and_longer() -> None:
    refusals = Refusals()
    pauses = [refusals.pause(1000.0 + n) for n in range(30)]
    assert pauses[0] <= 0.1
    assert all(later == min(2 * sooner, 3.2) for sooner, later in zip(pauses, pauses[1:], strict=False))
    assert pauses[-1] == 3.2
    assert refusals.pause(1100.0) == pauses[0]
