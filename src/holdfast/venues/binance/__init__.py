"""Binance USD-M futures behind `holdfast.ports.venue`: what leaves, what came back, and what that proves.

    config      everything that an adapter is built from; keys never show
    keys        the API key and the secret, and the one place that signs
    addresses   named environments; refuses the live hosts unless "live" was said, and Spot always
    exchange    one request's end as a value: an answer, no answer (how far did it get?), or blocked here
    waiting     how long the venue asks us to wait
    limits      used weight and order counts; nothing is sent before a ban has ended
    transport   the aiohttp session: one request means at most one request on the wire
    client      signing, the clock offset, the gate
    wire        JSON bytes to domain values (answers)      frames   the same for the private stream
    classify    THE table: an exchange to what it proves about an order
    reader, trader, stream   the three ports

Invariants (repeated by number in tests/unit/venues and tests/contract/venue):

    1. One call of `submit` or `cancel` puts at most one request on the wire, whatever the connection does.
    2. `NotExecuted` and `Refused` are said only on a documented word of the venue, or if nothing was written.
       Everything that is not listed is `Unknown`.
    3. A read gives a complete answer or raises; a failed or partial answer is never flat.
    4. Every loss of the stream is a StreamGap, and the first event after it is a StreamUp.
    5. No key, secret, signature or listen key is in any text, repr or exception that leaves this package.
"""

from holdfast.venues.binance.config import BinanceConfig
from holdfast.venues.binance.keys import ApiKey, ApiSecret
from holdfast.venues.binance.limits import Gate
from holdfast.venues.binance.reader import BinanceReader, binance_reader
from holdfast.venues.binance.trader import BinanceTrader, binance_trader

__all__ = [
    "ApiKey",
    "ApiSecret",
    "BinanceConfig",
    "BinanceReader",
    "BinanceTrader",
    "Gate",
    "binance_reader",
    "binance_trader",
]
