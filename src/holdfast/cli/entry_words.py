"""One journal entry in plain words: what was seen, from which source, what decided, what was sent, what came back.

Every kind has its sentence (a test holds that); a field that is missing is left out, never guessed. Times inside a
sentence are the venue's; the time in front of it is ours (see `story`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.cli.printing import time_text
from holdfast.domain.entry import EntryKind
from holdfast.domain.reasons import REASON_TEXT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from holdfast.domain.entry import Entry, JsonValue

ROW_TEXT = {
    1: "no complete, fresh view: nothing is known",
    2: "the view is older than our last fill: it proves nothing yet",
    3: "own orders may explain the difference",
    4: "a position that stood there before the first complete view",
    5: "exchange and ledger agree",
    6: "the difference is exactly our own missing fills",
    7: "the difference is fills that the venue forced",
    8: "the exchange holds more than the ledger, in the same direction: a close shrinks the difference",
    9: "the exchange holds less than the ledger: a close would widen the difference",
}
SOURCE_TEXT = {"stream": "the user stream", "rest": "a REST look"}
_REASONS = {reason.value: text for reason, text in REASON_TEXT.items()}


class Said:
    """The fields of one entry's body, read without trust: what is missing is empty."""

    __slots__ = ("_body",)

    def __init__(self, body: Mapping[str, JsonValue]) -> None:
        self._body = body

    def text(self, name: str) -> str:
        """A field as text; "" if it is missing, empty or none."""
        value = self._body.get(name)
        return "" if value is None or isinstance(value, list | dict) else str(value)

    def inner(self, name: str) -> Said:
        """A table inside; an empty one if it is missing."""
        value = self._body.get(name)
        return Said(value if isinstance(value, dict) else {})

    def many(self, name: str) -> list[Said]:
        """A list of tables."""
        value = self._body.get(name)
        return [Said(each) for each in value if isinstance(each, dict)] if isinstance(value, list) else []

    def count(self, name: str) -> int:
        """How many elements a list has; 0 if it is missing."""
        value = self._body.get(name)
        return len(value) if isinstance(value, list) else 0

    def ids(self, name: str) -> str:
        """The elements of a list of numbers, at most five of them."""
        value = self._body.get(name)
        found = [str(each) for each in value] if isinstance(value, list) else []
        return ", ".join(found[:5]) + (f" and {len(found) - 5} more" if len(found) > 5 else "")  # noqa: PLR2004 - see above

    def ms(self, name: str) -> int | None:
        """A time or duration; None if it is missing."""
        value = self._body.get(name)
        return value if isinstance(value, int) and not isinstance(value, bool) else None


def words_after(entry: Entry, told_before: Entry | None) -> str:
    """Say the entry, without repeating what was seen last, by whichever entry before it, and how that was judged."""
    text = words(entry)
    if told_before is None:
        return text
    known, new = Said(told_before.body), Said(entry.body)
    if _saw(new) and _saw(new) == _saw(known):
        return text.removeprefix(_saw(new)).removeprefix(_row(new)) or text
    return text


def words(entry: Entry) -> str:
    """Say the entry in one sentence or a few."""
    teller = TELLERS.get(entry.kind)
    said = Said(entry.body)
    if teller is not None:
        return teller(said, entry)
    fields = ", ".join(f"{name} {said.text(name)}" for name in entry.body if said.text(name))
    return f"{entry.kind.value.lower().replace('_', ' ')}{': ' if fields else ''}{fields}"


def seen(said: Said) -> str:
    """What the decision saw: amounts, source, venue time, evidence."""
    parts = []
    view, second, evidence = said.inner("view"), said.inner("second"), said.inner("evidence")
    amount, ledger = said.text("exchange_amt"), said.text("ledger_amt")
    if amount:
        source = SOURCE_TEXT.get(view.text("source"), "the venue")
        as_of = view.ms("as_of_ms")
        when = f" (venue time {time_text(as_of)})" if as_of else ""
        drift = f", drift {said.text('drift')}" if said.text("drift") else ""
        parts.append(f"{source} showed {amount}{when}, the ledger held {ledger}{drift}")
    elif ledger:
        parts.append(f"the exchange could not be seen, the ledger held {ledger}")
    if second.text("amt"):
        as_of = second.ms("as_of_ms")
        when = f" (true at {time_text(as_of)} or later)" if as_of else ""
        parts.append(f"a second, independent look over REST showed {second.text('amt')}{when}")
    if evidence.text("complete"):
        parts.append(_evidence(evidence))
    return "; ".join(parts)


_CLASSES = (
    ("own", "of our own"),
    ("forced", "forced by the venue"),
    ("foreign", "of somebody else"),
    ("undone", "of our own closes"),
)


def _evidence(evidence: Said) -> str:
    found = [
        f"{evidence.count(name)} {word} (trade {evidence.ids(name)})" for name, word in _CLASSES if evidence.count(name)
    ]
    whole = "all trades since the watermark" if evidence.text("complete") == "True" else "the trades, incompletely,"
    return f"{whole} were read: {', '.join(found) or 'none that the ledger lacks'}"


def _row(said: Said) -> str:
    number = said.ms("row")
    return "" if number is None else f"Row {number} decided: {ROW_TEXT.get(number, 'unknown row')}. "


def _saw(said: Said) -> str:
    text = seen(said)
    return f"{text[0].upper()}{text[1:]}. " if text else ""


def _by(said: Said) -> str:
    why = said.text("why") or said.text("reason")
    return f"by {said.text('who')}" + (f": {why}" if why else "") if said.text("who") else ""


def _hold_set(said: Said, entry: Entry) -> str:
    if said.text("detail"):
        return f"HOLD {entry.hold_id} was placed by a person ({said.text('detail')}). Next: {said.text('next_step')}."
    return (
        f"{_saw(said)}{_row(said)}HOLD {entry.hold_id} ({said.text('reason')}) was placed: nothing but a close may "
        f"trade {entry.symbol}. Next: {said.text('next_step')}."
    )


def _hold_updated(said: Said, _entry: Entry) -> str:
    was = f"The hold's reason became {said.text('reason')} (was {said.text('was')}). " if said.text("was") else ""
    return f"{_saw(said)}{_row(said)}{was}Next: {said.text('next_step')}."


def _hold_released(said: Said, entry: Entry) -> str:
    held = f" after {said.text('held_ms')} ms" if said.text("held_ms") else ""
    if said.text("who"):
        return f"HOLD {entry.hold_id} was released{held} {_by(said)}."
    return f"{_saw(said)}{_row(said)}HOLD {entry.hold_id} was released{held}."


def _close_planned(said: Said, entry: Entry) -> str:
    return (
        f"{_saw(said)}{_row(said)}RECONCILE_CLOSE {entry.plan_id} was planned: {said.text('side')} {said.text('qty')}, "
        f"MARKET, reduce-only, attempt {said.text('attempt')}."
    )


def _close_claimed(said: Said, entry: Entry) -> str:
    return (
        f"All guardrails passed: apply read the position fresh ({said.text('position_amt')}, ledger "
        f"{said.text('ledger_amt')}, hold {said.text('hold_state') or 'none'}) and claimed {entry.plan_id}."
    )


def _close_refused(said: Said, entry: Entry) -> str:
    return (
        f"Guardrail {said.text('rule')} refused {entry.plan_id}: {said.text('detail') or said.text('error')} (position "
        f"{said.text('position_amt') or 'unknown'}, ledger {said.text('ledger_amt')}). Nothing was sent."
    )


def _close_superseded(said: Said, entry: Entry) -> str:
    return f"{_saw(said)}{entry.plan_id} lost its cause before anybody claimed it: superseded, nothing was sent."


def _close_done(said: Said, entry: Entry) -> str:
    return f"{entry.plan_id} is done: {said.text('state')}, {said.text('executed_qty')} executed."


def _close_failed(said: Said, entry: Entry) -> str:
    return f"{entry.plan_id} ended with nothing executed ({said.text('state')}); the hold stands."


def _intent(said: Said, entry: Entry) -> str:
    reduce_only = ", reduce-only" if said.text("reduce_only") == "True" else ""
    drift = said.text("against_drift_qty")
    books = f", of which {drift} only undoes the drift" if drift and drift != "0" else ""
    again = said.ms("attempt")
    repeated = f" (request {again} of this plan)" if again is not None and again > 1 else ""
    at = f" at {said.text('price')} {said.text('time_in_force')}" if said.text("price") else ""
    return (
        f"{said.text('decision')} {entry.plan_id} became order {said.text('client_order_id')}: {said.text('side')} "
        f"{said.text('qty')} {entry.symbol}{at}{reduce_only}{books}. Written down first, then sent once{repeated}."
    )


def _cancel_asked(said: Said, _entry: Entry) -> str:
    name, why = said.text("client_order_id"), said.text("why")
    return f"Order {name} is to be cancelled: {why}. Written down first, then asked for."


def _foreign_order(said: Said, entry: Entry) -> str:
    at = f" at {said.text('price')}" if said.text("price") else ""
    return (
        f"An order that is not ours rests at the exchange: {said.text('side')} {said.text('qty')} {entry.symbol}{at} "
        f"(order {said.text('order_id')}, {said.text('client_order_id')}). Policy: {said.text('policy')}."
    )


def _order_outcome(said: Said, _entry: Entry) -> str:
    number = f", the venue's number {said.text('venue_order_id')}" if said.text("venue_order_id") else ""
    error = said.text("error")
    why = f" ({error}: {said.text('detail') or _REASONS.get(error, '')})" if error else ""
    came = f"known by: {said.text('why')}" if said.text("why") else "recorded"
    if said.text("state") == "unknown":
        detail = f" ({said.text('detail')})" if said.text("detail") else ""
        return f"No answer that proves anything came for {said.text('client_order_id')}{detail}: it is asked about."
    return (
        f"The venue's word on {said.text('client_order_id')}: {said.text('state')}, {said.text('executed_qty')} "
        f"executed{number}{why}; {came}."
    )


def _fill(said: Said, _entry: Entry) -> str:
    trades = [
        f"trade {each.text('trade_id')} {each.text('side')} {each.text('qty')} at {each.text('price') or 'no price'} "
        f"(from {SOURCE_TEXT.get(each.text('source'), each.text('source'))})"
        for each in said.many("trades")
    ]
    return f"Booked: {'; '.join(trades)}."


def _repair(said: Said, entry: Entry) -> str:
    booked = f" {_fill(said, entry)}" if said.count("trades") else ""
    forced = said.inner("evidence").ids("forced")
    by = f" It moved by what the venue forced: trade {forced}." if forced and not booked else ""
    return f"{_saw(said)}{_row(said)}The ledger was repaired by trade ids.{booked}{by}"


def _written_down(said: Said, _entry: Entry) -> str:
    return (
        f"{_saw(said)}{_row(said)}The trades of others add up to the drift: the ledger was written down from "
        f"{said.text('was')} to {said.text('ledger_after')}."
    )


def _flattened(said: Said, _entry: Entry) -> str:
    return (
        f"{_saw(said)}{_row(said)}No trades say why: by the settings the ledger was given up (from {said.text('was')} "
        "to 0); what the exchange still holds is closed."
    )


def _doubted(said: Said, _entry: Entry) -> str:
    return f"{_saw(said)}{_row(said)}No plan is permitted until they have settled."


def _adopted(said: Said, _entry: Entry) -> str:
    return f"{_saw(said)}The ledger was set to what the exchange holds, {_by(said)}."


def _approved(said: Said, entry: Entry) -> str:
    if entry.plan_id is not None:
        return f"OPERATOR_CLOSE {entry.plan_id} of {said.text('qty')} was approved {_by(said)}. {_saw(said)}".rstrip()
    return f"Closing up to a notional of {said.text('approved_notional')} was approved {_by(said)}."


def _mode_changed(said: Said, _entry: Entry) -> str:
    mode, was = said.text("mode"), said.text("was")
    match said.text("what"):
        case "accepted":
            return f"The account's position mode is {mode} from now on, as the settings say; it was {was}."
        case "back":
            return f"The account is in {mode} mode again: its holds may end by a view newer than this."
        case _:
            return f"The account is in {mode} mode at the exchange, the journal lives by {was}: everything is held."


def _manual(said: Said, _entry: Entry) -> str:
    return f"{_saw(said)}{_row(said)}A person is needed: {said.text('next_step')}."


def _plan_refused(said: Said, entry: Entry) -> str:
    error = said.text("error")
    meaning = said.text("detail") or _REASONS.get(error, "")
    what = f"cancel {said.text('cancels')}" if said.text("cancels") else f"{said.text('side')} {said.text('qty')}"
    return f"Plan {entry.plan_id} ({what}) was refused: {error}: {meaning}"


def _requested(said: Said, entry: Entry) -> str:
    about = " ".join(each for each in (said.text("qty"), entry.symbol or "", said.text("position_side")) if each)
    return f"{said.text('who')} asked to {said.text('kind')} {about}: {said.text('why')}."


def _request_ended(said: Said, _entry: Entry) -> str:
    return f"The request to {said.text('kind')} was {said.text('state')}: {said.text('outcome')}."


def _baseline(said: Said, _entry: Entry) -> str:
    found = [f"{each.text('leg')} {each.text('amt')}" for each in said.many("positions")]
    orders = said.ms("orders_count") or 0
    there = (
        f"It showed {', '.join(found) or 'no position'}, and {orders or 'no'} open order{'' if orders == 1 else 's'}"
    )
    return f"The first complete view of the account was taken as the baseline. {there}; nothing was traded or assumed."


TELLERS: dict[EntryKind, Callable[[Said, Entry], str]] = {
    EntryKind.BASELINE: _baseline,
    EntryKind.AGREED: lambda said, _e: (
        f"Exchange and ledger agree on {said.text('ledger_amt')} (ledger v{said.text('ledger_version')})."
    ),
    EntryKind.DRIFT: lambda said, _entry: f"Drift of {said.text('drift')} (row {said.text('row')}).",
    EntryKind.HOLD_SET: _hold_set,
    EntryKind.HOLD_UPDATED: _hold_updated,
    EntryKind.HOLD_RELEASED: _hold_released,
    EntryKind.HOLD_IMPORTED: lambda said, e: f"HOLD {e.hold_id} stood on the bus ({said.text('detail')}): it counts.",
    EntryKind.REPAIR: _repair,
    EntryKind.WRITTEN_DOWN: _written_down,
    EntryKind.FLATTENED: _flattened,
    EntryKind.DOUBTED: _doubted,
    EntryKind.CLOSE_PLANNED: _close_planned,
    EntryKind.CLOSE_SUPERSEDED: _close_superseded,
    EntryKind.CLOSE_CLAIMED: _close_claimed,
    EntryKind.CLOSE_REFUSED: _close_refused,
    EntryKind.CLOSE_DONE: _close_done,
    EntryKind.CLOSE_FAILED: _close_failed,
    EntryKind.OPERATOR_CLOSE_DONE: _close_done,
    EntryKind.MANUAL_REQUIRED: _manual,
    EntryKind.INTENT: _intent,
    EntryKind.PLAN_REFUSED: _plan_refused,
    EntryKind.ORDER_OUTCOME: _order_outcome,
    EntryKind.CANCEL_ASKED: _cancel_asked,
    EntryKind.FOREIGN_ORDER: _foreign_order,
    EntryKind.FOREIGN_ORDER_GONE: lambda said, _e: f"Foreign order {said.text('order_id')} does not rest any more.",
    EntryKind.FILL: _fill,
    EntryKind.ADOPTED: _adopted,
    EntryKind.APPROVED: _approved,
    EntryKind.REQUESTED: _requested,
    EntryKind.REQUEST_ENDED: _request_ended,
    EntryKind.ALERT: lambda said, _e: f"Alert {said.text('alert_id')}: {said.text('title')}: {said.text('text')}.",
    EntryKind.ALERT_ACKED: lambda said, _e: f"Alert {said.text('alert_id')} was acknowledged by {said.text('who')}.",
    EntryKind.STAMP_VOIDED: lambda _said, _e: "The exchange's stream was lost: trading is denied until it is back.",
    EntryKind.MODE_CHANGED: _mode_changed,
    EntryKind.HALTED: lambda said, _entry: f"Trading was halted {_by(said)}.",
    EntryKind.RESUMED: lambda said, _entry: f"Trading was resumed {_by(said)}.",
    EntryKind.LEASE: lambda said, _e: f"The lease of {said.text('service')} changed hands.",
}
