"""Decide what the venue and other people do to an account: liquidation, ADL, settlement, funding, hand trades.

| act | client id | order type | stream |
|---|---|---|---|
| liquidation | `autoclose-<n>` | LIQUIDATION | NEW, then CALCULATED (knob: TRADE), er 5 |
| ADL | `adl_autoclose`, a constant: not unique | LIQUIDATION | NEW, then TRADE |
| settlement | `settlement_autoclose-<n>` | LIQUIDATION | NEW, then TRADE |
| by hand | `web_<random>` unless named | as any order | as any order |

Invariants: a forced order closes, never opens; it appears in the account's orders, trades and (liquidation, ADL)
forced orders; funding moves the wallet and no position.
Source: venue documentation of client ids and of ACCOUNT_UPDATE on funding (cross: balances only); the sequence of
forced events is not documented.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from holdfast.sim.core.account import Account, MarginType, Mode
from holdfast.sim.core.amounts import ZERO, money
from holdfast.sim.core.batches import Batch, publish
from holdfast.sim.core.filling import close_order, fill_order, note_income, sweep_reducing
from holdfast.sim.core.legs import PositionSide
from holdfast.sim.core.order_request import NewOrder, ReduceOnly, Response
from holdfast.sim.core.orders import ExpiryReason, Order, OrderType, Side, Source, Status, TimeInForce
from holdfast.sim.core.placing import place

if TYPE_CHECKING:
    from decimal import Decimal

    from holdfast.sim.core.exchange import Exchange

__all__ = ["Force", "force_close", "fund", "trade_by_hand", "transfer"]

STAMP_SHIFT: Final = 1_000_000


class Force(StrEnum):
    """Why the venue closes a position."""

    LIQUIDATION = "autoclose-"
    ADL = "adl_autoclose"
    SETTLEMENT = "settlement_autoclose-"


def force_close(
    exchange: Exchange, account: Account, symbol: str, side: PositionSide, *, qty: Decimal | None, force: Force
) -> Order:
    """Close a position, or part of it, as the venue does it; ValueError if there is none of that size."""
    accepted_ns = exchange.clock.monotonic_ns()
    now = exchange.clock.now_ms()
    market = exchange.market(symbol)
    leg = account.leg(symbol, side)
    held = leg.now.qty
    closed = abs(held) if qty is None else qty
    if not ZERO < closed <= abs(held):
        raise ValueError(f"{account.name} holds {held} {symbol} {side}, which does not allow to close {closed}")
    batch = Batch(account, now)
    if force is Force.LIQUIDATION:
        # The venue cancels the open orders of the symbol before it liquidates.
        for resting in list(account.book(symbol).open.values()):
            close_order(exchange, batch, resting, Status.CANCELED, ExpiryReason.NONE)
    quote = market.quote(now)
    order = Order(
        account=account.name,
        symbol=symbol,
        order_id=exchange.next_order_id(market),
        client_id=_client_id(exchange, force, now),
        side=Side.SELL if held > ZERO else Side.BUY,
        position_side=side,
        order_type=OrderType.LIQUIDATION,
        time_in_force=TimeInForce.IOC,
        qty=closed,
        qty_asked=closed,
        price=quote.mark,
        reduce_only=False,
        stp_mode="NONE",
        good_till_ms=0,
        created_ms=now,
        accepted_monotonic_ns=accepted_ns,
        source=Source.VENUE,
        updated_ms=now,
        expiry=ExpiryReason.LIQUIDATED if force is Force.LIQUIDATION else ExpiryReason.NONE,
    )
    account.book(symbol).add(order)
    exchange.truth.add_order(order)
    batch.order(order, "NEW")
    execution = exchange.knobs.liquidation_execution.value if force is Force.LIQUIDATION else "TRADE"
    fill_order(exchange, batch, order, closed, quote.mark, execution=execution)
    sweep_reducing(exchange, batch, symbol)
    if force is not Force.SETTLEMENT:
        account.forced.append(order)
    publish(exchange, batch)
    return order


def _client_id(exchange: Exchange, force: Force, now_ms: int) -> str:
    if force is Force.ADL:
        return str(force.value)
    exchange.forced_count += 1
    return f"{force.value}{now_ms * STAMP_SHIFT + exchange.forced_count}"


def fund(exchange: Exchange, account: Account, symbol: str, rate: Decimal) -> Decimal:
    """Pay or collect funding on a symbol; return the change of the wallet."""
    now = exchange.clock.now_ms()
    mark = exchange.market(symbol).quote(now).mark
    legs = [leg for side in PositionSide if (leg := account.open_legs.get((symbol, side))) is not None]
    paid = money(-sum((leg.now.qty for leg in legs), ZERO) * mark * rate)
    batch = Batch(account, now, reason="FUNDING_FEE", symbol=symbol, wallet_changed=True, transferred=paid)
    if account.margin_types.get(symbol) is MarginType.ISOLATED:
        for leg in legs:
            batch.touch(leg)
    _move_wallet(account, paid, now)
    note_income(exchange, batch, symbol, "FUNDING_FEE", paid, trade_id="")
    publish(exchange, batch)
    return paid


def transfer(exchange: Exchange, account: Account, amount: Decimal) -> None:
    """Deposit (positive) or withdraw."""
    now = exchange.clock.now_ms()
    reason = "DEPOSIT" if amount >= ZERO else "WITHDRAW"
    batch = Batch(account, now, reason=reason, wallet_changed=True, transferred=amount)
    _move_wallet(account, amount, now)
    note_income(exchange, batch, "", "TRANSFER", amount, trade_id="")
    publish(exchange, batch)


def _move_wallet(account: Account, amount: Decimal, now_ms: int) -> None:
    account.wallet += amount
    account.wallet_updated_ms = now_ms


def trade_by_hand(
    exchange: Exchange,
    account: Account,
    *,
    symbol: str,
    side: Side,
    qty: Decimal,
    position_side: PositionSide | None,
    reduce_only: ReduceOnly,
    price: Decimal | None,
    client_id: str | None,
) -> Order:
    """Place an order as a person at the exchange's own screen: MARKET, or LIMIT GTC if a price is given."""
    if position_side is None:
        position_side = PositionSide.BOTH
        if account.mode is Mode.HEDGE:
            # A person names the leg; without a name BUY means LONG and SELL means SHORT, as opening does.
            position_side = PositionSide.LONG if side is Side.BUY else PositionSide.SHORT
    new = NewOrder(
        symbol=symbol,
        side=side,
        order_type=OrderType.MARKET if price is None else OrderType.LIMIT,
        position_side=position_side,
        time_in_force=TimeInForce.GTC,
        qty=qty,
        price=price,
        reduce_only=reduce_only,
        client_id=client_id or f"web_{exchange.random_text(20)}",
        response=Response.RESULT,
        stp_mode="EXPIRE_MAKER",
        good_till_ms=0,
        price_match="NONE",
    )
    return place(exchange, account, new, Source.MANUAL)
