"""Where the venue is, by name: `live`, `demo`, or `custom` with both addresses given (the simulator).

Guarantees: a live host is reached only if the environment is `live`, in so many words; the Spot testnet is
refused, because it is another product (no positions, no reduce-only, no `/fapi`), although much documentation
calls it the futures testnet. Hosts: venue documentation of the USD-M futures general info page.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from urllib.parse import urlsplit

from holdfast.domain.errors import CannotStart


class Environment(Enum):
    """Which of the venue's worlds."""

    LIVE = "live"
    """Real money."""
    DEMO = "demo"
    """The futures demo, with keys of its own."""
    CUSTOM = "custom"
    """Addresses given one by one: the simulator, a proxy."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Base addresses, without a slash at the end."""

    rest_url: str
    stream_url: str


_NAMED = {
    Environment.LIVE: Addresses("https://fapi.binance.com", "wss://fstream.binance.com"),
    Environment.DEMO: Addresses("https://demo-fapi.binance.com", "wss://demo-fstream.binance.com"),
}
_DEMO_HOSTS = frozenset({"demo-fapi.binance.com", "demo-fstream.binance.com", "demo-dstream.binance.com"})
_LIVE_DOMAINS = ("binance.com", "binance.us", "binance.info", "binance.me")
_SPOT_DOMAIN = "binance.vision"


def named_addresses(environment: Environment) -> Addresses:
    """Addresses of `live` or `demo`. Raises CannotStart for `custom`, which has none of its own."""
    found = _NAMED.get(environment)
    if found is None:
        raise CannotStart("venue.environment = custom needs venue.rest_url and venue.stream_url")
    return found


def environment_of(name: str) -> Environment:
    """Read the settings' word. Raises CannotStart with the words that exist."""
    if name in ("testnet", "spot", "spot_testnet", "spot-testnet"):
        raise CannotStart(
            f"venue.environment = {name!r}: the Spot testnet is another product without positions or reduce-only; "
            "use `demo` for the futures demo"
        )
    try:
        return Environment(name)
    except ValueError:
        known = ", ".join(one.value for one in Environment)
        raise CannotStart(f"venue.environment = {name!r} is unknown; it is one of: {known}") from None


def require_addresses(environment: Environment, rest_url: str, stream_url: str) -> Addresses:
    """Check both addresses against the environment and return them trimmed. Raises CannotStart saying why."""
    rest = _require_url(environment, rest_url, ("http", "https"), "venue.rest_url")
    stream = _require_url(environment, stream_url, ("ws", "wss"), "venue.stream_url")
    return Addresses(rest, stream)


def _require_url(environment: Environment, url: str, schemes: tuple[str, str], setting: str) -> str:
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").rstrip(".").lower()
        has_port = parts.port is None or parts.port > 0
    except ValueError:
        raise CannotStart(f"{setting} cannot be read as an address") from None
    if parts.scheme not in schemes or not host or not has_port:
        raise CannotStart(f"{setting} must be {schemes[0]}://HOST or {schemes[1]}://HOST")
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise CannotStart(f"{setting} must not carry user names, a query or a fragment")
    if _is_under(host, _SPOT_DOMAIN):
        raise CannotStart(
            f"{setting} names {host}: the Spot testnet is another product (no positions, no reduce-only, no /fapi); "
            'set venue.environment = "demo" for the futures demo'
        )
    is_live = host not in _DEMO_HOSTS and any(_is_under(host, domain) for domain in _LIVE_DOMAINS)
    if is_live and environment is not Environment.LIVE:
        raise CannotStart(
            f"{setting} names the live host {host}, but venue.environment is {environment.value!r}: "
            'real money needs venue.environment = "live"'
        )
    if is_live and parts.scheme not in ("https", "wss"):
        raise CannotStart(f"{setting}: the live host {host} is reached over TLS only")
    return url.rstrip("/")


def _is_under(host: str, domain: str) -> bool:
    return host == domain or host.endswith("." + domain)
