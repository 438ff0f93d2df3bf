"""The names under a prefix, and the addresses that are refused before anything is sent."""

from __future__ import annotations

import pytest

from holdfast.bus.connection import BusConnection
from holdfast.bus.keys import Keys, checked_consumer
from holdfast.domain.errors import CannotStart
from holdfast.domain.names import Symbol


def test_the_keys_of_the_contract() -> None:
    """Streams and keys have the names that other programs rely on."""
    keys = Keys()
    assert (keys.plans, keys.results, keys.events) == (
        "quantum:stream:trading.plan",
        "quantum:stream:apply.result",
        "quantum:stream:reconcile.events",
    )
    assert keys.hold(Symbol("BTCUSDT")) == "quantum:reconcile:hold:BTCUSDT"
    assert keys.state(Symbol("BTCUSDT")) == "quantum:reconcile:state:BTCUSDT"
    assert Keys("{acc-1}").plans == "{acc-1}:stream:trading.plan"


@pytest.mark.parametrize("prefix", ["", "a b", "a\n", "ü", "x" * 65, "a*"])
def test_a_prefix_that_no_key_should_have_is_refused(prefix: str) -> None:
    """A prefix with blanks, wildcards or line ends is refused at the start."""
    with pytest.raises(CannotStart):
        Keys(prefix)


@pytest.mark.parametrize("name", ["", "a b", "a\n", "x" * 129])
def test_a_consumer_name_that_the_server_would_refuse_is_refused(name: str) -> None:
    """A consumer name that cannot also name a connection is refused at the start."""
    with pytest.raises(CannotStart):
        checked_consumer(name)


@pytest.mark.parametrize("url", ["http://:sesame@x", "redis//:sesame@x", "redis://:sesame@x:port/0", "sesame"])
def test_a_bad_address_is_refused_without_being_repeated(url: str) -> None:
    """An address that is none raises CannotStart; the message holds nothing of it, it may hold a password."""
    with pytest.raises(CannotStart) as caught:
        BusConnection(url, "test")
    assert "sesame" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["redis://h:1/0", "rediss://user:pw@h:1/2", "unix:///run/valkey.sock?db=1", "redis://h"]
)
def test_every_kind_of_address_is_read(url: str) -> None:
    """Plain, TLS and Unix socket addresses are accepted; nothing is connected yet."""
    BusConnection(url, "test")
