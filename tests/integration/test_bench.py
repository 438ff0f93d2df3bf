"""`holdfast bench` on the real parts, with few samples: its shape and its honesty, not its figures."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

SECONDS_MAX = 100
COMMAND = "import sys, typer; from holdfast.cli.bench import bench; typer.run(bench)"
TIMES = ("plan_to_order_ms", "drift_to_hold_ms", "drift_to_close_ms", "drift_to_release_ms")
NUMBERS = ("plans_per_s", "cpu_us_per_plan", "bus_commands_per_plan", "rss_mb")


def _bench(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", COMMAND, *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS_MAX, check=False)  # noqa: S603 - our own words


def test_a_short_bench_measures_both_sides_on_the_real_parts() -> None:
    """Twenty plans, three drifts and a second of load give every figure of both sides, each from its own samples."""
    ended = _bench("--json", "--plans", "20", "--drifts", "3", "--seconds", "1")
    assert ended.returncode == 0, ended.stderr
    body: dict[str, Any] = json.loads(ended.stdout)
    for side in (body, body["floor"]):
        assert [side[name]["n"] for name in TIMES] == [20, 3, 3, 3]
        assert all(0 < side[name]["p50"] <= side[name]["p99"] for name in TIMES)
        assert side["drift_to_hold_ms"]["p50"] < side["drift_to_release_ms"]["p99"]
        assert side["drift_to_close_ms"]["p50"] < side["drift_to_release_ms"]["p99"]
        assert all(side[name] > 0 for name in NUMBERS)
    assert body["floor"]["bus_commands_per_plan"] >= 2, "each plan is answered and acknowledged, at least"
    assert body["floor"]["bus_commands_per_plan"] < 4, "the load generator's own commands are not counted"
    assert set(body["ratio"]) == {*TIMES, *NUMBERS}
    assert set(body["ratio"]["plan_to_order_ms"]) == {"p50", "p99"}
    assert body["conditions"]["limits_factor"] > 1
    assert "rate limits raised" in ended.stderr
    assert body["machine"]["cores"] >= 1
    assert body["machine"]["fdatasync_ms"]["n"] > 0
