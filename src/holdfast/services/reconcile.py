"""P3.4: compare, hold, repair, close, release; renew the stamp that lets anybody trade.

One task evaluates: it takes the legs that the agenda says are next, judges them in ONE transaction (facts read there,
decided by `decide.reconcile` and `decide.episode`, written by `moves`), and only then acts: looks are taken in
tasks of their own, at most one a symbol, planned closes are put on the bus, apply is woken. The stamp is written in
such a transaction, after the legs that were on the agenda before the proof: a stamp never overtakes a drift. A quiet
leg is not on the agenda (`quiet`): passes cost what is going on, not how many legs there are.

Memory kept here is only what a restart may lose: the picture, looks, and since when a leg settles.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from holdfast.decide.episode import next_move
from holdfast.decide.move import STARTS_ANEW, MoveKind, automatic_hold
from holdfast.decide.reconcile import Status, Verdict, judge
from holdfast.domain.entry import Entry, EntryKind
from holdfast.domain.errors import JournalBusy, VenueUnavailable
from holdfast.domain.hold import HoldReason, StepKind
from holdfast.domain.sides import Leg
from holdfast.ports.telemetry import Stage
from holdfast.services.agenda import Agenda
from holdfast.services.context import Errand
from holdfast.services.entry_log import log_entry
from holdfast.services.first_start import FirstStart
from holdfast.services.halting import halt_account
from holdfast.services.holding import Written
from holdfast.services.judged import Judged
from holdfast.services.leg_memory import LegMemory, LegStep, read_leg
from holdfast.services.looks import Look, take_look
from holdfast.services.moves import write_move
from holdfast.services.quiet import Quiet

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdfast.decide.move import Move
    from holdfast.domain.close import Close
    from holdfast.domain.order import OrderReport
    from holdfast.domain.sides import PositionMode
    from holdfast.domain.trade import Trade
    from holdfast.ports.journal import AccountState, Reads, Tx
    from holdfast.ports.venue import VenueReader
    from holdfast.services.context import Context
    from holdfast.services.feed import Feed
    from holdfast.services.picture import Picture

AROUND_MS = 1_000
"""Legs that are not quiet are looked for at least this often, whatever the views do."""
LOOKS_MAX = 16
"""Looks under way at once: each is two requests, and hundreds of legs may want one together."""
LOOK_WAITS_MS = (0, 20, 50, 100, 200, 500, 1_000)
"""Waits before the first, second ... look of an episode; the last one repeats."""
OPERATOR_LOOK_MS = 10_000
"""How often one of the legs that wait for a person is looked at all the same, in turn: views show their positions."""
SETTLE_LOOK_MS = 200
"""A leg that settles is looked at only after this: the stream usually answers within a few milliseconds."""


@dataclass(frozen=True, slots=True)
class _Step:
    """The facts of one evaluating transaction."""

    state: AccountState
    legs: tuple[LegStep, ...]


def _judge_all(step: _Step) -> tuple[Judged, ...]:
    """Decide about every leg of the step."""
    judged = []
    for each in step.legs:
        verdict = judge(each.facts.leg)
        judged.append(Judged(each.facts, verdict, next_move(each.facts, verdict), each.closes_planned))
    return tuple(judged)


@dataclass(slots=True)
class Reconciler:
    """The reconcile service of one account."""

    context: Context
    reader: VenueReader
    feed: Feed
    picture: Picture
    on_closes: Callable[[list[Close]], None]
    """Hands planned closes to whoever puts them on the bus."""
    mode: PositionMode
    _memory: dict[Leg, LegMemory] = field(default_factory=dict)
    _looks_free: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(LOOKS_MAX))
    _agenda: Agenda = field(default_factory=Agenda)
    _quiet: Quiet = field(init=False)
    _around_ns: int = 0
    _proof: tuple[int, int] | None = None
    """What the next stamp says, and the mark of the agenda that must be past before it is written."""
    _stamped_ms: int | None = None
    _first: FirstStart = field(init=False)
    _broken: BaseException | None = None
    """What ended a look that nobody foresaw; raised by the evaluator, so that the supervisor hears of it."""

    def __post_init__(self) -> None:
        self._first = FirstStart(self.context, self.reader, self.picture, self.mode)
        self._quiet = Quiet(self.context, self.picture, self.mode)

    # --- what the feed tells (FeedListener) -------------------------------------------------------------

    def on_trade(self, trade: Trade, report: OrderReport) -> None:
        """A trade by itself moves nothing here: the position that it made follows."""

    def on_order(self, report: OrderReport) -> None:
        """Nothing: orders are apply's."""

    def on_gap(self, detail: str) -> None:
        """Void the stamp before anything else is done."""
        self.context.wakes.legs.knock(Errand.VOID_STAMP)
        self.context.log.warning("stamp_void", account=self.context.account, detail=detail)

    def on_up(self) -> None:
        """Nothing: the view that is read now says it all."""

    def on_proof(self) -> None:
        """Renew the stamp with the next step."""
        self.context.wakes.legs.knock(Errand.STAMP)

    def on_view(self) -> None:
        """Look around."""
        self.context.wakes.legs.knock(Errand.LOOK_AROUND)

    def on_mode(self) -> None:
        """Read everything anew; a changed mode is noticed when the mode is read."""
        self.feed.ask_view()

    # --- evaluating -------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Evaluate until cancelled."""
        self._quiet.begin()
        try:
            while True:
                for_errands = self._sort(await self._take_knocks())
                if self._broken is not None:
                    raise self._broken
                try:
                    await self._pass(for_errands)
                except JournalBusy as error:
                    self.context.log.warning("journal_busy", account=self.context.account, detail=str(error))
                    self._agenda.put_back()
                    for errand in for_errands:
                        self.context.wakes.legs.knock(errand)
                    await asyncio.sleep(LOOK_WAITS_MS[2] / 1000)
        finally:
            self._cancel_all()

    async def _take_knocks(self) -> tuple[Leg | Errand, ...]:
        """Wait for knocks, the next appointment, or the next look around."""
        now_ns = self.context.clock.monotonic_ns()
        wait_ns = self._agenda.wait_ns(now_ns)
        around_ns = self._around_ns + AROUND_MS * 1_000_000 - now_ns
        if wait_ns == 0 and not self._quiet.is_waiting:
            return self.context.wakes.legs.take_now()
        soonest_ns = min(around_ns, wait_ns) if wait_ns else around_ns
        return await self.context.wakes.legs.take(max(soonest_ns // 1_000_000 + 1, 1))

    def _sort(self, keys: tuple[Leg | Errand, ...]) -> set[Errand]:
        """Put the legs on the agenda; what else was asked for."""
        self._agenda.urge(key for key in keys if isinstance(key, Leg))
        return {key for key in keys if isinstance(key, Errand)}

    async def _pass(self, errands: set[Errand]) -> None:
        """Run the errands, judge one step's legs, and stamp once all is judged that came before the proof."""
        await self._void_stamp(errands)
        now_ns = self.context.clock.monotonic_ns()
        if Errand.LOOK_AROUND in errands or now_ns - self._around_ns >= AROUND_MS * 1_000_000:
            self._agenda.queue(await self._quiet.not_quiet())
            self._around_ns = now_ns
        proof_ms = self.feed.proof_ms
        if self._proof is None and proof_ms is not None and proof_ms != self._stamped_ms:
            self._proof = (proof_ms, self._agenda.mark())
        is_first = await self._first.is_due()
        if is_first:
            # All that any view named in one step, with the baseline: none of it may be judged by the baseline without
            # having been held.
            self._agenda.urge(self.picture.known_legs())
            legs = self._agenda.take_urgent()
        else:
            legs = () if self._quiet.is_waiting else self._agenda.take(now_ns)
        proof = self._proof
        may_stamp = proof is not None and proof_ms is not None and self._agenda.is_past(proof[1])
        if legs or may_stamp or is_first:
            await self._step(legs, proof[0] if proof is not None and may_stamp else None, is_first=is_first)
        self._agenda.done()
        if may_stamp:
            self._proof = None

    async def _void_stamp(self, errands: set[Errand]) -> None:
        if Errand.VOID_STAMP not in errands or self.feed.proof_ms is not None:
            return
        self._stamped_ms = self._proof = None

        def write(tx: Tx, _choice: None, state: AccountState) -> None:
            if state.stamp_ms is not None:
                tx.set_stamp(None)
                tx.append(Entry(EntryKind.STAMP_VOIDED, self.context.account))

        await self.context.transact(read=lambda reads: reads.account(), decide=lambda _: None, write=write)

    async def _step(self, legs: tuple[Leg, ...], proof_ms: int | None, *, is_first: bool = False) -> None:
        context = self.context
        started_ns = context.clock.monotonic_ns()
        out = Written([], [])

        shown = [self._memory_of(leg).shown(leg, self.picture, context.rules) for leg in legs]
        baseline = is_first and self._first.speaks_of(shown)
        loop = asyncio.get_running_loop()

        def read(reads: Reads) -> _Step:
            state = reads.account()
            return _Step(state, tuple(read_leg(reads, each, state, context.limits) for each in shown))

        def write(tx: Tx, choice: tuple[Judged, ...], step: _Step) -> None:
            out.entries.clear()
            out.closes.clear()
            out.alerted = False
            seen = self._first.is_seen_through(choice)
            if step.state.baseline_ms is None and baseline and seen:
                out.entries.append(self._first.write_baseline(tx, shown))
            for judged in choice:
                write_move(tx, judged, out)
                if judged.move.kind is MoveKind.HOLD and judged.verdict.row > 1:
                    # A look only reads: it may be under way while the hold's commit waits for the disk. The
                    # journal may run this on a thread of its own, so the loop is asked.
                    loop.call_soon_threadsafe(self._look, judged.facts.leg.ledger.leg)
            if proof_ms is not None and proof_ms != self._stamped_ms:
                tx.set_stamp(proof_ms)

        decided = await context.transact(read=read, decide=_judge_all, write=write)
        if proof_ms is not None:
            self._stamped_ms = proof_ms
        context.emit(out.entries)
        for judged in decided:
            self._quiet.note(judged)
            self._after(judged, started_ns)
        self._announce(out, decided)

    def _memory_of(self, leg: Leg) -> LegMemory:
        return self._memory.setdefault(leg, LegMemory())

    # --- acting -----------------------------------------------------------------------------------------

    def _after(self, judged: Judged, started_ns: int) -> None:
        leg, facts = judged.facts.leg.ledger.leg, judged.facts
        memory = self._memory[leg]
        verdict, move = judged.verdict, judged.move
        self._remember(memory, verdict, facts.leg.now_ms, started_ns)
        if move.kind is MoveKind.OPERATOR and (facts.instrument is None or not facts.instrument.is_trading):
            self.context.rules.are_doubted = True
        if move.kind in {MoveKind.NOTHING, MoveKind.AGREE}:
            self._settled(judged, memory)
        elif verdict.status is Status.SETTLING and memory.looks == 0:
            memory.looks = 1
            self._look_again_in(leg, SETTLE_LOOK_MS)
        elif self._waits_for_a_view(judged):
            pass
        elif move.kind in {MoveKind.LOOK, MoveKind.DOUBT, MoveKind.HOLD} and verdict.row > 1:
            if move.kind is MoveKind.HOLD:
                memory.looks = 0  # looks taken while the leg settled are not the episode's: its first one does not wait
            self._look(leg)
        elif move.kind is MoveKind.OPERATOR and verdict.row > 1 and not judged.is_of_another_mode:
            self._look_now_and_then(leg, memory)
        elif move.kind in STARTS_ANEW:
            # What was booked by it is no evidence any more. (A close's fills move no ledger: no version would tell, and
            # the same trades would be repaired for ever.)
            memory.evidence = memory.second = memory.earlier = None
            self.context.wakes.legs.knock(leg)
        self._appoint(leg, move, facts.leg.now_ms)
        if verdict.drift is not None:
            self.context.metrics.drift(self.context.account, leg.symbol, verdict.drift)

    def _waits_for_a_view(self, judged: Judged) -> bool:
        """Tell whether the next complete view frees the leg, and many others with it: then none is looked at."""
        hold = automatic_hold(judged.facts.holds)
        by_view = hold is not None and hold.reason in {HoldReason.VIEW_MISSING, HoldReason.VIEW_STALE}
        agreed = judged.verdict.status is Status.AGREED and judged.move.kind is MoveKind.LOOK
        return by_view and agreed and self._quiet.loud > LOOKS_MAX

    def _appoint(self, leg: Leg, move: Move, now_ms: int) -> None:
        if move.kind is MoveKind.CLOSE:
            self._memory_of(leg).looks = 0  # what follows it is looked at as promptly as the drift was
        if move.wait_until_ms is not None:
            self._look_again_in(leg, max(move.wait_until_ms - now_ms, 0) + 1)
        if move.step is not None and move.step.kind is not StepKind.OPERATOR and move.step.due_ms >= now_ms:
            self._look_again_in(leg, move.step.due_ms - now_ms + 1)  # overdue, it becomes a person's

    def _remember(self, memory: LegMemory, verdict: Verdict, now_ms: int, started_ns: int) -> None:
        if verdict.status is Status.SETTLING:
            memory.settling_since_ms = memory.settling_since_ms or now_ms
        elif verdict.status is Status.AGREED:
            memory.settling_since_ms = None
        if verdict.hold is not None and memory.drift_ns is None:
            memory.drift_ns = started_ns
            self.context.metrics.stage(Stage.DRIFT_TO_HOLD, self.context.clock.monotonic_ns() - started_ns)

    def _settled(self, judged: Judged, memory: LegMemory) -> None:
        memory.evidence = memory.second = memory.earlier = None
        memory.looks = 0
        if judged.move.release and memory.drift_ns is not None:
            took = self.context.clock.monotonic_ns() - memory.drift_ns
            self.context.metrics.stage(Stage.DRIFT_TO_RELEASE, took)
        memory.drift_ns = None

    def _look(self, leg: Leg) -> None:
        """Take a look, unless one is under way; waits grow with each look of the episode."""
        memory = self._memory_of(leg)
        if memory.looking is not None:
            return
        wait_ms = LOOK_WAITS_MS[min(memory.looks, len(LOOK_WAITS_MS) - 1)]
        memory.looks += 1
        memory.looking = asyncio.create_task(self._take_look(leg, memory, wait_ms), name=f"look {leg.key}")
        memory.looking.add_done_callback(lambda task: self._looked(leg, memory, task))

    def _look_now_and_then(self, leg: Leg, memory: LegMemory) -> None:
        """While a person is asked, trades may still come that explain it all."""
        wait_ms = OPERATOR_LOOK_MS * max(self._quiet.loud, 1)
        if self.context.clock.monotonic_ns() - memory.looked_ns > wait_ms * 1_000_000:
            self._look(leg)

    async def _take_look(self, leg: Leg, memory: LegMemory, wait_ms: int) -> None:
        if wait_ms:
            await asyncio.sleep(wait_ms / 1000)
        async with self._looks_free:
            look: Look = await take_look(self.context, self.reader, self.picture, leg)
        memory.earlier = self.picture.of(leg)
        self.picture.see_all(look.view)
        memory.second = look.view.of(leg)
        memory.evidence = look.evidence
        if look.evidence.stray:
            trade = look.evidence.stray[0]
            why = f"trade {trade.trade_id} on {leg.key} is of an order of ours that the journal does not know"
            await halt_account(self.context.journal, self.context.account, self.context.log, why)
            self.context.wakes.alerts.knock("halt")

    def _looked(self, leg: Leg, memory: LegMemory, task: asyncio.Task[None]) -> None:
        memory.looking = None
        memory.looked_ns = self.context.clock.monotonic_ns()
        if task.cancelled():
            return
        error = task.exception()
        if error is not None and not isinstance(error, VenueUnavailable | JournalBusy):
            self.context.log.failure("look_failed", error, account=self.context.account, leg=leg.key)
            self._broken = error
        elif error is not None:
            self.context.log.warning("look_failed", account=self.context.account, leg=leg.key, detail=str(error))
        self.context.wakes.legs.knock(leg)

    def _look_again_in(self, leg: Leg, wait_ms: int) -> None:
        self._agenda.appoint(leg, self.context.clock.monotonic_ns() + wait_ms * 1_000_000)

    def _announce(self, out: Written, decided: tuple[Judged, ...]) -> None:
        for judged in decided:
            symbol, kind = judged.facts.leg.ledger.leg.symbol, judged.move.kind
            if kind is MoveKind.AGREE and not judged.move.release:
                self.context.changed(symbol)
            elif kind not in {MoveKind.NOTHING, MoveKind.LOOK, MoveKind.WAIT}:
                self.context.hold_changed(symbol)
        for entry in out.entries:
            log_entry(self.context.log, entry.entry)
        if out.alerted:
            self.context.wakes.alerts.knock("reconcile")
        for close in out.closes:
            self.context.metrics.close_planned()
            self.context.wakes.closes.knock(close.plan_id)
        if out.closes:
            self.on_closes(out.closes)

    def _cancel_all(self) -> None:
        for memory in self._memory.values():
            if memory.looking is not None:
                memory.looking.cancel()
