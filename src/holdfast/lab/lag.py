"""`holdfast bench --rest-lag-ms N`: our own plans alone, while REST lags behind and the stream comes out of order.

Every REST answer about positions, orders and trades is N ms old, and again and again an event of the private stream
comes after the next one, or twice. Nobody else trades. So whatever is held is held for nothing, and must be free again
once the lag has passed; and nothing may ever be closed. The judges are the exchange's own order book and the journal.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from holdfast.lab.bench_report import Target
from holdfast.lab.children import while_running
from holdfast.lab.desk import Desk
from holdfast.lab.machine import disk_folder, machine_at, require_linux
from holdfast.lab.scale_rig import account_at, exchange, fleet_of, running
from holdfast.lab.steady import SteadyLoad

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rich.table import Table

    from holdfast.lab.machine import Machine
    from holdfast.lab.scale_rig import Running

STALE = ("stale_positions", "stale_orders", "stale_trades")
DISORDER = ("stream_reorder", "stream_duplicate")
DISORDER_S = 0.05
"""Between two events that come out of order or twice, on average and at least."""
DISORDERS_MAX = 900
"""In one run: the simulator keeps so many faults and a few more."""
END_S = 3.0
"""Without new plans or disorder at the end: what was under way ends."""
LOOKS_MS = 1_000
"""What looks may take on top of the lag before a hold counts as one that outlived it."""
LIMITS_FACTOR = 100
REST_LAG_MS_MAX = 900
"""Below `settle_ms_max`: a REST answer that lags further than the settings say is another matter."""


@dataclass(frozen=True, slots=True)
class LagConfig:
    """How long the lag, how long the run."""

    rest_lag_ms: int = 250
    seconds: float = 20.0
    plans_per_s: float = 20.0
    symbols: int = 20
    seed: int = 1


@dataclass(frozen=True, slots=True)
class LagFigures:
    """What came of it. The names are those of the JSON."""

    plans: int
    """Executed."""
    plans_refused: Mapping[str, int]
    fills: int
    """By the exchange's own book."""
    disorders: int
    """Events that really came out of order or twice."""
    closes: int
    """Planned; must be 0: nobody else traded."""
    holds: int
    longest_hold_ms: int
    holds_outlived: int
    """Held for more than the lag and a second; must be 0."""
    holds_open: int
    """At the end; must be 0."""


@dataclass(frozen=True, slots=True)
class LagReport:
    """Everything that one run found."""

    figures: LagFigures
    config: LagConfig
    machine: Machine


def targets(figures: LagFigures) -> tuple[Target, ...]:
    """What must not happen."""

    def none(figure: str, measured: int) -> Target:
        return Target(figure, "0", measured, measured == 0)

    return (
        none("closes", figures.closes),
        none("holds_outlived", figures.holds_outlived),
        none("holds_open", figures.holds_open),
    )


def as_json(report: LagReport) -> str:
    """The whole report, the figures at the top."""
    body = {
        **{field.name: getattr(report.figures, field.name) for field in fields(LagFigures)},
        "targets": targets(report.figures),
        "machine": report.machine,
        "conditions": report.config,
    }
    return msgspec.json.format(msgspec.json.encode(body), indent=2).decode()


def as_tables(report: LagReport) -> tuple[Table, ...]:
    """The figures, for people."""
    from rich.table import Table  # noqa: PLC0415 - heavy, and not needed for JSON

    found = Table("figure", "value", title=f"REST lags by {report.config.rest_lag_ms} ms", title_justify="left")
    for field in fields(LagFigures):
        found.add_row(field.name, str(getattr(report.figures, field.name)))
    return (found,)


async def run_lag(config: LagConfig, say: Callable[[str], None]) -> LagReport:
    """Measure. Raises CannotStart, or Unclassified if something did not do what it was measured for."""
    require_linux()
    with tempfile.TemporaryDirectory(prefix="holdfast-lag-", dir=disk_folder()) as name:
        folder = Path(name)
        machine = machine_at(folder)
        fleet = fleet_of(1, config.symbols, 0)
        async with (
            exchange(folder, config.symbols, "--limits", str(LIMITS_FACTOR)) as sim,
            running(folder, "lag", fleet, sim) as ready,
        ):
            say(f"own plans alone, {config.plans_per_s:g} a second, REST lags by {config.rest_lag_ms} ms")
            figures = await while_running((sim, ready.child), _trade(ready, config))
    return LagReport(figures, config, machine)


async def _trade(ready: Running, config: LagConfig) -> LagFigures:
    (account,) = ready.fleet.symbols
    at_exchange = account_at(ready.child.name, account)
    async with contextlib.AsyncExitStack() as stack:
        desk = await stack.enter_async_context(Desk(str(ready.sim.said["admin_url"]), at_exchange))
        for fault in STALE:
            await desk.post("faults", name=fault, count=0, delay_ms=config.rest_lag_ms)
        load = await stack.enter_async_context(SteadyLoad(ready, config.seed))
        disorder = asyncio.create_task(_disorder(desk, at_exchange, config))
        try:
            await load.run(config.seconds, config.plans_per_s, 0.0)
        finally:
            disorder.cancel()
            await asyncio.gather(disorder, return_exceptions=True)
        await asyncio.sleep(END_S)
        faults = await desk.get("faults")
        fills = await desk.get("fills", account=at_exchange, limit="1")
    held = _held_ms(ready.journal)
    return LagFigures(
        plans=load.found.executed,
        plans_refused=dict(load.found.refused),
        fills=int(fills["total"]),
        disorders=sum(each["hits"] for each in faults["faults"] if each["name"] in DISORDER),
        closes=_count(ready.journal, "SELECT count(*) FROM close"),
        holds=_count(ready.journal, "SELECT count(*) FROM hold"),
        longest_hold_ms=max(held, default=0),
        holds_outlived=sum(each > config.rest_lag_ms + LOOKS_MS for each in held),
        holds_open=_count(ready.journal, "SELECT count(*) FROM hold WHERE released_ms IS NULL"),
    )


async def _disorder(desk: Desk, account: str, config: LagConfig) -> None:
    """Let one event after the other come late or twice, until cancelled."""
    chance = random.Random(config.seed)  # noqa: S311 - a choice, not a secret
    apart_s = max(DISORDER_S, config.seconds / DISORDERS_MAX)
    for _ in range(DISORDERS_MAX):
        await desk.post("faults", name=chance.choice(DISORDER), count=1, match={"account": account})
        await asyncio.sleep(chance.uniform(0, 2 * apart_s))


def _count(journal: Path, statement: str) -> int:
    with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as base:
        (count,) = base.execute(statement).fetchone()
    return int(count)


def _held_ms(journal: Path) -> list[int]:
    with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as base:
        rows = base.execute("SELECT released_ms - opened_ms FROM hold WHERE released_ms IS NOT NULL").fetchall()
    return [int(row[0]) for row in rows]
