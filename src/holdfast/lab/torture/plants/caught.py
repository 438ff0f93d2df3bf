"""What the last hunt found, kept beside the plants (`caught.json`), and the page that is written from it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from holdfast.lab.torture.plants.found import FOUND, story_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdfast.lab.torture.plants.catalogue import Catalogue
    from holdfast.lab.torture.story import Story

FILE: Final = Path(__file__).with_name("caught.json")
HEAD: Final = """# Planted bugs

`holdfast torture` is worth what it can find. So bugs are planted into the product on purpose, one at a time: one
function, method or row of a table is another (`src/holdfast/lab/torture/plants`, which no wheel has), nothing of the
world or its oracle is touched, and histories are played from seed 0 on until the oracle accuses somebody. `make plants`
does this and writes this page; CI replays the catching seed of each, with the plant and without it. Histories that lack
what a bug needs to matter (`plants/needs.py`: a retried request needs an answer that is lost) are passed over unplayed;
so a plant took at most its seed plus one schedules.

The rule is the first one that was broken: S1 to S7 are told in `lab/torture/books.py`, S8 to S10 and L1 to L7 in
`oracle.py`, S11 to S20 in `watch.py`, S21 and S22 in `sight.py`, S23 in `dues.py`, L8 to L13 in `persons.py`.

| plant | what the code does now | caught by | histories played | seed |
|---|---|---|---|---|
"""
FOOT: Final = """
## What cannot be shown alone

Some rows stand behind others on purpose, and skipping one of them changes nothing that anybody can see: the other
refuses. They are proven row by row in the unit tests of the tables instead.

| row | what still refuses |
|---|---|
"""
SPARE: Final = {
    "guardrail `decision`": "no message with another decision reaches the guardrails: EXECUTE has a gate of its own",
    "guardrails `hold`, `symbol`": "a hold is not released while a close under it is planned (`decide/episode.py`)",
    "guardrails `flat`, `exposure`": "`drift` and `above_drift`, unless the ledger holds the other side",
    "guardrail `unclaimed`": "a close that has an order already gets no second one (`services/closing.py`)",
    "guardrails `other_order`, `other_close`": "nothing is planned while an own order of the leg is not settled; the "
    "journal has one unfinished close a leg",
    "permit row 13, `bus_hold`": "the reconciler imports such a hold within a quarter of a second, and row 10 refuses",
    "guardrails `attempts`, `backoff`, `notional`, `switched_on`": "the reconciler asks the same before it plans",
}


@dataclass(frozen=True, slots=True)
class Caught:
    """One plant's first catch."""

    seed: int
    played: int
    """How many histories were played, the catching one counted; those that lack what the bug needs are passed over."""
    rule: str
    violation: str


def known() -> dict[str, Caught]:
    """The catches of the last hunt, by plant."""
    return msgspec.json.decode(FILE.read_bytes(), type=dict[str, Caught]) if FILE.exists() else {}


def keep(caught: Mapping[str, Caught]) -> None:
    """Write them down."""
    text = msgspec.json.format(msgspec.json.encode({name: caught[name] for name in sorted(caught)}), indent=1)
    FILE.write_bytes(text + b"\n")


FOUND_HEAD: Final = """
## Bugs that our own code had

These were no plants once: histories or drills found them, they were mended, and each is put back here as it was
(`plants/found.py`) and shown by its story (`plants/stories`): a history written out in full, which needs no seed to
mean the same tomorrow. CI plays each story with the bug, where its rule is broken, and without it, where none is
(`tests/regressions/test_found_bugs_must_not_come_back.py`). The seed is one whose history shows the bug too, as of the
version that kept the story.

| plant | what the code did | rule that its story breaks | seed |
|---|---|---|---|
"""


def _found_rows() -> list[str]:
    told = [(name, FOUND[name].breaks, story_of(name)) for name in sorted(FOUND)]
    return [f"| {name} | {breaks} | {story.rule} | {_seed(story)} |" for name, breaks, story in told]


def _seed(story: Story) -> str:
    if not story.seed:
        return "none: written by hand"
    return f"{story.seed}{' in a storm' if story.climate == 'storm' else ''}"


def page(plants: Catalogue, caught: Mapping[str, Caught]) -> str:
    """The page in the docs."""
    rows = [
        f"| {name} | {plants[name].breaks} | {found.rule} | {found.played} | {found.seed} |"
        for name, found in sorted(caught.items())
        if name in plants
    ]
    spare = [f"| {row} | {why} |" for row, why in SPARE.items()]
    found = FOUND_HEAD + "\n".join(_found_rows()) + "\n"
    return HEAD + "\n".join(rows) + "\n" + found + FOOT + "\n".join(spare) + "\n"
