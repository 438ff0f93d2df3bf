"""The bus, seen by a program that knows nothing of us: redis-py, the keys of the contract, nothing else."""

from __future__ import annotations

import itertools
import os
import time
from typing import TYPE_CHECKING, Any, cast

import redis

from tests.whole.program import WITHIN_S, until

if TYPE_CHECKING:
    from collections.abc import Mapping

NINE_FIELDS = ("plan_id", "symbol", "decision", "side", "qty", "type", "reduceOnly", "reason", "timestamp")
RESULT_FIELDS = {
    *("result_id", "plan_id", "entry_id", "symbol", "decision", "executed", "status", "error", "filled_qty"),
    *("avg_price", "client_order_id", "order_id", "duplicate", "timestamp"),
}
BUSY_MOMENTS = {"stamp_stale", "input_stale", "not_agreed", "journal_busy"}
"""Refusals before anything was sent, because something could not be read or proven in time."""
TRIES_MAX = 10
_numbers = itertools.count(1)
Fields = dict[str, str]


def now_ms() -> int:
    """Wall clock, epoch ms."""
    return time.time_ns() // 1_000_000


def new_plan(symbol: str, side: str, qty: str, **more: str) -> Fields:
    """The nine fields of a plan; `more` replaces or adds."""
    return {
        "plan_id": f"strategy-{os.getpid()}-{next(_numbers)}",
        "symbol": symbol,
        "decision": "EXECUTE",
        "side": side,
        "qty": qty,
        "type": "MARKET",
        "reduceOnly": "false",
        "reason": "signal",
        "timestamp": str(now_ms()),
        **more,
    }


class Strategy:
    """Hands in plans and reads what is published, for one account's prefix."""

    def __init__(self, url: str, prefix: str) -> None:
        # No silent retry: a repeated XADD would be a second plan.
        self.redis = redis.Redis.from_url(url, decode_responses=True, encoding_errors="replace", retry=None)
        self.prefix = prefix

    def close(self) -> None:
        """End."""
        self.redis.close()

    def key(self, name: str) -> str:
        """A key under the prefix."""
        return f"{self.prefix}:{name}"

    # --- plans and results ----------------------------------------------------------------------------

    def submit(self, plan: Mapping[str, Any]) -> str:
        """Put fields on the plan stream; the entry's id."""
        return str(self.redis.xadd(self.key("stream:trading.plan"), cast("Any", plan)))

    def result_of_entry(self, entry_id: str, within_s: float = WITHIN_S) -> Fields:
        """The result that answers one entry."""
        found: list[Fields] = []

        def came() -> bool:
            found[:] = [fields for fields in self.results() if fields["entry_id"] == entry_id]
            return bool(found)

        until(came, f"a result for entry {entry_id}", within_s)
        return found[0]

    def ask(self, plan: Mapping[str, Any], within_s: float = WITHIN_S) -> Fields:
        """Hand a plan in and wait for its result."""
        return self.result_of_entry(self.submit(plan), within_s)

    def execute(self, symbol: str, side: str, qty: str, **more: str) -> Fields:
        """The same, for an EXECUTE; as of now it must succeed."""
        result = self.ask(new_plan(symbol, side, qty, **more))
        assert result["executed"] == "true", result
        return result

    def executed_plan(self, symbol: str, side: str, qty: str) -> Fields:
        """Plan anew, as a strategy does, while the machine is too busy for fresh inputs; the plan that was executed.

        For tests whose point is what becomes of an order, not how soon there is one.
        """
        for _ in range(TRIES_MAX):
            plan = new_plan(symbol, side, qty)
            result = self.ask(plan)
            if result["executed"] == "true":
                return plan
            assert result["error"] in BUSY_MOMENTS, result
        raise AssertionError(f"{symbol}: no plan was executed in {TRIES_MAX} tries")

    def refusal(self, symbol: str, side: str = "BUY", qty: str = "0.10", **more: str) -> str:
        """The error of an EXECUTE that must be refused."""
        result = self.ask(new_plan(symbol, side, qty, **more))
        assert result["executed"] == "false", result
        return result["error"]

    def results(self) -> list[Fields]:
        """All results on the stream."""
        return [fields for _, fields in self._entries("stream:apply.result")]

    def plans(self, symbol: str, decision: str = "RECONCILE_CLOSE") -> list[Fields]:
        """All plans of one kind on the plan stream."""
        found = (fields for _, fields in self._entries("stream:trading.plan"))
        return [one for one in found if one.get("symbol") == symbol and one.get("decision") == decision]

    def events(self, symbol: str) -> list[str]:
        """Names of the events about a symbol, oldest first."""
        return [fields["event"] for fields in self.event_fields(symbol)]

    def event_fields(self, symbol: str) -> list[Fields]:
        """The same, whole."""
        return [fields for _, fields in self._entries("stream:reconcile.events") if fields["symbol"] == symbol]

    def pending(self) -> int:
        """Plans that were delivered and not acknowledged."""
        return int(cast("Any", self.redis.xpending(self.key("stream:trading.plan"), self.group()))["pending"])

    def lag(self) -> int:
        """Plans that were not even delivered."""
        rows = self.redis.xinfo_groups(self.key("stream:trading.plan"))
        return int(rows[0]["lag"] or 0)

    def group(self) -> str:
        """The one consumer group."""
        rows = self.redis.xinfo_groups(self.key("stream:trading.plan"))
        return str(rows[0]["name"])

    def _entries(self, name: str) -> list[tuple[str, Fields]]:
        return cast("list[tuple[str, Fields]]", self.redis.xrange(self.key(name)))

    # --- published state ------------------------------------------------------------------------------

    def hold(self, symbol: str) -> str | None:
        """What stands on the hold key."""
        return cast("str | None", self.redis.get(self.key(f"reconcile:hold:{symbol}")))

    def fields(self, name: str) -> Fields:
        """A published hash."""
        return cast("Fields", self.redis.hgetall(self.key(name)))

    def state(self, symbol: str) -> Fields:
        """The published reconciliation state."""
        return self.fields(f"reconcile:state:{symbol}")
