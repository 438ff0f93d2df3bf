"""Live money needs the word "live", Spot is refused by name, and no secret shows itself."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from holdfast.domain.errors import CannotStart
from holdfast.venues.binance import ApiKey, ApiSecret, BinanceConfig
from holdfast.venues.binance.addresses import (
    Addresses,
    Environment,
    environment_of,
    named_addresses,
    require_addresses,
)
from tests.unit.venues.venue_kit import ACCOUNT

if TYPE_CHECKING:
    from collections.abc import Callable

REST, STREAM = "http://127.0.0.1:18080", "ws://127.0.0.1:18080"


@pytest.mark.parametrize("environment", [Environment.LIVE, Environment.DEMO])
def test_a_named_environment_has_addresses_that_it_may_use(environment: Environment) -> None:
    """What `live` and `demo` stand for passes their own check."""
    named = named_addresses(environment)
    assert require_addresses(environment, named.rest_url, named.stream_url) == named


def test_custom_addresses_are_trimmed() -> None:
    """The simulator's addresses pass, with or without a slash at the end."""
    assert require_addresses(Environment.CUSTOM, REST + "/", STREAM + "/") == Addresses(REST, STREAM)
    with pytest.raises(CannotStart):
        named_addresses(Environment.CUSTOM)


@pytest.mark.parametrize("environment", [Environment.DEMO, Environment.CUSTOM])
@pytest.mark.parametrize(
    ("rest", "stream"),
    [
        ("https://fapi.binance.com", STREAM),
        ("https://FAPI.Binance.COM", STREAM),
        ("https://fapi.binance.com.", STREAM),
        ("https://fapi.binance.com:443/", STREAM),
        ("https://fapi-mm.binance.com", STREAM),
        ("https://api.binance.com", STREAM),
        ("https://binance.com", STREAM),
        (REST, "wss://fstream.binance.com"),
        (REST, "wss://FSTREAM.binance.com.:443"),
    ],
)
def test_a_live_host_is_refused_unless_live_was_said(environment: Environment, rest: str, stream: str) -> None:
    """However it is spelled, a live host in another environment cannot be started on."""
    with pytest.raises(CannotStart, match='"live"'):
        require_addresses(environment, rest, stream)


def test_a_live_host_is_reached_over_tls_only() -> None:
    """Even in the live environment an address without TLS is refused."""
    with pytest.raises(CannotStart, match="TLS"):
        require_addresses(Environment.LIVE, "http://fapi.binance.com", "wss://fstream.binance.com")


@pytest.mark.parametrize("environment", list(Environment))
def test_the_spot_testnet_is_refused_with_the_reason(environment: Environment) -> None:
    """It is another product, and the message says so and names the right one."""
    with pytest.raises(CannotStart, match=r"Spot testnet.*demo"):
        require_addresses(environment, "https://testnet.binance.vision", STREAM)
    with pytest.raises(CannotStart, match="Spot testnet"):
        environment_of("testnet")


@pytest.mark.parametrize(
    ("rest", "stream"),
    [
        ("", STREAM),
        ("127.0.0.1:18080", STREAM),
        ("ftp://127.0.0.1", STREAM),
        ("http://", STREAM),
        ("http://user:word@127.0.0.1", STREAM),
        ("http://127.0.0.1/?x=1", STREAM),
        ("http://127.0.0.1/#x", STREAM),
        ("http://127.0.0.1:99999", STREAM),
        ("http://[::1", STREAM),
        (REST, "http://127.0.0.1:18080"),
        (REST, ""),
    ],
)
def test_an_address_that_is_none_is_refused_and_named(rest: str, stream: str) -> None:
    """The message names the setting that is wrong."""
    with pytest.raises(CannotStart, match=r"venue\.(rest|stream)_url"):
        require_addresses(Environment.CUSTOM, rest, stream)


def test_a_host_that_only_looks_live_is_not() -> None:
    """Only the domain itself counts, not a name that contains it."""
    require_addresses(Environment.CUSTOM, "https://fapi.binance.com.example.test", "wss://mybinance.com")


def test_an_environment_is_read_by_its_word() -> None:
    """The three words, and an error that lists them."""
    assert [environment_of(one) for one in ("live", "demo", "custom")] == list(Environment)
    with pytest.raises(CannotStart, match="live, demo, custom"):
        environment_of("LIVE ")


def _built() -> BinanceConfig:
    return BinanceConfig(ACCOUNT, REST, STREAM, ApiKey("the-key"), ApiSecret("the-secret"))


def test_no_secret_shows_in_any_text() -> None:
    """Neither repr, str nor an error about the values shows key or secret."""
    built = _built()
    shown = f"{built!r} {built} {built.api_key} {built.secret!s} {[built.secret]}"
    assert "the-key" not in shown
    assert "the-secret" not in shown
    with pytest.raises(CannotStart) as raised:
        ApiSecret("the-secret\n")
    assert "the-secret" not in str(raised.value)


@pytest.mark.parametrize("text", ["", " ", "a b", "a\r\nX: y", "ключ", "a" * 257])
def test_a_text_that_cannot_be_a_key_is_refused(text: str) -> None:
    """A key goes into a header: nothing that could break out of it is taken."""
    with pytest.raises(CannotStart):
        ApiKey(text)
    with pytest.raises(CannotStart):
        ApiSecret(text)


def test_a_signature_is_the_documented_one() -> None:
    """The venue's own example of an HMAC signature comes out."""
    secret = ApiSecret("2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9")
    order = "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=9000&timeInForce=GTC"
    payload = f"{order}&recvWindow=5000&timestamp=1591702613943"
    assert secret.sign(payload) == "3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9"


@pytest.mark.parametrize(
    "build",
    [
        lambda: replace(_built(), probe_ms=124),
        lambda: replace(_built(), pong_ms_max=200),
        lambda: replace(_built(), read_timeout_ms=0),
        lambda: replace(_built(), events_max=0),
        lambda: replace(_built(), rest_url="https://fapi.binance.com"),
    ],
)
def test_a_bound_or_address_that_cannot_work_is_refused(build: Callable[[], BinanceConfig]) -> None:
    """A probe faster than the venue allows, a time-out of nothing, a live host unasked: an error at the start."""
    with pytest.raises(CannotStart):
        build()
