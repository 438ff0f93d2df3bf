"""What makes a rare effect come up, by name: faults of the exchange and what befalls the bus, lane by lane.

Each cause is armed as a whole for one round. An effect that was first seen under a cause is aimed at under that cause
again, with the same faults at the same occurrences (see `rounds`).

    | cause                   | what it brings up                                                                 |
    |-------------------------|-----------------------------------------------------------------------------------|
    | nothing                 | ordinary life                                                                     |
    | answers lost, taken     | orders that stand and are asked for                                               |
    | answers lost, not taken | orders that are proven absent                                                     |
    | fills unheard           | a silent stream: fills asked for                                                  |
    | lookups late            | "does not exist" too early, trades too late                                       |
    | not executed            | repeats, and closes that fail                                                     |
    | answers late            | requests that expire, answers after patience has ended                            |
    | stream troubled         | gaps, voided stamps, late and doubled events                                      |
    | positions late          | views that lag behind the ledger                                                  |
    | address limited         | pauses that the exchange asks for                                                 |
    | reads fail              | looks and lookups without an answer                                               |
    | bus emptied             | everything on the bus but the newest plans is gone                                |

Invariant: what strikes is counted by the exchange itself.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

ORDER_PATH = "/fapi/v1/order"
POSITION_PATH = "/fapi/v3/positionRisk"
TRADES_PATH = "/fapi/v1/userTrades"
LANES: Final = (
    "BTCUSDT",
    "ETHUSDT",
    "SYM001USDT",
    "SYM002USDT",
    "SYM003USDT",
    "SYM004USDT",
    "SYM005USDT",
    "SYM006USDT",
)
"""The symbols that the script trades on."""
RESTED: Final = ("SYM006USDT", "SYM007USDT")
"""Where orders rest until a hold, or their own strategy, ends them."""
EVER = 0


class Fault(msgspec.Struct, frozen=True, omit_defaults=True):
    """One fault as the simulator arms it."""

    name: str
    symbol: str = ""
    """"" for any."""
    count: int = 1
    """How often it strikes; 0: until it is taken away."""
    skip: int = 0
    """Occurrences that pass first."""
    delay_ms: int | None = None
    event: str = ""
    """Stream faults: which event; "" for any."""
    method: str = "POST"
    path: str = ORDER_PATH

    def body(self, account: str) -> dict[str, object]:
        """What the simulator's admin face takes."""
        match = {"account": account}
        if self.symbol:
            match["symbol"] = self.symbol
        if self.event:
            match["event"] = self.event
        if not self.name.startswith(("stream_", "stale_")):
            match |= {"method": self.method, "path": self.path}
        said: dict[str, object] = {"name": self.name, "match": match, "count": self.count, "skip": self.skip}
        return said if self.delay_ms is None else said | {"delay_ms": self.delay_ms}


class Cause(msgspec.Struct, frozen=True):
    """See the module."""

    faults: tuple[Fault, ...] = ()
    empties_bus: bool = False


def _each(
    name: str, *, count: int = 1, skip: int = 0, delay_ms: int | None = None, event: str = ""
) -> tuple[Fault, ...]:
    return tuple(Fault(name, symbol, count, skip, delay_ms, event) for symbol in LANES)


FILLS = "ORDER_TRADE_UPDATE"
POSITIONS = "ACCOUNT_UPDATE"
NOTHING: Final = "nothing"
CAUSES: Final[Mapping[str, Cause]] = MappingProxyType(
    {
        NOTHING: Cause(),
        "answers lost, taken": Cause(_each("unknown_error_executed", count=2)),
        "answers lost, not taken": Cause(
            (
                *_each("reset_not_executed", count=2),
                *(Fault("reset_not_executed", symbol, method="DELETE") for symbol in RESTED),
            )
        ),
        "fills unheard": Cause(_each("timeout_executed") + _each("stream_drop", count=EVER, event=FILLS)),
        "lookups late": Cause(
            (
                *_each("reset_executed"),
                Fault("stale_orders", count=EVER, delay_ms=700),
                Fault("stale_trades", count=EVER, delay_ms=700),
                *_each("stream_drop", count=2, event=FILLS),
            )
        ),
        "not executed": Cause(
            (
                Fault("service_unavailable", "SYM001USDT", count=12),  # three closes, three requests each, and some
                Fault("service_unavailable", "SYM002USDT", count=3),
                *(Fault("overloaded", symbol, count=2) for symbol in LANES[:2]),
                *(Fault("internal_error", symbol, count=1) for symbol in LANES[4:]),
            )
        ),
        "answers late": Cause(
            (
                Fault("hang_executed", "SYM002USDT", delay_ms=3_000),
                *(Fault("reply_delay", symbol, delay_ms=1_500) for symbol in LANES[:3]),
                *(Fault("edge_delay", symbol, delay_ms=1_500) for symbol in LANES[4:]),
            )
        ),
        "stream troubled": Cause(
            (
                Fault("stream_close", "SYM003USDT", event=FILLS),
                Fault("stream_close", "SYM002USDT", event=POSITIONS),
                Fault("stream_drop", "SYM001USDT", count=2, event=POSITIONS),
                *(Fault("stream_delay", symbol, count=2, delay_ms=600, event=FILLS) for symbol in LANES[:2]),
                *(Fault("stream_duplicate", symbol, count=2, event=FILLS) for symbol in LANES[5:]),
            )
        ),
        "positions late": Cause(
            (Fault("stale_positions", count=EVER, delay_ms=400), *_each("unknown_error_executed", skip=1))
        ),
        "address limited": Cause((Fault("rate_limited", "SYM004USDT"), Fault("orders_limited", "SYM002USDT"))),
        "reads fail": Cause(
            (
                *_each("reset_executed"),
                *(
                    Fault("service_unavailable", count=4, method="GET", path=path)
                    for path in (POSITION_PATH, TRADES_PATH)
                ),
                Fault("service_unavailable", count=3, method="GET"),
                *(Fault("reset_executed", symbol, method="DELETE") for symbol in RESTED),
            )
        ),
        "bus emptied": Cause(empties_bus=True),
    }
)
