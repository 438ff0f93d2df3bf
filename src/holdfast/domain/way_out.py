"""The way out of a hold: what a person types, by the hold's reason, and the page that says what to look at first.

Every place that asks a person says the same: alerts, `holdfast status`, `holdfast explain`, the runbooks (a test holds
the pages to this table). Commands name the leg as every report does (`BTCUSDT`, `BTCUSDT:LONG`); `...` stands for the
person's own words.

    | reason                   | what ends the hold                                                              |
    |--------------------------|---------------------------------------------------------------------------------|
    | view_missing, view_stale | the exchange answers again; a person looks why it does not                      |
    | unledgered               | a person chooses: adopt or close                                                |
    | drift                    | the close; where it may not be sent, a person approves it, closes, or adopts    |
    | symbol_not_trading       | the venue trades it again, then the close; or a person adopts                   |
    | deficit                  | evidence; without it a person adopts what is left, or puts it back              |
    | forced_reduction         | a person has looked and releases                                                |
    | unknown_order            | the order's fate; a person may say it                                           |
    | late_acceptance          | a person has looked and releases                                                |
    | foreign_order            | the order is cancelled at the exchange; or a person releases                    |
    | mode_changed             | the mode is back, by itself; or the account, at rest, starts with the new one   |
    | operator                 | a person releases                                                               |
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.domain.hold import HoldReason

if TYPE_CHECKING:
    from holdfast.domain.hold import Hold

RUNBOOKS = "docs/runbooks"
HALTED_PAGE = "the-account-is-halted.md"
HALTED_COMMANDS = ("holdfast audit verify", "holdfast status", "holdfast resume --reason ...")


@dataclass(frozen=True, slots=True)
class WayOut:
    """What a person does about one reason."""

    page: str
    """File in `docs/runbooks`."""
    commands: tuple[str, ...]
    """The likeliest first; `{leg}` and `{hold}` stand for the hold's own."""


_RELEASE = "holdfast release {leg} --reason ..."
_ADOPT = "holdfast adopt {leg} --reason ..."
_CLOSE = "holdfast close {leg} --reason ..."
_APPROVE = "holdfast approve {hold} --reason ..."
_EXPLAIN = "holdfast explain {leg}"
_RESOLVE = "holdfast resolve ORDER"

WAYS_OUT: dict[HoldReason, WayOut] = {
    HoldReason.VIEW_MISSING: WayOut("the-exchange-is-not-seen.md", ("holdfast status --watch",)),
    HoldReason.VIEW_STALE: WayOut("the-exchange-is-not-seen.md", ("holdfast status --watch",)),
    HoldReason.UNLEDGERED: WayOut("unledgered.md", ("holdfast found", _ADOPT, _CLOSE)),
    HoldReason.DRIFT: WayOut("drift.md", (_APPROVE, _CLOSE, _ADOPT)),
    HoldReason.SYMBOL_NOT_TRADING: WayOut("symbol-not-trading.md", (_EXPLAIN, _ADOPT)),
    HoldReason.DEFICIT: WayOut("deficit.md", (_EXPLAIN, _ADOPT)),
    HoldReason.FORCED_REDUCTION: WayOut("forced-reduction.md", (_EXPLAIN, _RELEASE)),
    HoldReason.UNKNOWN_ORDER: WayOut(
        "an-order-without-an-answer.md",
        (
            _EXPLAIN,
            "holdfast resolve ORDER --filled --reason ...",
            "holdfast resolve ORDER --ended --reason ...",
            "holdfast resolve ORDER --not-accepted --reason ...",
        ),
    ),
    HoldReason.LATE_ACCEPTANCE: WayOut("late-acceptance.md", (_EXPLAIN, _RELEASE)),
    HoldReason.FOREIGN_ORDER: WayOut("foreign-order.md", ("holdfast status", _RELEASE)),
    HoldReason.MODE_CHANGED: WayOut("mode-changed.md", ("holdfast status", "holdfast run")),
    HoldReason.OPERATOR: WayOut("operator.md", (_RELEASE,)),
}


def commands_for(hold: Hold) -> tuple[str, ...]:
    """What a person may type about this very hold, the likeliest first."""
    return tuple(each.format(leg=hold.leg.key, hold=hold.hold_id) for each in WAYS_OUT[hold.reason].commands)


def way_out_text(hold: Hold) -> str:
    """The same as one sentence, with the page."""
    return f"Type: {', or '.join(commands_for(hold))} ({RUNBOOKS}/{WAYS_OUT[hold.reason].page})"
