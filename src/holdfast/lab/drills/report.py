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
            "faults_hit": dict(sorted(self.faults_hit.items())),
            "orders": self.orders,
            "violations": self.violations,
            "sides_killed": len(self.shots),
            "sides_missed": self.missed,
            "plans": self.plans,
            "deliveries": self.deliveries,
            "seed": self.seed,
        }
        return msgspec.json.encode(body).decode()

    def text(self) -> str:
        """Lines for a person."""
        lines = [
            f"points reached  {len(self.points)}",
            f"kills           {self.kills}, on {len(self.shots)} different sides of an effect",
            f"orders          {self.orders} at the exchange, {self.plans} plans, {self.deliveries} deliveries",
            f"seed            {self.seed}",
            *(f"fault hit       {name}: {count}" for name, count in sorted(self.faults_hit.items())),
            *(f"VIOLATION       {each}" for each in self.violations),
            "no violation" if not self.violations else f"{len(self.violations)} violations",
        ]
        return "\n".join(lines)
