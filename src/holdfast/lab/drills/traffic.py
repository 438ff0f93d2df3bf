"""The script that runs while victims die: lanes of steps, each on symbols of its own, all at once.

    | lane     | what happens on it                                                                          |
    |----------|---------------------------------------------------------------------------------------------|
    | book     | open, the same plan again, its id with other content, a partial close, a foreign trade on   |
    |          | top of an own position, close                                                               |
    | person   | open short, a foreign trade against it that no trades show (deficit), adopt; another that   |
    |          | they show (written down); a hold set on the bus, release; an operator's close               |
    | short    | a foreign short from flat; rubbish on the stream; a reduction that the exchange forces      |
    | long     | a foreign long from flat, a plan during the hold, a forged close                            |
    | many     | opens and closes on three symbols at once; an operator's hold and release                   |
    | rest     | an order that rests until a person's hold cancels it; one that fills at once; close         |
    | withdraw | an order that rests until its strategy's CANCEL ends it; the same CANCEL again; one more    |

Invariant: every step waits for its own end across deaths and asks for nothing that a person or a strategy would not;
what can't come to its end in time is Stuck, and a finding. Plans that are refused because the moment was bad (a stamp
that is old, a fill not agreed yet) are asked again under a new id, as a strategy would.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

from holdfast.clock import SystemClock
from holdfast.domain.entry import Entry, EntryKind
from holdfast.domain.errors import BusUnavailable, Unavailable
from holdfast.domain.names import AccountId, HoldId, Symbol
from holdfast.domain.operator import OperatorRequest, RequestKind, RequestState
from holdfast.journal import InlineRunner
from holdfast.journal.opening import FileDatabase
from holdfast.journal.store import SqlJournal
from holdfast.lab.drills.record import Record, Resend, Stuck
from holdfast.lab.drills.victim_settings import ACCOUNT, PREFIX

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from holdfast.ports.journal import Tx

    Lane = Callable[["Traffic"], Awaitable[None]]

TRIES_MAX = 12
TRY_AGAIN_S = 0.15
PASSING = frozenset(
    {
        *("stamp_stale", "not_agreed", "no_baseline", "input_stale", "order_pending", "hold_active", "bus_hold"),
        *("bus_unreadable", "journal_busy", "close_other_order_live", "not_accepted", "venue_unavailable"),
        *("rate_limited", "notional_above_max", "symbol_not_trading", "queue_full", "nothing_to_close"),
    }
)
"""Refusals of a moment: the same wish may pass a little later."""
HIDDEN_MS = 3_600_000
"""How long the exchange's trade history keeps quiet where trades are hidden: longer than any drill."""
RESTING, FAR_BELOW, FAR_ABOVE = "SYM006USDT", "90.00", "104.00"
"""Inside the price band of a symbol that trades at about 100."""
WITHDRAWN = "SYM007USDT"
SWARM = ("SYM003USDT", "SYM004USDT", "SYM005USDT")
OPEN_HOLDS = "SELECT hold_id, reason, owner, step_kind, step_text FROM hold WHERE symbol = ? AND released_ms IS NULL"
GIVEN_UP = "closes brought no progress"
LIVE_ORDERS = "SELECT client_order_id, state FROM orders WHERE symbol = ? AND settled = 0"
LEDGER = "SELECT amt, version, agreed_version FROM leg WHERE symbol = ?"


@dataclass(slots=True)
class Traffic:
    """One run of the script on one stage."""

    record: Record
    number: int

    # --- the lanes --------------------------------------------------------------------------------------

    async def run(self, lanes: tuple[Lane, ...] | None = None) -> list[str]:
        """Run the lanes at once, once the account has its baseline; what got stuck."""
        await self.record.until(self.has_baseline, "the account has a baseline")
        ended = await asyncio.gather(*(lane(self) for lane in lanes or LANES), return_exceptions=True)
        stuck = []
        for error in ended:
            if isinstance(error, Stuck):
                stuck.append(f"stuck: {error}")
            elif error is not None:
                raise error
        return stuck

    async def has_baseline(self) -> bool:
        """Tell whether the account has had its first complete view."""
        return bool(self.record.rows("SELECT 1 FROM account WHERE baseline_ms IS NOT NULL"))

    async def book(self) -> None:
        """Own plans, and a foreign trade on top of an own position."""
        symbol = "BTCUSDT"
        done = await self.trade(symbol, "BUY", "0.004")
        if done:
            await self.record.plan(done, symbol, "BUY", "0.004")
            await self.record.plan(done, symbol, "BUY", "0.005")
        await self.trade(symbol, "SELL", "0.002", reduceOnly="true")
        await self.foreign(symbol, "BUY", "0.003")
        await self.flatten(symbol)

    async def person(self) -> None:
        """What only a person ends."""
        symbol = "ETHUSDT"
        await self.trade(symbol, "SELL", "0.050")
        desk = self.record.stage.desk
        match = {"account": self.record.stage.name, "symbol": symbol}
        hidden = await desk.post("faults", name="stale_trades", match=match, count=0, delay_ms=HIDDEN_MS)
        await desk.trade(symbol, "BUY", "0.020")
        await self.record.until(lambda: self.waits_for_person(symbol), f"a deficit on {symbol} waits for a person")
        while not await self.is_settled(symbol):
            await self.ask(RequestKind.ADOPT, symbol)
            with contextlib.suppress(Stuck):
                await self.record.until(lambda: self.is_settled(symbol), "adopted", 2.0)
        await desk.delete(f"faults?id={hidden['id']}")
        await self.foreign(symbol, "BUY", "0.010")
        await self.bus_hold(symbol)
        await self.operator_close(symbol)

    async def bus_hold(self, symbol: str) -> None:
        """A hold that somebody sets on the bus by hand."""
        key = f"{PREFIX}:reconcile:hold:{symbol}"

        async def is_set() -> bool:
            try:
                await self.record.stage.bus("SET", key, "by hand")
            except BusUnavailable:
                return False
            return True

        await self.record.until(is_set, "the bus takes a hold")
        await self.record.plan(self._name(symbol), symbol, "SELL", "0.010")

        async def imported() -> bool:
            return any(row["owner"] == "operator" for row in self.record.rows(OPEN_HOLDS, symbol))

        await self.record.until(imported, f"the hold on the bus is imported for {symbol}")
        await self.release(symbol)

    async def operator_close(self, symbol: str) -> None:
        """A person closes all of it."""
        for _ in range(TRIES_MAX):
            if Decimal(await self.record.stage.desk.position(symbol)) == 0:
                break
            await self.ask(RequestKind.CLOSE, symbol)
            await self.settled(symbol)
        else:
            raise Stuck(f"{symbol} is not flat after {TRIES_MAX} operator's closes")

    async def short(self) -> None:
        """A foreign short; rubbish; a reduction that the exchange forces."""
        symbol = "SYM001USDT"
        await self.foreign(symbol, "SELL", "3.00")
        await self.record.raw(plan_id=f"rubbish-{self.number}", symbol=symbol)
        if await self.trade(symbol, "BUY", "4.00"):
            await self.record.stage.desk.post("adl", account=self.record.stage.name, symbol=symbol, qty="1.00")
            await self.acknowledged(symbol)
        await self.flatten(symbol)

    async def acknowledged(self, symbol: str) -> None:
        """A person acknowledges what waits for one, until nothing does."""
        for _ in range(TRIES_MAX):
            with contextlib.suppress(Stuck):
                await self.record.until(lambda: self.waits_for_person(symbol), "waits for a person", 3.0)
                await self.ask(RequestKind.RELEASE, symbol)
            if await self.is_settled(symbol):
                return
        raise Stuck(f"{symbol} is held after {TRIES_MAX} acknowledgements")

    async def waits_for_person(self, symbol: str) -> bool:
        """Tell whether a hold waits for a person, or none stands any more."""
        holds = self.record.rows(OPEN_HOLDS, symbol)
        return any(row["step_kind"] == "operator" for row in holds) or await self.is_settled(symbol)

    async def long(self) -> None:
        """A foreign long; a plan while it is held; a forged close."""
        symbol = "SYM002USDT"
        await self.record.stage.desk.trade(symbol, "BUY", "5.00")
        await self.record.plan(self._name(symbol), symbol, "BUY", "1.00")
        await self.record.raw(
            plan_id=f"forged-{self.number}",
            symbol=symbol,
            decision="RECONCILE_CLOSE",
            side="close",
            qty="5.00",
            type="MARKET",
            reduceOnly="true",
            reason="drift_detected:forged",
            hold_id="hold-forged",
            exchange_amt="5.00",
            ledger_amt="0",
            expires=str(SystemClock().now_ms() + 60_000),
            timestamp=str(SystemClock().now_ms()),
        )
        await self.settled(symbol)
        await self.flatten(symbol)

    async def many(self) -> None:
        """Three symbols at once; an operator's hold."""
        await asyncio.gather(*(self.trade(symbol, "BUY", "2.00") for symbol in SWARM))
        await self.ask(RequestKind.HOLD, SWARM[0])
        await self.release(SWARM[0])
        await asyncio.gather(*(self.flatten(symbol) for symbol in SWARM))

    async def rest(self) -> None:
        """An order rests, far from the market, and a hold ends it; another one meets the market."""
        symbol = RESTING

        async def hold(_plan_id: str) -> None:
            await self.ask(RequestKind.HOLD, symbol)

        if await self._rest_until(symbol, hold):
            await self.release(symbol)
        await self.trade(symbol, "BUY", "1.00", type="LIMIT", price=FAR_ABOVE)
        await self.flatten(symbol)

    async def withdraw(self) -> None:
        """An order rests, far from the market, and its strategy takes it back; again, and once more when it is over."""
        symbol = WITHDRAWN

        async def take_back(plan_id: str) -> None:
            for name in (f"c-{plan_id}", f"c-{plan_id}", f"late-{plan_id}"):
                await self.record.cancel(name, symbol, plan_id)

        await self._rest_until(symbol, take_back)

    async def _rest_until(self, symbol: str, end: Callable[[str], Awaitable[None]]) -> bool:
        """Let an order rest and end it by `end(plan_id)`, again while the moment is bad; whether one rested."""
        limit = {"type": "LIMIT", "price": FAR_BELOW}
        for _ in range(TRIES_MAX):
            name = self._name(symbol)
            plan = asyncio.create_task(self.record.plan(name, symbol, "BUY", "1.00", **limit))
            rests_or_ended = partial(self._rests_or_ended, symbol, plan)
            try:
                await self.record.until(rests_or_ended, f"{symbol} rests")
                was_resting = not plan.done()
                if was_resting:
                    await end(name)
                result = await plan
            finally:
                plan.cancel()
            if was_resting or result["error"] not in PASSING:
                return was_resting
        return False

    async def _rests_or_ended(self, symbol: str, plan: asyncio.Task[dict[str, str]]) -> bool:
        return plan.done() or any(row["state"] == "open" for row in self.record.rows(LIVE_ORDERS, symbol))

    async def swarm(self) -> None:
        """Three symbols at once, without a person."""
        await asyncio.gather(*(self.trade(symbol, "BUY", "2.00") for symbol in SWARM))
        await asyncio.gather(*(self.flatten(symbol) for symbol in SWARM))

    # --- steps ------------------------------------------------------------------------------------------

    def _name(self, symbol: str) -> str:
        return f"r{self.number}-{symbol.lower()}-{len(self.record.taken)}-{self.record.deliveries}"

    async def trade(self, symbol: str, side: str, qty: str, **more: str) -> str:
        """Trade by a plan, again under a new id while the moment is bad; the plan's id, "" if it never passed."""
        for _ in range(TRIES_MAX):
            name = self._name(symbol)
            result = await self.record.plan(name, symbol, side, qty, **more)
            if result["executed"] == "true":
                await self.settled(symbol)
                return name
            if result["error"] not in PASSING:
                return ""
            await asyncio.sleep(TRY_AGAIN_S)
        return ""

    async def flatten(self, symbol: str) -> None:
        """Close what the strategy holds."""
        for _ in range(TRIES_MAX):
            await self.settled(symbol)
            held = Decimal(await self.record.stage.desk.position(symbol))
            if held == 0:
                return
            await self.trade(symbol, "close", str(abs(held)), reduceOnly="true")
        raise Stuck(f"{symbol} is not flat after {TRIES_MAX} closes")

    async def foreign(self, symbol: str, side: str, qty: str) -> None:
        """Somebody trades by hand; wait until the difference is gone."""
        await self.record.stage.desk.trade(symbol, side, qty)
        await self.settled(symbol)

    async def settled(self, symbol: str) -> None:
        """Wait until ledger and exchange agree on a symbol, nothing is under way, and no hold stands.

        A person lets a close begin anew when its attempts came to nothing, as the alert asks for.
        """
        for _ in range(TRIES_MAX):
            await self.record.until(lambda: self._settled_or_given_up(symbol), f"{symbol} settles")
            if await self.is_settled(symbol):
                return
            for hold_id in self._given_up(symbol):
                await self.ask(RequestKind.APPROVE, symbol, hold_id)
        raise Stuck(f"{symbol} is not settled after {TRIES_MAX} approvals")

    async def _settled_or_given_up(self, symbol: str) -> bool:
        return bool(self._given_up(symbol)) or await self.is_settled(symbol)

    def _given_up(self, symbol: str) -> list[HoldId]:
        rows = self.record.rows(OPEN_HOLDS, symbol)
        return [HoldId(row["hold_id"]) for row in rows if GIVEN_UP in row["step_text"]]

    async def is_settled(self, symbol: str) -> bool:
        """Tell whether ledger and exchange agree, nothing is under way but resting orders, and no hold stands."""
        if self.record.rows(OPEN_HOLDS, symbol):
            return False
        if any(row["state"] != "open" for row in self.record.rows(LIVE_ORDERS, symbol)):
            return False
        legs = self.record.rows(LEDGER, symbol)
        held = Decimal(await self.record.stage.desk.position(symbol))
        if not legs:
            return held == 0
        agreed = all(row["agreed_version"] == row["version"] for row in legs)
        return agreed and sum(Decimal(row["amt"]) for row in legs) == held

    async def release(self, symbol: str) -> None:
        """A person ends an operator's hold."""

        async def is_free() -> bool:
            return not any(row["owner"] == "operator" for row in self.record.rows(OPEN_HOLDS, symbol))

        for _ in range(TRIES_MAX):
            await self.ask(RequestKind.RELEASE, symbol)
            with contextlib.suppress(Stuck):
                await self.record.until(is_free, "released", 1.0)
                return
        raise Stuck(f"the operator's hold on {symbol} is not released after {TRIES_MAX} requests")

    async def ask(self, kind: RequestKind, symbol: str, hold_id: HoldId | None = None) -> str:
        """Journal a person's request and wait for its end; what came of it."""
        request_id = f"{kind.value}-{self.number}-{symbol.lower()}-{secrets.token_hex(4)}"
        await self._journal(kind, symbol, request_id, hold_id)
        query = "SELECT state, outcome FROM request WHERE request_id = ?"

        async def has_ended() -> bool:
            return any(row["state"] != "open" for row in self.record.rows(query, request_id))

        await self.record.until(has_ended, f"request {request_id} ends")
        return str(self.record.rows(query, request_id)[0]["outcome"])

    async def _journal(self, kind: RequestKind, symbol: str, request_id: str, hold_id: HoldId | None) -> None:
        request = OperatorRequest(
            request_id=request_id,
            account=AccountId(ACCOUNT),
            kind=kind,
            symbol=Symbol(symbol),
            position_side=None,
            hold_id=hold_id,
            qty="",
            name="drill",
            reason="the drill asks",
            created_ms=SystemClock().now_ms(),
            state=RequestState.OPEN,
            outcome="",
        )

        def write(tx: Tx, _choice: None, _facts: None) -> None:
            tx.put_request(request)
            tx.append(Entry(EntryKind.REQUESTED, request.account, request.symbol, body={"request_id": request_id}))

        async def written() -> bool:
            journal = SqlJournal(InlineRunner(FileDatabase(self.record.stage.journal_path, SystemClock())))
            try:
                await journal.transact(request.account, None, read=lambda _: None, decide=lambda _: None, write=write)
            except Unavailable:
                return False
            finally:
                await journal.close()
            return True

        await self.record.until(written, f"request {request_id} is journaled")


LANES: tuple[Lane, ...] = (
    *(Traffic.book, Traffic.person, Traffic.short, Traffic.long, Traffic.many),
    *(Traffic.rest, Traffic.withdraw),
)
__all__ = ["LANES", "Resend", "Traffic"]
