"""What one round of the crash drill is, and which one comes next.

A side (an effect, and before or after it) is known from the round in which it first came up, with that round's
recipe: the faults that were armed, and how a victim started. It is aimed at under the same recipe again. Sides that
share a recipe share a round: the victim dies at whichever comes up first, its successor is aimed at the rest. What was
first seen in the recovery from a death is aimed at together with that death.

Second kills are crossed, not drawn: whoever starts after a death is aimed, besides, at the effect of recovery that was
killed least often after a death of that kind. What a recovery does is found as well: it is what successors reach
among their first `RECOVERY_REACHES`.

    kind of a first death      port, call and service: `venue.submit apply`
    effect of recovery         the whole name: `journal.transact apply conclude<Resolver.take_over<... [ORDER_OUTCOME]`

Invariant: a side is queued until a victim died of it or `TRIES_MAX` rounds with its cause armed passed it by; each
miss aims with fewer others beside it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

import msgspec

from holdfast.lab.drills.causes import CAUSES, NOTHING, Cause
from holdfast.lab.drills.effects import Moment, Shot
from holdfast.lab.drills.record import Resend
from holdfast.lab.drills.stage import BusKind, LeaseWait
from holdfast.lab.drills.wrapping import WITH_PLANS

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable, Sequence

    from holdfast.lab.drills.effects import Reached

RECOVERY_REACHES = 160
"""What a victim reaches at first counts as its recovery: a start alone is about 40 reaches on either side."""
TOGETHER_MAX = (8, 4, 2, 1)
"""How many sides share a round, by how often the one that was missed most was tried."""
TRIES_MAX = 5
CROSSED_TOGETHER = 4
"""First deaths of a round that is played for the second ones only."""
CROSSINGS_TRIED_MAX = 3
"""How often a pair is aimed at before others are worth more."""


class Start(Enum):
    """How the victim of a round comes to its effects."""

    RUNNING = "running"
    KILLED = "killed"
    """It is killed first: the effects belong to a start."""
    ENDED = "ended"
    """It is ended in order."""
    FIRST = "first"
    """The account has never been seen before."""


class Recipe(msgspec.Struct, frozen=True):
    """Under which circumstances a round is played."""

    cause: str = NOTHING
    start: Start = Start.RUNNING
    lease: LeaseWait = LeaseWait.FREED
    resend: Resend = Resend.SAME_ID
    patience_s: int = 0
    """How long a round waits, once its script is over, for what comes by the clock alone."""

    def armed(self) -> Cause:
        """What it arms."""
        return CAUSES[self.cause]


class Round(msgspec.Struct, frozen=True):
    """All that is needed to play a round (again)."""

    recipe: Recipe
    shots: tuple[Shot, ...] = ()
    """Whichever comes up first, one after the other."""
    bus: BusKind | None = None
    """On which bus it was played."""
    chain: tuple[Shot, ...] = ()
    """For a replay: the deaths as they were, each victim aimed at its own one only."""


STARTING = ("build_account", "_job.job", "run_by_doors", "_take_over")
FIRST_START = ("[BASELINE]", "FirstStart.")
AFTER_WAIT = ("read_again",)
IN_ORDER = ("give_up",)
BY_THE_CLOCK, PATIENCE_S = ("keep_clock",), 65
"""Once a minute; such rounds are played last."""
UNANSWERED = ("bus.read_plans apply", "bus.hold_values apply", "Executor._claim", "with plans")
"""Effects at which a plan was read and nothing was journaled: nobody may help by sending it again."""


def circumstances(name: str, seen_under: Recipe) -> Recipe:
    """The recipe to aim at an effect with: what armed it when it was seen, and what its name says of its start."""

    def has(words: Iterable[str]) -> bool:
        return any(word in name for word in words)

    start = Start.RUNNING
    if has(FIRST_START):
        start = Start.FIRST
    elif has(IN_ORDER):
        start = Start.ENDED
    elif has(STARTING):
        start = Start.KILLED
    lease = LeaseWait.STOOD_BY if has(AFTER_WAIT) else LeaseWait.FREED
    alone = has(UNANSWERED) and not CAUSES[seen_under.cause].empties_bus
    resend = Resend.NEVER if alone else Resend.SAME_ID
    return Recipe(seen_under.cause, start, lease, resend, PATIENCE_S if has(BY_THE_CLOCK) else 0)


def sides_of(name: str) -> tuple[Shot, ...]:
    """Where a process can die of an effect."""
    return tuple(Shot(name, moment) for moment in Moment if moment is Moment.AFTER or not name.endswith(WITH_PLANS))


def kind_of(name: str) -> str:
    """Port, call and service of an effect."""
    return " ".join(name.split(" ")[:2])


def first_seen(trace: Sequence[Reached]) -> dict[str, Shot | None]:
    """Each effect, with the death in whose recovery it was first seen; None if it was seen in ordinary life."""
    deaths = {each.life: each.side for each in trace if each.is_death}
    counts: Counter[int] = Counter()
    found: dict[str, Shot | None] = {}
    for each in trace:
        counts[each.life] += 1
        if each.name not in found:
            recovers = counts[each.life] <= RECOVERY_REACHES
            found[each.name] = deaths.get(each.life - 1) if recovers else None
    return found


def recoveries(trace: Sequence[Reached]) -> set[str]:
    """Names of what successors reached in their recovery."""
    counts: Counter[int] = Counter()
    found: set[str] = set()
    for each in trace:
        counts[each.life] += 1
        if each.life > 1 and counts[each.life] <= RECOVERY_REACHES:
            found.add(each.name)
    return found


def in_recovery(trace: Sequence[Reached], death: Reached) -> bool:
    """Tell whether a victim died while it recovered from another's death."""
    reached = sum(each.life == death.life for each in trace)
    return death.life > 1 and reached <= RECOVERY_REACHES


@dataclass(slots=True)
class Target:
    """A side that is still to be killed."""

    shot: Shot
    recipe: Recipe
    after: Shot | None = None
    """The death in whose recovery it was first seen: without one it may never come up."""


@dataclass(slots=True)
class Cover:
    """What is known, what was killed, and what comes next; shared by all jobs of a drill."""

    choose: random.Random
    known: dict[Shot, Recipe] = field(default_factory=dict)
    queue: list[Target] = field(default_factory=list)
    provoked: dict[Shot, Shot] = field(default_factory=dict)
    """The death in whose recovery a side was first seen, of those that were."""
    killed: set[Shot] = field(default_factory=set)
    missed: dict[Shot, Recipe] = field(default_factory=dict)
    scouting: list[Recipe] = field(default_factory=list)
    """Recipes to be played without a shot first: they find the effects."""
    recovery: set[Shot] = field(default_factory=set)
    """Sides of effects that successors reach in recovery."""
    kinds: set[str] = field(default_factory=set)
    """Kinds of first deaths."""
    crossed: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Kind of a first death, name of the effect of the second one."""
    tried: Counter[tuple[str, str]] = field(default_factory=Counter)
    seconds: Counter[Shot] = field(default_factory=Counter)
    """How often each side was a second death."""
    aimed: Counter[Shot] = field(default_factory=Counter)
    """How often each side was aimed at as a second death."""
    tries: Counter[Shot] = field(default_factory=Counter)
    """How often each side was aimed at as a first death in vain."""

    def learn(self, trace: Sequence[Reached], recipe: Recipe) -> None:
        """Take in what a round brought up."""
        for name, after in sorted(first_seen(trace).items(), key=lambda each: each[0]):
            for shot in sides_of(name):
                if shot in self.known:
                    continue
                wanted = self.known[shot] = circumstances(name, recipe)
                if after is not None:
                    self.provoked[shot] = after
                if shot not in self.killed:
                    self.queue.append(Target(shot, wanted, after))
        self.recovery |= {shot for name in recoveries(trace) for shot in sides_of(name)}

    def died(self, shot: Shot) -> None:
        """A victim died here."""
        self.killed.add(shot)
        self.missed.pop(shot, None)
        self.kinds.add(kind_of(shot.name))
        self.queue = [target for target in self.queue if target.shot != shot]

    def crossing(self, first: Shot, second: Shot) -> None:
        """A successor died of `second` in its recovery from a death of `first`."""
        self.seconds[second] += 1
        self.crossed[kind_of(first.name), second.name] += 1

    def second_after(self, first: Shot) -> Shot | None:
        """Where the successor of a victim that died of `first` shall die: the side crossed least often."""
        kind = kind_of(first.name)
        if not self.recovery:
            return None

        def worth(side: Shot) -> tuple[int, int, int, float]:
            pair = (kind, side.name)
            tried = min(self.tried[pair], CROSSINGS_TRIED_MAX)
            return (self.crossed[pair] + tried, self.seconds[side], self.tried[pair], self.choose.random())

        chosen = min(sorted(self.recovery, key=lambda side: (side.name, side.moment.value)), key=worth)
        self.tried[kind, chosen.name] += 1
        self.aimed[chosen] += 1
        return chosen

    def uncrossed(self) -> list[Shot]:
        """Sides of recovery that were no second death yet and are worth a try."""
        return [side for side in self.recovery if not self.seconds[side] and self.aimed[side] < CROSSINGS_TRIED_MAX]

    def next_round(self) -> Round | None:
        """What to play next; None when every known side was killed or tried often enough."""
        if self.scouting:
            return Round(self.scouting.pop(0))
        if not self.queue:
            return None
        tries = min(self.tries[target.shot] for target in self.queue)
        waiting = [target for target in self.queue if self.tries[target.shot] == tries]
        groups = Counter(target.recipe for target in waiting)
        recipe = max(sorted(groups, key=repr), key=lambda each: (-each.patience_s, groups[each]))
        fitting = [target for target in waiting if target.recipe == recipe]
        size = TOGETHER_MAX[min(tries, len(TOGETHER_MAX) - 1)]
        taken = self.choose.sample(fitting, min(size, len(fitting)))
        self.queue = [target for target in self.queue if target not in taken]
        shots = [target.shot for target in taken]
        shots += [target.after for target in taken if target.after is not None]
        return Round(recipe, tuple(dict.fromkeys(shots)))

    def crossing_round(self) -> Round | None:
        """First deaths of the kinds that were crossed least, for the sake of what follows them."""
        sides = [side for side in self.known if side in self.killed and self.known[side].start is Start.RUNNING]
        if not sides:
            return None
        done: Counter[str] = Counter()
        for (kind, _), count in self.crossed.items():
            done[kind] += count
        chosen = min(sides, key=lambda side: (done[kind_of(side.name)], self.choose.random()))
        recipe = self.known[chosen]
        beside = [side for side in sides if self.known[side] == recipe and side != chosen]
        more = self.choose.sample(beside, min(CROSSED_TOGETHER - 1, len(beside)))
        return Round(recipe, (chosen, *more))

    def not_hit(self, played: Round, left: Iterable[Shot]) -> None:
        """Queue again what a round aimed at in vain, or give it up."""
        for shot in left:
            if shot in self.killed or shot not in self.known:
                continue
            self.tries[shot] += 1
            if self.tries[shot] >= TRIES_MAX:
                self.missed[shot] = played.recipe
            else:
                self.queue.append(Target(shot, self.known[shot], self.provoked.get(shot)))
