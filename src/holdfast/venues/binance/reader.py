"""Reading: what a read-only key may do. Every read is a complete answer or an exception, never a guess.

Raises VenueUnavailable for everything that is not a complete answer; KeysRejected if the venue refuses the key (a
person must act, waiting does not help).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.domain.errors import VenueUnavailable
from holdfast.venues.binance.budget import Lane
from holdfast.venues.binance.classify import is_no_such_order
from holdfast.venues.binance.client import BinanceClient, Security
from holdfast.venues.binance.instruments import decode_instruments, decode_limits
from holdfast.venues.binance.pages import read_trades
from holdfast.venues.binance.stream import BinanceStream
from holdfast.venues.binance.transport import HttpLine
from holdfast.venues.binance.views import Asked, account_view
from holdfast.venues.binance.wire import (
    decode_forced,
    decode_marks,
    decode_order,
    decode_orders,
    decode_position_mode,
    decode_positions,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from decimal import Decimal

    from holdfast.domain.instrument import Instrument
    from holdfast.domain.names import ClientOrderId, Symbol, VenueOrderId
    from holdfast.domain.order import OrderReport
    from holdfast.domain.sides import PositionMode
    from holdfast.domain.trade import TradePage
    from holdfast.domain.view import AccountView
    from holdfast.ports.clock import Clock
    from holdfast.ports.venue import TradeCursor, VenueReader
    from holdfast.venues.binance.client import Params
    from holdfast.venues.binance.config import BinanceConfig
    from holdfast.venues.binance.limits import Gate, Usage
    from holdfast.venues.binance.transport import Line

ORDER_PATH = "/fapi/v1/order"
FORCED_ORDERS_MAX = 100
"""As many as the venue lists at once."""


class BinanceReader:
    """One account, read. Implements `ports.venue.VenueReader`."""

    _looks = Lane.LOOK
    """Of what is read about one symbol."""

    def __init__(self, client: BinanceClient) -> None:
        self._client = client

    @property
    def usage(self) -> Usage:
        """The venue's last word on weight and order counts."""
        return self._client.usage

    async def sync_clock(self) -> int:
        """Measure and keep the venue clock's offset; return it (venue minus ours, ms)."""
        return await self._client.sync_clock()

    def venue_now_ms(self) -> int:
        """The venue's clock now, by the last measured offset."""
        return self._client.venue_now_ms()

    async def instruments(self) -> Mapping[Symbol, Instrument]:
        """All symbols with their rules; one whose steps cannot be read is left out."""
        path = "/fapi/v1/exchangeInfo"
        body = await self._client.read("GET", path, (), Security.NONE, Lane.BACKGROUND)
        self._client.set_limits(decode_limits(body))
        return decode_instruments(body)

    async def mark_prices(self) -> Mapping[Symbol, Decimal]:
        """Mark price of every symbol that has one, quote asset (weight 10)."""
        body = await self._client.read("GET", "/fapi/v1/premiumIndex", (), Security.NONE, Lane.BACKGROUND)
        return decode_marks(body)

    async def position_mode(self) -> PositionMode:
        """One-way or hedge, as the account is set now (accountConfig: weight 5, positionSide/dual: 30)."""
        return decode_position_mode(await self._client.read("GET", "/fapi/v1/accountConfig", (), Security.SIGNED))

    async def account_view(self) -> AccountView:
        """All positions, complete: absent is flat."""
        return await self._view(None)

    async def symbol_view(self, symbol: Symbol) -> AccountView:
        """The symbol's positions, complete for that symbol."""
        return await self._view(symbol)

    async def trades(self, symbol: Symbol, cursor: TradeCursor) -> TradePage:
        """The account's trades on the symbol since the cursor, oldest first; bounded in pages."""
        return await read_trades(self._client, symbol, cursor, self._looks)

    async def order(self, symbol: Symbol, client_order_id: ClientOrderId) -> OrderReport | None:
        """One order by our id; None if the venue says it does not exist."""
        report = await self._order(symbol, ("origClientOrderId", client_order_id))
        if report is not None and report.client_order_id != client_order_id:
            raise VenueUnavailable("asked for an order by its client id, the venue's answer names another")
        return report

    async def order_by_number(self, symbol: Symbol, order_id: VenueOrderId) -> OrderReport | None:
        """One order by the venue's number; None if the venue says it does not exist."""
        report = await self._order(symbol, ("orderId", str(order_id)))
        if report is not None and report.order_id != order_id:
            raise VenueUnavailable("asked for an order by its number, the venue's answer names another")
        return report

    async def forced_orders(self, symbol: Symbol) -> tuple[OrderReport, ...]:
        """Liquidations and ADLs on the symbol in the last 7 days, at most 100 (weight 20)."""
        params: Params = (("symbol", symbol), ("limit", str(FORCED_ORDERS_MAX)))
        return decode_forced(
            await self._client.read("GET", "/fapi/v1/forceOrders", params, Security.SIGNED, self._looks)
        )

    async def open_orders(self, symbol: Symbol | None) -> tuple[OrderReport, ...]:
        """Resting orders, of one symbol (weight 1) or of the whole account (weight 40)."""
        params: Params = (("symbol", symbol),) if symbol is not None else ()
        lane = self._looks if symbol is not None else Lane.BACKGROUND
        return decode_orders(await self._client.read("GET", "/fapi/v1/openOrders", params, Security.SIGNED, lane))

    def stream(self) -> BinanceStream:
        """A new private stream; connects when entered."""
        return BinanceStream(self._client)

    async def close(self) -> None:
        """End connections."""
        await self._client.close()

    async def _view(self, symbol: Symbol | None) -> AccountView:
        await self._client.require_clock()
        config = self._client.config
        read_ms = self._client.clock.now_ms()
        venue_ms = self._client.venue_ms_at(read_ms)
        params: Params = (("symbol", symbol),) if symbol is not None else ()
        lane = self._looks if symbol is not None else Lane.BACKGROUND
        body = await self._client.read("GET", "/fapi/v3/positionRisk", params, Security.SIGNED, lane)
        asked = Asked(config.account, symbol, config.position_mode, read_ms, venue_ms, config.rest_lag_ms)
        return account_view(decode_positions(body), asked)

    async def _order(self, symbol: Symbol, which: tuple[str, str]) -> OrderReport | None:
        params = (("symbol", symbol), which)
        exchange = await self._client.read_exchange("GET", ORDER_PATH, params, Security.SIGNED, self._looks)
        if is_no_such_order(exchange):
            return None
        report = decode_order(self._client.require_body(exchange))
        if report.symbol != symbol:
            raise VenueUnavailable(f"asked for an order of {symbol}, the venue's answer names {report.symbol}")
        return report


def binance_reader(
    config: BinanceConfig,
    clock: Clock,
    gate: Gate | None = None,
    open_line: Callable[[BinanceConfig], Line] = HttpLine,
) -> VenueReader:
    """Build a reader. A `gate` may be shared with other adapters of the same machine address."""
    return BinanceReader(BinanceClient(config, clock, gate, open_line))
