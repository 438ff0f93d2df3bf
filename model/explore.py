"""Explores model/holdfast.pml whole with SPIN, then plants each mistake and demands that it is found.

    python model/explore.py            the searches that CI makes
    python model/explore.py --all      the longer ones too (minutes, some GB of memory)
    python model/explore.py --trail RELEASE_UNDER_CLOSE     the story of how a planted mistake shows

Every search is exhaustive: no bit-state hashing, no depth bound that was reached, no memory limit that was hit; a
search that was cut short counts as a failure, and so does one that explored fewer states in all than `STATES_MIN`.
Exit status 0 only if no search found a violation and every planted mistake was found. Needs `spin` and `gcc`.
"""

from __future__ import annotations

import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

MODEL = Path(__file__).parent / "holdfast.pml"
STATES_MIN = 1_000_000
"""Fewer states than this in all mean that the model has lost its misfortunes."""
DEPTH_MAX = 20_000
"""Steps in a row that a search may follow; the deepest needs some 130, so reaching this is an error."""
SEARCH_S_MAX = 1_800
"""A single search may last this long."""
STORY = ">> "
"""How the model marks the lines of a trail that people read."""


class Kind(Enum):
    """What a search looks for."""

    SAFETY = "-DSAFETY"
    """A step that breaks an invariant, or an end where something is left unsettled."""
    CYCLES = "-DNP"
    """A run that goes round for ever: without one, and with bounded misfortunes, every run comes to such an end."""


@dataclass(frozen=True, slots=True)
class Search:
    """One exhaustive search: what may go wrong in it, and how often."""

    name: str
    misfortunes: dict[str, int]
    kind: Kind = Kind.SAFETY


@dataclass(frozen=True, slots=True)
class Plant:
    """One mistake of the model, and the smallest misfortunes under which it must be found."""

    name: str
    misfortunes: dict[str, int] = field(default_factory=dict)
    kind: Kind = Kind.SAFETY


@dataclass(frozen=True, slots=True)
class Found:
    """What a verifier's output says."""

    states: int
    depth: int
    errors: int
    complete: bool
    """False if the search was cut short, by a bound or otherwise: then it proves nothing."""
    violation: str
    """The violated claim; "" if there is none."""


SEARCHES = (
    Search("a crash, a foreign trade", {"CRASHES": 1, "FOREIGNS": 1}),
    Search("a crash, a lease that runs out", {"CRASHES": 1, "LAPSES": 1}),
    Search("a foreign trade, an old view", {"FOREIGNS": 1, "STALES": 1}),
    Search("a foreign trade, a blind reconciler", {"FOREIGNS": 1, "BLINDS": 1}),
    Search("a foreign trade, a request not executed", {"FOREIGNS": 1, "REPEATS": 1}),
    Search("a foreign trade, a person", {"FOREIGNS": 1, "PERSONS": 1}),
    Search("no run for ever: a foreign trade", {"FOREIGNS": 1}, Kind.CYCLES),
    Search("no run for ever: a crash, a lease that runs out", {"CRASHES": 1, "LAPSES": 1}, Kind.CYCLES),
)
LONGER = (
    Search("a foreign trade, a request not executed, a person", {"FOREIGNS": 1, "REPEATS": 1, "PERSONS": 1}),
    Search("a foreign trade, a power loss", {"FOREIGNS": 1, "POWERS": 1}),
    Search("a foreign trade, a lease that runs out", {"FOREIGNS": 1, "LAPSES": 1}),
    Search("two foreign trades", {"FOREIGNS": 2}),
    Search("two foreign trades, an old view", {"FOREIGNS": 2, "STALES": 1}),
    Search("two crashes, two leases that run out", {"CRASHES": 2, "LAPSES": 2}),
    Search("no run for ever: a foreign trade, an old view", {"FOREIGNS": 1, "STALES": 1}, Kind.CYCLES),
    Search("no run for ever: a crash, a foreign trade", {"CRASHES": 1, "FOREIGNS": 1}, Kind.CYCLES),
    Search("no run for ever: a foreign trade, a person", {"FOREIGNS": 1, "PERSONS": 1}, Kind.CYCLES),
)
PLANTS = (
    Plant("RESENDS_UNKNOWN"),
    Plant("SENDS_BEFORE_INTENT", {"CRASHES": 1}),
    Plant("NO_HOLD_CHECK"),
    Plant("NO_FENCE_IN_STEP", {"LAPSES": 1}),
    Plant("LEASE_KEEPS_NUMBER", {"LAPSES": 1}),
    Plant("WINDOW_NOT_AWAITED"),
    Plant("ONE_ABSENCE", {"FOREIGNS": 1}),
    Plant("BOOKS_TWICE"),
    Plant("OLD_VIEWS_COUNT", {"STALES": 2}),
    Plant("CLOSE_PAST_DRIFT", {"FOREIGNS": 2}),
    Plant("CLOSE_NOT_REDUCE_ONLY", {"FOREIGNS": 2}),
    Plant("FORMULA_ALONE", {"FOREIGNS": 1}),
    Plant("CLOSE_BESIDE_ORDERS", {"FOREIGNS": 1}),
    Plant("TWO_CLOSES", {"FOREIGNS": 1}),
    Plant("RELEASE_UNDER_CLOSE", {"FOREIGNS": 2}),
    Plant("NO_TAKE_OVER", {"CRASHES": 1}),
    Plant("NO_ALERT", {"FOREIGNS": 1}),
    Plant("UNKNOWN_NOT_ASKED", {"CRASHES": 1}),
    Plant("TIMEOUT_IS_REFUSAL"),
    Plant("ATTEMPTS_UNBOUNDED", {"FOREIGNS": 1}, Kind.CYCLES),
    Plant("ADOPT_BESIDE_ORDERS", {"PERSONS": 1}),
    Plant("STAMP_WITHOUT_VIEW", {"BLINDS": 1}),
    Plant("HOLD_CHECK_BEFORE_STEP", {"FOREIGNS": 1}),
    Plant("FILL_FORGOTTEN", {"FOREIGNS": 1}),
    Plant("RELEASE_UNDER_UNKNOWN", {}, Kind.CYCLES),
)


def read_output(text: str) -> Found:
    """Read what a verifier printed. What it does not say counts as cut short."""
    states = re.search(r"^\s*(\d+) states, stored", text, re.MULTILINE)
    counted = re.search(r"depth reached (\d+), errors: (\d+)", text)
    violation = re.search(r"^pan:\d+: (.*?)(?: \(at depth \d+\))?$", text, re.MULTILINE)
    if states is None or counted is None:
        return Found(0, 0, 0, complete=False, violation=violation[1] if violation else "")
    cut = re.search(r"Search not completed|max search depth too small|out of memory|memory limit", text, re.IGNORECASE)
    hashed = re.search(r"Bit statespace search|Hash-Compact", text)
    errors = int(counted[2])
    return Found(
        states=int(states[1]),
        depth=int(counted[1]),
        errors=errors,
        complete=cut is None and hashed is None,
        violation=violation[1] if violation and errors else "",
    )


def numbers_of(model: str) -> dict[str, int]:
    """The planted mistakes that a model defines, by name."""
    start = model.index("the mistakes that can be planted")
    section = model[start : model.index("c_decl", start)]
    return {name: int(number) for name, number in re.findall(r"^#define (\w+) (\d+)$", section, re.MULTILINE)}


def problems_of(found: list[tuple[Search, Found]], planted: list[tuple[Plant, Found]]) -> list[str]:
    """Everything that keeps the searches from proving the model; [] if it is proven."""
    problems = []
    for search, result in found:
        if result.errors or result.violation:
            problems.append(f"{search.name}: {result.violation or 'an error'}")
        elif not result.complete:
            problems.append(f"{search.name}: the search was cut short")
    states = sum(result.states for _, result in found)
    if states < STATES_MIN:
        problems.append(f"{states} states in all: fewer than {STATES_MIN}")
    problems += [f"planted {plant.name} was not found" for plant, result in planted if not result.errors]
    return problems


class Verifiers:
    """SPIN's verifiers of the model, built once a kind."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        shutil.copy(MODEL, folder)
        self._run(["spin", "-a", MODEL.name])
        for kind in Kind:
            options = ["-O2", "-w", kind.value, "-DNOREDUCE", "-DMEMLIM=12000"]
            self._run(["gcc", *options, "-o", kind.name, "pan.c"])

    def search(self, kind: Kind, misfortunes: dict[str, int], planted: int) -> tuple[Found, str]:
        """Search everything; the first violation ends it. The result, and the violation's story."""
        loops = ["-l"] if kind is Kind.CYCLES else []
        chosen = {**{name: str(count) for name, count in misfortunes.items()}, "PLANTED": str(planted)}
        trail = self._folder / f"{MODEL.name}.trail"
        trail.unlink(missing_ok=True)
        found = read_output(self._run([f"./{kind.name}", *loops, f"-m{DEPTH_MAX}", "-w22"], chosen))
        if not trail.exists():
            return found, ""
        told = self._run([f"./{kind.name}", "-r", trail.name], chosen).splitlines()
        return found, "\n".join(line for line in told if line.startswith((STORY, "<<<")))

    def _run(self, command: list[str], chosen: dict[str, str] | None = None) -> str:
        done = subprocess.run(  # noqa: S603 - spin, gcc and the verifier that they made
            command,
            cwd=self._folder,
            env={"PATH": os.environ.get("PATH", ""), **(chosen or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SEARCH_S_MAX,
            check=False,
        )
        if chosen is None and done.returncode:
            raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout}")
        return done.stdout


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _explore(verifiers: Verifiers, searches: tuple[Search, ...]) -> list[tuple[Search, Found]]:
    found = []
    _say(f"{'states':>10}  {'depth':>5}  {'errors':>6}  {'CPU s':>6}  search")
    for search in searches:
        before = _cpu_s()
        result, story = verifiers.search(search.kind, search.misfortunes, 0)
        cut = "" if result.complete or result.errors else "  CUT SHORT"
        took = _cpu_s() - before
        _say(f"{result.states:>10}  {result.depth:>5}  {result.errors:>6}  {took:>6.1f}  {search.name}{cut}")
        if result.errors:
            _say(f"{story}\nviolated: {result.violation}")
        found.append((search, result))
    return found


def _plant(verifiers: Verifiers) -> list[tuple[Plant, Found]]:
    numbers = numbers_of(MODEL.read_text(encoding="utf-8"))
    return [(plant, verifiers.search(plant.kind, plant.misfortunes, numbers[plant.name])[0]) for plant in PLANTS]


def _tell(verifiers: Verifiers, name: str) -> int:
    plant = next((each for each in PLANTS if each.name == name), None)
    if plant is None:
        _say(f"no such mistake; there are {', '.join(each.name for each in PLANTS)}")
        return 2
    number = numbers_of(MODEL.read_text(encoding="utf-8"))[name]
    found, story = verifiers.search(plant.kind, plant.misfortunes, number)
    _say(f"{story}\nviolated: {found.violation or 'nothing'}")
    return 0 if found.errors else 1


def main(arguments: list[str]) -> int:
    """Explore and plant; the exit status."""
    missing = [tool for tool in ("spin", "gcc") if shutil.which(tool) is None]
    if missing:
        _say(f"the model needs {' and '.join(missing)}: on Debian and Ubuntu, apt-get install spin gcc")
        return 2
    started = _cpu_s()
    with tempfile.TemporaryDirectory(prefix="holdfast-model-") as folder:
        verifiers = Verifiers(Path(folder))
        if arguments[:1] == ["--trail"]:
            return _tell(verifiers, *arguments[1:2])
        found = _explore(verifiers, SEARCHES + LONGER if "--all" in arguments else SEARCHES)
        planted = _plant(verifiers)
    caught = sum(result.errors > 0 for _, result in planted)
    states = sum(result.states for _, result in found)
    violations = sum(result.errors for _, result in found)
    problems = problems_of(found, planted)
    for problem in problems:
        _say(f"NOT PROVEN: {problem}")
    _say(
        f"model: {states} states in {len(found)} searches, {violations} violations; "
        f"{caught} of {len(planted)} planted mistakes found; {_cpu_s() - started:.0f} s of CPU"
    )
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
