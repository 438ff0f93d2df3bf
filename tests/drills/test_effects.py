"""What counts as a side effect, and what a victim does when it reaches one."""

from __future__ import annotations

import asyncio
import inspect
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from holdfast.lab.drills.effects import Effects, Moment, Shot, aim, read_trace
from holdfast.lab.drills.wrapping import BUS_CALLS, JOURNAL_CALLS, READER_CALLS, TRADER_CALLS, Counted
from holdfast.ports.bus import Bus
from holdfast.ports.journal import Journal
from holdfast.ports.venue import VenueReader, VenueTrader

if TYPE_CHECKING:
    from pathlib import Path


def _calls(port: type) -> set[str]:
    found = inspect.getmembers(port, inspect.iscoroutinefunction)
    return {name for name, _ in found if not name.startswith("_")}


@pytest.mark.parametrize(
    ("port", "counted", "others"),
    [
        (Bus, BUS_CALLS, {"close"}),
        (VenueReader, READER_CALLS, {"close"}),
        (VenueTrader, TRADER_CALLS, {"close", "submit"}),
        (Journal, JOURNAL_CALLS, {"close", "transact", "query", "now_ms", "accounts", "verify"}),
    ],
    ids=["bus", "reader", "trader", "journal"],
)
def test_every_call_of_a_port_is_counted_or_known_to_have_no_effect(
    port: type, counted: frozenset[str], others: set[str]
) -> None:
    """A method that a port gains is counted, or this test asks why not."""
    assert _calls(port) == counted | others


class _Port:
    """A port with one call."""

    async def backlog(self) -> int:
        """Answer."""
        return 3


def test_a_call_is_noted_on_both_sides_under_its_name(tmp_path: Path) -> None:
    """Before and after a call its name stands in the trace, with the port and the path that led to it."""
    counted = Counted(_Port(), "bus", BUS_CALLS, Effects(tmp_path))

    assert asyncio.run(counted.backlog()) == 3

    reached = read_trace(tmp_path)
    assert [each.moment for each in reached] == [Moment.BEFORE, Moment.AFTER]
    assert {each.name.split()[0] for each in reached} == {"bus.backlog"}
    assert not any(each.is_death for each in reached)


_REACHES = """
import sys
from pathlib import Path
from holdfast.lab.drills.effects import Effects, Moment
effects = Effects(Path(sys.argv[1]))
for number in range(5):
    effects.reach(Moment.BEFORE, "one")
    effects.reach(Moment.AFTER, "one")
"""


def test_a_process_dies_at_the_effect_that_it_is_aimed_at(tmp_path: Path) -> None:
    """SIGKILL falls at the third time that the effect is over, and the trace says so."""
    aim(tmp_path, Shot("one", Moment.AFTER, 3))

    ended = subprocess.run([sys.executable, "-c", _REACHES, str(tmp_path)], check=False, env=dict(os.environ))  # noqa: S603 - our own program

    assert ended.returncode == -signal.SIGKILL
    reached = read_trace(tmp_path)
    assert [each.is_death for each in reached] == [False] * 6 + [True]
    assert reached[-1].name == "one"


def test_a_process_that_nobody_aims_at_lives(tmp_path: Path) -> None:
    """Without a shot, and with one that never fits, nothing happens."""
    aim(tmp_path, Shot("another", Moment.AFTER))

    ended = subprocess.run([sys.executable, "-c", _REACHES, str(tmp_path)], check=False, env=dict(os.environ))  # noqa: S603 - our own program

    assert ended.returncode == 0
    assert len(read_trace(tmp_path)) == 10


@pytest.mark.parametrize(
    ("wanted", "name", "fits"),
    [
        ("", "bus.finish apply", True),
        ("bus.finish apply", "bus.finish apply", True),
        ("bus.finish", "bus.finish apply", False),
        ("bus.*", "bus.finish apply", True),
        ("venue.*", "bus.finish apply", False),
    ],
)
def test_a_shot_fits_by_its_whole_name_or_by_its_beginning(wanted: str, name: str, fits: bool) -> None:  # noqa: FBT001 - a table of truths
    """A star stands for any end, nothing at all for any effect; the side has to be the same."""
    assert Shot(wanted, Moment.BEFORE).fits(Moment.BEFORE, name) is fits
    assert not Shot(wanted, Moment.BEFORE).fits(Moment.AFTER, name)
