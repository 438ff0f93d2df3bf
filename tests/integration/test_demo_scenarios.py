"""`holdfast demo` as a process of its own: each scenario's JSON, judged here anew from the orders at the exchange.

What a scenario must end in is written down here once more, from the issue, not taken from the program.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import select
import signal
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest

SECONDS_MAX = 90
END_SECONDS_MAX = 20
COMMAND = (sys.executable, "-c", "from holdfast.cli.main import main; main()", "demo")
FIELDS = {
    "scenario",
    "healed",
    "events",
    "drift_to_hold_ms",
    "drift_to_close_ms",
    "drift_to_release_ms",
    "position_after",
    "ledger_after",
    "hold_after",
    "orders_at_exchange",
    "plan_refused_error",
    "plan_after_executed",
}
WARM_UP = ["0.003", "-0.003"]


class End(NamedTuple):
    """How a scenario must end."""

    before: list[str]
    """What the strategy trades before the drift, besides opening and closing 0.003."""
    by_hand: list[str]
    close: list[str]
    position: str
    ledger: str
    is_healed: bool


ENDS = {
    "drift-long": End([], ["0.007"], ["-0.007"], "0", "0", is_healed=True),
    "drift-short": End([], ["-0.007"], ["0.007"], "0", "0", is_healed=True),
    "partial": End(["0.002"], ["0.005"], ["-0.005"], "0.002", "0.002", is_healed=True),
    "flip": End(["-0.003"], ["0.01"], ["-0.007"], "0", "0", is_healed=True),
    "deficit": End(["0.007"], ["-0.005"], [], "0.002", "0.007", is_healed=False),
    "deadlock": End([], ["0.007", "-0.007"], [], "0", "0", is_healed=True),
}


class Tale(NamedTuple):
    """How a tale must end: every order at the exchange, in order."""

    orders: list[tuple[str, str, str | None]]
    """Whose (api, manual, venue), what it did, and the decision behind it."""
    position: str | dict[str, str]
    refused: str | None = "hold_active"
    """The error of the plan that the strategy tried meanwhile; None: none was refused."""


BY_PLAN, CLOSE = "EXECUTE", "RECONCILE_CLOSE"
AGAIN = [("api", "0.003", BY_PLAN), ("api", "-0.003", BY_PLAN)]
TALES = {
    "liquidation": Tale([("api", "0.007", BY_PLAN), ("venue", "-0.004", None), *AGAIN], "0.003"),
    "adl": Tale([("api", "-0.007", BY_PLAN), ("venue", "0.004", None), *AGAIN], "-0.003"),
    "manual-close": Tale([("api", "0.007", BY_PLAN), ("manual", "-0.003", None), *AGAIN], "0.004"),
    "hedge": Tale(
        [
            ("api", "0.004", BY_PLAN),
            ("api", "-0.005", BY_PLAN),
            ("manual", "0.007", None),
            ("manual", "-0.007", None),
            ("api", "-0.007", CLOSE),
            ("api", "0.007", CLOSE),
            *AGAIN,
        ],
        {"BTCUSDT:LONG": "0.004", "BTCUSDT:SHORT": "-0.005"},
    ),
    "missed-fill": Tale([("api", "0.004", BY_PLAN), ("api", "0.003", BY_PLAN), *AGAIN], "0.007", "order_pending"),
    "first-start": Tale([("manual", "0.007", None), ("manual", "0", None), *AGAIN], "0.007"),
    "large": Tale(
        [("manual", "250", None), ("api", "-120", CLOSE), ("api", "-120", CLOSE), ("api", "-10", CLOSE), *AGAIN], "0"
    ),
    "foreign-order": Tale([("manual", "0", None), *AGAIN], "0", None),
}


def demo(*options: str) -> subprocess.CompletedProcess[str]:
    """Run it to its end."""
    return subprocess.run([*COMMAND, *options], capture_output=True, text=True, timeout=SECONDS_MAX, check=False)  # noqa: S603 - our own words


@functools.cache
def played(name: str) -> subprocess.CompletedProcess[str]:
    """One scenario's JSON: played once for all tests that look at it."""
    return demo("--scenario", name, "--json")


def signed(order: dict[str, Any]) -> str:
    """What an order did to the position."""
    qty = str(order["executed_qty"])
    return qty if order["side"] == "BUY" or qty == "0" else f"-{qty}"


def check_orders(body: dict[str, Any], end: End) -> None:
    """The exchange saw what the scenario says, in that order, and nothing else."""
    orders = body["orders_at_exchange"]
    assert {order["status"] for order in orders} == {"FILLED"}
    assert [signed(o) for o in orders if o["source"] == "manual"] == end.by_hand
    closes = [order for order in orders if order["reduce_only"]]
    assert [signed(order) for order in closes] == end.close
    assert {order["decision"] for order in closes} <= {"RECONCILE_CLOSE"}
    ours = [order for order in orders if order["source"] == "api" and not order["reduce_only"]]
    assert {order["decision"] for order in ours} == {"EXECUTE"}
    assert [signed(o) for o in ours if o["at_ms"] < 0] == WARM_UP + end.before
    assert [signed(o) for o in ours if o["at_ms"] > 0] == (WARM_UP if end.is_healed else [])
    assert sum(Decimal(signed(order)) for order in orders) == Decimal(end.position)


def check_times(body: dict[str, Any], end: End) -> None:
    """Times stand where something happened, in the order in which it must have happened."""
    hold, close, release = (body[f"drift_to_{name}_ms"] for name in ("hold", "close", "release"))
    assert hold > 0
    assert (close is not None) is bool(end.close)
    assert (release is not None) is end.is_healed
    times = [ms for ms in (hold, close, release) if ms is not None]
    if end.close and end.is_healed:
        assert hold < release
        assert close < release
    assert max(times) < SECONDS_MAX * 1_000
    at_ms = [event["at_ms"] for event in body["events"]]
    assert at_ms == sorted(at_ms)
    assert body["events"][0]["event"] == "foreign_trade"


@pytest.mark.parametrize("name", ENDS)
def test_a_scenario_ends_as_promised(name: str) -> None:
    """The scenario's process ends with status 0, and the exchange's own orders say that it may."""
    end = ENDS[name]
    ended = played(name)
    assert (ended.returncode, ended.stderr) == (0, ""), ended.stderr
    assert ended.stdout.count("\n") == 1
    body: dict[str, Any] = json.loads(ended.stdout)
    assert set(body) == FIELDS
    assert (body["scenario"], body["healed"]) == (name, end.is_healed)
    assert (body["position_after"], body["ledger_after"]) == (end.position, end.ledger)
    assert (body["hold_after"] is None) is end.is_healed
    assert body["plan_refused_error"] == "hold_active"
    assert body["plan_after_executed"] is end.is_healed
    if body["events"][0]["round"] == 1:  # another round stands on the orders of the first
        check_orders(body, end)
    check_times(body, end)


@pytest.mark.parametrize("name", TALES)
def test_a_tale_ends_as_promised(name: str) -> None:
    """The tale's process ends with status 0, healed, and the exchange's own orders are those that it tells of."""
    tale, ended = TALES[name], demo("--scenario", name, "--json")
    assert (ended.returncode, ended.stderr) == (0, ""), ended.stderr
    body: dict[str, Any] = json.loads(ended.stdout)
    assert set(body) == FIELDS
    assert (body["scenario"], body["healed"], body["hold_after"]) == (name, True, None)
    assert (body["position_after"], body["ledger_after"]) == (tale.position, tale.position)
    assert (body["plan_refused_error"], body["plan_after_executed"]) == (tale.refused, True)
    seen = [(order["source"], signed(order), order["decision"]) for order in body["orders_at_exchange"]]
    closes = [n for n, (_, _, decision) in enumerate(tale.orders) if decision == CLOSE]
    if name == "hedge":  # the two legs are healed side by side: which close comes first is nobody's promise
        first, last = closes[0], closes[-1] + 1
        seen[first:last] = sorted(seen[first:last])
    assert seen == tale.orders
    at_ms = [event["at_ms"] for event in body["events"]]
    assert at_ms == sorted(at_ms)


def test_the_deadlock_tells_a_person_before_anybody_acts() -> None:
    """The hold has the operator as its next step, the webhook gets the alert, and only then somebody closes by hand."""
    body = json.loads(played("deadlock").stdout)
    names = [event["event"] for event in body["events"]]
    told, after = ["hold_placed", "operator_alerted"], ["hold_stands", "hand_close", "hold_released", "plan_executed"]
    story = [name for name in names if name in {*told, *after}]
    assert sorted(story[:2]) == told, (
        "key and alert are read at two places, a moment apart: which first is nobody's promise"
    )
    assert story[2:] == after
    assert names.index("manual_required") < names.index("hold_stands")
    assert not {"close_planned", "order_at_exchange"} & set(names)
    stood = next(event for event in body["events"] if event["event"] == "hold_stands")
    assert stood["watched_ms"] >= 1_000


def test_a_pipe_gets_plain_lines_in_order() -> None:
    """Without a terminal the story is plain text, every step of it, and ends with times and verdicts."""
    ended = demo()
    assert ended.returncode == 0, ended.stderr
    assert "\x1b" not in ended.stdout
    steps = (
        "somebody trades by hand",
        "RECONCILE_CLOSE planned",
        "guardrails passed",
        "order at the exchange",
        "HOLD released",
        "P3.3 back to ALLOW",
        "the strategy's plan executed",
        "drift to HOLD",
        "drift to close",
        "drift to release",
        "every promise was kept",
    )
    places = [ended.stdout.rfind(step) for step in steps]
    assert -1 not in places
    assert places == sorted(places)
    assert "error=hold_active" in ended.stdout
    assert "BROKEN" not in ended.stdout


def test_an_unknown_scenario_is_refused_with_the_list() -> None:
    """A scenario that does not exist starts nothing, names those that do, and ends with status 2."""
    ended = demo("--scenario", "nonsense")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "nonsense" in ended.stderr
    assert all(name in ended.stderr for name in (*ENDS, *TALES))


def test_the_scenarios_are_listed() -> None:
    """`--list` names every scenario, one a line, and starts nothing."""
    ended = demo("--list")
    assert ended.returncode == 0
    assert [line.split()[0] for line in ended.stdout.splitlines()] == [*ENDS, *TALES]


def descendants(pid: int) -> set[int]:
    """Ids of all processes below this one (Linux). Valkey overwrites its environment, so no mark would find it."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_bytes().rpartition(b")")[2].split()
                parents[int(entry.name)] = int(fields[1])
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGKILL, -9)])
def test_whatever_ends_the_demo_ends_its_children(number: signal.Signals, status: int, tmp_path: Path) -> None:
    """Interrupted in the middle of its story it takes simulator, services and Valkey with it."""
    environment = {**os.environ, "TMPDIR": str(tmp_path)}  # after SIGKILL nobody is left to take the folder away
    process = subprocess.Popen(  # noqa: S603 - our own words
        [*COMMAND, "--scenario", "flip"], env=environment, stdout=subprocess.PIPE, text=True
    )
    if process.stdout is None:
        raise RuntimeError("no pipe")
    with contextlib.ExitStack() as stack:
        stack.callback(process.stdout.close)
        stack.callback(process.wait, SECONDS_MAX)
        stack.callback(process.kill)
        assert any("since the exchange accepted" in line for line in process.stdout)
        ends = []
        for pid in descendants(process.pid):
            ends.append(os.pidfd_open(pid))
            stack.callback(os.close, ends[-1])
        assert len(ends) == 3, "the simulator, the services, the Valkey"
        os.kill(process.pid, number)
        assert process.wait(SECONDS_MAX) == status
        deadline, poll = time.monotonic() + END_SECONDS_MAX, select.poll()
        for end in ends:
            poll.register(end, select.POLLIN)
        while ends and (left := deadline - time.monotonic()) > 0:
            for end, _ in poll.poll(left * 1_000):
                poll.unregister(end)
                ends.remove(end)
        assert not ends, "a child lives on"


def test_settings_of_the_caller_do_not_reach_the_services(tmp_path: Path) -> None:
    """A HOLDFAST_ variable that would send the services elsewhere is not inherited."""
    environment = {**os.environ, "HOLDFAST_VENUE__REST_URL": "http://127.0.0.1:1", "TMPDIR": str(tmp_path)}
    ended = subprocess.run(  # noqa: S603 - our own words
        [*COMMAND, "--json"], env=environment, capture_output=True, text=True, timeout=SECONDS_MAX, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert list(tmp_path.iterdir()) == [], "the temporary folder is gone"
