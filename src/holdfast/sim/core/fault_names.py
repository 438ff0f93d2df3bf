"""Name every fault that can be armed, and say in words what it does; `faults` decides when it strikes."""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import Final

__all__ = ["CATALOGUE", "FaultName"]


class FaultName(StrEnum):
    """All faults."""

    UNKNOWN_ERROR_EXECUTED = "unknown_error_executed"
    UNKNOWN_ERROR_NOT_EXECUTED = "unknown_error_not_executed"
    SERVICE_UNAVAILABLE = "service_unavailable"
    INTERNAL_ERROR = "internal_error"
    OVERLOADED = "overloaded"
    TIMEOUT_EXECUTED = "timeout_executed"
    TIMEOUT_NOT_EXECUTED = "timeout_not_executed"
    BUS_EXECUTED = "bus_executed"
    BUS_NOT_EXECUTED = "bus_not_executed"
    PROXY_PAGE_EXECUTED = "proxy_page_executed"
    PROXY_PAGE_NOT_EXECUTED = "proxy_page_not_executed"
    RATE_LIMITED = "rate_limited"
    ORDERS_LIMITED = "orders_limited"
    BANNED = "banned"
    HANG_EXECUTED = "hang_executed"
    HANG_NOT_EXECUTED = "hang_not_executed"
    RESET_EXECUTED = "reset_executed"
    RESET_NOT_EXECUTED = "reset_not_executed"
    EDGE_DELAY = "edge_delay"
    ENGINE_DELAY = "engine_delay"
    REPLY_DELAY = "reply_delay"
    STALE_ORDERS = "stale_orders"
    STALE_POSITIONS = "stale_positions"
    STALE_TRADES = "stale_trades"
    STREAM_DROP = "stream_drop"
    STREAM_DUPLICATE = "stream_duplicate"
    STREAM_DELAY = "stream_delay"
    STREAM_REORDER = "stream_reorder"
    STREAM_CLOSE = "stream_close"


CATALOGUE: Final = MappingProxyType(
    {
        FaultName.UNKNOWN_ERROR_EXECUTED: '503 "Unknown error, please check ..." after executing (code: -1000)',
        FaultName.UNKNOWN_ERROR_NOT_EXECUTED: "the same 503 without executing",
        FaultName.SERVICE_UNAVAILABLE: '503 "Service Unavailable." without executing',
        FaultName.INTERNAL_ERROR: '503 -1001 "Internal error; unable to process ..." without executing',
        FaultName.OVERLOADED: "503 -1008 without executing; spares reducing orders and cancels",
        FaultName.TIMEOUT_EXECUTED: "408 -1007 after executing",
        FaultName.TIMEOUT_NOT_EXECUTED: "408 -1007 without executing",
        FaultName.BUS_EXECUTED: "503 -1006 after executing",
        FaultName.BUS_NOT_EXECUTED: "503 -1006 without executing",
        FaultName.PROXY_PAGE_EXECUTED: "502 with an HTML page after executing",
        FaultName.PROXY_PAGE_NOT_EXECUTED: "502 with an HTML page without executing",
        FaultName.RATE_LIMITED: "429 -1003 with Retry-After, not executed",
        FaultName.ORDERS_LIMITED: "429 -1015 with Retry-After, not executed",
        FaultName.BANNED: "418 -1003, and the address stays banned for delay_ms (120000)",
        FaultName.HANG_EXECUTED: "executes, then answers nothing for delay_ms (60000), then cuts the connection",
        FaultName.HANG_NOT_EXECUTED: "the same without executing",
        FaultName.RESET_EXECUTED: "executes, then cuts the connection (WebSocket API: closes with a request in flight)",
        FaultName.RESET_NOT_EXECUTED: "cuts the connection without executing",
        FaultName.EDGE_DELAY: "waits delay_ms before the timestamp check at the edge (-1021 if too old)",
        FaultName.ENGINE_DELAY: "waits delay_ms between edge and engine (-5028 if too old then)",
        FaultName.REPLY_DELAY: "executes at once, answers delay_ms later",
        FaultName.STALE_ORDERS: "order queries do not know orders younger than delay_ms (-2013)",
        FaultName.STALE_POSITIONS: "positionRisk and account show positions as they were delay_ms ago",
        FaultName.STALE_TRADES: "userTrades does not know trades younger than delay_ms",
        FaultName.STREAM_DROP: "the event is lost (unlimited count: a silent stream)",
        FaultName.STREAM_DUPLICATE: "the event comes twice",
        FaultName.STREAM_DELAY: "the event comes delay_ms later",
        FaultName.STREAM_REORDER: "the event comes after the next one",
        FaultName.STREAM_CLOSE: "the event is lost and its connections are closed",
    }
)
