"""The floor: the same trips by bare code, so that the product's times mean something on any machine.

    plans    XREADGROUP; one durable transaction; one signed POST; one more transaction; XADD and XACK in one write.
             Every plan is a task of its own.
    drifts   the stream's ACCOUNT_UPDATE of a position that is not flat; one transaction; HOLD_SET by XADD, and the two
             reads (positionRisk, userTrades), all three at once; one transaction; one signed POST. Then the
             ACCOUNT_UPDATE of the flat position; one transaction; HOLD_RELEASED by XADD.

A program of its own (`python -c "from holdfast.lab.floor import main"` by `children.child`): `plans FILE` or
`drifts FILE`, where FILE holds a `FloorConfig`; it prints one JSON line when it is ready and runs until SIGTERM.
It speaks the product's stream names, so that one load generator drives both. It decides nothing and checks nothing.
"""

from __future__ import annotations

import asyncio
import sys
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import msgspec
import uvloop

from holdfast.bus.keys import GROUP, Keys
from holdfast.domain.errors import Unclassified
from holdfast.lab.floor_parts import BareBus, BareJournal, BareVenue, FloorConfig

if TYPE_CHECKING:
    from collections.abc import Sequence

READ_COUNT_MAX: Final = 64
READ_WAIT_MS: Final = 1_000
KEPT_MAX: Final = 20_000


def main() -> None:
    """Run one of the two floors until SIGTERM."""
    kind, path = sys.argv[1:]
    config = msgspec.json.decode(Path(path).read_bytes(), type=FloorConfig)
    uvloop.run(_plans(config) if kind == "plans" else _drifts(config))


def _ready() -> None:
    sys.stdout.write('{"ready": true}\n')
    sys.stdout.flush()


# --- plans ------------------------------------------------------------------------------------------------


async def _plans(config: FloorConfig) -> None:
    keys, reading = Keys(), BareBus(config.bus_url)
    await reading.call(("XGROUP", "CREATE", keys.plans, GROUP, "0", "MKSTREAM"))
    read = ("XREADGROUP", "GROUP", GROUP, "floor", "COUNT", READ_COUNT_MAX, "BLOCK", READ_WAIT_MS)
    async with BareVenue(config) as venue, asyncio.TaskGroup() as trips:
        floor = _PlanFloor(keys, BareBus(config.bus_url), BareJournal(Path(config.database)), venue)
        _ready()
        while True:
            (streams,) = await reading.call((*read, "STREAMS", keys.plans, ">"))
            for entry_id, flat in streams[0][1] if streams else ():
                trips.create_task(floor.trip(entry_id, flat))


class _PlanFloor:
    """The trip of one plan."""

    def __init__(self, keys: Keys, bus: BareBus, journal: BareJournal, venue: BareVenue) -> None:
        self._keys, self._bus, self._journal, self._venue = keys, bus, journal, venue

    async def trip(self, entry_id: bytes, flat: Sequence[bytes]) -> None:
        """From the entry to its result."""
        plan = {name.decode(): value.decode() for name, value in zip(flat[::2], flat[1::2], strict=True)}
        plan_id = plan["plan_id"]
        name = f"floor-{plan_id}"
        await self._journal.record(plan_id, "INTENT", msgspec.json.encode(plan).decode())
        answer = await self._venue.order(name, plan["symbol"], plan["side"], plan["qty"])
        order: dict[str, Any] = msgspec.json.decode(answer)
        await self._journal.record(plan_id, "OUTCOME", answer.decode())
        result = ("plan_id", plan_id, "executed", "true", "error", "", "client_order_id", name)
        more = ("status", order["status"], "filled_qty", order["executedQty"], "order_id", order["orderId"])
        await self._bus.call(
            ("XADD", self._keys.results, "MAXLEN", "~", KEPT_MAX, "*", *result, *more),
            ("XACK", self._keys.plans, GROUP, entry_id),
        )


# --- drifts -----------------------------------------------------------------------------------------------


class _Row(msgspec.Struct, frozen=True, rename={"symbol": "s", "amt": "pa"}):
    symbol: str
    amt: str


class _Change(msgspec.Struct, frozen=True, rename={"rows": "P"}):
    rows: list[_Row] = []


class _Frame(msgspec.Struct, frozen=True, rename={"kind": "e", "change": "a"}):
    kind: str
    change: _Change | None = None


class _TradeRow(msgspec.Struct, frozen=True, rename="camel"):
    id: int


class _PositionRow(msgspec.Struct, frozen=True, rename="camel"):
    symbol: str
    position_amt: str


async def _drifts(config: FloorConfig) -> None:
    journal, decoder = BareJournal(Path(config.database)), msgspec.json.Decoder(_Frame)
    async with BareVenue(config) as venue, asyncio.TaskGroup() as trips:
        floor = _DriftFloor(config.symbol, BareBus(config.bus_url), journal, venue)
        socket = await venue.stream()
        _ready()
        async for message in socket:
            if message.type is not aiohttp.WSMsgType.TEXT:
                continue
            frame = decoder.decode(message.data)
            for row in frame.change.rows if frame.change is not None else ():
                if row.symbol == config.symbol:
                    trips.create_task(floor.flat() if Decimal(row.amt) == 0 else floor.drift())
        raise Unclassified("the stream of the floor ended")


class _DriftFloor:
    """The trip of one foreign trade."""

    def __init__(self, symbol: str, bus: BareBus, journal: BareJournal, venue: BareVenue) -> None:
        self._symbol, self._bus, self._journal, self._venue = symbol, bus, journal, venue
        self._number = 0
        self._trade_id = 0
        self._events = Keys().events

    async def drift(self) -> None:
        """Hold, look, close."""
        self._number += 1
        hold_id = f"floor-{self._number}"
        await self._journal.record(hold_id, "HOLD_SET", "{}")
        _, positions, trades = await asyncio.gather(
            self._tell("HOLD_SET", hold_id),
            self._venue.signed("GET", "/fapi/v3/positionRisk", {"symbol": self._symbol}),
            self._venue.signed(
                "GET", "/fapi/v1/userTrades", {"symbol": self._symbol, "fromId": str(self._trade_id + 1)}
            ),
        )
        self._trade_id = max(row.id for row in msgspec.json.decode(trades, type=list[_TradeRow]))
        rows = msgspec.json.decode(positions, type=list[_PositionRow])
        held = next(Decimal(row.position_amt) for row in rows if row.symbol == self._symbol)
        side = "SELL" if held > 0 else "BUY"
        await self._journal.record(hold_id, "CLOSE", trades.decode())
        await self._venue.order(hold_id, self._symbol, side, str(abs(held)), ("reduceOnly", "true"))

    async def flat(self) -> None:
        """Release."""
        hold_id = f"floor-{self._number}"
        await self._journal.record(hold_id, "HOLD_RELEASED", "{}")
        await self._tell("HOLD_RELEASED", hold_id)

    async def _tell(self, event: str, hold_id: str) -> None:
        fields = ("event", event, "symbol", self._symbol, "hold_id", hold_id)
        await self._bus.call(("XADD", self._events, "MAXLEN", "~", KEPT_MAX, "*", *fields))
