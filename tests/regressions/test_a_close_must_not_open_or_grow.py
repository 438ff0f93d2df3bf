"""Must not happen again: an open passes as if it were a close (0.007 to 0.012), and a 25 % partial becomes 100 %."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.decide.permit import permit_execute
from holdfast.domain.permit import Permit, Refusal
from holdfast.domain.reasons import Reason
from holdfast.domain.sides import PlanSide, Side
from tests.unit.decide.samples import INSTRUMENT, LEDGER, LIMITS, D
from tests.unit.decide.test_permit import GOOD

LOT = D("0.001")
RULES = replace(INSTRUMENT, qty_step=LOT, qty_min=LOT, market_qty_min=LOT)
BASE = replace(GOOD, instrument=RULES, limits=LIMITS)
LOTS = st.integers(-60, 60).map(lambda lots: lots * LOT)


def choose(side: PlanSide, qty: D, held: D, *, reduce_only: bool) -> Permit | Refusal:
    """Ask for a permit with this much in the ledger."""
    plan = replace(BASE.plan, side=side, qty=qty, reduce_only=reduce_only)
    return permit_execute(replace(BASE, plan=plan, ledger=replace(LEDGER, amt=held)))


@pytest.mark.parametrize("held", ["0.007", "-0.007"])
def test_a_reduce_only_plan_that_would_open_is_refused(held: str) -> None:
    """0.005 more on top of 0.007, called reduce-only, is refused as what it is."""
    opening = PlanSide.BUY if held == "0.007" else PlanSide.SELL
    choice = choose(opening, D("0.005"), D(held), reduce_only=True)
    assert isinstance(choice, Refusal)
    assert choice.reason is Reason.WOULD_INCREASE


@pytest.mark.parametrize(("held", "side"), [("0.008", Side.SELL), ("-0.008", Side.BUY)])
@pytest.mark.parametrize("percent", [25, 50, 100])
def test_a_partial_close_stays_the_part_that_it_says(held: str, side: Side, percent: int) -> None:
    """25 % of the position is 25 % of it in the permit, and it is reduce-only."""
    part = abs(D(held)) * percent / 100
    choice = choose(PlanSide.CLOSE, part, D(held), reduce_only=True)
    assert isinstance(choice, Permit)
    assert (choice.qty, choice.side, choice.reduce_only) == (part, side, True)


@settings(derandomize=True, max_examples=300)
@given(st.sampled_from(PlanSide), st.integers(1, 60).map(lambda lots: lots * LOT), LOTS, st.booleans())
def test_no_reduce_only_permit_opens_grows_or_flips(side: PlanSide, qty: D, held: D, reduces: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
    """Whatever is asked, `close` and reduce-only end in a permit of that very size that only shrinks, or in none."""
    choice = choose(side, qty, held, reduce_only=reduces)
    if isinstance(choice, Refusal):
        return
    assert choice.qty == qty
    assert choice.reduce_only is (reduces or side is PlanSide.CLOSE)
    if choice.reduce_only:
        assert abs(held + choice.side.sign * choice.qty) == abs(held) - qty


def test_closing_more_than_there_is_is_refused_not_cut() -> None:
    """A close above the position is refused: cutting it would hide that its maker counts wrongly."""
    for side in (PlanSide.CLOSE, PlanSide.SELL):
        choice = choose(side, D("0.008"), D("0.007"), reduce_only=True)
        assert isinstance(choice, Refusal)
        assert choice.reason is Reason.WOULD_INCREASE
