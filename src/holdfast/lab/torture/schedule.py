"""What a history is made of, drawn from its seed: the world's shape, what people and strategies do, what goes wrong.

    shape    which processes run, position mode, policies, what stands on the account at the start
    deeds    plans and their repeats, trades by hand, operators' words
    faults   everything that goes wrong, each a moment, a kind and its numbers

Which kinds a history has, and how many, is drawn too (a history with every fault at once finds only the loudest): so
one seed has crashes alone, the next a silent stream and a bus that is emptied. A schedule can be cut down by leaving
acts out; what is left happens as before.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING, Final

from holdfast.lab.torture.acts import ACTIVE_MS, BEGIN_MS, SYMBOLS, Act, Shape, drift_at, moment
from holdfast.lab.torture.climate import USUAL
from holdfast.lab.torture.farewells import cancelled_unheard, cut_at_stop
from holdfast.lab.torture.moments import draw_moments
from holdfast.lab.torture.old_words import WAYLAYING, old_words
from holdfast.sim.core.fault_names import FaultName

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from holdfast.lab.torture.climate import Climate

PLANS: Final = (20, 21)
HEDGE_SHARE: Final = 0.3
ODDITY_SHARE: Final = 0.3
RESTING_FROM: Final = 100
"""Plans that rest are numbered from here on."""
CANCELLED_SHARE: Final = 0.5
FOREIGN_SYMBOL: Final = "SYM001USDT"
LOT: Final = {"BTCUSDT": 2, "ETHUSDT": 10, "SYM001USDT": 100}
"""The smallest order that passes the venue's minimum, in thousandths."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """See the module."""

    seed: int
    shape: Shape
    deeds: tuple[Act, ...]
    faults: tuple[Act, ...]
    dice: int | None = None
    """Which keyed dice fall (`dice`); None: the seed's shared ones."""
    active_ms: int = ACTIVE_MS
    """So long things happen; then everything works again."""

    def keeping(self, *, deeds: Sequence[Act] | None = None, faults: Sequence[Act] | None = None) -> Schedule:
        """The same history with these acts alone."""
        return replace(
            self,
            deeds=self.deeds if deeds is None else tuple(deeds),
            faults=self.faults if faults is None else tuple(faults),
        )


def draw(seed: int, climate: Climate = USUAL) -> Schedule:
    """The schedule of a seed."""
    rng = Random(f"holdfast torture {seed}")  # noqa: S311 - chance that can be replayed, not a secret
    shape = _shape(rng)
    deeds, faults = _deeds(rng, shape, climate), _faults(rng, shape, climate)
    more = Random(f"holdfast torture, the worst moments of {seed}")  # noqa: S311 - as above
    shape = replace(shape, is_logged=more.random() < LOGGED_SHARE)
    worst_deeds, worst_faults = _worst(more, climate)
    worst_faults += _lost(Random(f"holdfast torture, the lost answers of {seed}"))  # noqa: S311 - as above
    awaited = Random(f"holdfast torture, what waits for its moment in {seed}")  # noqa: S311 - as above
    awaited_deeds, awaited_faults = draw_moments(awaited, climate)
    worst_faults += cut_at_stop(Random(f"holdfast torture, the farewells of {seed}"), shape)  # noqa: S311 - as above
    busy = Random(f"holdfast torture, who is on duty in {seed}")  # noqa: S311 - as above
    if busy.random() < climate.duty_share:
        shape = replace(shape, duty_ms=busy.choice((200, 700, 2_000)))
    resting = _resting(busy, shape, climate)
    last = Random(f"holdfast torture, the cancels of {seed}")  # noqa: S311 - as above
    by_hand, stops = cancelled_unheard(last, shape, resting)
    old_deeds, old_faults = old_words(seed, shape)
    deeds = _in_order((*deeds, *worst_deeds, *resting, *awaited_deeds, *by_hand, *old_deeds))
    return Schedule(seed, shape, deeds, _in_order((*faults, *worst_faults, *awaited_faults, *stops, *old_faults)))


def _in_order(acts: tuple[Act, ...]) -> tuple[Act, ...]:
    return tuple(sorted(acts, key=lambda act: act.at_ms))


def _shape(rng: Random) -> Shape:
    units = rng.choices(
        (("both",), ("both", "both"), ("reconcile", "apply"), ("reconcile", "apply", "reconcile", "apply")),
        (50, 25, 15, 10),
    )[0]
    return Shape(
        units=units,
        is_hedge=rng.random() < HEDGE_SHARE,
        foreign=rng.choices(("close", "adopt", "hold"), (80, 10, 10))[0],
        unledgered=rng.choices(("hold", "adopt", "close"), (40, 30, 30))[0],
        opening_lots=rng.choices((0, rng.randint(1, 4), -rng.randint(1, 4)), (80, 10, 10))[0],
        fills_per_match=rng.choices((1, 2, 3), (70, 15, 15))[0],
        oversize=rng.choices(("clamp", "reject"), (80, 20))[0],
        event_order=rng.choices(("natural", "shuffled"), (70, 30))[0],
    )


ODDITIES: Final = ("forge close", "reuse id", "garbage", "old plan")


# --- deeds ----------------------------------------------------------------------------------------------------


def _resting(rng: Random, shape: Shape, climate: Climate) -> tuple[Act, ...]:
    """Orders that rest, and plans that cancel them."""
    acts: list[Act] = []
    for number in range(RESTING_FROM, RESTING_FROM + rng.randint(0, climate.resting_max)):
        side, symbol = rng.choice(("BUY", "SELL")), rng.choice(SYMBOLS)
        leg = rng.choice(("LONG", "SHORT")) if shape.is_hedge else ""
        at_ms = moment(rng)
        acts.append(Act(at_ms, "plan", (number, symbol, "gtc", side, leg, rng.randint(1, 4))))
        if rng.random() < CANCELLED_SHARE:
            acts.append(Act(at_ms + rng.randrange(3_000), "cancel plan", (number, symbol)))
    return tuple(acts)


def _deeds(rng: Random, shape: Shape, climate: Climate) -> tuple[Act, ...]:
    acts = [_plan(rng, number, shape) for number in range(rng.randint(*PLANS))]
    acts += [Act(moment(rng), "repeat", (rng.randrange(len(acts)),)) for _ in range(rng.choice((0, 1, 2)))]
    if rng.random() < ODDITY_SHARE:
        acts.append(Act(moment(rng), rng.choice(ODDITIES), (rng.randrange(8),)))
    acts += [_hand(rng) for _ in range(rng.choice((0, 1, 2, 3)))]
    if rng.random() < climate.operator_share:
        acts += [_operator(rng) for _ in range(rng.randint(1, 3))]
    return tuple(sorted(acts, key=lambda act: act.at_ms))


def _plan(rng: Random, number: int, shape: Shape) -> Act:
    symbol = rng.choice(SYMBOLS)
    word = rng.choices(("market", "close", "reduce", "ioc", "gtc"), (80, 10, 6, 2, 2))[0]
    side = rng.choice(("BUY", "SELL"))
    leg = rng.choice(("LONG", "SHORT")) if shape.is_hedge else ""
    return Act(moment(rng), "plan", (number, symbol, word, side, leg, rng.randint(1, 4)))


def _hand(rng: Random) -> Act:
    symbol = rng.choice((*SYMBOLS, *SYMBOLS, FOREIGN_SYMBOL))
    when = rng.choices(
        ("hand", "hand flatten", "hand flip", "hand before close", "hand after order", "hand halve"),
        (40, 15, 10, 15, 10, 10),
    )[0]
    side, leg = rng.choice(("BUY", "SELL")), rng.choice(("LONG", "SHORT"))
    return Act(moment(rng), when, (symbol, side, leg, rng.randint(1, 5)))


def _operator(rng: Random) -> Act:
    word = rng.choice(("release", "adopt", "close", "approve", "hold", "halt", "resume", "bus hold", "bus unhold"))
    return Act(moment(rng), "operator", (word, rng.choice(SYMBOLS)))


FORGED: Final = ("type", "reduceOnly", "side", "step", "quantity", "hold", "life", "name")
BEFORE_READ: Final = ("hand flatten", "hand halve", "hand flip", "halt")
LOGGED_SHARE: Final = 0.05
FORGED_SHARE: Final = 0.25
BEFORE_READ_SHARE: Final = 0.25
RESTRICTED_SHARE: Final = 0.04
LOST_SHARE: Final = 0.08
DEADLY: Final = ("CLOSE_PLANNED", "CLOSE_CLAIMED", "INTENT", "HOLD_SET", "FILL", "ORDER_OUTCOME", "CLOSE_DONE")


NEEDS_A_CLOSE: Final = frozenset({"CLOSE_PLANNED", "CLOSE_CLAIMED", "HOLD_SET", "CLOSE_DONE"})


def _worst(rng: Random, climate: Climate) -> tuple[tuple[Act, ...], tuple[Act, ...]]:
    """Deeds and faults that hit where it hurts, each with the trade by hand that brings the moment about.

    Forged messages; what people do in the very moment in which a close's position is read; a crash right after a
    commit of one kind; an account that may not trade for longer than closes are tried.
    """
    deeds: list[Act] = []
    faults: list[Act] = []
    if rng.random() < FORGED_SHARE:
        deeds += [Act(moment(rng), "forge", (rng.choice(FORGED),)) for _ in range(rng.randint(1, 3))]
        deeds.append(drift_at(rng, min(each.at_ms for each in deeds)))
    if rng.random() < BEFORE_READ_SHARE:
        at_ms = moment(rng)
        deeds.append(Act(at_ms, "before read", (rng.choice(BEFORE_READ), rng.randint(1, 6))))
        deeds.append(drift_at(rng, at_ms + 1))
    if rng.random() < climate.deadly_share:
        at_ms, kind = moment(rng), rng.choice(DEADLY)
        faults.append(Act(at_ms, "kill after", (kind,)))
        if kind in NEEDS_A_CLOSE:
            deeds.append(drift_at(rng, at_ms + 1))
    if rng.random() < RESTRICTED_SHARE:
        at_ms = BEGIN_MS + rng.randrange(ACTIVE_MS // 4)
        deeds.append(drift_at(rng, at_ms))
        faults.append(Act(at_ms + 2, "restricted", ("no_trading", ACTIVE_MS)))
    return tuple(deeds), tuple(faults)


def _lost(rng: Random) -> tuple[Act, ...]:
    """An order that is executed, whose answer does not come, and whose trace is hidden for a while."""
    if rng.random() >= LOST_SHARE:
        return ()
    at_ms = moment(rng)
    lost = rng.choice((FaultName.RESET_EXECUTED, FaultName.UNKNOWN_ERROR_EXECUTED, FaultName.HANG_EXECUTED)).value
    hidden = (
        Act(at_ms, "stale", (FaultName.STALE_ORDERS.value, 900, 4_000)),
        Act(at_ms, "stream silent", (3_000,)),
        Act(at_ms, "read answer", (FaultName.RESET_NOT_EXECUTED.value, "/fapi/v1/order", 3, 300)),
    )
    return Act(at_ms, "order answer", (lost, 1, 300)), *rng.sample(hidden, rng.randint(1, 2))


# --- faults ---------------------------------------------------------------------------------------------------

ANSWERS: Final = (
    FaultName.UNKNOWN_ERROR_EXECUTED,
    FaultName.UNKNOWN_ERROR_NOT_EXECUTED,
    FaultName.SERVICE_UNAVAILABLE,
    FaultName.INTERNAL_ERROR,
    FaultName.OVERLOADED,
    FaultName.TIMEOUT_EXECUTED,
    FaultName.TIMEOUT_NOT_EXECUTED,
    FaultName.BUS_EXECUTED,
    FaultName.BUS_NOT_EXECUTED,
    FaultName.PROXY_PAGE_EXECUTED,
    FaultName.PROXY_PAGE_NOT_EXECUTED,
    FaultName.RATE_LIMITED,
    FaultName.ORDERS_LIMITED,
    FaultName.HANG_EXECUTED,
    FaultName.HANG_NOT_EXECUTED,
    FaultName.RESET_EXECUTED,
    FaultName.RESET_NOT_EXECUTED,
)
STREAM: Final = (
    FaultName.STREAM_DROP,
    FaultName.STREAM_DUPLICATE,
    FaultName.STREAM_DELAY,
    FaultName.STREAM_REORDER,
    FaultName.STREAM_CLOSE,
)
READS: Final = (
    "/fapi/v1/order",
    "/fapi/v1/userTrades",
    "/fapi/v3/positionRisk",
    "/fapi/v1/openOrders",
    "/fapi/v1/listenKey",
)


def _unit(rng: Random, shape: Shape) -> int:
    return rng.randrange(len(shape.units))


def _crash(rng: Random, shape: Shape) -> tuple[int | str, ...]:
    again = rng.choice((0, 0, 0, rng.randint(1, 60)))
    return (_unit(rng, shape), rng.randint(1, 40), again)


KINDS: Final[dict[str, Callable[[Random, Shape], tuple[int | str, ...]]]] = {
    # the processes
    "crash": _crash,
    "kill": lambda rng, shape: (_unit(rng, shape),),
    "stop": lambda rng, shape: (_unit(rng, shape),),
    "pause": lambda rng, shape: (_unit(rng, shape), rng.choice((300, 1_500, 6_000, 9_000))),
    "power loss": lambda rng, _shape: (rng.choice((50, 1_000, 4_000)),),
    # the bus
    "bus down": lambda rng, _shape: (rng.choice((200, 1_500, 4_000)),),
    "bus emptied": lambda _rng, _shape: (),
    "bus restarted": lambda rng, _shape: (rng.choice((50, 500)),),
    "bus cut": lambda rng, _shape: (rng.randint(1, 4), rng.choice(("before", "after"))),
    "bus twice": lambda rng, _shape: (rng.randint(1, 3),),
    # the venue's answers
    "order answer": lambda rng, _shape: (rng.choice(ANSWERS).value, rng.choice((1, 1, 1, 2)), rng.choice((300, 5_000))),
    "order delay": lambda rng, _shape: (
        rng.choice((FaultName.EDGE_DELAY, FaultName.ENGINE_DELAY, FaultName.REPLY_DELAY)).value,
        rng.choice((1, 2)),
        rng.choice((200, 1_500, 2_500, 6_000)),
    ),
    "read answer": lambda rng, _shape: (
        rng.choice(ANSWERS).value,
        rng.choice(READS),
        rng.randint(1, 4),
        rng.choice((300, 5_000)),
    ),
    "stale": lambda rng, _shape: (
        rng.choice((FaultName.STALE_ORDERS, FaultName.STALE_POSITIONS, FaultName.STALE_TRADES)).value,
        rng.choice((300, 900)),
        rng.choice((1_500, 4_000)),
    ),
    "partial answer": lambda rng, _shape: (rng.randint(1, 4),),
    "ban": lambda rng, _shape: (rng.choice((2_000, 6_000)),),
    # lines and stream
    "refused": lambda rng, _shape: (rng.choice((200, 2_000)),),
    "network cut": lambda rng, _shape: (rng.choice((200, 1_500, 4_000)),),
    "stream silent": lambda rng, _shape: (rng.choice((500, 3_000)),),
    "stream event": lambda rng, _shape: (rng.choice(STREAM).value, rng.randint(1, 4), rng.choice((100, 2_000))),
    "stream ended": lambda _rng, _shape: (),
    "key expired": lambda _rng, _shape: (),
    # clocks and machine
    "clock jump": lambda rng, _shape: (rng.choice((-30_000, -5_000, -700, 700, 5_000, 30_000)),),
    "venue clock": lambda rng, _shape: (rng.choice((-3_000, -600, 600, 3_000)),),
    "disk full": lambda rng, _shape: (rng.choice((100, 1_500)),),
    "pager down": lambda rng, _shape: (rng.choice((1_000, 6_000)),),
    # the market and the account
    "liquidation": lambda rng, _shape: (rng.choice(SYMBOLS), rng.choice(("LONG", "SHORT")), rng.choice((1, 2))),
    "adl": lambda rng, _shape: (rng.choice(SYMBOLS), rng.choice(("LONG", "SHORT")), rng.choice((1, 2))),
    "thin book": lambda rng, _shape: (rng.choice(SYMBOLS), rng.choice((500, 3_000)), rng.choice((1, 3))),
    "symbol halted": lambda rng, _shape: (rng.choice(SYMBOLS), rng.choice((500, 4_000))),
    "restricted": lambda rng, _shape: (rng.choice(("reduce_only", "no_trading")), rng.choice((500, 3_000))),
    "mode changed": lambda rng, _shape: (rng.choice((0, 800)),),
}
"""Every fault, and how its numbers are drawn."""
FAULT_KINDS: Final = frozenset({*KINDS, "kill after", "upon", "cut at stop", *WAYLAYING})
DEED_KINDS: Final = frozenset(
    {
        *("plan", "cancel plan", "repeat", *ODDITIES, "forge", "operator"),
        *("hand", "hand flatten", "hand flip", "hand halve", "hand before close", "hand after order", "before read"),
        *("upon", "hand cancel"),
    }
)


def _faults(rng: Random, shape: Shape, climate: Climate) -> tuple[Act, ...]:
    weights = [0.0 if rng.random() < climate.absent_share else rng.random() for _ in KINDS]
    if not any(weights):
        return ()
    count = rng.randint(0, climate.faults_max)
    kinds = rng.choices(tuple(KINDS), weights, k=count)
    acts = [Act(moment(rng), kind, KINDS[kind](rng, shape)) for kind in kinds]
    return tuple(sorted(acts, key=lambda act: act.at_ms))
