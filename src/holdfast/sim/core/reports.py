"""Decide the shape of the REST answers: orders, trades, positions, balances.

Invariants: amounts are plain decimal strings, ids and times are integers; POST and DELETE order answers lack
`avgPrice` and `cumQuote` (gone since July 2026) unless a knob brings them back; query answers have them, and lack
`cumQty`.
Source: venue documentation, per endpoint; the fields pair, cumBase, baseQty, marginAsset came in August 2026.
"""

from decimal import Decimal

import msgspec

from holdfast.sim.core.account import Account, Income, MarginType
from holdfast.sim.core.amounts import ZERO, money, plain
from holdfast.sim.core.knobs import Knobs, PostAvgPrice
from holdfast.sim.core.legs import LegState, PositionSide
from holdfast.sim.core.market import Quote
from holdfast.sim.core.orders import Order, Status, Trade
from holdfast.sim.core.symbols import SymbolRules

__all__ = [
    "OrderAnswer",
    "OrderRow",
    "PositionRisk",
    "TradeRow",
    "acknowledged",
    "income_row",
    "order_answer",
    "order_row",
    "position_risk",
    "trade_row",
]


class OrderAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """What POST, PUT and DELETE order answer."""

    client_order_id: str
    cum_qty: str
    executed_qty: str
    order_id: int
    orig_qty: str
    price: str
    reduce_only: bool
    side: str
    position_side: str
    status: str
    symbol: str
    time_in_force: str
    type: str
    orig_type: str
    update_time: int
    price_match: str
    self_trade_prevention_mode: str
    good_till_date: int
    avg_price: str | msgspec.UnsetType = msgspec.UNSET
    cum_quote: str | msgspec.UnsetType = msgspec.UNSET
    stop_price: str = "0"
    close_position: bool = False
    working_type: str = "CONTRACT_PRICE"
    price_protect: bool = False


class OrderRow(msgspec.Struct, frozen=True, rename="camel"):
    """What queries answer for an order."""

    avg_price: str
    client_order_id: str
    cum_quote: str
    executed_qty: str
    order_id: int
    orig_qty: str
    orig_type: str
    price: str
    reduce_only: bool
    side: str
    position_side: str
    status: str
    symbol: str
    time: int
    time_in_force: str
    type: str
    update_time: int
    self_trade_prevention_mode: str
    good_till_date: int
    price_match: str
    stop_price: str = "0"
    close_position: bool = False
    working_type: str = "CONTRACT_PRICE"
    price_protect: bool = False
    pair: str | msgspec.UnsetType = msgspec.UNSET
    cum_base: str | msgspec.UnsetType = msgspec.UNSET
    margin_asset: str | msgspec.UnsetType = msgspec.UNSET


class TradeRow(msgspec.Struct, frozen=True, rename="camel"):
    """One row of userTrades."""

    symbol: str
    id: int
    order_id: int
    side: str
    position_side: str
    price: str
    qty: str
    quote_qty: str
    realized_pnl: str
    commission: str
    commission_asset: str
    buyer: bool
    maker: bool
    time: int
    pair: str
    base_qty: str
    margin_asset: str = "USDT"


def _position_spelling(field: str) -> str:
    """Spell a field of positionRisk: camel case, but for one word that the venue spells in its own way."""
    if field == "unrealized_profit":
        return "unRealizedProfit"
    first, *rest = field.split("_")
    return first + "".join(word.capitalize() for word in rest)


class PositionRisk(msgspec.Struct, frozen=True, rename=_position_spelling):
    """One row of positionRisk v3; v2 adds four fields to it."""

    symbol: str
    position_side: str
    position_amt: str
    entry_price: str
    break_even_price: str
    mark_price: str
    unrealized_profit: str
    liquidation_price: str
    isolated_margin: str
    notional: str
    margin_asset: str
    isolated_wallet: str
    initial_margin: str
    maint_margin: str
    position_initial_margin: str
    open_order_initial_margin: str
    adl: int
    bid_notional: str
    ask_notional: str
    update_time: int
    leverage: str | msgspec.UnsetType = msgspec.UNSET
    margin_type: str | msgspec.UnsetType = msgspec.UNSET
    is_auto_add_margin: str | msgspec.UnsetType = msgspec.UNSET
    max_notional_value: str | msgspec.UnsetType = msgspec.UNSET


def _answer(order: Order, knobs: Knobs, *, status: str, executed: str, quote: str, average: str) -> OrderAnswer:
    extra = knobs.post_avg_price is PostAvgPrice.PRESENT
    return OrderAnswer(
        client_order_id=order.client_id,
        cum_qty=executed,
        executed_qty=executed,
        order_id=order.order_id,
        orig_qty=plain(order.qty),
        price=plain(order.price),
        reduce_only=order.reduce_only,
        side=order.side.value,
        position_side=order.position_side.value,
        status=status,
        symbol=order.symbol,
        time_in_force=order.time_in_force.value,
        type=order.order_type.value,
        orig_type=order.order_type.value,
        update_time=order.updated_ms,
        price_match=order.price_match,
        self_trade_prevention_mode=order.stp_mode,
        good_till_date=order.good_till_ms,
        avg_price=average if extra else msgspec.UNSET,
        cum_quote=quote if extra else msgspec.UNSET,
    )


def order_answer(order: Order, knobs: Knobs) -> OrderAnswer:
    """Answer with the order as it stands: RESULT, and every DELETE and PUT."""
    return _answer(
        order,
        knobs,
        status=order.status.value,
        executed=plain(order.executed),
        quote=plain(order.quote),
        average=plain(money(order.average)),
    )


def acknowledged(order: Order, knobs: Knobs) -> OrderAnswer:
    """Answer that the order was taken, whatever it did since: ACK."""
    return _answer(order, knobs, status=Status.NEW.value, executed="0", quote="0", average="0.00")


def order_row(order: Order) -> OrderRow:
    """Describe an order for GET order, openOrder, openOrders."""
    return OrderRow(
        avg_price=plain(money(order.average)),
        client_order_id=order.client_id,
        cum_quote=plain(order.quote),
        executed_qty=plain(order.executed),
        order_id=order.order_id,
        orig_qty=plain(order.qty),
        orig_type=order.order_type.value,
        price=plain(order.price),
        reduce_only=order.reduce_only,
        side=order.side.value,
        position_side=order.position_side.value,
        status=order.status.value,
        symbol=order.symbol,
        time=order.created_ms,
        time_in_force=order.time_in_force.value,
        type=order.order_type.value,
        update_time=order.updated_ms,
        self_trade_prevention_mode=order.stp_mode,
        good_till_date=order.good_till_ms,
        price_match=order.price_match,
    )


def listed_order_row(order: Order) -> OrderRow:
    """Describe an order for allOrders and forceOrders, which say a little more."""
    return msgspec.structs.replace(
        order_row(order), pair=order.symbol, cum_base=plain(order.executed), margin_asset="USDT"
    )


def trade_row(trade: Trade) -> TradeRow:
    """Describe a trade for userTrades."""
    return TradeRow(
        symbol=trade.symbol,
        id=trade.trade_id,
        order_id=trade.order_id,
        side=trade.side.value,
        position_side=trade.position_side.value,
        price=plain(trade.price),
        qty=plain(trade.qty),
        quote_qty=plain(trade.price * trade.qty),
        realized_pnl=plain(trade.realised),
        commission=plain(trade.commission),
        commission_asset="USDT",
        buyer=trade.side.sign > 0,
        maker=trade.maker,
        time=trade.time_ms,
        pair=trade.symbol,
        base_qty=plain(trade.qty),
    )


def position_risk(
    account: Account, rules: SymbolRules, quote: Quote, side: PositionSide, state: LegState
) -> PositionRisk:
    """Describe one leg for positionRisk v3."""
    notional = state.qty * quote.mark
    initial = money(abs(notional) / account.leverage(rules.symbol))
    resting = sum((o.reserved for o in account.book(rules.symbol).open.values()), ZERO)
    margin = plain(initial)
    return PositionRisk(
        symbol=rules.symbol,
        position_side=side.value,
        position_amt=plain(state.qty.quantize(rules.step)),
        entry_price=plain(state.entry),
        break_even_price=plain(state.entry),
        mark_price=plain(quote.mark),
        unrealized_profit=plain(money(state.qty * (quote.mark - state.entry))),
        liquidation_price="0",
        isolated_margin="0",
        notional=plain(money(notional)),
        margin_asset="USDT",
        isolated_wallet="0",
        initial_margin=plain(initial + resting),
        maint_margin=plain(money(abs(notional) * rules.maintenance_rate)),
        position_initial_margin=margin,
        open_order_initial_margin=plain(resting),
        adl=2 if state.qty else 0,
        bid_notional="0",
        ask_notional="0",
        update_time=state.updated_ms,
    )


def position_risk_v2(
    account: Account, rules: SymbolRules, quote: Quote, side: PositionSide, state: LegState
) -> PositionRisk:
    """Describe one leg for positionRisk v2: with leverage and margin type."""
    isolated = account.margin_types.get(rules.symbol) is MarginType.ISOLATED
    return msgspec.structs.replace(
        position_risk(account, rules, quote, side, state),
        leverage=str(account.leverage(rules.symbol)),
        margin_type="isolated" if isolated else "cross",
        is_auto_add_margin="false",
        max_notional_value=plain(max_notional(rules, account)),
    )


def max_notional(rules: SymbolRules, account: Account) -> Decimal:
    """Return the largest position at the leverage set; the higher, the smaller."""
    return Decimal(10_000_000) * rules.leverage_max / account.leverage(rules.symbol)


def income_row(income: Income) -> dict[str, object]:
    """Describe one line of income."""
    return {
        "symbol": income.symbol,
        "incomeType": income.kind,
        "income": plain(income.amount),
        "asset": "USDT",
        "info": income.kind,
        "time": income.time_ms,
        "tranId": income.transaction_id,
        "tradeId": income.trade_id,
    }
