"""Decide what the user stream says: one value a frame, with readable names here and the venue's letters on the wire.

Invariants: an event is a copy of the moment it tells of, never a view of something that changes later; an account
update carries changed rows only, and absolute amounts.
Source: the venue's documentation of the user data stream; letters are its own.
"""

import msgspec

__all__ = [
    "AccountConfigUpdate",
    "AccountUpdate",
    "Event",
    "LeverageConfig",
    "ListenKeyExpired",
    "MultiAssetsConfig",
    "OrderFacts",
    "OrderTradeUpdate",
    "TradeLite",
]


class OrderFacts(
    msgspec.Struct,
    frozen=True,
    omit_defaults=False,
    rename={
        "symbol": "s", "client_id": "c", "side": "S", "order_type": "o", "time_in_force": "f", "qty": "q", "price": "p",
        "average": "ap", "stop_price": "sp", "execution": "x", "status": "X", "order_id": "i", "last_qty": "l",
        "cumulative": "z", "last_price": "L", "fee_asset": "N", "fee": "n", "time_ms": "T", "trade_id": "t",
        "bids": "b", "asks": "a", "maker": "m", "reduce_only": "R", "working_type": "wt", "original_type": "ot",
        "position_side": "ps", "close_position": "cp", "activation": "AP", "callback_rate": "cr", "protect": "pP",
        "ignore_1": "si", "ignore_2": "ss", "realised": "rp", "stp_mode": "V", "price_match": "pm",
        "good_till_ms": "gtd", "expiry": "er",
    },
):  # fmt: skip
    """One order at the moment of one event."""

    symbol: str
    client_id: str
    side: str
    order_type: str
    time_in_force: str
    qty: str
    price: str
    average: str
    execution: str
    status: str
    order_id: int
    last_qty: str
    cumulative: str
    last_price: str
    time_ms: int
    trade_id: int
    maker: bool
    reduce_only: bool
    original_type: str
    position_side: str
    realised: str
    stp_mode: str
    price_match: str
    good_till_ms: int
    expiry: str
    fee_asset: str | msgspec.UnsetType = msgspec.UNSET
    fee: str | msgspec.UnsetType = msgspec.UNSET
    stop_price: str = "0"
    bids: str = "0"
    asks: str = "0"
    working_type: str = "CONTRACT_PRICE"
    close_position: bool = False
    activation: str = "0"
    callback_rate: str = "0"
    protect: bool = False
    ignore_1: int = 0
    ignore_2: int = 0


class OrderTradeUpdate(
    msgspec.Struct, frozen=True, tag_field="e", tag="ORDER_TRADE_UPDATE",
    rename={"event_ms": "E", "time_ms": "T", "order": "o"},
):  # fmt: skip
    """An order changed."""

    event_ms: int
    time_ms: int
    order: OrderFacts


class TradeLite(
    msgspec.Struct, frozen=True, tag_field="e", tag="TRADE_LITE",
    rename={
        "event_ms": "E", "time_ms": "T", "symbol": "s", "qty": "q", "price": "p", "maker": "m", "client_id": "c",
        "side": "S", "last_price": "L", "last_qty": "l", "trade_id": "t", "order_id": "i",
    },
):  # fmt: skip
    """The faster, poorer copy of a fill."""

    event_ms: int
    time_ms: int
    symbol: str
    qty: str
    price: str
    maker: bool
    client_id: str
    side: str
    last_price: str
    last_qty: str
    trade_id: int
    order_id: int


class BalanceRow(msgspec.Struct, frozen=True, rename={"asset": "a", "wallet": "wb", "cross": "cw", "change": "bc"}):
    """A balance that changed."""

    asset: str
    wallet: str
    cross: str
    change: str


class PositionRow(
    msgspec.Struct, frozen=True,
    rename={
        "symbol": "s", "amount": "pa", "entry": "ep", "break_even": "bep", "realised": "cr", "unrealised": "up",
        "margin_type": "mt", "isolated_wallet": "iw", "position_side": "ps",
    },
):  # fmt: skip
    """A position that changed, with its new absolute amount."""

    symbol: str
    amount: str
    entry: str
    break_even: str
    realised: str
    unrealised: str
    margin_type: str
    position_side: str
    isolated_wallet: str = "0"


class AccountChange(
    msgspec.Struct, frozen=True, rename={"reason": "m", "balances": "B", "positions": "P", "symbol": "S"}
):
    """Why an account changed, and the rows that did."""

    reason: str
    balances: tuple[BalanceRow, ...]
    positions: tuple[PositionRow, ...]
    symbol: str | msgspec.UnsetType = msgspec.UNSET


class AccountUpdate(
    msgspec.Struct, frozen=True, tag_field="e", tag="ACCOUNT_UPDATE",
    rename={"event_ms": "E", "time_ms": "T", "change": "a"},
):  # fmt: skip
    """Balances or positions changed."""

    event_ms: int
    time_ms: int
    change: AccountChange


class LeverageConfig(msgspec.Struct, frozen=True, rename={"symbol": "s", "leverage": "l"}):
    """A symbol's new leverage."""

    symbol: str
    leverage: int


class MultiAssetsConfig(msgspec.Struct, frozen=True, rename={"enabled": "j"}):
    """Multi-assets mode switched."""

    enabled: bool


class AccountConfigUpdate(
    msgspec.Struct, frozen=True, tag_field="e", tag="ACCOUNT_CONFIG_UPDATE",
    rename={"event_ms": "E", "time_ms": "T", "leverage": "ac", "multi_assets": "ai"},
):  # fmt: skip
    """A setting changed."""

    event_ms: int
    time_ms: int
    leverage: LeverageConfig | msgspec.UnsetType = msgspec.UNSET
    multi_assets: MultiAssetsConfig | msgspec.UnsetType = msgspec.UNSET


class ListenKeyExpired(
    msgspec.Struct, frozen=True, tag_field="e", tag="listenKeyExpired",
    rename={"event_ms": "E", "listen_key": "listenKey"},
):  # fmt: skip
    """The key died: the socket stays open and goes silent."""

    event_ms: int
    listen_key: str


Event = OrderTradeUpdate | TradeLite | AccountUpdate | AccountConfigUpdate | ListenKeyExpired


def kind_of(event: Event) -> str:
    """Return the frame's `e`."""
    tag = type(event).__struct_config__.tag
    return tag if isinstance(tag, str) else ""
