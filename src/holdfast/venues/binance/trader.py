"""Sending: what the trading key may do besides. One call, at most one request (invariant 1 of the package).

What is sent is what was permitted, to the last field. In hedge mode reduce-only is expressed by the position side
alone (the venue refuses `reduceOnly` there in any form); a reduce-only permit whose side would grow its leg is a bug
upstream and is refused here, before anything leaves. Facts: venue documentation of POST and DELETE /fapi/v1/order.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from holdfast.domain.amounts import format_amount
from holdfast.domain.errors import VenueUnavailable
from holdfast.domain.reasons import Reason
from holdfast.domain.sides import Decision, OrderType, PositionSide, Side
from holdfast.ports.venue import Accepted, Cancelled, NotExecuted, Refused, Unknown
from holdfast.venues.binance.budget import Lane
from holdfast.venues.binance.classify import RESEND_MS, classify_cancel, classify_submit, is_clock_fault
from holdfast.venues.binance.client import BinanceClient, Security
from holdfast.venues.binance.reader import ORDER_PATH, BinanceReader
from holdfast.venues.binance.transport import HttpLine

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdfast.domain.names import ClientOrderId, Symbol
    from holdfast.domain.order import OrderReport
    from holdfast.domain.permit import Permit
    from holdfast.ports.clock import Clock
    from holdfast.ports.venue import CancelOutcome, SubmitOutcome, VenueTrader
    from holdfast.venues.binance.client import Params
    from holdfast.venues.binance.config import BinanceConfig
    from holdfast.venues.binance.exchange import Exchange
    from holdfast.venues.binance.limits import Gate
    from holdfast.venues.binance.transport import Line

_CLIENT_ORDER_ID = re.compile(r"[A-Za-z0-9._-]{1,36}")
"""Inside the venue's own rule; without `:` and `/`, which are signed in two different ways."""
_SHRINKING = {PositionSide.LONG: Side.SELL, PositionSide.SHORT: Side.BUY}


class BinanceTrader(BinanceReader):
    """One account, read and traded. Implements `ports.venue.VenueTrader`."""

    _looks = Lane.READ

    async def submit(self, permit: Permit) -> SubmitOutcome:
        """Send the order once. Exactly one request leaves, or none."""
        refusal = local_refusal(permit)
        if refusal is not None:
            return refusal
        late_ms = self._client.venue_now_ms() - permit.timestamp_ms - permit.recv_window_ms
        if late_ms > 0:
            text = f"not sent: the permit's recvWindow ended {late_ms} ms ago"
            return NotExecuted(Reason.VENUE_UNAVAILABLE, text, RESEND_MS)
        timeout_ms = permit.recv_window_ms + self._client.config.send_margin_ms
        exchange = await self._send("POST", order_params(permit), _lane(permit), timeout_ms)
        outcome = classify_submit(exchange, self._client.venue_now_ms())
        if isinstance(outcome, Accepted) and not _is_about(outcome.report, permit.leg.symbol, permit.client_order_id):
            return Unknown("answered 200 about another order")
        if isinstance(outcome, NotExecuted) and is_clock_fault(exchange):
            return replace(outcome, text=f"{outcome.text}; {await self._resync()}")
        return outcome

    async def cancel(self, symbol: Symbol, client_order_id: ClientOrderId) -> CancelOutcome:
        """Cancel one order of ours."""
        config = self._client.config
        params = (
            ("symbol", symbol),
            ("origClientOrderId", client_order_id),
            ("recvWindow", str(config.read_recv_window_ms)),
            ("timestamp", str(self._client.venue_now_ms())),
        )
        exchange = await self._send("DELETE", params, Lane.CANCEL, config.read_timeout_ms)
        outcome = classify_cancel(exchange, self._client.venue_now_ms())
        if isinstance(outcome, Cancelled) and not _is_about(outcome.report, symbol, client_order_id):
            return Unknown("answered 200 about another order")
        if isinstance(outcome, Unknown) and is_clock_fault(exchange):
            return replace(outcome, text=f"{outcome.text}; {await self._resync()}")
        return outcome

    async def _send(self, method: str, params: Params, lane: Lane, timeout_ms: int) -> Exchange:
        return await self._client.exchange(
            method, ORDER_PATH, params, Security.SIGNED, lane=lane, timeout_ms=timeout_ms
        )

    async def _resync(self) -> str:
        """Measure the offset again and say what came of it. The order's outcome stands either way."""
        try:
            return f"clock measured again, offset {await self._client.sync_clock()} ms"
        except VenueUnavailable as error:
            return f"clock not measured: {error}"


def _lane(permit: Permit) -> Lane:
    """Closes have the budget's last part to themselves."""
    return Lane.ORDER if permit.decision is Decision.EXECUTE else Lane.CLOSE


def local_refusal(permit: Permit) -> Refused | None:
    """The refusal of a permit that must not be sent at all; None if it may be."""
    side = permit.leg.position_side
    if permit.reduce_only and side is not PositionSide.BOTH and permit.side is not _SHRINKING[side]:
        text = f"not sent: reduce-only {permit.side.value} would grow the {side.value} leg"
        return Refused(Reason.WOULD_INCREASE, None, text)
    if _CLIENT_ORDER_ID.fullmatch(permit.client_order_id) is None:
        return Refused(Reason.INTERNAL, None, "not sent: the client order id has characters that may not be signed")
    if permit.order_type is OrderType.LIMIT and (permit.price is None or permit.time_in_force is None):
        return Refused(Reason.INTERNAL, None, "not sent: LIMIT without price or time in force")
    return None


def _is_about(report: OrderReport, symbol: Symbol, client_order_id: ClientOrderId) -> bool:
    """Tell whether an answer is about the order that was asked for: a kept connection may carry a stray one."""
    return report.symbol == symbol and report.client_order_id == client_order_id


def order_params(permit: Permit) -> Params:
    """The permit as the venue's parameters, in the order in which they are signed and sent."""
    params = [("symbol", str(permit.leg.symbol)), ("side", permit.side.value)]
    if permit.leg.position_side is not PositionSide.BOTH:
        params.append(("positionSide", permit.leg.position_side.value))
    elif permit.reduce_only:
        params.append(("reduceOnly", "true"))
    params += [("type", permit.order_type.value), ("quantity", format_amount(permit.qty))]
    if permit.order_type is OrderType.LIMIT and permit.price is not None and permit.time_in_force is not None:
        params += [("price", format_amount(permit.price)), ("timeInForce", permit.time_in_force.value)]
    return (
        *params,
        ("newClientOrderId", permit.client_order_id),
        ("newOrderRespType", "RESULT"),
        ("recvWindow", str(permit.recv_window_ms)),
        ("timestamp", str(permit.timestamp_ms)),
    )


def binance_trader(
    config: BinanceConfig,
    clock: Clock,
    gate: Gate | None = None,
    open_line: Callable[[BinanceConfig], Line] = HttpLine,
) -> VenueTrader:
    """Build a trader. A `gate` may be shared with other adapters of the same machine address."""
    return BinanceTrader(BinanceClient(config, clock, gate, open_line))
