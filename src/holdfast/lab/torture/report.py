"""What a run found, as text for people and as one JSON line for machines."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from holdfast.lab.torture.schedule import Schedule

LINES_SHOWN: Final = 150
SEEDS_SHOWN: Final = 50


@dataclass(frozen=True, slots=True)
class Found:
    """One violation, shrunk."""

    seed: int
    violations: tuple[str, ...]
    shrunk: Schedule
    lines: tuple[str, ...]
    command: str

    def text(self) -> str:
        """Seed, schedule, timeline, command."""
        acts = [f"  fault  {act}" for act in self.shrunk.faults] + [f"  deed   {act}" for act in self.shrunk.deeds]
        shown = self.lines[-LINES_SHOWN:]
        cut = [f"  ... {len(self.lines) - len(shown)} lines before"] if len(shown) < len(self.lines) else []
        return "\n".join(
            (
                f"VIOLATION in the history of seed {self.seed}",
                *(f"  {each}" for each in self.violations),
                f"the fewest acts that still fail ({'+'.join(self.shrunk.shape.units)}):",
                *acts,
                "timeline (ms of virtual time):",
                *cut,
                *(f"  {line}" for line in shown),
                f"replay: {self.command}",
                f"keep:   {self.command} --keep FILE",
            )
        )


@dataclass(slots=True)
class Report:
    """The figures of a run."""

    first_seed: int
    schedules: int = 0
    plans: int = 0
    seconds: float = 0.0
    violations: int = 0
    """Histories in which something was violated."""
    hits: Counter[str] = field(default_factory=Counter)
    violated: tuple[int, ...] = ()
    """Their seeds."""
    found: list[Found] = field(default_factory=list)
    """The first of them, shrunk."""
    digests: dict[int, str] = field(default_factory=dict)

    @property
    def histories_per_s(self) -> float:
        """Wall-clock speed."""
        return self.schedules / self.seconds if self.seconds else 0.0

    @property
    def log_hash(self) -> str:
        """One hash for all histories, whoever played them, in the order of their seeds."""
        text = "\n".join(f"{seed} {digest}" for seed, digest in sorted(self.digests.items()))
        return hashlib.sha256(text.encode()).hexdigest()

    def json(self) -> str:
        """One line."""
        return msgspec.json.encode(
            {
                "schedules": self.schedules,
                "violations": self.violations,
                "histories_per_s": round(self.histories_per_s, 2),
                "faults_hit": dict(sorted(self.hits.items())),
                "log_hash": self.log_hash,
                "first_seed": self.first_seed,
                "plans": self.plans,
                "seeds_violated": list(self.violated[:SEEDS_SHOWN]),
                "seconds": round(self.seconds, 1),
                "found": [
                    {"seed": each.seed, "violations": list(each.violations), "replay": each.command}
                    for each in self.found
                ],
            }
        ).decode()

    def _summary(self) -> str:
        played = f"{self.schedules} histories from seed {self.first_seed}, {self.plans} plans"
        seeds = f" (seeds {', '.join(map(str, self.violated[:SEEDS_SHOWN]))})" if self.violated else ""
        return f"{played}, {self.histories_per_s:.1f} histories/s: {self.violations} with a violation{seeds}"

    def text(self) -> str:
        """For people."""
        rows = [f"  {count:>8}  {name}" for name, count in sorted(self.hits.items(), key=lambda row: (-row[1], row[0]))]
        return "\n".join(
            (
                *(each.text() + "\n" for each in self.found),
                self._summary(),
                "faults that really struck:",
                *rows,
                f"log hash {self.log_hash}",
            )
        )
