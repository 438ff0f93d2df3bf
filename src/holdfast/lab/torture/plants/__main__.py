"""`python -m holdfast.lab.torture.plants`: hunt all plants, print the table, write it down. `make plants` runs it."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast.lab.torture.plants import PLANTS
from holdfast.lab.torture.plants.caught import keep, known, page
from holdfast.lab.torture.plants.hunt import hunt

if TYPE_CHECKING:
    from holdfast.lab.torture.plants.caught import Caught

SCHEDULES_MAX = 5_000
PAGE = Path("docs/plants.md")


def main() -> int:
    """Exit status 1 if a plant was not caught."""
    parser = argparse.ArgumentParser(description="Plant each bug, and play histories until it is seen.")
    parser.add_argument("names", nargs="*", help="these plants only", metavar="PLANT")
    parser.add_argument("--schedules", type=int, default=SCHEDULES_MAX, help="histories before a plant is given up")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args()
    unknown = sorted(set(asked.names) - set(PLANTS))
    if unknown:
        parser.error(f"no plant is called {', '.join(unknown)}")
    names = asked.names or list(PLANTS)
    sys.stdout.write(f"{'plant':<32} {'histories':>9}  {'seed':>5}  violation\n")
    found = hunt(names, asked.schedules, asked.jobs, _tell)
    missed = [name for name in names if name not in found]
    sys.stdout.write(f"{len(found)} of {len(names)} caught" + (f"; not: {', '.join(missed)}\n" if missed else "\n"))
    return 1 if missed else 0


def _tell(name: str, caught: Caught | None) -> None:
    """Say it, and write it down at once: a hunt takes minutes, and may be broken off."""
    kept = {each: found for each, found in known().items() if each in PLANTS and each != name}
    if caught is not None:
        kept[name] = caught
    keep(kept)
    if PAGE.parent.is_dir():
        PAGE.write_text(page(PLANTS, kept))
    if caught is None:
        sys.stdout.write(f"{name:<32} not caught\n")
    else:
        sys.stdout.write(f"{name:<32} {caught.played:>9}  {caught.seed:>5}  {caught.violation[:120]}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
