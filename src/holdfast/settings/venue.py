"""Which world an address belongs to: the simulator, the venue's futures demo, or real money.

Decision, first match wins (host = the address's host name):

    | host                                   | `environment` unset | "sim"   | "demo"  | "live"  |
    |----------------------------------------|---------------------|---------|---------|---------|
    | the Spot testnet (another product)     | refused             | refused | refused | refused |
    | the futures demo's hosts               | demo                | refused | demo    | refused |
    | any other host of the venue's domains  | refused             | refused | refused | live    |
    | loopback                               | sim                 | sim     | demo    | live    |
    | anything else (another machine, proxy) | refused             | sim     | demo    | live    |

So real money is reached only by the word "live", and the word "live" never talks to the demo. Without addresses and
without a word it is the demo. Hosts: venue documentation, general info of USD-M futures.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit


class Environment(Enum):
    """Which world orders go to."""

    SIM = "sim"
    """`holdfast sim`, at an address of yours."""
    DEMO = "demo"
    """The venue's futures demo: real interface, play money, keys of its own."""
    LIVE = "live"
    """Real money."""


class HostKind(Enum):
    """What a host name says about itself."""

    SPOT_TESTNET = "spot testnet"
    DEMO = "demo"
    LIVE = "live"
    LOOPBACK = "loopback"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class VenueAddresses:
    """Where the venue is; both addresses without a slash at the end."""

    environment: Environment
    rest_url: str
    stream_url: str


DEFAULTS = {
    Environment.DEMO: ("https://demo-fapi.binance.com", "wss://demo-fstream.binance.com"),
    Environment.LIVE: ("https://fapi.binance.com", "wss://fstream.binance.com"),
}
_LIVE_DOMAINS = ("binance.com", "binance.us", "binance.info", "binance.me")
_DEMO_DOMAINS = ("binancefuture.com",)
_SPOT_TESTNET_DOMAINS = ("binance.vision",)


def kind_of(host: str) -> HostKind:
    """Classify a host name. Everything under the venue's own domains that is not known as its demo is live."""
    if _is_under(host, _SPOT_TESTNET_DOMAINS):
        return HostKind.SPOT_TESTNET
    if _is_under(host, _DEMO_DOMAINS):
        return HostKind.DEMO
    if _is_under(host, _LIVE_DOMAINS):
        return HostKind.DEMO if host.startswith("demo-") else HostKind.LIVE
    return HostKind.LOOPBACK if is_loopback(host) else HostKind.OTHER


def is_loopback(host: str) -> bool:
    """Tell whether the host is this machine."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def environment_at(url: str, schemes: tuple[str, str], said: Environment | None) -> Environment:
    """Decide the world of one address by the table above. Raises ValueError with the reason."""
    parts = _read(url, schemes)
    host = (parts.hostname or "").rstrip(".").lower()
    kind = kind_of(host)
    if kind is HostKind.SPOT_TESTNET:
        raise ValueError(
            f'{host} is the Spot testnet, another product without positions: the futures demo is environment = "demo"'
        )
    if kind is HostKind.LIVE and said is not Environment.LIVE:
        raise ValueError(f'{host} trades real money: that needs environment = "live", in so many words')
    if kind is HostKind.DEMO and said in (Environment.LIVE, Environment.SIM):
        raise ValueError(f'{host} is the futures demo, but environment = "{said.value}"')
    if kind is HostKind.OTHER and said is None:
        raise ValueError(f'{host} says nothing about which world it is: set environment = "sim", "demo" or "live"')
    if kind in (HostKind.LIVE, HostKind.DEMO) and parts.scheme != schemes[1]:
        raise ValueError(f"{host} is reached over TLS only: {schemes[1]}://{host}")
    if said is not None:
        return said
    return Environment.DEMO if kind is HostKind.DEMO else Environment.SIM


class BadAddress(ValueError):
    """An address, or the word `environment`, that can't be used. `key` names which of them."""

    def __init__(self, key: str, text: str) -> None:
        super().__init__(text)
        self.key = key


def resolve(said: Environment | None, rest_url: str | None, stream_url: str | None) -> VenueAddresses:
    """Fill in what the settings left out and check all of it together. Raises BadAddress."""
    environment = said or (Environment.DEMO if rest_url is None and stream_url is None else None)
    if rest_url is not None:
        environment = _environment_at("rest_url", rest_url, ("http", "https"), environment)
    if stream_url is not None:
        environment = _environment_at("stream_url", stream_url, ("ws", "wss"), environment)
    rest_default, stream_default = DEFAULTS.get(environment or Environment.SIM, (None, None))
    rest = rest_url or rest_default
    if environment is None or rest is None:
        raise BadAddress("environment", "needs rest_url: `holdfast sim` prints its address")
    if stream_url is None and kind_of(urlsplit(rest).hostname or "") in (HostKind.LOOPBACK, HostKind.OTHER):
        stream_default = _stream_beside(rest)
    stream = stream_url or stream_default
    if stream is None:
        raise BadAddress("stream_url", "must be given for this rest_url")
    return VenueAddresses(environment, rest.rstrip("/"), stream.rstrip("/"))


def _environment_at(key: str, url: str, schemes: tuple[str, str], said: Environment | None) -> Environment:
    try:
        return environment_at(url, schemes, said)
    except ValueError as error:
        raise BadAddress(key, str(error)) from None


def _stream_beside(rest_url: str) -> str:
    """Return the stream's address at the same host and port, as the simulator has it."""
    return "ws" + rest_url.removeprefix("http")


def _read(url: str, schemes: tuple[str, str]) -> SplitResult:
    try:
        parts = urlsplit(url)
        port_is_bad = parts.port == 0
    except ValueError:
        raise ValueError("cannot be read as an address") from None
    if parts.scheme not in schemes or not parts.hostname or port_is_bad:
        raise ValueError(f"must be {schemes[0]}://HOST[:PORT] or {schemes[1]}://HOST[:PORT]")
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise ValueError("must not carry user names, a query or a fragment")
    return parts


def _is_under(host: str, domains: tuple[str, ...]) -> bool:
    return any(host == domain or host.endswith("." + domain) for domain in domains)
