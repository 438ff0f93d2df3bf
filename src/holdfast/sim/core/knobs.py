"""Decide how the exchange behaves where its documentation is silent or where it was seen to behave in two ways.

Invariant: each knob has a default, every value is checked when it is set, and an unknown knob is refused.
Source: the open questions of the venue documentation; a value says which reading it is (documented, observed).
"""

from decimal import Decimal
from enum import StrEnum
from typing import Annotated

import msgspec

__all__ = [
    "ClientIdLookup",
    "EventOrder",
    "HedgeReduceOnlyFalse",
    "Knobs",
    "LiquidationExecution",
    "PostAvgPrice",
    "ReduceOnlyConflict",
    "ReduceOnlyOversize",
]


class ReduceOnlyOversize(StrEnum):
    """A reduce-only order larger than the position: cut (observed on LIMIT) or refused (venue FAQ)."""

    CLAMP = "clamp"
    REJECT = "reject"


class ReduceOnlyConflict(StrEnum):
    """A reduce-only order whose position is used up by resting orders of the same side."""

    REFUSE_2022 = "-2022"
    REFUSE_4118 = "-4118"
    KNOCK_OUT = "knock_out_resting"


class PostAvgPrice(StrEnum):
    """Whether answers to POST and DELETE order carry avgPrice and cumQuote (they did until July 2026)."""

    ABSENT = "absent"
    PRESENT = "present"


class EventOrder(StrEnum):
    """Order of a match's events across types: as the engine makes them, or in any order that the venue allows."""

    NATURAL = "natural"
    SHUFFLED = "shuffled"


class HedgeReduceOnlyFalse(StrEnum):
    """Whether `reduceOnly=false` is refused in hedge mode as `true` is (one project saw that)."""

    REFUSE = "refuse"
    ACCEPT = "accept"


class ClientIdLookup(StrEnum):
    """Which order a reused client id finds (undocumented)."""

    LATEST = "latest"
    FIRST = "first"


class LiquidationExecution(StrEnum):
    """The stream's `x` of a liquidation's fill (CALCULATED is documented, the sequence is not)."""

    CALCULATED = "CALCULATED"
    TRADE = "TRADE"


class Knobs(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """All knobs; replaced as a whole when one is turned."""

    reduce_only_oversize: ReduceOnlyOversize = ReduceOnlyOversize.CLAMP
    reduce_only_conflict: ReduceOnlyConflict = ReduceOnlyConflict.REFUSE_2022
    post_avg_price: PostAvgPrice = PostAvgPrice.ABSENT
    event_order: EventOrder = EventOrder.NATURAL
    hedge_reduce_only_false: HedgeReduceOnlyFalse = HedgeReduceOnlyFalse.REFUSE
    client_id_lookup: ClientIdLookup = ClientIdLookup.LATEST
    liquidation_execution: LiquidationExecution = LiquidationExecution.CALCULATED
    fills_per_match: Annotated[int, msgspec.Meta(ge=1, le=50)] = 1
    """In how many trades a match is cut, if its size allows."""
    taker_fee: Decimal = Decimal("0.0005")
    maker_fee: Decimal = Decimal("0.0002")
    latency_ms: Annotated[int, msgspec.Meta(ge=0, le=60_000)] = 0
    """Waited before each request reaches the engine."""

    def __post_init__(self) -> None:
        for fee in (self.taker_fee, self.maker_fee):
            if not fee.is_finite() or not 0 <= fee < 1:
                raise ValueError(f"a fee is a fraction from 0 to below 1, not {fee}")
