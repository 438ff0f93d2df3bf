"""Every SQL statement of the journal, as text. What a partial index needs stands literally in its WHERE."""

from __future__ import annotations

from holdfast.journal.chain import ENTRY_COLUMNS
from holdfast.journal.rows import ACCOUNT_COLUMNS, HOLD_COLUMNS, LEG_COLUMNS, LEG_KEY
from holdfast.journal.rows_operator import ALERT_COLUMNS, REQUEST_COLUMNS
from holdfast.journal.rows_orders import (
    CLOSE_COLUMNS,
    FILL_COLUMNS,
    FOREIGN_COLUMNS,
    FOREIGN_KEY,
    ORDER_COLUMNS,
    ORDER_COLUMNS_WRITTEN,
)
from holdfast.journal.sql import insert, insert_new, select, update, upsert

_ACCOUNT = "WHERE account = ?"
_LEG = f"{_ACCOUNT} AND symbol = ? AND position_side = ?"
_SYMBOL = f"{_ACCOUNT} AND symbol = ?"

# --- account
ACCOUNT = select(ACCOUNT_COLUMNS, "account", _ACCOUNT)
ACCOUNTS = select(("account",), "account", "ORDER BY account")
ACCOUNT_PUT = upsert("account", ACCOUNT_COLUMNS, ("account",))
ACCOUNT_NEW = insert_new("account", ACCOUNT_COLUMNS)

# --- lease
_LEASE_KEY = ("account", "service")
_LEASE = f"{_ACCOUNT} AND service = ?"
LEASE = select(("owner", "number", "expires_ms", "ttl_ms"), "lease", _LEASE)
LEASE_PUT = upsert("lease", (*_LEASE_KEY, "owner", "number", "expires_ms", "ttl_ms"), _LEASE_KEY)

# --- ledger
LEG = select(LEG_COLUMNS, "leg", _LEG)
LEGS = select(LEG_COLUMNS, "leg", f"{_ACCOUNT} ORDER BY symbol, position_side")
LEGS_NOT_AGREED = select(
    ("symbol", "position_side"), "leg", f"{_ACCOUNT} AND (agreed_version IS NULL OR agreed_version <> version)"
)
LEG_PUT = upsert("leg", LEG_COLUMNS, LEG_KEY, keep=("amt", "version"))
LEG_MOVED = upsert("leg", LEG_COLUMNS, LEG_KEY, keep=tuple(n for n in LEG_COLUMNS if n not in ("amt", "version")))
MOVE_COLUMNS = (*LEG_KEY, "version", "delta", "amt_after", "cause", "reference", "at_ms")
MOVE_NEW = insert("ledger_move", MOVE_COLUMNS)
MOVES = select(
    ("symbol", "position_side", "version", "delta", "amt_after"),
    "ledger_move",
    f"{_ACCOUNT} ORDER BY symbol, position_side, version",
)

# --- holds
_OPEN = "released_ms IS NULL"
HOLD = select(HOLD_COLUMNS, "hold", f"{_ACCOUNT} AND hold_id = ?")
HOLDS_OPEN = select(HOLD_COLUMNS, "hold", f"{_ACCOUNT} AND {_OPEN} ORDER BY symbol, position_side, owner")
LEGS_HELD = select(("symbol", "position_side"), "hold", f"{_ACCOUNT} AND {_OPEN}")
HOLDS_OPEN_OF_SYMBOL = select(HOLD_COLUMNS, "hold", f"{_SYMBOL} AND {_OPEN} ORDER BY position_side, owner")
HOLDS_OF_LEG = select(HOLD_COLUMNS, "hold", f"{_LEG} ORDER BY opened_ms DESC, hold_id DESC LIMIT ?")
HOLD_PUT = upsert("hold", HOLD_COLUMNS, ("account", "hold_id"))

# --- orders and fills
_LIVE = "settled = 0"
_BY_AGE = "ORDER BY created_ms, client_order_id"
_ORDER = f"{_ACCOUNT} AND client_order_id = ?"
ORDER = select(ORDER_COLUMNS, "orders", _ORDER)
ORDER_PROGRESS = select(("state", "executed_qty", "booked_qty"), "orders", _ORDER)
ORDER_BY_NUMBER = select(ORDER_COLUMNS, "orders", f"{_SYMBOL} AND venue_order_id = ?")
ORDERS_OF_HOLD = select(ORDER_COLUMNS, "orders", f"{_ACCOUNT} AND hold_id = ? {_BY_AGE}")
ORDERS_LIVE = select(ORDER_COLUMNS, "orders", f"{_ACCOUNT} AND {_LIVE} {_BY_AGE}")
LEGS_WITH_ORDERS = select(("symbol", "position_side"), "orders", f"{_ACCOUNT} AND {_LIVE}")
ORDERS_LIVE_OF_SYMBOL = select(ORDER_COLUMNS, "orders", f"{_SYMBOL} AND {_LIVE} {_BY_AGE}")
ORDER_PUT = (
    upsert("orders", ORDER_COLUMNS_WRITTEN, ("account", "client_order_id"), keep=("booked_qty",))
    + " RETURNING booked_qty"
)
ORDER_SETTLED = update("orders", ("settled",), "account = ? AND client_order_id = ?")
ORDER_BOOKED = update("orders", ("booked_qty", "settled"), "account = ? AND client_order_id = ?")
ORDERS_BOOKED = select(("client_order_id", "booked_qty"), "orders", _ACCOUNT)
FILL_NEW = f"{insert_new('fill', FILL_COLUMNS)} RETURNING trade_id"
FILL_QUANTITIES = select(("client_order_id", "qty"), "fill", _ACCOUNT)
TRADE_IDS_AFTER = select(("trade_id",), "fill", f"{_SYMBOL} AND trade_id > ?")
TRADE_IDS_FROM = select(("trade_id",), "fill", f"{_SYMBOL} AND venue_ms >= ?")
_UNDONE = ("trade_id", "side", "qty", "ledger_part")
_BEYOND = "AND qty <> ledger_part"
UNDONE_AFTER = select(_UNDONE, "fill", f"{_LEG} AND trade_id > ? {_BEYOND} ORDER BY trade_id")
UNDONE_FROM = select(_UNDONE, "fill", f"{_LEG} AND venue_ms >= ? {_BEYOND} ORDER BY trade_id")
LAST_TRADE_ID = select(("max(trade_id)",), "fill", _LEG)
LAST_ORDER_ID = select(("order_id",), "fill", f"{_LEG} ORDER BY venue_ms DESC, trade_id DESC LIMIT 1")

FOREIGN_OPEN = select(FOREIGN_COLUMNS, "foreign_order", f"{_ACCOUNT} AND gone_ms IS NULL ORDER BY seen_ms, order_id")
FOREIGN_PUT = upsert("foreign_order", FOREIGN_COLUMNS, FOREIGN_KEY)

# --- plans and closes
_UNPUBLISHED = "result IS NOT NULL AND published = 0"
PLAN = select(("content_hash", "result"), "plan", f"{_ACCOUNT} AND plan_id = ?")
PLAN_COLUMNS = ("account", "plan_id", "content_hash", "symbol", "result", "answered_ms", "published")
# A result that changes must be published again; the same one, put again, must not.
PLAN_PUT = (
    upsert("plan", PLAN_COLUMNS, ("account", "plan_id"), keep=("published",))
    + ", published = CASE WHEN plan.result = excluded.result THEN plan.published ELSE 0 END"
)
PLAN_PUBLISHED = update("plan", ("published",), "account = ? AND plan_id = ?")
RESULTS_UNPUBLISHED = select(
    ("result",), "plan", f"{_ACCOUNT} AND {_UNPUBLISHED} ORDER BY answered_ms, plan_id LIMIT ?"
)
_UNFINISHED = "state IN ('planned', 'claimed')"
CLOSE = select(CLOSE_COLUMNS, "close", f"{_ACCOUNT} AND plan_id = ?")
CLOSE_UNFINISHED = select(CLOSE_COLUMNS, "close", f"{_LEG} AND {_UNFINISHED}")
CLOSES_PLANNED = select(
    CLOSE_COLUMNS,
    "close",
    f"{_ACCOUNT} AND {_UNFINISHED} AND state = 'planned' ORDER BY created_ms, plan_id",
)
CLOSE_PUT = upsert("close", CLOSE_COLUMNS, ("account", "plan_id"))

# --- people
REQUEST = select(REQUEST_COLUMNS, "request", f"{_ACCOUNT} AND request_id = ?")
REQUESTS_OPEN = select(REQUEST_COLUMNS, "request", f"{_ACCOUNT} AND state = 'open' ORDER BY created_ms, request_id")
REQUEST_PUT = upsert("request", REQUEST_COLUMNS, ("account", "request_id"))
ALERTS_UNACKED = select(ALERT_COLUMNS, "alert", f"{_ACCOUNT} AND acked_ms IS NULL ORDER BY created_ms, alert_id")
ALERT_OF_HOLD = select(
    ALERT_COLUMNS, "alert", f"{_ACCOUNT} AND hold_id = ? ORDER BY created_ms DESC, alert_id DESC LIMIT 1"
)
ALERT_PUT = upsert("alert", ALERT_COLUMNS, ("account", "alert_id"))

# --- entries
ENTRY_NEW = insert("entry", ENTRY_COLUMNS)
ENTRY_HASH = select(("hash",), "entry", f"{_ACCOUNT} AND seq = ?")
ENTRY_HASHES_FROM = select(("seq", "hash"), "entry", f"{_ACCOUNT} AND seq >= ? ORDER BY seq LIMIT 2")
ENTRY_ACCOUNT_AFTER = select(("account",), "entry", "WHERE account > ? ORDER BY account LIMIT 1")
ENTRIES_AFTER = select(ENTRY_COLUMNS, "entry", f"{_ACCOUNT} AND seq > ? ORDER BY seq LIMIT ?")
ENTRY_SYMBOLS_AFTER = select(("DISTINCT symbol",), "entry", f"{_ACCOUNT} AND seq > ? AND symbol IS NOT NULL")
ENTRIES_OF_HOLD = select(ENTRY_COLUMNS, "entry", f"{_ACCOUNT} AND hold_id = ? ORDER BY seq")
ENTRIES_OF_PLAN = select(ENTRY_COLUMNS, "entry", f"{_ACCOUNT} AND plan_id = ? ORDER BY seq")
ENTRY_NEWEST = select(ENTRY_COLUMNS, "entry", f"{_ACCOUNT} AND kind = ? ORDER BY seq DESC LIMIT 1")
ENTRIES_COUNT = select(("count(*)",), "entry", f"{_ACCOUNT} AND kind = ?")
