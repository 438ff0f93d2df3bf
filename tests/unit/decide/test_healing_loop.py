"""The pure verbs joined: from any drift of a small world to its end, in bounded steps, hurting nothing on the way.

A bare loop stands for the services: each turn reads a fresh view, judges, and does the move. What the venue fills of
a close is taken from a pattern, so that refusals, partial fills and attempts without progress are all walked.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import product
from typing import TYPE_CHECKING

import pytest

from holdfast.decide.close import plan_close
from holdfast.decide.episode import EpisodeFacts, Move, MoveKind, next_move
from holdfast.decide.guardrails import CloseFacts, permit_close, plan_of
from holdfast.decide.reconcile import Evidence, LegFacts, Verdict, judge
from holdfast.domain.close import Close, CloseState
from holdfast.domain.hold import Hold, NextStep, StepKind
from holdfast.domain.permit import Permit
from holdfast.domain.sides import TradingState
from tests.unit.decide.samples import ACCOUNT, HOLD, INSTRUMENT, LEDGER, LIMITS, NOW, TRADE, VIEW, ZERO, D

if TYPE_CHECKING:
    from holdfast.domain.ledger import LedgerState
    from holdfast.domain.view import PositionView

RULES = replace(INSTRUMENT, market_qty_max=D(3))
TURNS_MAX = 120


@dataclass(slots=True)
class World:
    """One leg, its venue and what is kept of it."""

    exchange: D
    ledger: LedgerState
    fills: tuple[int, ...]
    """How many tenths of each close the venue fills, in turn, the last for ever."""
    now: int = NOW
    hold: Hold | None = None
    close: Close | None = None
    second: PositionView | None = None
    evidence: Evidence | None = None
    planned: int = 0
    sent: int = 0
    moves: list[MoveKind] = field(default_factory=list)

    def turn(self) -> Move:
        """Read, judge, decide, do."""
        self.now += 20
        view = replace(VIEW, amt=self.exchange, as_of_ms=self.now, read_ms=self.now)
        leg = LegFacts(self.now, LIMITS, D(1), view, self.now, self.ledger, True, False, (), None, self.evidence)
        verdict = judge(leg)
        facts = EpisodeFacts(
            leg, () if self.hold is None else (self.hold,), self.close, self.second, RULES, D(10), TradingState.ACTIVE
        )
        move = next_move(facts, verdict)
        self.moves.append(move.kind)
        if self.hold is not None and move.step is not None:
            self.hold = replace(self.hold, next_step=move.step)
        self._do(move, verdict, view)
        return move

    def _do(self, move: Move, verdict: Verdict, view: PositionView) -> None:
        match move.kind:
            case MoveKind.HOLD:
                base = self.hold or replace(HOLD, opened_ms=self.now)
                self.hold = replace(
                    base,
                    reason=verdict.hold or base.reason,
                    cause_as_of_ms=view.as_of_ms,
                    next_step=move.step or base.next_step,
                )
            case MoveKind.LOOK:
                drift = self.exchange - self.ledger.amt
                trade = replace(TRADE, qty=drift)
                self.second = replace(view)
                self.evidence = Evidence((), ZERO, (), (trade,), complete=True, read_ms=self.now, last_trade_id=None,
                                         ledger_version=self.ledger.version)  # fmt: skip
            case MoveKind.CLOSE:
                self._plan(view)
            case MoveKind.SUPERSEDE:
                self.close = None
            case MoveKind.WAIT:
                if self.close is not None:
                    self._apply(view)
                elif move.wait_until_ms is not None:
                    self.now = max(self.now, move.wait_until_ms)
            case MoveKind.AGREE:
                self.ledger = replace(self.ledger, agreed_version=self.ledger.version)
                self.hold = None if move.release else self.hold
            case _:
                pass

    def _plan(self, view: PositionView) -> None:
        assert self.hold is not None
        assert self.second is not None
        self.planned += 1
        self.close = plan_close(
            self.hold,
            looks=(view.amt, self.second.amt),
            ledger_amt=self.ledger.amt,
            instrument=RULES,
            limits=LIMITS,
            now_ms=self.now,
            number=self.planned,
        )
        assert self.close is not None, "CLOSE was decided and nothing can be planned: it would be decided for ever"

    def _apply(self, view: PositionView) -> None:
        assert self.close is not None
        assert self.hold is not None
        close = self.close
        choice = permit_close(
            CloseFacts(
                ACCOUNT,
                plan_of(close),
                close,
                self.hold,
                self.now,
                0,
                LIMITS,
                TradingState.ACTIVE,
                RULES,
                view,
                self.ledger,
                (),
                close,
            )
        )
        assert isinstance(choice, Permit), choice
        tenths = self.fills[min(self.sent, len(self.fills) - 1)]
        filled = (choice.qty * tenths + 9) // 10  # up to a whole lot
        self.sent += 1
        before = self.exchange
        self.exchange += choice.side.sign * filled
        assert abs(self.exchange) == abs(before) - filled, "a close raised the exposure or flipped it (I1)"
        assert abs(self.exchange - self.ledger.amt) == abs(before - self.ledger.amt) - filled, "beyond the drift (I2)"
        self.close = self.second = self.evidence = None
        if filled:
            self.ledger = replace(self.ledger, last_fill_ms=self.now)
            self.hold = replace(self.hold, close_attempts=0)
        else:
            step = NextStep(StepKind.CLOSE_BACKOFF, self.now + 500, "the next attempt is timed")
            self.hold = replace(self.hold, close_attempts=self.hold.close_attempts + 1, next_step=step)


def walk(exchange: int, ledger: int, fills: tuple[int, ...]) -> World:
    """Take turns until nothing is left to do, or a person's turn has come."""
    world = World(D(exchange), replace(LEDGER, amt=D(ledger), agreed_version=None), fills)
    for _ in range(TURNS_MAX):
        move = world.turn()
        if move.kind in {MoveKind.NOTHING, MoveKind.OPERATOR}:
            return world
    pytest.fail(f"no end after {TURNS_MAX} turns: E {exchange} L {ledger} {fills}: {world.moves[-9:]}")


PATTERNS = [(10,), (5, 10), (0, 10), (0, 0, 5, 0, 0, 10), (0,), (4,)]


@pytest.mark.parametrize("fills", PATTERNS, ids=str)
def test_every_drift_comes_to_its_end(fills: tuple[int, ...]) -> None:
    """Every drift of a small world ends, in bounded turns, in agreement or with a person, and nothing gets worse."""
    for exchange, ledger in product(range(-8, 9), range(-8, 9)):
        world = walk(exchange, ledger, fills)
        drift = exchange - ledger
        closable = min(abs(drift), abs(exchange)) if exchange * drift > 0 else 0
        if drift == 0:
            assert world.moves == [MoveKind.AGREE, MoveKind.NOTHING]
        elif closable == 0:
            assert world.sent == 0, "a close would widen the drift"
            assert world.exchange == exchange
            assert world.moves[-1] is MoveKind.OPERATOR
        elif fills == (0,):
            assert world.sent == LIMITS.close_attempts_max
            assert world.moves[-1] is MoveKind.OPERATOR
        else:
            assert abs(world.exchange - ledger) == abs(drift) - closable
            assert (world.hold is None) is (world.exchange == ledger)
            assert world.moves[-1] is (MoveKind.NOTHING if world.exchange == ledger else MoveKind.OPERATOR)
        assert world.ledger.amt == ledger, "a close moved the ledger"


def test_a_large_drift_is_closed_slice_by_slice() -> None:
    """A drift of 8 with slices of at most 3 takes three closes, each planned anew from fresh looks."""
    world = walk(8, 0, (10,))
    assert (world.sent, world.exchange, world.hold) == (3, D(0), None)
    assert world.moves.count(MoveKind.HOLD) == 1
    assert world.moves.count(MoveKind.CLOSE) == 3


def test_closes_are_planned_and_none_is_left() -> None:
    """At the end of every walk no close is left planned or claimed."""
    for exchange, fills in product(range(-8, 9), PATTERNS):
        world = walk(exchange, 0, fills)
        assert world.close is None or world.close.state is not CloseState.PLANNED
