"""The account's position mode, read where it can have changed: at a start, on every connection, and again and again.

The venue does not announce a changed mode, so it is read with every `VIEWS_A_READING`-th view, and at once when
something speaks for it: a stream that is up again, a configuration event, a view that failed (rows of the other mode
make it none), a refused order. What follows is `decide.mode`'s to say. Held legs keep what they were held for, if that
was a person's to end, and get it back when the mode is back.

Invariants: EXECUTE is denied by the holds on every leg; a close by its guardrail `mode`, which looks at the same holds;
a mode is journaled anew only at a start, by an account that is at rest. Whoever refuses to start gives its lease up.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from holdfast.decide.mode import MODE_STEP_TEXT, ModeAnswer, ModeFacts, at_start, while_running
from holdfast.decide.move import WAITS_FOR_A_PERSON, automatic_hold
from holdfast.domain.amounts import ZERO
from holdfast.domain.entry import Entry, EntryKind, JsonValue
from holdfast.domain.errors import CannotStart, JournalBusy, VenueUnavailable
from holdfast.domain.hold import Hold, HoldOwner, HoldReason, NextStep, StepKind
from holdfast.domain.sides import Leg, PositionMode, sides_of
from holdfast.services.holding import Written, alert_person, append_entry, unseen_hold

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdfast.domain.ledger import LedgerState
    from holdfast.ports.journal import Reads, Tx
    from holdfast.ports.venue import VenueReader
    from holdfast.services.context import Context
    from holdfast.services.feed import Feed
    from holdfast.services.picture import Picture

VIEWS_A_READING = 5
"""The mode is read once in so many intervals of complete views: each reading weighs as much as a view."""
MODE_APART_MS = 500
"""The mode is read at most this often, however much speaks for its having changed."""
MODE_WAIT_MS = 500
"""How often apply asks whether the reconciler has accepted the settings' mode."""
HELD_PER_STEP = 64
"""Legs that are held or let go in one transaction."""


@dataclass(frozen=True, slots=True)
class _Facts:
    """What the journal says, with the legs that the answer is about."""

    table: ModeFacts
    held: tuple[Hold, ...]
    unheld: tuple[Leg, ...]


class ModeWatch:
    """Watches one account's position mode; the reconciler's."""

    def __init__(
        self, context: Context, reader: VenueReader, picture: Picture, feed: Feed, setting: PositionMode
    ) -> None:
        self._context = context
        self._reader = reader
        self._picture = picture
        self._feed = feed
        self._setting = setting

    async def meet(self) -> None:
        """Compare the modes at a start, under the lease; raises CannotStart with what to do about it."""
        venue = await self._read()
        state = await self._context.journal.query(self._context.account, lambda reads: reads.account())
        is_flat_there = state.position_mode in {None, venue} or await self._is_flat_there()
        answer = await self._step(venue, at_start, is_flat_there=is_flat_there)
        while answer is ModeAnswer.LET_GO:
            answer = await self._step(venue, at_start, is_flat_there=is_flat_there)
        if answer is ModeAnswer.REFUSE_START:
            raise CannotStart(refused_text(self._context.account, state.position_mode, venue, self._setting))

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            try:
                venue = await self._read()
                while await self._step(venue, while_running, is_flat_there=False) is not ModeAnswer.GO_ON:
                    continue
            except JournalBusy as error:
                self._context.log.warning("journal_busy", account=self._context.account, detail=str(error))
            await asyncio.sleep(MODE_APART_MS / 1000)
            await self._context.wakes.mode.take(VIEWS_A_READING * self._feed.interval_ms)

    async def _read(self) -> PositionMode | None:
        try:
            return await self._reader.position_mode()
        except VenueUnavailable as error:
            self._context.log.warning("mode_failed", account=self._context.account, detail=str(error))
            return None

    async def _is_flat_there(self) -> bool:
        try:
            view = await self._reader.account_view()
        except VenueUnavailable as error:
            self._context.log.warning("view_failed", account=self._context.account, detail=str(error))
            return False
        return all(position.amt == ZERO for position in view.positions.values())

    async def _step(
        self, venue: PositionMode | None, decide: Callable[[ModeFacts], ModeAnswer], *, is_flat_there: bool
    ) -> ModeAnswer:
        """One transaction: facts, answer, and what it writes for up to HELD_PER_STEP legs."""
        context = self._context
        venue_ms = self._reader.venue_now_ms()
        known = self._picture.known_legs()
        out = Written([], [])
        touched: list[Leg] = []

        def read(reads: Reads) -> _Facts:
            return self._facts(reads, venue, known, is_flat_there=is_flat_there)

        def write(tx: Tx, answer: ModeAnswer, facts: _Facts) -> None:
            out.entries.clear()
            out.alerted = False
            touched.clear()
            match answer:
                case ModeAnswer.HOLD_ALL:
                    touched.extend(self._hold(tx, facts, out))
                case ModeAnswer.LET_GO:
                    touched.extend(self._let_go(tx, facts, venue_ms, out))
                case ModeAnswer.ACCEPT:
                    touched.extend(self._accept(tx, facts, out))
                case ModeAnswer.GO_ON | ModeAnswer.REFUSE_START:
                    return

        answer = await context.transact(read=read, decide=lambda facts: decide(facts.table), write=write)
        context.emit(out.entries)
        for leg in touched:
            context.wakes.legs.knock(leg)
            context.hold_changed(leg.symbol)
        if touched:
            context.log.error("position_mode", account=context.account, answer=answer.value, legs=len(touched))
            self._feed.ask_view()
        if out.alerted:
            context.wakes.alerts.knock("mode")
        return answer

    def _facts(
        self, reads: Reads, venue: PositionMode | None, known: tuple[Leg, ...], *, is_flat_there: bool
    ) -> _Facts:
        state, holds = reads.account(), reads.open_holds(None)
        lived_by = state.position_mode or self._setting
        is_settled = venue is None or venue is lived_by  # then nothing below is looked at but what is held
        ledgers = () if is_settled else reads.legs()
        legs = () if is_settled else self._legs(lived_by, known, ledgers)
        held = tuple(hold for hold in holds if hold.reason is HoldReason.MODE_CHANGED)
        held_legs = {hold.leg for hold in held}
        unheld = tuple(leg for leg in legs if leg not in held_legs)
        is_at_rest = (
            is_flat_there
            and all(ledger.amt == ZERO for ledger in ledgers)
            and not reads.live_orders(None)
            and all(reads.unfinished_close(leg) is None for leg in legs)
            and not any(_waits_for_a_person(hold) for hold in holds)
        )
        table = ModeFacts(
            journaled=state.position_mode,
            venue=venue,
            setting=self._setting,
            is_at_rest=is_at_rest,
            held=len(held),
            unheld=len(unheld),
        )
        return _Facts(table, held, unheld)

    def _legs(self, mode: PositionMode, known: tuple[Leg, ...], ledgers: tuple[LedgerState, ...]) -> tuple[Leg, ...]:
        """The UNION of what any view, the ledger and the allowlist name."""
        legs = dict.fromkeys((*known, *(ledger.leg for ledger in ledgers)))
        for symbol in self._context.limits.symbols:
            legs.update(dict.fromkeys(Leg(self._context.account, symbol, side) for side in sides_of(mode)))
        return tuple(sorted(legs, key=Leg.sort_key))

    def _hold(self, tx: Tx, facts: _Facts, out: Written) -> tuple[Leg, ...]:
        """Hold every leg, void its agreement, and tell a person: once, not once a leg."""
        account, table = self._context.account, facts.table
        legs = facts.unheld[:HELD_PER_STEP]
        mode, was = table.venue or self._setting, table.journaled or self._setting
        if not facts.held:
            out.entries.append(tx.append(_entry(self._context, "changed", mode, was, table.unheld)))
        for leg in legs:
            state = tx.leg(leg)
            if state.is_agreed:
                tx.put_leg(replace(state, agreed_version=None))
            hold, kind = self._held(tx, leg)
            tx.put_hold(hold)
            body: dict[str, JsonValue] = {"reason": hold.reason.value, "next_step": hold.next_step.text}
            append_entry(tx, out, kind, leg, hold.hold_id, body)
            if not facts.held and leg is legs[0]:
                told = f"{account} is in {mode.value} mode at the exchange and {was.value} here; everything is held: "
                alert_person(tx, hold, told + MODE_STEP_TEXT, out)
        return legs

    def _held(self, tx: Tx, leg: Leg) -> tuple[Hold, EntryKind]:
        step = NextStep(StepKind.OPERATOR, tx.now_ms() + self._context.limits.alert_ms_max, MODE_STEP_TEXT)
        standing = automatic_hold(tuple(hold for hold in tx.open_holds(leg.symbol) if hold.leg == leg))
        if standing is not None:
            detail = f"{_BEFORE}{standing.reason.value}"
            changed = replace(standing, reason=HoldReason.MODE_CHANGED, next_step=step, detail=detail)
            return changed, EntryKind.HOLD_UPDATED
        return unseen_hold(tx, leg, HoldReason.MODE_CHANGED, step), EntryKind.HOLD_SET

    def _let_go(self, tx: Tx, facts: _Facts, venue_ms: int, out: Written) -> tuple[Leg, ...]:
        """The mode is back: each hold ends like any other from here on, by a view newer than this."""
        holds = facts.held[:HELD_PER_STEP]
        if len(holds) == len(facts.held):
            back = facts.table.venue or self._setting
            out.entries.append(tx.append(_entry(self._context, "back", back, back, len(holds))))
        due_ms = tx.now_ms() + self._context.limits.view_age_ms_max
        for hold in holds:
            reason = _reason_before(hold)
            if reason in _PERSONS:
                text = f"the position mode is back; {reason.value} is still a person's to acknowledge"
                step = NextStep(StepKind.OPERATOR, tx.now_ms() + self._context.limits.alert_ms_max, text)
            else:
                reason = HoldReason.VIEW_STALE
                step = NextStep(StepKind.VIEW, due_ms, "the position mode is back; a newer view is awaited")
            changed = replace(hold, reason=reason, cause_as_of_ms=venue_ms, next_step=step, detail="")
            tx.put_hold(changed)
            body: dict[str, JsonValue] = {
                "reason": reason.value,
                "was": hold.reason.value,
                "next_step": step.text,
            }
            append_entry(tx, out, EntryKind.HOLD_UPDATED, hold.leg, hold.hold_id, body)
            if step.kind is StepKind.OPERATOR:
                alert_person(tx, changed, step.text, out)
        return tuple(hold.leg for hold in holds)

    def _accept(self, tx: Tx, facts: _Facts, out: Written) -> tuple[Leg, ...]:
        """Live by the settings' mode from now on; the holds that stood for the change are over."""
        was = facts.table.journaled or self._setting
        tx.set_position_mode(self._setting)
        out.entries.append(tx.append(_entry(self._context, "accepted", self._setting, was, len(facts.held))))
        now_ms = tx.now_ms()
        for hold in facts.held:
            tx.put_hold(replace(hold, released_ms=now_ms))
            body: dict[str, JsonValue] = {"reason": hold.reason.value, "held_ms": now_ms - hold.opened_ms}
            append_entry(tx, out, EntryKind.HOLD_RELEASED, hold.leg, hold.hold_id, body)
        return tuple(hold.leg for hold in facts.held) or facts.unheld


_BEFORE = "held before for "
_PERSONS = (WAITS_FOR_A_PERSON | {HoldReason.UNLEDGERED}) - {HoldReason.MODE_CHANGED}
"""Reasons that a leg gets back. Without `unledgered` what stood there before the first look were closed as drift."""


def _reason_before(hold: Hold) -> HoldReason:
    """What a leg was held for before its mode changed; MODE_CHANGED if it was not held."""
    word = hold.detail.removeprefix(_BEFORE)
    return next((reason for reason in HoldReason if reason.value == word), HoldReason.MODE_CHANGED)


def _waits_for_a_person(hold: Hold) -> bool:
    """Tell whether a person has to end the hold, or will have to once the mode is settled."""
    if hold.owner is HoldOwner.OPERATOR:
        return True
    reason = _reason_before(hold) if hold.reason is HoldReason.MODE_CHANGED else hold.reason
    return reason in _PERSONS


def _entry(context: Context, what: str, mode: PositionMode, was: PositionMode, legs: int) -> Entry:
    body: dict[str, JsonValue] = {"what": what, "mode": mode.value, "was": was.value, "legs": legs}
    return Entry(EntryKind.MODE_CHANGED, context.account, body=body)


def refused_text(
    account: str, journaled: PositionMode | None, venue: PositionMode | None, setting: PositionMode
) -> str:
    """Why nothing starts, and what to do."""
    if venue is not None and venue is not setting:
        return (
            f"account {account} is in {venue.value} mode at the exchange, position_mode says {setting.value}: "
            "set one to the other"
        )
    lived_by = (journaled or setting).value
    return (
        f"account {account}: the journal lives by {lived_by} mode, and its positions there are not all settled and "
        f"flat, at both ends; a mode changes only on an account at rest. Set the exchange and position_mode back to "
        f"{lived_by}, start, bring every position to zero (holdfast close, holdfast adopt), release what waits for "
        "you, then set both again"
    )


async def until_mode_is_accepted(context: Context, setting: PositionMode) -> None:
    """Wait until the journal lives by the settings' mode: the reconciler alone accepts a new one.

    Bounded by nothing, like a standby's wait for its lease: apply without it has nothing that it may do.
    """
    told = False
    while True:
        state = await context.journal.query(context.account, lambda reads: reads.account())
        if state.position_mode in {None, setting}:
            return
        if not told:
            text = f"the journal lives by {state.position_mode}: the reconciler has not accepted {setting.value} yet"
            context.log.warning("mode_waits", account=context.account, detail=text)
            told = True
        await asyncio.sleep(MODE_WAIT_MS / 1000)
