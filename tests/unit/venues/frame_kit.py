"""Events of the private stream as the venue's documentation shows them."""

from __future__ import annotations

from typing import Any

ORDER: dict[str, Any] = {
    "s": "BTCUSDT",
    "c": "clientId",
    "S": "SELL",
    "o": "MARKET",
    "f": "GTC",
    "q": "0.003",
    "p": "0",
    "ap": "61000",
    "sp": "0",
    "x": "TRADE",
    "X": "PARTIALLY_FILLED",
    "i": 8886774,
    "l": "0.001",
    "z": "0.002",
    "L": "61001.5",
    "N": "USDT",
    "n": "0.01",
    "T": 1568879465651,
    "t": 5,
    "m": False,
    "R": True,
    "ps": "BOTH",
    "rp": "1.0",
    "er": "0",
}
ROW = {"s": "BTCUSDT", "pa": "-0.5", "ep": "61000", "bep": "0", "cr": "200", "up": "0", "mt": "isolated", "ps": "BOTH"}


def update(**changes: object) -> dict[str, Any]:
    """An ORDER_TRADE_UPDATE."""
    return {"e": "ORDER_TRADE_UPDATE", "E": 1568879465652, "T": 1568879465650, "o": {**ORDER, **changes}}


def moved(*rows: dict[str, Any], cause: str = "ORDER") -> dict[str, Any]:
    """An ACCOUNT_UPDATE."""
    return {"e": "ACCOUNT_UPDATE", "E": 8, "T": 7, "a": {"m": cause, "B": [{"a": "USDT", "wb": "1"}], "P": list(rows)}}
