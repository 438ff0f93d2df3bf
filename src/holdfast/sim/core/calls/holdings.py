"""Answer what looks at an account's present: positions, margins, balances.

Invariants: version 3 names only legs with a position or an open order, version 2 names all; an armed lag makes every
leg as old as it says, and counts as a hit only if the answer differs from the truth.
Source: venue documentation; "queries may be delayed in volatile markets" is its own warning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.sim.core.account import MarginType, Mode
from holdfast.sim.core.admission import available_margin
from holdfast.sim.core.amounts import ZERO, money, plain
from holdfast.sim.core.fault_names import FaultName
from holdfast.sim.core.legs import LegState, PositionSide
from holdfast.sim.core.reports import max_notional, position_risk, position_risk_v2

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal

    from holdfast.sim.core.venue import Call, Venue

__all__ = ["account_v2", "account_v3", "balance", "positions_v2", "positions_v3"]


def _leg_states(venue: Venue, call: Call, symbol: str | None) -> Callable[[str, PositionSide], LegState]:
    """Return how to read a leg: as it is, or as it was if an armed fault makes positions lag."""
    account = call.account
    fault = venue.faults.lagging(FaultName.STALE_POSITIONS, account.name, symbol)
    if fault is None:
        return lambda name, side: leg.now if (leg := account.legs.get((name, side))) else LegState()
    moment = call.now_ms - fault.wait_ms
    touched = [leg for leg in account.legs.values() if symbol in {None, "", leg.symbol}]
    if any(leg.as_of(moment) != leg.now for leg in touched):
        venue.faults.hit(fault)
    return lambda name, side: leg.as_of(moment) if (leg := account.legs.get((name, side))) else LegState()


def positions_v3(venue: Venue, call: Call) -> object:
    """List the legs that hold a position or an open order."""
    symbol = call.params.get("symbol") or None
    account, rows = call.account, []
    state_of = _leg_states(venue, call, symbol)
    names = [symbol] if symbol else sorted({leg.symbol for leg in account.legs.values()} | set(account.books))
    for name in names:
        market = venue.exchange.market(name)
        busy = {o.position_side for o in account.book(name).open.values()}
        for side in account.sides():
            state = state_of(name, side)
            if state.qty != ZERO or side in busy:
                rows.append(position_risk(account, market.rules, market.quote(call.now_ms), side, state))
    return rows


def positions_v2(venue: Venue, call: Call) -> object:
    """List every leg of every symbol, flat ones too."""
    symbol = call.params.get("symbol") or None
    state_of = _leg_states(venue, call, symbol)
    markets = [venue.exchange.market(symbol)] if symbol else list(venue.exchange.markets.values())
    sides = (PositionSide.BOTH, *call.account.sides()) if call.account.mode is Mode.HEDGE else call.account.sides()
    return [
        position_risk_v2(call.account, m.rules, m.quote(call.now_ms), side, state_of(m.rules.symbol, side))
        for m in markets
        for side in sides
    ]


def _totals(venue: Venue, call: Call) -> dict[str, Decimal]:
    account = call.account
    unrealised = initial = maintenance = ZERO
    for (symbol, _), leg in account.open_legs.items():
        market = venue.exchange.markets[symbol]
        mark = market.quote(call.now_ms).mark
        notional = abs(leg.now.qty) * mark
        unrealised += leg.unrealised(mark)
        initial += notional / account.leverage(symbol)
        maintenance += notional * market.rules.maintenance_rate
    free = max(ZERO, available_margin(venue.exchange, account, call.now_ms))
    return {
        "wallet": money(account.wallet),
        "unrealised": money(unrealised),
        "margin": money(account.wallet + unrealised),
        "initial": money(initial + account.reserved),
        "position_initial": money(initial),
        "order_initial": money(account.reserved),
        "maintenance": money(maintenance),
        "free": money(free),
    }


def _account(venue: Venue, call: Call) -> dict[str, object]:
    total = {name: plain(value) for name, value in _totals(venue, call).items()}
    return {
        "totalInitialMargin": total["initial"],
        "totalMaintMargin": total["maintenance"],
        "totalWalletBalance": total["wallet"],
        "totalUnrealizedProfit": total["unrealised"],
        "totalMarginBalance": total["margin"],
        "totalPositionInitialMargin": total["position_initial"],
        "totalOpenOrderInitialMargin": total["order_initial"],
        "totalCrossWalletBalance": total["wallet"],
        "totalCrossUnPnl": total["unrealised"],
        "availableBalance": total["free"],
        "maxWithdrawAmount": total["free"],
        "assets": [
            {
                "asset": "USDT",
                "walletBalance": total["wallet"],
                "unrealizedProfit": total["unrealised"],
                "marginBalance": total["margin"],
                "maintMargin": total["maintenance"],
                "initialMargin": total["initial"],
                "positionInitialMargin": total["position_initial"],
                "openOrderInitialMargin": total["order_initial"],
                "crossWalletBalance": total["wallet"],
                "crossUnPnl": total["unrealised"],
                "availableBalance": total["free"],
                "maxWithdrawAmount": total["free"],
                "marginAvailable": True,
                "updateTime": call.account.wallet_updated_ms,
            }
        ],
    }


def _account_position(venue: Venue, call: Call, name: str, side: PositionSide, state: LegState) -> dict[str, object]:
    market = venue.exchange.market(name)
    row = position_risk(call.account, market.rules, market.quote(call.now_ms), side, state)
    return {
        "symbol": name,
        "positionSide": side.value,
        "positionAmt": row.position_amt,
        # Another spelling than positionRisk's, as documented.
        "unrealizedProfit": row.unrealized_profit,
        "isolatedMargin": "0",
        "notional": row.notional,
        "isolatedWallet": "0",
        "initialMargin": row.initial_margin,
        "maintMargin": row.maint_margin,
        "updateTime": state.updated_ms,
    }


def account_v3(venue: Venue, call: Call) -> object:
    """Describe the account with the legs that are not flat."""
    state_of = _leg_states(venue, call, None)
    answer = _account(venue, call)
    legs = [(leg, state_of(leg.symbol, leg.side)) for leg in call.account.legs.values()]
    answer["positions"] = [
        _account_position(venue, call, leg.symbol, leg.side, state) for leg, state in legs if state.qty != ZERO
    ]
    return answer


def account_v2(venue: Venue, call: Call) -> object:
    """Describe the account with every leg of every symbol."""
    state_of = _leg_states(venue, call, None)
    answer = _account(venue, call)
    answer |= {"feeTier": 0, "canTrade": True, "canDeposit": True, "canWithdraw": True, "updateTime": 0}
    answer["multiAssetsMargin"] = call.account.multi_assets
    positions = []
    for name, market in venue.exchange.markets.items():
        for side in call.account.sides():
            state = state_of(name, side)
            row = _account_position(venue, call, name, side, state)
            row |= {
                "entryPrice": plain(state.entry),
                "breakEvenPrice": plain(state.entry),
                "leverage": str(call.account.leverage(name)),
                "isolated": call.account.margin_types.get(name) is MarginType.ISOLATED,
                "maxNotional": plain(max_notional(market.rules, call.account)),
                "positionInitialMargin": row["initialMargin"],
                "openOrderInitialMargin": "0",
                "bidNotional": "0",
                "askNotional": "0",
            }
            positions.append(row)
    answer["positions"] = positions
    return answer


def balance(venue: Venue, call: Call) -> object:
    """List the balances."""
    total = {name: plain(value) for name, value in _totals(venue, call).items()}
    return [
        {
            "accountAlias": call.account.name,
            "asset": "USDT",
            "balance": total["wallet"],
            "crossWalletBalance": total["wallet"],
            "crossUnPnl": total["unrealised"],
            "availableBalance": total["free"],
            "maxWithdrawAmount": total["free"],
            "marginAvailable": True,
            "updateTime": call.account.wallet_updated_ms,
        }
    ]
