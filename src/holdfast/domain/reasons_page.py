"""The page `docs/reasons.md`, written from the enums, so that it can't say anything else than the code does.

A check of the house compares the committed page with this text; `holdfast docs reasons` prints it.
"""

from __future__ import annotations

from holdfast.domain.hold import HoldReason
from holdfast.domain.reasons import REASON_TEXT, Reason

HOLD_REASON_TEXT: dict[HoldReason, str] = {
    HoldReason.VIEW_MISSING: "The venue gave no complete view of the account.",
    HoldReason.VIEW_STALE: "The newest complete view is older than `view_age_ms_max`.",
    HoldReason.UNLEDGERED: "The first complete view ever showed a position that the ledger does not know.",
    HoldReason.DRIFT: "The exchange holds more than the ledger, in the same direction: a close shrinks the drift.",
    HoldReason.SYMBOL_NOT_TRADING: "The same, on a symbol that the venue does not trade: no close can be sent.",
    HoldReason.DEFICIT: "The exchange holds less than the ledger: a close would widen the drift. No trades explain it.",
    HoldReason.FORCED_REDUCTION: "The venue reduced the position by force (liquidation, ADL, settlement).",
    HoldReason.UNKNOWN_ORDER: "An order's fate has been unknown for longer than `unknown_ms_max`.",
    HoldReason.LATE_ACCEPTANCE: "An order that was proven not accepted executed all the same.",
    HoldReason.FOREIGN_ORDER: "An order that is not ours rests at the exchange, and the policy is to hold.",
    HoldReason.MODE_CHANGED: "Somebody changed the account's position mode.",
    HoldReason.OPERATOR: "A person set it.",
}


def reasons_page() -> str:
    """Return the page's text: every code of a result's `error`, then every reason of a hold."""
    errors = [f"| `{reason.value}` | {REASON_TEXT[reason]} |" for reason in Reason]
    holds = [f"| `{reason.value}` | {HOLD_REASON_TEXT[reason]} |" for reason in HoldReason]
    lines = [
        "# Reasons",
        "",
        "Generated from the code: `holdfast docs reasons`. A check holds page and code together.",
        "",
        "## `error` of a result",
        "",
        "A result never says `executed=false` without one of these.",
        "",
        "| code | meaning |",
        "|---|---|",
        *errors,
        "",
        "## `reason` of a hold",
        "",
        "| code | meaning |",
        "|---|---|",
        *holds,
    ]
    return "\n".join(lines) + "\n"
