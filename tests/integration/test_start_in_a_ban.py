"""A start that meets a ban or a limit of the exchange."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from holdfast.lab.drills.effects import read_trace
from holdfast.lab.drills.stage import BusKind, exchange, stage
from holdfast.lab.drills.victim import Errand

if TYPE_CHECKING:
    from pathlib import Path

BAN_MS = 1_200


def test_a_start_waits_a_ban_out_and_asks_nothing_meanwhile(tmp_path: Path) -> None:
    """Banned at its first request, the process stays, sends nothing until the ban is over, and then starts."""
    asked, answered_banned = asyncio.run(_start_in_a_ban(tmp_path))

    assert answered_banned == 1
    assert asked > 1


async def _start_in_a_ban(folder: Path) -> tuple[int, int]:
    async with (
        exchange(folder / "sim", seed=1) as venue,
        stage(venue, folder / "stage", BusKind.EMBEDDED) as here,
    ):
        await here.desk.post("faults", name="banned", match={}, count=1, delay_ms=BAN_MS)
        log = str(here.place / "banned.log")
        errand = Errand(here.nursery.next_number(), str(here.settings_path), str(here.place), log, (), here.secrets)
        async with here.nursery.victim(errand):
            requests = (await here.desk.get("requests"))["requests"]
    asked = sum(each.name.startswith("venue.") for each in read_trace(here.place))
    return asked, sum(each["status"] == 418 for each in requests)
