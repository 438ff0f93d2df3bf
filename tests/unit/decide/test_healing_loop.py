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
from holdfast.decide.episode import next_move
from holdfast.decide.evidence import Evidence
from holdfast.decide.guardrails import CloseFacts, permit_close
from holdfast.decide.move import EpisodeFacts, Move, MoveKind
from holdfast.decide.reconcile import LegFacts, judge
from holdfast.domain.close import Close, CloseState, plan_of_close
from holdfast.domain.hold import Hold, NextStep, StepKind
from holdfast.domain.permit import Permit
from holdfast.domain.sides import TradingState
from holdfast.domain.trade import Undone
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
    foreign: D
    """What somebody else traded."""
    shown: bool = True
    """Whether the venue's trades say so."""
    undone: D = ZERO
    """What our closes did, signed."""
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
            leg,
            () if self.hold is None else (self.hold,),
            self.close,
            self.second,
            None,
            RULES,
            D(10),
            TradingState.ACTIVE,
        )
        move = next_move(facts, verdict)
        self.moves.append(move.kind)
        if self.hold is not None and move.step is not None:
            self.hold = replace(self.hold, next_step=move.step)
        self._do(move, view)
        return move

    def _do(self, move: Move, view: PositionView) -> None:
        match move.kind:
            case MoveKind.HOLD:
                base = self.hold or replace(HOLD, opened_ms=self.now)
                self.hold = replace(
                    base,
                    reason=move.reason or base.reason,
                    cause_as_of_ms=view.as_of_ms,
                    next_step=move.step or base.next_step,
                )
            case MoveKind.LOOK:
                self.now += 0 if self.shown else 200
                self.second = replace(view, as_of_ms=self.now, read_ms=self.now)
                self.evidence = self._evidence()
            case MoveKind.WRITE_DOWN:
                assert self.evidence is not None
                moved = self.evidence.total_qty
                self.foreign = self.undone = ZERO
                self.ledger = replace(self.ledger, amt=self.ledger.amt + moved, version=self.ledger.version + 1)
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

    def _evidence(self) -> Evidence:
        return Evidence(
            own=(),
            own_ledger_qty=ZERO,
            forced=(),
            foreign=(replace(TRADE, qty=self.foreign),) if self.shown else (),
            complete=True,
            read_ms=self.now,
            last_trade_id=None,
            ledger_version=self.ledger.version,
            last_fill_ms=self.ledger.last_fill_ms,
            undone=(Undone(TRADE.trade_id, self.undone),),
        )

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
                plan_of_close(close),
                close,
                self.hold,
                self.now,
                0,
                LIMITS,
                TradingState.ACTIVE,
                RULES,
                view,
                self.ledger,
                False,
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
        self.undone += choice.side.sign * filled
        self.close = self.second = self.evidence = None
        if filled:
            self.ledger = replace(self.ledger, last_fill_ms=self.now)
            self.hold = replace(self.hold, close_attempts=0)
        else:
            step = NextStep(StepKind.CLOSE_BACKOFF, self.now + 500, "the next attempt is timed")
            self.hold = replace(self.hold, close_attempts=self.hold.close_attempts + 1, next_step=step)


def walk(exchange: int, ledger: int, fills: tuple[int, ...], *, shown: bool = True) -> World:
    """Take turns until nothing is left to do, or a person's turn has come."""
    book = replace(LEDGER, amt=D(ledger), agreed_version=None)
    world = World(D(exchange), book, fills, D(exchange - ledger), shown)
    for _ in range(TURNS_MAX):
        move = world.turn()
        if move.kind in {MoveKind.NOTHING, MoveKind.OPERATOR}:
            return world
    pytest.fail(f"no end after {TURNS_MAX} turns: E {exchange} L {ledger} {fills}: {world.moves[-9:]}")


PATTERNS = [(10,), (5, 10), (0, 10), (0, 0, 5, 0, 0, 10), (0,), (4,)]


def closable(exchange: int, ledger: int) -> int:
    """How much may be closed in all."""
    drift = exchange - ledger
    return min(abs(drift), abs(exchange)) if exchange * drift > 0 else 0


@pytest.mark.parametrize("fills", PATTERNS, ids=str)
def test_every_explained_drift_ends_in_agreement(fills: tuple[int, ...]) -> None:
    """What may be closed is closed, what is left is written down by the trades; only a close that fails asks."""
    for exchange, ledger in product(range(-8, 9), range(-8, 9)):
        world, most = walk(exchange, ledger, fills), closable(exchange, ledger)
        if exchange == ledger:
            assert world.moves == [MoveKind.AGREE, MoveKind.NOTHING]
        elif fills == (0,) and most:
            assert world.sent == LIMITS.close_attempts_max
            assert world.moves[-1] is MoveKind.OPERATOR
        else:
            assert abs(world.exchange) == abs(exchange) - most
            assert world.exchange * exchange >= 0
            assert (world.ledger.amt, world.hold, world.moves[-1]) == (world.exchange, None, MoveKind.NOTHING)
            left = abs(exchange - ledger) - most
            assert (world.moves.count(MoveKind.WRITE_DOWN) == 1) is (left > 0)
            assert (world.ledger.amt == ledger) is (left == 0), "a close moved the ledger"


@pytest.mark.parametrize("fills", [(10,), (4,)], ids=str)
def test_what_no_trades_explain_is_closed_or_a_persons(fills: tuple[int, ...]) -> None:
    """Without trades an excess is closed after the deadline, and no ledger ever moves: the rest is a person's."""
    for exchange, ledger in product(range(-8, 9), range(-8, 9)):
        world, most = walk(exchange, ledger, fills, shown=False), closable(exchange, ledger)
        assert world.ledger.amt == ledger
        assert abs(world.exchange) == abs(exchange) - most
        agrees = world.exchange == ledger
        assert world.moves[-1] is (MoveKind.NOTHING if agrees else MoveKind.OPERATOR)
        assert (world.hold is None) is agrees


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
