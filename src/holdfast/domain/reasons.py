"""Every code that a result's `error` may carry. One list, documented, closed.

`docs/reasons.md` is generated from this enum (`holdfast docs reasons`); a test holds the two together. A result
never says `executed=false` without one of these (DESIGN §4).
"""

from __future__ import annotations

from enum import Enum


class Reason(Enum):
    """Why a plan did not become an executed order. The value is the wire code."""

    # --- the plan itself
    UNREADABLE = "unreadable"
    MISSING_FIELD = "missing_field"
    BAD_FIELD = "bad_field"
    BAD_QTY = "bad_qty"
    TOO_LARGE = "too_large"
    UNKNOWN_DECISION = "unknown_decision"
    UNKNOWN_SYMBOL = "unknown_symbol"
    UNSUPPORTED = "unsupported"
    STALE_PLAN = "stale_plan"
    FUTURE_PLAN = "future_plan"
    PLAN_ID_REUSED = "plan_id_reused"
    # --- the permit (P3.3, P3.2)
    NOT_ALLOWED = "symbol_not_allowed"
    HOLD_ACTIVE = "hold_active"
    BUS_HOLD = "bus_hold"
    BUS_UNREADABLE = "bus_unreadable"
    ORDER_PENDING = "order_pending"
    NOT_AGREED = "not_agreed"
    STAMP_STALE = "stamp_stale"
    INPUT_STALE = "input_stale"
    NO_BASELINE = "no_baseline"
    NOTHING_TO_CLOSE = "nothing_to_close"
    WOULD_INCREASE = "would_increase"
    POSITION_SIDE = "position_side_mismatch"
    SYMBOL_NOT_TRADING = "symbol_not_trading"
    OFF_STEP = "qty_off_step"
    BELOW_MIN_QTY = "qty_below_min"
    ABOVE_MAX_QTY = "qty_above_max"
    BELOW_MIN_NOTIONAL = "notional_below_min"
    ABOVE_MAX_NOTIONAL = "notional_above_max"
    PRICE_OFF_TICK = "price_off_tick"
    PRICE_OUT_OF_BOUNDS = "price_out_of_bounds"
    POSITION_RESERVED = "position_reserved"
    ABOVE_POSITION_NOTIONAL = "position_notional_above_max"
    TOO_MANY_OPEN = "open_orders_above_max"
    HALTED = "halted"
    QUEUE_FULL = "queue_full"
    JOURNAL_BUSY = "journal_busy"
    # --- the guardrails of a close
    NOT_A_CLOSE = "close_wrong_decision"
    NOT_MARKET = "close_not_market"
    NOT_REDUCE_ONLY = "close_not_reduce_only"
    NOT_SIDE_CLOSE = "close_side_not_close"
    NOT_JOURNALED = "close_not_journaled"
    CLOSE_DIFFERS = "close_differs_from_journal"
    HOLD_NOT_OPEN = "close_hold_not_open"
    WRONG_SYMBOL = "close_symbol_not_held"
    EXPIRED = "close_expired"
    POSITION_STALE = "close_position_stale"
    POSITION_FLAT = "close_position_flat"
    POSITION_FLIPPED = "close_position_flipped"
    DRIFT_GONE = "close_drift_gone"
    DRIFT_SIGN = "close_drift_sign"
    ABOVE_EXPOSURE = "close_above_exposure"
    ABOVE_DRIFT = "close_above_drift"
    OTHER_ORDER = "close_other_order_live"
    OTHER_CLOSE = "close_other_close_unfinished"
    ATTEMPTS_SPENT = "close_attempts_spent"
    BACKING_OFF = "close_backing_off"
    ABOVE_CLOSE_NOTIONAL = "close_notional_above_max"
    SUPERSEDED = "close_superseded"
    NOT_APPROVED = "close_not_approved"
    MODE_CHANGED = "position_mode_changed"
    CLOSES_OFF = "closes_switched_off"
    # --- the venue
    VENUE_REFUSED = "venue_refused"
    VENUE_UNAVAILABLE = "venue_unavailable"
    RATE_LIMITED = "rate_limited"
    KEYS_REJECTED = "keys_rejected"
    NOT_FILLED = "not_filled"
    CANCELED = "canceled"
    EXPIRED_UNFILLED = "expired_unfilled"
    ENDED_UNSEEN = "ended_unseen"
    NOTHING_TO_CANCEL = "nothing_to_cancel"
    POST_ONLY_WOULD_TAKE = "post_only_would_take"
    NOT_ACCEPTED = "not_accepted"
    INTERNAL = "internal"


REASON_TEXT: dict[Reason, str] = {
    Reason.UNREADABLE: "The stream entry is not a plan at all.",
    Reason.MISSING_FIELD: "A required field is missing or empty.",
    Reason.BAD_FIELD: "A field's value cannot be read.",
    Reason.BAD_QTY: "The quantity is not one finite positive number.",
    Reason.TOO_LARGE: "The entry is larger than a plan may be.",
    Reason.UNKNOWN_DECISION: "The decision is none of EXECUTE, CANCEL, RECONCILE_CLOSE, OPERATOR_CLOSE.",
    Reason.UNKNOWN_SYMBOL: "The venue lists no such symbol.",
    Reason.UNSUPPORTED: "The order type or time in force is not supported.",
    Reason.STALE_PLAN: "The plan is older than `plan_age_ms_max`, or its `expires` has passed.",
    Reason.FUTURE_PLAN: "The plan's timestamp lies in the future.",
    Reason.PLAN_ID_REUSED: "The plan id was used before with other content.",
    Reason.NOT_ALLOWED: "The symbol is not on the account's allowlist.",
    Reason.HOLD_ACTIVE: "A hold stands on the symbol.",
    Reason.BUS_HOLD: "Somebody set a hold on the bus; it counts until an operator releases it.",
    Reason.BUS_UNREADABLE: "The bus could not be read for holds; that denies.",
    Reason.ORDER_PENDING: "An order of ours on the symbol is being sent or its fate is unknown.",
    Reason.NOT_AGREED: "The reconciler has not seen the venue agree with the ledger since the last fill.",
    Reason.STAMP_STALE: "The reconciler's stamp is missing or old: it is dead, blind or slow.",
    Reason.INPUT_STALE: "A fact read before the transaction was too old when it came to decide.",
    Reason.NO_BASELINE: "The account has had no first complete view yet.",
    Reason.NOTHING_TO_CLOSE: "`side=close` or reduce-only, but there is no position.",
    Reason.WOULD_INCREASE: "A reduce-only plan would raise the exposure or flip it.",
    Reason.POSITION_SIDE: "The position side does not fit the account's position mode.",
    Reason.SYMBOL_NOT_TRADING: "The venue does not trade the symbol now.",
    Reason.OFF_STEP: "The quantity is not a multiple of the symbol's step.",
    Reason.BELOW_MIN_QTY: "The quantity is below the symbol's minimum.",
    Reason.ABOVE_MAX_QTY: "The quantity is above the symbol's maximum.",
    Reason.BELOW_MIN_NOTIONAL: "Price x quantity is below the venue's minimum.",
    Reason.ABOVE_MAX_NOTIONAL: "Price x quantity is above the account's limit, or cannot be known.",
    Reason.PRICE_OFF_TICK: "The price is not a multiple of the symbol's tick.",
    Reason.PRICE_OUT_OF_BOUNDS: "The price is outside what the venue allows on the symbol.",
    Reason.POSITION_RESERVED: "Own resting orders may close the position already; cancel them first.",
    Reason.ABOVE_POSITION_NOTIONAL: "Position, resting orders and this one together could exceed the account's limit.",
    Reason.TOO_MANY_OPEN: "`open_orders_max` of our orders rest on the symbol already.",
    Reason.HALTED: "Trading on the account is halted.",
    Reason.QUEUE_FULL: "Too many plans wait on the symbol.",
    Reason.JOURNAL_BUSY: "The journal did not take the transaction in time.",
    Reason.NOT_A_CLOSE: "The plan's decision is not a close.",
    Reason.NOT_MARKET: "A close must be MARKET.",
    Reason.NOT_REDUCE_ONLY: "A close must be reduce-only.",
    Reason.NOT_SIDE_CLOSE: "A close must have `side=close`.",
    Reason.NOT_JOURNALED: "The journal knows no such close: the message has no authority.",
    Reason.CLOSE_DIFFERS: "The message differs from the close in the journal.",
    Reason.HOLD_NOT_OPEN: "The hold of this close is not open.",
    Reason.WRONG_SYMBOL: "The symbol is not the hold's symbol.",
    Reason.EXPIRED: "The close has expired.",
    Reason.POSITION_STALE: "No position fresh enough was read from the venue.",
    Reason.POSITION_FLAT: "The position is flat already.",
    Reason.POSITION_FLIPPED: "The position's sign is not the planned one.",
    Reason.DRIFT_GONE: "There is no drift left to close.",
    Reason.DRIFT_SIGN: "The drift's sign is not the position's: a close would widen it.",
    Reason.ABOVE_EXPOSURE: "The quantity is above the position.",
    Reason.ABOVE_DRIFT: "The quantity is above the drift.",
    Reason.OTHER_ORDER: "Another order of ours on the leg is not final.",
    Reason.OTHER_CLOSE: "Another close of the leg is unfinished.",
    Reason.ATTEMPTS_SPENT: "`close_attempts_max` closes brought no progress; a person decides.",
    Reason.BACKING_OFF: "The next attempt is not due yet.",
    Reason.ABOVE_CLOSE_NOTIONAL: "The close is above `close_notional_max`; a person decides.",
    Reason.SUPERSEDED: "The facts changed; another close took its place.",
    Reason.NOT_APPROVED: "No journaled approval of a person stands behind this close.",
    Reason.MODE_CHANGED: "The account's position mode was changed at the exchange: what a leg is, is not sure.",
    Reason.CLOSES_OFF: "Closes are switched off in the settings.",
    Reason.VENUE_REFUSED: "The venue refused the order (its code and text are in the journal).",
    Reason.VENUE_UNAVAILABLE: "The venue did not execute the order and said so; attempts are spent.",
    Reason.RATE_LIMITED: "The venue's rate limit or a ban; nothing was executed.",
    Reason.KEYS_REJECTED: "The venue refuses our keys.",
    Reason.NOT_FILLED: "The order was accepted and ended without any fill.",
    Reason.CANCELED: "The order was cancelled before any of it was filled.",
    Reason.EXPIRED_UNFILLED: "The order's time in force ended before any of it was filled (IOC and FOK: at once).",
    Reason.ENDED_UNSEEN: "The order rested and ended unfilled; the exchange has forgotten how, or a person said so.",
    Reason.NOTHING_TO_CANCEL: "No order of the named plan rests: there is none, or it has ended (filled, perhaps).",
    Reason.POST_ONLY_WOULD_TAKE: "A post-only (GTX) order would have been filled at once; the venue refused it.",
    Reason.NOT_ACCEPTED: "The order's answer never came, and it was proven not to have been accepted.",
    Reason.INTERNAL: "Something nobody foresaw; the account is halted.",
}
"""One line of meaning a code, for the documentation and for `holdfast explain`."""
