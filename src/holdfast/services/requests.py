"""What an operator asked for, carried out by the service that owns the matter.

The command line journals a request and waits; nothing is done by it alone. The reconciler carries out adopt,
release, approve and hold; apply carries out close (`operator_close`). A refusal says why.

    | request | done when                                                       | refused when                       |
    |---------|-----------------------------------------------------------------|------------------------------------|
    | adopt   | ledger := a fresh look, journaled with who and why              | an own order of the leg is open    |
    | release | operators' holds and those that wait for a person are released  | drift stands; nothing to release   |
    | approve | the hold may close up to today's notional; attempts start anew  | no such open automatic hold        |
    | hold    | an operator's hold stands                                       | -                                  |

Holds that somebody set on the bus by hand are imported here as operators' holds.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

from holdfast.decide.mode import MODE_STEP_TEXT
from holdfast.decide.move import automatic_hold
from holdfast.domain.amounts import ZERO, format_amount
from holdfast.domain.entry import Entry, EntryKind, JournaledEntry, JsonValue
from holdfast.domain.errors import BusUnavailable, JournalBusy, VenueUnavailable
from holdfast.domain.hold import Hold, HoldOwner, HoldReason, NextStep, StepKind
from holdfast.domain.names import HoldId
from holdfast.domain.operator import OperatorRequest, RequestKind, RequestState
from holdfast.domain.sides import Leg, PositionMode, PositionSide
from holdfast.ports.bus import StateCopy
from holdfast.services.asked import end_request, is_still_asked, refuse_old, side_problem
from holdfast.services.context import Errand
from holdfast.services.holding import Written, alert_person, hold_entry, put_operator_hold
from holdfast.services.knocks import Knocks
from holdfast.services.looks import Look, take_look
from holdfast.services.repairs import adopt_view

if TYPE_CHECKING:
    from decimal import Decimal

    from holdfast.domain.names import Symbol
    from holdfast.ports.bus import Bus
    from holdfast.ports.journal import Reads, Tx
    from holdfast.ports.venue import VenueReader
    from holdfast.services.context import Context
    from holdfast.services.picture import Picture

IMPORT_EVERY_MS = 250
"""How often the bus is looked over for holds set by hand, `IMPORT_MAX` symbols at a time, in turn."""
IMPORT_MAX = 128
MARGIN_NUMERATOR, MARGIN_DENOMINATOR = 11, 10
"""An approval covers the notional of the moment and a tenth more, for the price moves before the close."""
RECONCILE_KINDS = frozenset({RequestKind.ADOPT, RequestKind.RELEASE, RequestKind.APPROVE, RequestKind.HOLD})
_PERSONS = frozenset({HoldReason.FORCED_REDUCTION, HoldReason.LATE_ACCEPTANCE, HoldReason.FOREIGN_ORDER})


def _not_theirs(holds: tuple[Hold, ...]) -> str:
    """Say why a person has nothing to release."""
    if any(hold.reason is HoldReason.MODE_CHANGED for hold in holds):
        return MODE_STEP_TEXT
    return "the hold is automatic: agreement releases it" if holds else "no operator's hold stands"


def _drifts(reads: Reads, looks: list[tuple[Leg, Look]], step: Decimal) -> str:
    """The legs whose look differs from the ledger by a step or more, in words."""
    drifts = [(leg, look.view.of(leg).amt - reads.leg(leg).amt) for leg, look in looks]
    return ", ".join(
        f"{leg.key} {format_amount(drift)}" for leg, drift in drifts if drift != ZERO and abs(drift) >= step
    )


class Requests:
    """The reconciler's part of what operators ask."""

    def __init__(self, context: Context, reader: VenueReader, picture: Picture, bus: Bus, mode: PositionMode) -> None:
        self._context = context
        self._reader = reader
        self._picture = picture
        self._bus = bus
        self._mode = mode

    async def run(self) -> None:
        """Carry requests out until cancelled."""
        context = self._context
        while True:
            await context.wakes.requests.take(context.pace.asked_ms)
            try:
                for request in await context.journal.query(context.account, lambda reads: reads.requests_open()):
                    if request.kind in RECONCILE_KINDS:
                        await self._carry_out(request)
            except JournalBusy as error:  # they stay open
                context.log.warning("requests_wait", account=context.account, detail=str(error))

    async def _carry_out(self, request: OperatorRequest) -> None:
        try:
            if await refuse_old(self._context, request):
                return
            problem = self._problem(request)
            if problem is not None:
                await self._refuse(request, problem)
                return
            match request.kind:
                case RequestKind.HOLD:
                    await self._hold(request)
                case RequestKind.APPROVE:
                    await self._approve(request)
                case RequestKind.ADOPT | RequestKind.RELEASE:
                    await self._with_look(request)
                case _:
                    return
        except VenueUnavailable as error:
            await self._refuse(request, f"the venue gave no complete answer: {error}")
        except JournalBusy as error:
            self._context.log.warning("request_waits", request=request.request_id, detail=str(error))
            return
        self._context.wakes.legs.knock(Errand.LOOK_AROUND)
        if request.symbol is not None:
            self._context.hold_changed(request.symbol)

    def _problem(self, request: OperatorRequest) -> str | None:
        """What is wrong with the request itself."""
        if request.kind is RequestKind.HOLD and request.symbol not in self._context.rules.instruments:
            return f"the venue lists no {request.symbol}"
        return side_problem(request, self._mode)

    def _legs(self, request: OperatorRequest, symbol: Symbol) -> tuple[Leg, ...]:
        account = self._context.account
        if request.position_side is not None:
            return (Leg(account, symbol, request.position_side),)
        if self._mode is PositionMode.ONE_WAY:
            return (Leg(account, symbol, PositionSide.BOTH),)
        return (Leg(account, symbol, PositionSide.LONG), Leg(account, symbol, PositionSide.SHORT))

    async def _with_look(self, request: OperatorRequest) -> None:
        if request.symbol is None:
            await self._refuse(request, "no symbol named")
            return
        looks: list[tuple[Leg, Look]] = []
        for leg in self._legs(request, request.symbol):
            look = await take_look(self._context, self._reader, self._picture, leg)
            self._picture.see_all(look.view)
            looks.append((leg, look))
        if request.kind is RequestKind.ADOPT:
            await self._adopt(request, looks)
        else:
            await self._settle_before_release(request.symbol)
            await self._release(request, request.symbol, looks)

    async def _adopt(self, request: OperatorRequest, looks: list[tuple[Leg, Look]]) -> None:
        symbol = looks[0][0].symbol
        emitted: list[JournaledEntry] = []

        def write(tx: Tx, pending: bool, _facts: bool) -> None:  # noqa: FBT001 - the decision's own value
            emitted.clear()
            if not is_still_asked(tx, request):
                return
            if pending:
                end_request(tx, request, RequestState.REFUSED, "an own order of the symbol is not final")
                return
            if any(look.view.of(leg).as_of_ms <= tx.leg(leg).last_fill_ms for leg, look in looks):
                # Equal milliseconds prove nothing: the fill may be missing. All legs first, or one would be adopted.
                end_request(tx, request, RequestState.REFUSED, "the look is not newer than the last own fill")
                return
            done = []
            for leg, look in looks:
                view, ledger = look.view.of(leg), tx.leg(leg)
                drift = view.amt - ledger.amt
                if drift == ZERO:
                    continue
                adopt_view(tx, leg, drift, view.as_of_ms, look.evidence)
                body: dict[str, JsonValue] = {
                    "who": request.name,
                    "reason": request.reason,
                    "position_side": leg.position_side.value,
                    "exchange_amt": format_amount(view.amt),
                    "ledger_amt": format_amount(ledger.amt),
                    "drift": format_amount(drift),
                }
                hold = automatic_hold(tuple(each for each in tx.open_holds(symbol) if each.leg == leg))
                hold_id = hold.hold_id if hold is not None else None
                emitted.append(tx.append(Entry(EntryKind.ADOPTED, leg.account, symbol, hold_id, None, body)))
                done.append(f"{leg.key}: {format_amount(ledger.amt)} -> {format_amount(view.amt)}")
            end_request(tx, request, RequestState.DONE, "; ".join(done) or "exchange and ledger agreed already")

        await self._context.transact(
            read=lambda reads: any(not order.is_settled for order in reads.live_orders(symbol)),
            decide=lambda pending: pending,
            write=write,
        )
        self._context.emit(emitted)

    async def _release(self, request: OperatorRequest, symbol: Symbol, looks: list[tuple[Leg, Look]]) -> None:
        rules = self._context.rules.instruments.get(symbol)
        step = rules.qty_step if rules is not None else ZERO

        def read(reads: Reads) -> tuple[tuple[Hold, ...], str]:
            if any(order.state.blocks_symbol for order in reads.live_orders(symbol)):
                # A close that was claimed under such a hold may be leaving at this moment.
                return reads.open_holds(symbol), "an own order of the symbol is on its way: ask again when it is final"
            drifts = _drifts(reads, looks, step)
            if drifts:
                return reads.open_holds(
                    symbol
                ), f"drift stands ({drifts}): close it, adopt it, or wait for the reconciler"
            return reads.open_holds(symbol), ""

        def write(tx: Tx, _choice: None, facts: tuple[tuple[Hold, ...], str]) -> None:
            holds, refusal = facts
            if not is_still_asked(tx, request):
                return
            asked = {leg for leg, _ in looks}
            theirs = [h for h in holds if h.leg in asked and (h.owner is HoldOwner.OPERATOR or h.reason in _PERSONS)]
            if refusal:
                end_request(tx, request, RequestState.REFUSED, refusal)
            elif not theirs:
                text = _not_theirs(holds)
                end_request(tx, request, RequestState.REFUSED, text)
            else:
                now_ms = tx.now_ms()
                for hold in theirs:
                    tx.put_hold(replace(hold, released_ms=now_ms))
                    body: dict[str, JsonValue] = {
                        "who": request.name,
                        "why": request.reason,
                        "reason": hold.reason.value,
                        "held_ms": now_ms - hold.opened_ms,
                    }
                    entry = Entry(EntryKind.HOLD_RELEASED, self._context.account, symbol, hold.hold_id, None, body)
                    emitted.append(tx.append(entry))
                end_request(tx, request, RequestState.DONE, ", ".join(hold.hold_id for hold in theirs))

        emitted: list[JournaledEntry] = []
        await self._context.transact(read=read, decide=lambda _: None, write=write)
        self._context.emit(emitted)

    async def _approve(self, request: OperatorRequest) -> None:
        emitted: list[JournaledEntry] = []

        def write(tx: Tx, _choice: None, hold: Hold | None) -> None:
            emitted.clear()
            if not is_still_asked(tx, request):
                return
            if hold is None or not hold.is_open or hold.owner is not HoldOwner.AUTO:
                end_request(tx, request, RequestState.REFUSED, "no such open automatic hold")
                return
            view = self._picture.of(hold.leg)
            mark = self._context.rules.marks.get(hold.leg.symbol)
            if view is None or mark is None:
                end_request(tx, request, RequestState.REFUSED, "position or mark price is not known now")
                return
            notional = abs(view.amt) * mark[0] * MARGIN_NUMERATOR / MARGIN_DENOMINATOR
            step = NextStep(
                StepKind.EVIDENCE, tx.now_ms() + self._context.limits.evidence_ms_max, "approved by a person"
            )
            tx.put_hold(replace(hold, approved_notional=notional, close_attempts=0, next_step=step))
            body: dict[str, JsonValue] = {
                "who": request.name,
                "why": request.reason,
                "approved_notional": format_amount(notional),
            }
            entry = Entry(EntryKind.APPROVED, hold.leg.account, hold.leg.symbol, hold.hold_id, None, body)
            emitted.append(tx.append(entry))
            end_request(tx, request, RequestState.DONE, f"closes up to {format_amount(notional)} are approved")

        hold_id = request.hold_id or HoldId("")
        await self._context.transact(read=lambda reads: reads.hold(hold_id), decide=lambda _: None, write=write)
        self._context.emit(emitted)

    async def _hold(self, request: OperatorRequest) -> None:
        if request.symbol is None:
            await self._refuse(request, "no symbol named")
            return
        leg = self._legs(request, request.symbol)[0]
        emitted: list[JournaledEntry] = []

        def write(tx: Tx, _choice: None, holds: tuple[Hold, ...]) -> None:
            if not is_still_asked(tx, request):
                return
            standing = next((h for h in holds if h.owner is HoldOwner.OPERATOR and h.leg == leg), None)
            if standing is not None:
                end_request(tx, request, RequestState.DONE, f"{standing.hold_id} stands already")
                return
            hold = put_operator_hold(tx, leg, f"{request.name}: {request.reason}")
            emitted.append(hold_entry(tx, hold, EntryKind.HOLD_SET))
            end_request(tx, request, RequestState.DONE, hold.hold_id)

        await self._context.transact(
            read=lambda reads: reads.open_holds(leg.symbol), decide=lambda _: None, write=write
        )
        self._context.emit(emitted)

    async def _refuse(self, request: OperatorRequest, outcome: str) -> None:
        await self._context.transact(
            read=lambda _: None,
            decide=lambda _: None,
            write=lambda tx, _choice, _facts: end_request(tx, request, RequestState.REFUSED, outcome),
        )

    # --- holds set on the bus by hand -------------------------------------------------------------------

    async def run_imports(self) -> None:
        """Import holds that stand on the bus and not in the journal, until cancelled."""
        context = self._context
        knocks: Knocks[str] = Knocks()
        symbols = sorted(context.limits.symbols)
        pages = itertools.cycle([symbols[start : start + IMPORT_MAX] for start in range(0, len(symbols), IMPORT_MAX)])
        for page in pages:
            await knocks.take(IMPORT_EVERY_MS)
            try:
                values = await self._bus.hold_values(page)
            except BusUnavailable:
                continue  # permits are denied meanwhile by their own reading of the bus
            try:
                for symbol, value in values.items():
                    await self._settle(symbol, value)
            except JournalBusy as error:  # they still stand on the bus, and count there
                context.log.warning("imports_wait", account=context.account, detail=str(error))

    async def _settle(self, symbol: Symbol, value: str) -> None:
        """Bring one hold key in line with the journal."""
        hold = await self._journaled(HoldId(value))
        if hold is None:
            await self._import(symbol, value)
        elif not hold.is_open:
            await self._replace(symbol, value, text=None)

    async def _settle_before_release(self, symbol: Symbol) -> None:
        """Let the journal's id stand on the bus before its hold ends.

        A process that died between journaling an import and writing its id leaves the words that were set by hand:
        after the release they would be imported once more, and the person's word undone.
        """
        try:
            values = await self._bus.hold_values((symbol,))
        except BusUnavailable as error:
            self._context.log.warning("bus_unavailable", account=self._context.account, detail=str(error))
            return
        if symbol in values:
            await self._settle(symbol, values[symbol])

    async def _journaled(self, hold_id: HoldId) -> Hold | None:
        return await self._context.journal.query(self._context.account, lambda reads: reads.hold(hold_id))

    async def _replace(self, symbol: Symbol, value: str, text: str | None) -> None:
        """Put the journal's word in the place of what stands there: an imported hold's id, or nothing."""
        try:
            await self._bus.publish_copies((StateCopy(f"reconcile:hold:{symbol}", text=text, expected=value),))
        except BusUnavailable as error:
            self._context.log.warning("bus_unavailable", account=self._context.account, detail=str(error))

    async def _import(self, symbol: Symbol, value: str) -> None:
        sides = {PositionMode.ONE_WAY: PositionSide.BOTH, PositionMode.HEDGE: PositionSide.LONG}
        leg = Leg(self._context.account, symbol, sides[self._mode])
        emitted: list[JournaledEntry] = []
        out = Written(emitted, [])
        ids: list[HoldId] = []

        def write(tx: Tx, _choice: None, holds: tuple[Hold, ...]) -> None:
            emitted.clear()
            ids[:] = [hold.hold_id for hold in holds if hold.owner is HoldOwner.OPERATOR]
            if ids:
                return
            hold = put_operator_hold(tx, leg, f"set on the bus: {value[:VALUE_CHARS_MAX]}")
            ids.append(hold.hold_id)
            emitted.append(hold_entry(tx, hold, EntryKind.HOLD_IMPORTED))
            alert_person(tx, hold, "a hold was set on the bus by hand; `holdfast release` ends it", out)

        await self._context.transact(read=lambda reads: reads.open_holds(symbol), decide=lambda _: None, write=write)
        self._context.emit(emitted)
        await self._replace(symbol, value, text=ids[0])
        self._context.hold_changed(symbol)
        self._context.wakes.alerts.knock("import")


VALUE_CHARS_MAX = 200
"""So much of a value set by hand is kept."""
