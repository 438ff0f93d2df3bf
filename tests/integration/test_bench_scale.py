"""`holdfast bench --scale` and `--rest-lag-ms`, small and short: what must hold at any size, not how fast it is."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

SECONDS_MAX = 120
COMMAND = "import sys, typer; from holdfast.cli.bench import bench; typer.run(bench)"
ACCOUNTS, SYMBOLS = 3, 30


def _bench(*options: str) -> dict[str, Any]:
    command = [sys.executable, "-c", COMMAND, "--json", *options]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS_MAX, check=False)  # noqa: S603 - our own words
    assert ended.returncode == 0, ended.stderr
    body: dict[str, Any] = json.loads(ended.stdout)
    return body


def test_every_drift_on_any_account_is_held_and_requests_follow_accounts_not_symbols() -> None:
    """Three accounts, ninety legs, plans and foreign trades: each is held and healed, and quiet costs few requests."""
    size = ("--accounts", str(ACCOUNTS), "--symbols", str(SYMBOLS), "--other-symbols", str(SYMBOLS), "--limits", "100")
    body = _bench("--scale", *size, "--drifts-per-s", "4", "--seconds", "3", "--quiet-seconds", "3")
    assert body["conditions"]["legs"] == ACCOUNTS * SYMBOLS
    assert body["drifts"] == body["drift_to_hold_ms"]["n"] == body["drift_to_release_ms"]["n"] == 12
    assert (body["drifts_not_held"], body["drifts_not_released"], body["leases_lost"]) == (0, 0, 0)
    assert body["plans"] + sum(body["plans_refused"].values()) == 60
    assert body["plans"] > 50
    # A view every 2 s, and every third reading of mark prices; 30 requests a symbol and minute would be 900.
    assert body["requests_per_min_account"] < 90
    assert body["rss_mb"] > 0


def test_own_plans_alone_are_never_closed_however_late_and_disordered_the_venue_answers() -> None:
    """With REST a quarter of a second behind and events out of order and twice, nothing is closed or stays held."""
    body = _bench("--rest-lag-ms", "250", "--seconds", "4")
    assert body["plans"] > 60
    assert body["fills"] >= body["plans"]
    assert body["disorders"] > 20
    assert (body["closes"], body["holds_outlived"], body["holds_open"]) == (0, 0, 0)
