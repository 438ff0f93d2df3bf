"""Must not happen again: SELL for every close, so that a short is doubled."""

from __future__ import annotations

from dataclasses import replace

import pytest

from holdfast.decide.close import plan_close
from holdfast.decide.guardrails import permit_close
from holdfast.decide.permit import permit_execute
from holdfast.domain.close import plan_of_close
from holdfast.domain.permit import Permit, Refusal
from holdfast.domain.reasons import Reason
from holdfast.domain.sides import PlanSide, Side
from tests.unit.decide.samples import HOLD, INSTRUMENT, LEDGER, LIMITS, NOW, VIEW, D
from tests.unit.decide.test_guardrails import GOOD
from tests.unit.decide.test_permit import GOOD as EXECUTE

SHORT = D(-4)


def test_a_short_is_closed_by_buying_from_plan_to_permit() -> None:
    """A short of 4 that the ledger does not know is planned, permitted and sent as BUY 4."""
    close = plan_close(
        HOLD, looks=(SHORT, SHORT), ledger_amt=D(0), instrument=INSTRUMENT, limits=LIMITS, now_ms=NOW, number=1
    )
    assert close is not None
    assert (close.side, close.qty) == (Side.BUY, D(4))
    facts = replace(GOOD, plan=plan_of_close(close), close=close, unfinished=close)
    facts = replace(facts, position=replace(VIEW, amt=SHORT), ledger=replace(LEDGER, amt=D(0)))
    choice = permit_close(facts)
    assert isinstance(choice, Permit)
    assert (choice.side, choice.qty, choice.reduce_only) == (Side.BUY, D(4), True)


@pytest.mark.parametrize(("held", "wrong"), [(SHORT, Side.SELL), (D(4), Side.BUY)])
def test_a_journaled_close_of_the_wrong_side_is_refused(held: D, wrong: Side) -> None:
    """A close whose side would raise the position is refused by the guardrails, journaled or not."""
    assert GOOD.close is not None
    close = replace(GOOD.close, side=wrong, qty=D(1))
    facts = replace(GOOD, plan=plan_of_close(close), close=close, unfinished=close)
    facts = replace(facts, position=replace(VIEW, amt=held), ledger=replace(LEDGER, amt=D(0)))
    refusal = permit_close(facts)
    assert isinstance(refusal, Refusal)
    assert refusal.reason is Reason.POSITION_FLIPPED


@pytest.mark.parametrize(("held", "side"), [(SHORT, Side.BUY), (D(4), Side.SELL)])
def test_a_strategys_close_shrinks_what_there_is(held: D, side: Side) -> None:
    """`side=close` of an ordinary plan becomes BUY on a short and SELL on a long."""
    plan = replace(EXECUTE.plan, side=PlanSide.CLOSE, qty=D(2))
    choice = permit_execute(replace(EXECUTE, plan=plan, ledger=replace(LEDGER, amt=held)))
    assert isinstance(choice, Permit)
    assert (choice.side, choice.reduce_only) == (side, True)
