"""The judges of the tales on made-up observations: each must be able to say no, by name, for every promise."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from holdfast.lab.demo.facts import Facts, PlanSeen
from holdfast.lab.demo.repertoire import PLAYS, TALES
from holdfast.lab.demo.report import report_of_tale
from holdfast.lab.demo.scenarios import SCENARIOS
from tests.unit.lab.tales_made import T0, Spoil
from tests.unit.lab.tales_seen import ALL, PROMISED, spoils_of

if TYPE_CHECKING:
    from holdfast.lab.demo.tales.tale import Tale

NEGATIVE = {"nothing_sent", "nothing_closed", "never_held"}
"""Promises that something does not happen."""


def broken(tale: Tale, facts: Facts) -> set[str]:
    """Names of the promises that the judge calls broken."""
    return {promise.name for promise in tale.judge(facts) if not promise.kept}


@pytest.mark.parametrize("tale", TALES.values(), ids=TALES)
def test_all_promises_are_kept_when_everything_promised_was_seen(tale: Tale) -> None:
    """Facts that fulfil the tale leave no promise broken, and it counts as healed."""
    facts = PROMISED[tale.name]
    assert [promise for promise in tale.judge(facts) if not promise.kept] == []
    assert report_of_tale(tale, facts, ()).to_json()["healed"] is True


@pytest.mark.parametrize(("tale", "spoil"), [pytest.param(t, s, id=f"{t.name}: {s[0]} {n}") for t, n, s in ALL])
def test_a_broken_promise_is_named(tale: Tale, spoil: Spoil) -> None:
    """One spoiled observation breaks the promise that it belongs to, and the report is not kept."""
    name, how = spoil
    facts = how(PROMISED[tale.name])
    assert name in broken(tale, facts)
    assert not report_of_tale(tale, facts, ()).is_kept


@pytest.mark.parametrize("tale", TALES.values(), ids=TALES)
def test_every_promise_can_be_broken(tale: Tale) -> None:
    """No promise is judged that no observation can break."""
    promised = [promise.name for promise in tale.judge(PROMISED[tale.name])]
    assert len(promised) == len(set(promised))
    assert set(promised) == {name for name, _ in spoils_of(tale)}


@pytest.mark.parametrize("tale", TALES.values(), ids=TALES)
def test_nothing_seen_keeps_no_promise(tale: Tale) -> None:
    """A system that does nothing, watched by nobody, breaks every promise: also that nothing was sent must be seen."""
    kept = {promise.name for promise in tale.judge(Facts(drift_ns=T0)) if promise.kept}
    assert kept == set()


@pytest.mark.parametrize("name", ["hedge", "large"])
def test_a_plan_that_missed_its_hold_is_no_breach_and_one_that_passed_it_is(name: str) -> None:
    """Executed behind the last close: told once more. Executed before it: broken, and stays so."""
    tale, facts = TALES[name], PROMISED[name]
    assert not tale.is_too_late(facts)
    slipped = PlanSeen("p-1", executed=True, error="", order_id=90, at_ns=T0)
    closes = tuple(r for r in facts.results if r.decision == "RECONCILE_CLOSE")
    if not closes:
        made = [PROMISED["hedge"].results[1]] * 3
        closes = tuple(replace(r, plan_id=f"rc-{n}", order_id=n + 1) for n, r in enumerate(made, start=1))
    late = replace(facts, refused=slipped, results=closes)
    assert tale.is_too_late(late)
    assert not tale.is_too_late(replace(late, refused=replace(slipped, order_id=1)))
    assert not tale.is_too_late(replace(late, results=closes[1:]))
    assert not tale.is_too_late(replace(late, released_ns=None))


def test_a_fill_that_apply_booked_itself_proves_nothing_about_repairs() -> None:
    """Agreed without a repair: told once more. Not agreed, or repaired: not."""
    tale, facts = TALES["missed-fill"], PROMISED["missed-fill"]
    assert not tale.is_too_late(facts)
    assert tale.is_too_late(replace(facts, events=()))
    lagging = facts.moments["lagging"]
    assert not tale.is_too_late(replace(facts, events=(), moments={"end": lagging}))


def test_names_are_not_given_twice() -> None:
    """Every scenario and tale can be asked for by its own name."""
    assert len(PLAYS) == len(SCENARIOS) + len(TALES)
    assert all(name == play.name for name, play in PLAYS.items())
