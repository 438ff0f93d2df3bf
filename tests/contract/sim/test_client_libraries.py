"""Three client libraries, unchanged but for the base address, find in the simulator the exchange that they know.

Each library runs in its own environment (.venv-clients) as a script that prints one line a check; every check that is
expected of it is a test here, so that a check which was never run fails like one that went wrong.
"""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from functools import cache
from pathlib import Path

import pytest

from holdfast.sim.server import SimConfig, running

ROOT = Path(__file__).parents[3]
PYTHON = ROOT / ".venv-clients" / "bin" / "python"
SCRIPTS = Path(__file__).parent / "clients"
DEADLINE_S = 120.0
COMMON = (
    "position_mode",
    "place_market_result",
    "query_by_id",
    "query_by_client_id",
    "query_unknown",
    "cancel_unknown",
    "positions",
    "reduce_only_below_min_notional",
    "reused_client_id_executes_again",
    "user_trades",
    "reduce_only_flat",
    "below_min_notional",
    "place_limit",
    "duplicate_open_client_id",
    "open_orders",
    "hedge_mode_mismatch",
    "stale_timestamp",
    "user_stream_fill",
    "listen_key_expiry",
    "ws_order",
    "ws_positions",
)
CHECKS = {
    "ccxt": (*COMMON, "load_markets", "balance", "cancel_all", "stream_connected"),
    "python_binance": (
        *COMMON,
        "create_client",
        "exchange_info",
        "balance",
        "account",
        "cancel_by_client_id",
        "user_stream_account",
        "ws_refusal",
    ),
    "sdk": (
        *COMMON,
        "exchange_info",
        "account",
        "cancel_by_client_id",
        "listen_key",
        "keepalive_of_dead_key",
        "ws_refusal",
    ),
}


async def _run(client: str) -> str:
    # The scripts ask far more in a second than a trader would: the venue's own limits would refuse them.
    async with running(SimConfig(limits=Decimal(10), volatility=Decimal(0))) as sim:
        process = await asyncio.create_subprocess_exec(
            str(PYTHON),
            str(SCRIPTS / f"{client}_script.py"),
            sim.base_url,
            sim.ws_api_url,
            sim.stream_url,
            sim.admin_url,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            out, err = await asyncio.wait_for(process.communicate(), DEADLINE_S)
        except TimeoutError:
            process.kill()
            await process.wait()
            raise
        return out.decode() + (f"\n{err.decode()[-2000:]}" if process.returncode else "")


async def _run_all() -> dict[str, str]:
    outputs = await asyncio.gather(*(_run(client) for client in CHECKS))
    return dict(zip(CHECKS, outputs, strict=True))


@cache
def outputs() -> dict[str, str]:
    """Run all scripts side by side, once: one library waits ten seconds before it lets go of a socket."""
    return asyncio.run(_run_all())


@cache
def outcome(client: str) -> tuple[dict[str, tuple[bool, str]], str]:
    """Return the checks of a client's script, and what else it said."""
    if not PYTHON.exists():
        pytest.fail(f"{PYTHON} is missing: `make test` builds it", pytrace=False)
    checks: dict[str, tuple[bool, str]] = {}
    rest: list[str] = []
    for line in outputs()[client].splitlines():
        if line.startswith('{"check"'):
            row = json.loads(line)
            checks[row["check"]] = (row["ok"], row["detail"])
        else:
            rest.append(line)
    return checks, "\n".join(rest)


@pytest.mark.parametrize(
    ("client", "check"), [(client, check) for client, checks in CHECKS.items() for check in checks]
)
def test_an_unchanged_client_gets_what_it_expects(client: str, check: str) -> None:
    """An unchanged client library completes this exchange with the simulator."""
    checks, rest = outcome(client)
    assert check in checks, f"never run\n{rest}"
    ok, detail = checks[check]
    assert ok, detail


@pytest.mark.parametrize("client", CHECKS)
def test_every_check_of_a_script_is_judged(client: str) -> None:
    """A script runs no check that this list does not name."""
    checks, _ = outcome(client)
    assert set(checks) == set(CHECKS[client])
