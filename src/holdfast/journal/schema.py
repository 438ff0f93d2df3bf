"""The journal's tables, as SQLAlchemy metadata: what the newest migration leaves behind.

Only migrations and tests import this module (and with it SQLAlchemy): a start on an up-to-date journal never
does. The SQL that runs is in `statements.py`, by the same names; a test holds the two and the migrations
together.

Rules: amounts are decimal text, times epoch milliseconds, switches 0 or 1; every table is keyed by account
first, so that one account's rows lie together. What must be unique is unique here, in the database, not only in code:

    fill(account, symbol, trade_id, order_id)              a trade is booked once
    hold: one open row a (leg, owner)                      partial index
    close: one planned or claimed row a leg                partial index
    orders(account, client_order_id), plan(account, plan_id), entry(account, seq)
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKeyConstraint, Index, MetaData, Table, Text, text

metadata = MetaData()
TEXT = Text().with_variant(Text(collation="C"), "postgresql")
"""In the order of its bytes everywhere: SQLite has no other, a PostgreSQL database has that of somebody's language."""


def _text(name: str) -> Column[str]:
    return Column(name, TEXT, nullable=False)


def _text_or_null(name: str) -> Column[str]:
    return Column(name, TEXT, nullable=True)


def _int(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False)


def _int_or_null(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=True)


def _key_text(name: str) -> Column[str]:
    return Column(name, TEXT, primary_key=True, nullable=False)


def _key_int(name: str) -> Column[int]:
    return Column(name, BigInteger, primary_key=True, nullable=False, autoincrement=False)


account = Table(
    "account",
    metadata,
    _key_text("account"),
    _int_or_null("baseline_ms"),
    _text_or_null("position_mode"),
    _int_or_null("stamp_ms"),
    _text("trading_state"),
    _text("halt_detail"),
    _int("last_seq"),
    _text("head_hash"),
    _int("events_published_seq"),
)

lease = Table(
    "lease",
    metadata,
    _key_text("account"),
    _key_text("service"),
    _text("owner"),
    _int("number"),
    _int("expires_ms"),
    _int("ttl_ms"),
)

leg = Table(
    "leg",
    metadata,
    _key_text("account"),
    _key_text("symbol"),
    _key_text("position_side"),
    _text("amt"),
    _int("version"),
    _int_or_null("agreed_version"),
    _int("last_fill_ms"),
    _int_or_null("watermark_trade_id"),
    _int("watermark_ms"),
    _int_or_null("divergent_since_ms"),
    _text_or_null("seen_amt"),
    _int_or_null("seen_as_of_ms"),
    _text("status"),
)

ledger_move = Table(
    "ledger_move",
    metadata,
    _key_text("account"),
    _key_text("symbol"),
    _key_text("position_side"),
    _key_int("version"),
    _text("delta"),
    _text("amt_after"),
    _text("cause"),
    _text("reference"),
    _int("at_ms"),
    ForeignKeyConstraint(
        ["account", "symbol", "position_side"], ["leg.account", "leg.symbol", "leg.position_side"], name="move_leg"
    ),
)

hold = Table(
    "hold",
    metadata,
    _key_text("account"),
    _key_text("hold_id"),
    _text("symbol"),
    _text("position_side"),
    _text("reason"),
    _text("owner"),
    _int("opened_ms"),
    _int("cause_as_of_ms"),
    _text_or_null("exchange_amt"),
    _text("ledger_amt"),
    _text("step_kind"),
    _int("step_due_ms"),
    _text("step_text"),
    _int("close_attempts"),
    _text("detail"),
    _text_or_null("approved_notional"),
    _int_or_null("released_ms"),
)
_HOLD_OPEN = text("released_ms IS NULL")
Index(
    "hold_open",
    hold.c.account,
    hold.c.symbol,
    hold.c.position_side,
    hold.c.owner,
    unique=True,
    sqlite_where=_HOLD_OPEN,
    postgresql_where=_HOLD_OPEN,
)
Index("hold_leg", hold.c.account, hold.c.symbol, hold.c.position_side, hold.c.opened_ms)

orders = Table(
    "orders",
    metadata,
    _key_text("account"),
    _key_text("client_order_id"),
    _text("plan_id"),
    _text("decision"),
    _text("symbol"),
    _text("position_side"),
    _text("side"),
    _text("qty"),
    _text("order_type"),
    _int("reduce_only"),
    _text_or_null("price"),
    _text_or_null("time_in_force"),
    _text("against_drift_qty"),
    _text_or_null("hold_id"),
    _text("state"),
    _int("timestamp_ms"),
    _int("recv_window_ms"),
    _int("sent_count"),
    _int_or_null("venue_order_id"),
    _text("executed_qty"),
    _text("booked_qty"),
    _text_or_null("avg_price"),
    _text("error"),
    _text("error_detail"),
    _int("created_ms"),
    _int("updated_ms"),
    _int("settled"),
    _int_or_null("cancel_at_ms"),
    _text_or_null("cancel_why"),
    _text_or_null("cancel_plans"),
)
_ORDER_LIVE = text("settled = 0")
_ORDER_HELD = text("hold_id IS NOT NULL")
_ORDER_NUMBERED = text("venue_order_id IS NOT NULL")
Index("orders_live", orders.c.account, orders.c.symbol, sqlite_where=_ORDER_LIVE, postgresql_where=_ORDER_LIVE)
Index("orders_hold", orders.c.account, orders.c.hold_id, sqlite_where=_ORDER_HELD, postgresql_where=_ORDER_HELD)
Index(
    "orders_number",
    orders.c.account,
    orders.c.symbol,
    orders.c.venue_order_id,
    sqlite_where=_ORDER_NUMBERED,
    postgresql_where=_ORDER_NUMBERED,
)

foreign_order = Table(
    "foreign_order",
    metadata,
    _key_text("account"),
    _key_text("symbol"),
    _key_int("order_id"),
    _text("client_order_id"),
    _text("side"),
    _text("position_side"),
    _text("qty"),
    _text("executed_qty"),
    _text_or_null("price"),
    _int("reduce_only"),
    _int("seen_ms"),
    _int_or_null("gone_ms"),
)
_FOREIGN_OPEN = text("gone_ms IS NULL")
Index(
    "foreign_open",
    foreign_order.c.account,
    foreign_order.c.seen_ms,
    sqlite_where=_FOREIGN_OPEN,
    postgresql_where=_FOREIGN_OPEN,
)

fill = Table(
    "fill",
    metadata,
    _key_text("account"),
    _key_text("symbol"),
    _key_int("trade_id"),
    _key_int("order_id"),
    _text("client_order_id"),
    _text("position_side"),
    _text("side"),
    _text("qty"),
    _text_or_null("price"),
    _int("venue_ms"),
    _text("source"),
    _text("ledger_part"),
    ForeignKeyConstraint(
        ["account", "client_order_id"], ["orders.account", "orders.client_order_id"], name="fill_order"
    ),
)
Index("fill_leg", fill.c.account, fill.c.symbol, fill.c.position_side, fill.c.trade_id)
Index("fill_time", fill.c.account, fill.c.symbol, fill.c.venue_ms)

plan = Table(
    "plan",
    metadata,
    _key_text("account"),
    _key_text("plan_id"),
    _text("content_hash"),
    _text("symbol"),
    _text_or_null("result"),
    _int("answered_ms"),
    _int("published"),
)
_RESULT_WAITS = text("result IS NOT NULL AND published = 0")
Index(
    "plan_unpublished",
    plan.c.account,
    plan.c.answered_ms,
    plan.c.plan_id,
    sqlite_where=_RESULT_WAITS,
    postgresql_where=_RESULT_WAITS,
)

close = Table(
    "close",
    metadata,
    _key_text("account"),
    _key_text("plan_id"),
    _text("decision"),
    _text_or_null("hold_id"),
    _text("symbol"),
    _text("position_side"),
    _text("side"),
    _text("qty"),
    _text("exchange_amt"),
    _text("ledger_amt"),
    _text("reason"),
    _int("created_ms"),
    _int("expires_ms"),
    _int("attempt"),
    _text("state"),
    _text_or_null("approval_name"),
    _text_or_null("approval_reason"),
)
_CLOSE_UNFINISHED = text("state IN ('planned', 'claimed')")
Index(
    "close_unfinished",
    close.c.account,
    close.c.symbol,
    close.c.position_side,
    unique=True,
    sqlite_where=_CLOSE_UNFINISHED,
    postgresql_where=_CLOSE_UNFINISHED,
)

request = Table(
    "request",
    metadata,
    _key_text("account"),
    _key_text("request_id"),
    _text("kind"),
    _text_or_null("symbol"),
    _text_or_null("position_side"),
    _text_or_null("hold_id"),
    _text("qty"),
    _text("name"),
    _text("reason"),
    _int("created_ms"),
    _text("state"),
    _text("outcome"),
    _text_or_null("client_order_id"),
)
_REQUEST_OPEN = text("state = 'open'")
Index(
    "request_open", request.c.account, request.c.created_ms, sqlite_where=_REQUEST_OPEN, postgresql_where=_REQUEST_OPEN
)

alert = Table(
    "alert",
    metadata,
    _key_text("account"),
    _key_text("alert_id"),
    _text_or_null("hold_id"),
    _text_or_null("symbol"),
    _text("title"),
    _text("body"),
    _int("created_ms"),
    _int_or_null("delivered_ms"),
    _int_or_null("acked_ms"),
    _text("acked_by"),
    _int("deliveries"),
    _int("next_try_ms"),
)
_ALERT_UNACKED = text("acked_ms IS NULL")
_ALERT_HELD = text("hold_id IS NOT NULL")
Index(
    "alert_unacked", alert.c.account, alert.c.created_ms, sqlite_where=_ALERT_UNACKED, postgresql_where=_ALERT_UNACKED
)
Index(
    "alert_hold",
    alert.c.account,
    alert.c.hold_id,
    alert.c.created_ms,
    sqlite_where=_ALERT_HELD,
    postgresql_where=_ALERT_HELD,
)

entry = Table(
    "entry",
    metadata,
    _key_text("account"),
    _key_int("seq"),
    _int("at_ms"),
    _text("kind"),
    _text_or_null("symbol"),
    _text_or_null("hold_id"),
    _text_or_null("plan_id"),
    _text("body"),
    _text("prev_hash"),
    _text("hash"),
)
_ENTRY_HELD = text("hold_id IS NOT NULL")
_ENTRY_PLANNED = text("plan_id IS NOT NULL")
Index("entry_kind", entry.c.account, entry.c.kind)
Index(
    "entry_hold", entry.c.account, entry.c.hold_id, entry.c.seq, sqlite_where=_ENTRY_HELD, postgresql_where=_ENTRY_HELD
)
Index(
    "entry_plan",
    entry.c.account,
    entry.c.plan_id,
    entry.c.seq,
    sqlite_where=_ENTRY_PLANNED,
    postgresql_where=_ENTRY_PLANNED,
)
