"""The settings that victims run with, and the names in them."""

from __future__ import annotations

ACCOUNT = "main"
"""What our settings call it; the simulator knows it by the stage's own name."""
PREFIX = "quantum"
LIMITS = """
plan_age_ms_max = 120000
recv_window_ms = 600
unknown_margin_ms = 200
settle_ms_max = 400
evidence_ms_max = 1500
view_interval_ms = 500
close_backoff_ms = 200
"""
"""Shorter than in life where life only waits, so that a drill of many deaths takes minutes."""


def password_and_address(url: str) -> tuple[str, str]:
    """A bus's password, and its address without it."""
    before, _, host = url.partition("@")
    return before.rpartition(":")[2], f"redis://{host}"


def settings_text(rest_url: str, symbols: tuple[str, ...], bus: str, limits: str) -> str:
    """The settings of a victim; `bus` and `limits` are lines of them."""
    listed = ", ".join(f'"{symbol}"' for symbol in symbols)
    return f"""[bus]
{bus}
prefix = "{PREFIX}"
[venue]
rest_url = "{rest_url}"
[accounts.{ACCOUNT}]
symbols = [{listed}]
read_key_env = "DRILL_KEY"
read_secret_env = "DRILL_SECRET"
{limits}
[log]
format = "console"
"""
