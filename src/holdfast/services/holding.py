"""Placing holds and telling people, inside a transaction: what the reconciler, apply and operators' requests share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from holdfast.decide.move import WAITS_FOR_A_PERSON, automatic_hold
from holdfast.domain.entry import Entry, EntryKind, JournaledEntry, JsonValue
from holdfast.domain.hold import Hold, HoldOwner, HoldReason, NextStep, StepKind
from holdfast.domain.names import HoldId
from holdfast.domain.operator import Alert
from holdfast.domain.way_out import way_out_text

if TYPE_CHECKING:
    from holdfast.domain.close import Close
    from holdfast.domain.names import Symbol
    from holdfast.domain.sides import Leg
    from holdfast.ports.journal import Tx


@dataclass(slots=True)
class Written:
    """What a transaction wrote that others must hear of after its commit."""

    entries: list[JournaledEntry]
    closes: list[Close]
    alerted: bool = False


def append_entry(  # noqa: PLR0917 - the six columns of a journal line, in their order
    tx: Tx, out: Written, kind: EntryKind, leg: Leg, hold_id: HoldId | None, body: dict[str, JsonValue]
) -> None:
    """Journal one line about a leg, and keep it for those who hear of it after the commit."""
    out.entries.append(tx.append(Entry(kind, leg.account, symbol=leg.symbol, hold_id=hold_id, body=body)))


def new_hold_id(tx: Tx, leg: Leg) -> HoldId:
    """Name a hold by its leg, the journal line that sets it, and the time.

    The time keeps the names of a new journal apart from those of one that was lost: a close's client order id is made
    from its hold's, and the venue still knows the old orders.
    """
    return HoldId(f"hold-{leg.key.replace(':', '-')}-{tx.account().last_seq + 1}-{tx.now_ms():x}")


def unseen_hold(tx: Tx, leg: Leg, reason: HoldReason, step: NextStep, detail: str = "") -> Hold:
    """A hold from now on that no view of the leg gave cause to; not written down yet."""
    return Hold(
        hold_id=new_hold_id(tx, leg),
        leg=leg,
        reason=reason,
        owner=HoldOwner.OPERATOR if reason is HoldReason.OPERATOR else HoldOwner.AUTO,
        opened_ms=tx.now_ms(),
        cause_as_of_ms=0,
        exchange_amt=None,
        ledger_amt=tx.leg(leg).amt,
        next_step=step,
        close_attempts=0,
        detail=detail,
    )


def put_operator_hold(tx: Tx, leg: Leg, detail: str) -> Hold:
    """Place a hold that only a person ends."""
    step = NextStep(StepKind.OPERATOR, tx.now_ms(), "a person set it; `holdfast release` ends it")
    hold = unseen_hold(tx, leg, HoldReason.OPERATOR, step, detail)
    tx.put_hold(hold)
    return hold


def hold_entry(tx: Tx, hold: Hold, kind: EntryKind) -> JournaledEntry:
    """Journal that a hold was placed, in the words it carries itself."""
    body: dict[str, JsonValue] = {"reason": hold.reason.value, "detail": hold.detail, "next_step": hold.next_step.text}
    return tx.append(Entry(kind, hold.leg.account, hold.leg.symbol, hold.hold_id, None, body))


def alert_person(tx: Tx, hold: Hold, text: str, out: Written) -> None:
    """Ask a person about a hold, unless the same was asked and stands unacknowledged. It says what to type."""
    _put_alert(tx, hold, f"{text}. {way_out_text(hold)}", out)


def tell_person(tx: Tx, hold: Hold, text: str, out: Written) -> None:
    """Tell a person what was done under a hold; nothing is asked, but it is repeated until it was heard."""
    _put_alert(tx, hold, f"{text}. Read: holdfast explain {hold.hold_id}", out)


def _put_alert(tx: Tx, hold: Hold, text: str, out: Written) -> None:
    last = tx.alert_of_hold(hold.hold_id)
    if last is not None and last.acked_ms is None and last.text == text:
        return
    title = f"{hold.leg.key} is held: {hold.reason.value}"
    put_alert(tx, out, new_alert(tx, title, text, symbol=hold.leg.symbol, hold_id=hold.hold_id))


def new_alert(tx: Tx, title: str, text: str, *, symbol: Symbol | None = None, hold_id: HoldId | None = None) -> Alert:
    """An alert that is due now, named by the journal's next line, which is to tell of it."""
    state, now_ms = tx.account(), tx.now_ms()
    return Alert(
        alert_id=f"alert-{state.last_seq + 1}",
        account=state.account,
        hold_id=hold_id,
        symbol=symbol,
        title=title,
        text=text,
        created_ms=now_ms,
        delivered_ms=None,
        acked_ms=None,
        acked_by="",
        deliveries=0,
        next_try_ms=now_ms,
    )


def put_alert(tx: Tx, out: Written, alert: Alert) -> None:
    """Write an alert down, and the journal's line about it."""
    tx.put_alert(alert)
    body: dict[str, JsonValue] = {"alert_id": alert.alert_id, "title": alert.title, "text": alert.text}
    entry = Entry(EntryKind.ALERT, alert.account, alert.symbol, alert.hold_id, body=body)
    out.entries.append(tx.append(entry))
    out.alerted = True


_KEPT = WAITS_FOR_A_PERSON | {HoldReason.UNLEDGERED}


def put_persons_hold(tx: Tx, leg: Leg, reason: HoldReason, text: str) -> Hold:
    """Hold a leg for a person, by the system's own finding: a standing automatic hold gets this reason instead.

    A reason that only a person ends is kept: the new one may end by itself. So is `unledgered`: under any other reason
    what stood there before the first look would be taken for drift, and closed.
    """
    step = NextStep(StepKind.OPERATOR, tx.now_ms(), text)
    standing = automatic_hold(tuple(each for each in tx.open_holds(leg.symbol) if each.leg == leg))
    if standing is not None:
        kept = standing.reason if standing.reason in _KEPT else reason
        hold = replace(standing, reason=kept, next_step=step)
    else:
        hold = unseen_hold(tx, leg, reason, step, text)
    tx.put_hold(hold)
    return hold
