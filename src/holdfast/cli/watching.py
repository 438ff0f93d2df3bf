"""`holdfast status`, the work: read every account's standing, show it once or for as long as somebody watches."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from holdfast.cli.exit_status import DONE, NO_ANSWER, REFUSED
from holdfast.cli.journal_access import open_desk
from holdfast.cli.printing import print_json, print_line
from holdfast.cli.standing import Condition, read_standing
from holdfast.cli.standing_shown import heading, hold_lines, json_of, narrow_table_of, order_lines, table_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rich.console import RenderableType

    from holdfast.cli.journal_access import Desk
    from holdfast.cli.standing import Standing

    Show = Callable[[tuple[Standing, ...]], None]

_STATUSES = {Condition.OK: DONE, Condition.ATTENTION: REFUSED, Condition.BLIND: NO_ANSWER}


async def show_once(settings: Path, account: str, show: Show) -> int:
    """Show it once; the exit status that the worst account gives."""
    async with open_desk(settings) as desk:
        found = await _read(desk, account)
        show(found)
        return max(_STATUSES[standing.condition] for standing in found)


async def show_until_stopped(settings: Path, account: str, every_s: float, show: Show) -> int:
    """Show it again and again until SIGINT or SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with open_desk(settings) as desk:
        while not stop.is_set():
            show(await _read(desk, account))
            with suppress(TimeoutError):
                async with asyncio.timeout(every_s):
                    await stop.wait()
    return DONE


async def watch_terminal(settings: Path, account: str, every_s: float) -> int:
    """The same on a terminal, in place."""
    from rich.live import Live  # noqa: PLC0415 - a pipe needs none of it

    with Live(screen=False, auto_refresh=False) as live:
        return await show_until_stopped(
            settings, account, every_s, lambda found: live.update(_rendered(found), refresh=True)
        )


async def _read(desk: Desk, account: str) -> tuple[Standing, ...]:
    names = desk.accounts(account)
    found = [await desk.journal.query(name, partial(read_standing, limits=desk.limits(name))) for name in names]
    return tuple(found)


def _rendered(found: tuple[Standing, ...]) -> RenderableType:
    from rich.console import Group  # noqa: PLC0415 - a pipe needs none of it
    from rich.text import Text  # noqa: PLC0415 - as above

    parts: list[RenderableType] = []
    for each in found:
        lines = [Text(line) for line in (*hold_lines(each), *order_lines(each))]
        parts += [Text(heading(each), style="bold"), narrow_table_of(each).rich(), *lines]
    return Group(*parts)


def show_text(found: tuple[Standing, ...]) -> None:
    """For people."""
    if sys.stdout.isatty():
        from rich.console import Console  # noqa: PLC0415 - a pipe needs none of it

        Console().print(_rendered(found))
        return
    for standing in found:
        print_line("\n".join((heading(standing), table_of(standing).plain(), *order_lines(standing))))


def show_json(found: tuple[Standing, ...]) -> None:
    """For programs: one line with all accounts."""
    worst = max((standing.condition for standing in found), key=lambda condition: _STATUSES[condition])
    print_json({"condition": worst.value, "accounts": [json_of(standing) for standing in found]})
