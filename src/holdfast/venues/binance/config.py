"""Everything that an adapter of one account is built from. Times are milliseconds, each a bound with a name."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from holdfast.domain.errors import CannotStart
from holdfast.domain.sides import PositionMode
from holdfast.venues.binance.addresses import Environment, require_addresses

if TYPE_CHECKING:
    from holdfast.domain.names import AccountId
    from holdfast.venues.binance.keys import ApiKey, ApiSecret

PROBE_MS_MIN = 125
"""The venue cuts a connection that sends it more than 10 messages a second; our answers to its pings count too."""


@dataclass(frozen=True, slots=True)
class BinanceConfig:
    """One account at one address. Raises CannotStart for an address or a bound that cannot work."""

    account: AccountId
    rest_url: str
    stream_url: str
    api_key: ApiKey
    secret: ApiSecret
    position_mode: PositionMode = PositionMode.ONE_WAY
    """What the account is expected to be: a view that contradicts it is no view."""
    environment: Environment = Environment.CUSTOM
    rest_lag_ms: int = 1_000
    """How far a REST read may lag behind the matching engine (views are dated back by it)."""
    read_timeout_ms: int = 3_000
    """For one read, from the first byte out to the last byte in."""
    read_recv_window_ms: int = 5_000
    send_margin_ms: int = 1_000
    """A send is given up after the permit's recvWindow plus this: its fate is Unknown then."""
    probe_ms: int = 250
    """How often the stream is asked whether it lives."""
    pong_ms_max: int = 3_000
    """A probe unanswered for this long ends the connection."""
    connect_timeout_ms: int = 5_000
    """For the stream's handshake."""
    keepalive_ms: int = 25 * 60_000
    """How often the listen key is prolonged; it dies after 60 minutes."""
    connection_ms_max: int = (24 * 60 - 10) * 60_000
    """Age at which we change the connection ourselves; the venue cuts it at 24 h."""
    backoff_ms_min: int = 100
    backoff_ms_max: int = 5_000
    events_max: int = 10_000
    """Stream events kept for a slow consumer; more is a gap."""
    connections_max: int = 64
    proxy_url: str | None = field(default=None, repr=False)
    """An HTTP proxy, named here or not used: the environment's proxy variables are ignored. May hold a password."""

    def __post_init__(self) -> None:
        """Check the addresses and the bounds."""
        require_addresses(self.environment, self.rest_url, self.stream_url)
        if self.probe_ms < PROBE_MS_MIN:
            raise CannotStart(
                f"probe_ms = {self.probe_ms} (an account's stamp_ms) is below {PROBE_MS_MIN}: the venue would cut the "
                "stream"
            )
        if self.pong_ms_max < self.probe_ms:
            raise CannotStart(f"pong_ms_max = {self.pong_ms_max} is below probe_ms = {self.probe_ms}")
        if min(self.read_timeout_ms, self.connect_timeout_ms, self.events_max, self.connections_max) <= 0:
            raise CannotStart("timeouts and sizes of the venue adapter must be above 0")
