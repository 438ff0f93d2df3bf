"""What a drill says when it is over: counts, faults that really struck, and every violation with its replay."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import msgspec


@dataclass(slots=True)
class Report:
    """The figures of one or several drills."""

    seed: int
    points: set[str] = field(default_factory=set)
    """Names of side effects that were reached."""
    shots: set[str] = field(default_factory=set)
    """Sides of them at which a process really died."""
    kills: int = 0
    second_kills: int = 0
    """Of these, deaths in the recovery from another death."""
    known: set[str] = field(default_factory=set)
    """Sides of effects that came up."""
    pairs: int = 0
    """Pairs of (kind of a first death, effect of recovery at the second one) that were killed."""
    pairs_known: int = 0
    """As many as there could be, whether or not they can ever meet."""
    recovery_known: set[str] = field(default_factory=set)
    """Sides that came up in recovery."""
    recovery_killed: set[str] = field(default_factory=set)
    """Sides that were a second death."""
    faults_hit: Counter[str] = field(default_factory=Counter)
    orders: int = 0
    plans: int = 0
    deliveries: int = 0
    violations: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    """Sides that were aimed at and never came up again."""

    def add(self, other: Report) -> None:
        """Take over another drill's figures."""
        self.points |= other.points
        self.shots |= other.shots
        self.kills += other.kills
        self.second_kills += other.second_kills
        self.known |= other.known
        self.pairs += other.pairs
        self.pairs_known += other.pairs_known
        self.recovery_known |= other.recovery_known
        self.recovery_killed |= other.recovery_killed
        self.faults_hit.update(other.faults_hit)
        self.orders += other.orders
        self.plans += other.plans
        self.deliveries += other.deliveries
        self.violations += other.violations
        self.missed += other.missed

    def json(self) -> str:
        """One JSON line."""
        body = {
            "points_reached": len(self.points),
            "kills": self.kills,
            "second_kills": self.second_kills,
            "faults_hit": dict(sorted(self.faults_hit.items())),
            "orders": self.orders,
            "violations": self.violations,
            "sides_known": len(self.known),
            "sides_killed": len(self.shots),
            "missed": self.missed,
            "recovery_sides_known": len(self.recovery_known),
            "recovery_sides_killed": len(self.recovery_killed),
            "pairs_killed": self.pairs,
            "pairs_known": self.pairs_known,
            "plans": self.plans,
            "deliveries": self.deliveries,
            "seed": self.seed,
        }
        return msgspec.json.encode(body).decode()

    def text(self) -> str:
        """Lines for a person."""
        lines = [
            f"points reached  {len(self.points)}",
            f"kills           {self.kills}, on {len(self.shots)} of {len(self.known)} sides of an effect",
            f"second kills    {self.second_kills}, on {len(self.recovery_killed)} of {len(self.recovery_known)} sides",
            f"crossed         {self.pairs} pairs of a kind of first death and an effect of recovery",
            *(f"never reached again: {each}" for each in self.missed),
            f"orders          {self.orders} at the exchange, {self.plans} plans, {self.deliveries} deliveries",
            f"seed            {self.seed}",
            *(f"fault hit       {name}: {count}" for name, count in sorted(self.faults_hit.items())),
            *(f"VIOLATION       {each}" for each in self.violations),
            "no violation" if not self.violations else f"{len(self.violations)} violations",
        ]
        return "\n".join(lines)
