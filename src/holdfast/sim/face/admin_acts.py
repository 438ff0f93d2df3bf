"""Carry out what the admin face is asked: acts of other people and of the venue, faults, knobs, clock.

Invariant: an act goes through the same core as a request does; only accounts, faults, knobs, prices and the clock are
set directly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from holdfast.sim.core.account import Account, Mode
from holdfast.sim.core.amounts import plain
from holdfast.sim.core.calls.settings import switch_mode
from holdfast.sim.core.faults import Fault
from holdfast.sim.core.forced import Force, force_close, fund, trade_by_hand, transfer
from holdfast.sim.core.knobs import Knobs
from holdfast.sim.core.legs import PositionSide
from holdfast.sim.core.order_request import ReduceOnly
from holdfast.sim.core.resting import cancel_all, match_resting

if TYPE_CHECKING:
    from holdfast.sim.core.orders import Order
    from holdfast.sim.core.venue import Venue
    from holdfast.sim.face import admin_bodies as bodies
    from holdfast.sim.face.clock import MachineClock
    from holdfast.sim.face.streams import Hub

__all__ = ["Desk", "Fault"]

Query = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Desk:
    """What the admin face acts on."""

    venue: Venue
    hub: Hub
    clock: MachineClock


def _account(desk: Desk, name: str) -> Account:
    return desk.venue.exchange.account(name)


def create_account(desk: Desk, body: bodies.AccountBody) -> object:
    """Create an account and its keys."""
    exchange = desk.venue.exchange
    taken = [k.key for k in body.keys if k.key in exchange.keys or not k.key or not k.secret]
    if taken or len({k.key for k in body.keys}) != len(body.keys):
        raise ValueError("each key must be new, and key and secret not empty")
    account = exchange.open_account(body.name, body.balance, body.mode)
    for key in body.keys:
        exchange.add_key(account, key.key, key.secret, key.permission)
    return {"account": account.name}


def _done(desk: Desk, order: Order) -> dict[str, object]:
    trades = _account(desk, order.account).trades.get(order.symbol, [])
    ids = [t.trade_id for t in trades[len(trades) - order.trades :]] if order.trades else []
    return {
        "orderId": order.order_id,
        "clientOrderId": order.client_id,
        "status": order.status.value,
        "executedQty": plain(order.executed),
        "avgPrice": plain(order.average),
        "tradeId": ids[-1] if ids else None,
        "tradeIds": ids,
        "time": order.updated_ms,
        "accepted_monotonic_ns": order.accepted_monotonic_ns,
    }


def trade(desk: Desk, body: bodies.TradeBody) -> object:
    """Trade by hand."""
    order = trade_by_hand(
        desk.venue.exchange,
        _account(desk, body.account),
        symbol=body.symbol,
        side=body.side,
        qty=body.qty,
        position_side=body.position_side,
        reduce_only=ReduceOnly.TRUE if body.reduce_only else ReduceOnly.ABSENT,
        price=body.price,
        client_id=body.client_id,
    )
    return _done(desk, order)


def cancel(desk: Desk, body: bodies.CancelBody) -> object:
    """Cancel by hand."""
    desk.venue.exchange.market(body.symbol)
    gone = cancel_all(desk.venue.exchange, _account(desk, body.account), body.symbol)
    return {"cancelled": [order.order_id for order in gone]}


def _force(desk: Desk, body: bodies.ForceBody, force: Force) -> object:
    account = _account(desk, body.account)
    side = body.position_side
    if side is None:
        if account.mode is Mode.HEDGE:
            raise ValueError(f"{account.name} is in hedge mode: name the positionSide")
        side = PositionSide.BOTH
    return _done(desk, force_close(desk.venue.exchange, account, body.symbol, side, qty=body.qty, force=force))


def liquidate(desk: Desk, body: bodies.ForceBody) -> object:
    """Liquidate."""
    return _force(desk, body, Force.LIQUIDATION)


def deleverage(desk: Desk, body: bodies.ForceBody) -> object:
    """Deleverage."""
    return _force(desk, body, Force.ADL)


def settle(desk: Desk, body: bodies.ForceBody) -> object:
    """Settle."""
    return _force(desk, body, Force.SETTLEMENT)


def funding(desk: Desk, body: bodies.FundingBody) -> object:
    """Pay funding."""
    paid = fund(desk.venue.exchange, _account(desk, body.account), body.symbol, body.rate)
    return {"paid": plain(paid)}


def move(desk: Desk, body: bodies.TransferBody) -> object:
    """Deposit or withdraw."""
    account = _account(desk, body.account)
    transfer(desk.venue.exchange, account, body.amount)
    return {"wallet": plain(account.wallet)}


def price(desk: Desk, body: bodies.PriceBody) -> object:
    """Set a price; resting orders that it reaches fill at once."""
    exchange = desk.venue.exchange
    now = exchange.clock.now_ms()
    target = exchange.market(body.symbol)
    target.quote(now)
    if body.motion is not None:
        target.motion = body.motion
    if body.price is not None:
        target.set_price(body.price)
    if body.spread_ticks is not None:
        target.set_spread(body.spread_ticks)
    match_resting(exchange, body.symbol, now)
    return _market_row(desk, body.symbol)


def depth(desk: Desk, body: bodies.DepthBody) -> object:
    """Set the depth."""
    desk.venue.exchange.market(body.symbol).depth = body.qty
    return _market_row(desk, body.symbol)


def symbol(desk: Desk, body: bodies.SymbolBody) -> object:
    """Set a symbol's status."""
    desk.venue.exchange.market(body.symbol).status = body.status
    return _market_row(desk, body.symbol)


def _market_row(desk: Desk, name: str) -> dict[str, object]:
    found = desk.venue.exchange.market(name)
    quote = found.quote(desk.clock.now_ms())
    return {
        "symbol": name,
        "status": found.status.value,
        "motion": found.motion.value,
        "mark": plain(quote.mark),
        "bid": plain(quote.bid),
        "ask": plain(quote.ask),
        "depth": None if found.depth is None else plain(found.depth),
    }


def market(desk: Desk, query: Query, _body: object) -> object:
    """Tell the markets."""
    wanted = query.get("symbol")
    names = [wanted] if wanted else list(desk.venue.exchange.markets)
    return {"markets": [_market_row(desk, name) for name in names]}


def mode(desk: Desk, body: bodies.ModeBody) -> object:
    """Switch the position mode."""
    switch_mode(_account(desk, body.account), body.mode)
    return {"account": body.account, "mode": body.mode.value}


def restrict(desk: Desk, body: bodies.RestrictBody) -> object:
    """Restrict an account."""
    _account(desk, body.account).restriction = body.restriction
    return {"account": body.account, "restriction": body.restriction.value}


def arm(desk: Desk, body: Fault) -> object:
    """Arm a fault."""
    return desk.venue.faults.arm(body)


def list_faults(desk: Desk, _query: Query, _body: object) -> object:
    """List faults with their hits."""
    return {"faults": [{**msgspec.to_builtins(f), "spent": f.spent} for f in desk.venue.faults.table]}


def disarm(desk: Desk, query: Query, _body: object) -> object:
    """Disarm one fault or all."""
    wanted = query.get("id")
    if wanted is not None and not wanted.isdigit():
        raise ValueError(f"id must be a whole number, not {wanted!r}")
    return {"removed": desk.venue.faults.disarm(None if wanted is None else int(wanted))}


def turn_knobs(desk: Desk, _query: Query, body: Any) -> object:
    """Turn some knobs."""
    merged = {**msgspec.to_builtins(desk.venue.exchange.knobs), **body}
    desk.venue.exchange.knobs = msgspec.convert(merged, type=Knobs)
    return desk.venue.exchange.knobs


def list_knobs(desk: Desk, _query: Query, _body: object) -> object:
    """List all knobs."""
    return desk.venue.exchange.knobs


def scale_limits(desk: Desk, body: bodies.LimitsBody) -> object:
    """Scale the limits."""
    limits = desk.venue.limits
    limits.factor = body.factor
    return {"weight_1m": limits.weight_max, "orders_10s": limits.orders_max_10s, "orders_1m": limits.orders_max_1m}


def shift_clock(desk: Desk, body: bodies.ClockBody) -> object:
    """Shift the clock, and let what is due happen."""
    desk.clock.shift(body.offset_ms)
    desk.venue.tick()
    return tell_clock(desk, {}, None)


def tell_clock(desk: Desk, _query: Query, _body: object) -> object:
    """Tell the clocks."""
    return {
        "now_ms": desk.clock.now_ms(),
        "offset_ms": desk.clock.offset_ms,
        "monotonic_ns": desk.clock.monotonic_ns(),
    }


def close_streams(desk: Desk, body: bodies.AccountName) -> object:
    """Close an account's private streams."""
    _account(desk, body.account)
    desk.hub.close(body.account)
    return {"closed": body.account}


def expire_key(desk: Desk, body: bodies.AccountName) -> object:
    """Let an account's listen key expire."""
    _account(desk, body.account)
    return {"expired": desk.venue.expire_listen_key(body.account)}
