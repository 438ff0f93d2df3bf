"""The first schema: everything that `schema.py` names at version 0001."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
"""Text in the order of its bytes, as SQLite has it; a PostgreSQL database has the order of somebody's language."""


def upgrade() -> None:
    """Create every table in an empty database."""
    _create_account()
    _create_alert()
    _create_close()
    _create_entry()
    _create_hold()
    _create_lease()
    _create_leg()
    _create_orders()
    _create_plan()
    _create_request()
    _create_fill()
    _create_ledger_move()


def _create_account() -> None:
    op.create_table(
        "account",
        sa.Column("account", TEXT, nullable=False),
        sa.Column("baseline_ms", sa.BigInteger(), nullable=True),
        sa.Column("position_mode", TEXT, nullable=True),
        sa.Column("stamp_ms", sa.BigInteger(), nullable=True),
        sa.Column("trading_state", TEXT, nullable=False),
        sa.Column("halt_detail", TEXT, nullable=False),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.Column("head_hash", TEXT, nullable=False),
        sa.Column("events_published_seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account"),
    )


def _create_alert() -> None:
    op.create_table(
        "alert",
        sa.Column("account", TEXT, nullable=False),
        sa.Column("alert_id", TEXT, nullable=False),
        sa.Column("hold_id", TEXT, nullable=True),
        sa.Column("symbol", TEXT, nullable=True),
        sa.Column("title", TEXT, nullable=False),
        sa.Column("body", TEXT, nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("delivered_ms", sa.BigInteger(), nullable=True),
        sa.Column("acked_ms", sa.BigInteger(), nullable=True),
        sa.Column("acked_by", TEXT, nullable=False),
        sa.Column("deliveries", sa.BigInteger(), nullable=False),
        sa.Column("next_try_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account", "alert_id"),
    )
    op.create_index(
        "alert_hold",
        "alert",
        ["account", "hold_id", "created_ms"],
        sqlite_where=sa.text("hold_id IS NOT NULL"),
        postgresql_where=sa.text("hold_id IS NOT NULL"),
    )
    op.create_index(
        "alert_unacked",
        "alert",
        ["account", "created_ms"],
        sqlite_where=sa.text("acked_ms IS NULL"),
        postgresql_where=sa.text("acked_ms IS NULL"),
    )


def _create_close() -> None:
    op.create_table(
        "close",
        sa.Column("account", TEXT, nullable=False),
        sa.Column("plan_id", TEXT, nullable=False),
        sa.Column("decision", TEXT, nullable=False),
        sa.Column("hold_id", TEXT, nullable=True),
        sa.Column("symbol", TEXT, nullable=False),
        sa.Column("position_side", TEXT, nullable=False),
        sa.Column("side", TEXT, nullable=False),
        sa.Column("qty", TEXT, nullable=False),
        sa.Column("exchange_amt", TEXT, nullable=False),
        sa.Column("ledger_amt", TEXT, nullable=False),
        sa.Column("reason", TEXT, nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.Column("attempt", sa.BigInteger(), nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("approval_name", TEXT, nullable=True),
        sa.Column("approval_reason", TEXT, nullable=True),
        sa.PrimaryKeyConstraint("account", "plan_id"),
    )
    op.create_index(
        "close_unfinished",
        "close",
        ["account", "symbol", "position_side"],
        unique=True,
        sqlite_where=sa.text("state IN ('planned', 'claimed')"),
        postgresql_where=sa.text("state IN ('planned', 'claimed')"),
    )


def _create_entry() -> None:
    op.create_table(
        "entry",
        sa.Column("account", TEXT, nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("symbol", TEXT, nullable=True),
        sa.Column("hold_id", TEXT, nullable=True),
        sa.Column("plan_id", TEXT, nullable=True),
        sa.Column("body", TEXT, nullable=False),
        sa.Column("prev_hash", TEXT, nullable=False),
        sa.Column("hash", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("account", "seq"),
    )
    op.create_index(
        "entry_hold",
        "entry",
        ["account", "hold_id", "seq"],
        sqlite_where=sa.text("hold_id IS NOT NULL"),
        postgresql_where=sa.text("hold_id IS NOT NULL"),
    )
    op.create_index("entry_kind", "entry", ["account", "kind"])
    op.create_index(
        "entry_plan",
        "entry",
        ["account", "plan_id", "seq"],
        sqlite_where=sa.text("plan_id IS NOT NULL"),
        postgresql_where=sa.text("plan_id IS NOT NULL"),
    )


def _create_hold() -> None:
    op.create_table(
        "hold",
        sa.Column("account", TEXT, nullable=False),
        sa.Column("hold_id", TEXT, nullable=False),
        sa.Column("symbol", TEXT, nullable=False),
        sa.Column("position_side", TEXT, nullable=False),
        sa.Column("reason", TEXT, nullable=False),
        sa.Column("owner", TEXT, nullable=False),
        sa.Column("opened_ms", sa.BigInteger(), nullable=False),
        sa.Column("cause_as_of_ms", sa.BigInteger(), nullable=False),
        sa.Column("exchange_amt", TEXT, nullable=True),
        sa.Column("ledger_amt", TEXT, nullable=False),
        sa.Column("step_kind", TEXT, nullable=False),
        sa.Column("step_due_ms", sa.BigInteger(), nullable=False),
        sa.Column("step_text", TEXT, nullable=False),
        sa.Column("close_attempts", sa.BigInteger(), nullable=False),
        sa.Column("detail", TEXT, nullable=False),
        sa.Column("approved_notional", TEXT, nullable=True),
        sa.Column("released_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("account", "hold_id"),
    )
    op.create_index("hold_leg", "hold", ["account", "symbol", "position_side", "opened_ms"])
    op.create_index(
        "hold_open",
        "hold",
        ["account", "symbol", "position_side", "owner"],
        unique=True,
        sqlite_where=sa.text("released_ms IS NULL"),
        postgresql_where=sa.text("released_ms IS NULL"),
    )


def _create_lease() -> None:
    op.create_table(
        "lease",
        sa.Column("account", TEXT, nullable=False),
        sa.Column("service", TEXT, nullable=False),
        sa.Column("owner", TEXT, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.Column("ttl_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account", "service"),
    )


def _create_leg() -> None:
    op.create_table(
        "leg",
        sa.Column("account", TEXT, nullable=False),
        sa.Column("symbol", TEXT, nullable=False),
        sa.Column("position_side", TEXT, nullable=False),
        sa.Column("amt", TEXT, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("agreed_version", sa.BigInteger(), nullable=True),
        sa.Column("last_fill_ms", sa.BigInteger(), nullable=False),
        sa.Column("watermark_trade_id", sa.BigInteger(), nullable=True),
        sa.Column("watermark_ms", sa.BigInteger(), nullable=False),
        sa.Column("divergent_since_ms", sa.BigInteger(), nullable=True),
        sa.Column("seen_amt", TEXT, nullable=True),
        sa.Column("seen_as_of_ms", sa.BigInteger(), nullable=True),
        sa.Column("status", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("account", "symbol", "position_side"),
    )


def _create_orders() -> None:
    op.create_table(
        "orders",
        sa.Column("account", TEXT, nullable=False),
        sa.Column("client_order_id", TEXT, nullable=False),
        sa.Column("plan_id", TEXT, nullable=False),
        sa.Column("decision", TEXT, nullable=False),
        sa.Column("symbol", TEXT, nullable=False),
        sa.Column("position_side", TEXT, nullable=False),
        sa.Column("side", TEXT, nullable=False),
        sa.Column("qty", TEXT, nullable=False),
        sa.Column("order_type", TEXT, nullable=False),
        sa.Column("reduce_only", sa.BigInteger(), nullable=False),
        sa.Column("price", TEXT, nullable=True),
        sa.Column("time_in_force", TEXT, nullable=True),
        sa.Column("against_drift_qty", TEXT, nullable=False),
        sa.Column("hold_id", TEXT, nullable=True),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("timestamp_ms", sa.BigInteger(), nullable=False),
        sa.Column("recv_window_ms", sa.BigInteger(), nullable=False),
        sa.Column("sent_count", sa.BigInteger(), nullable=False),
        sa.Column("venue_order_id", sa.BigInteger(), nullable=True),
        sa.Column("executed_qty", TEXT, nullable=False),
        sa.Column("booked_qty", TEXT, nullable=False),
        sa.Column("avg_price", TEXT, nullable=True),
        sa.Column("error", TEXT, nullable=False),
        sa.Column("error_detail", TEXT, nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("updated_ms", sa.BigInteger(), nullable=False),
        sa.Column("settled", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account", "client_order_id"),
    )
    op.create_index(
        "orders_hold",
        "orders",
        ["account", "hold_id"],
        sqlite_where=sa.text("hold_id IS NOT NULL"),
        postgresql_where=sa.text("hold_id IS NOT NULL"),
    )
    op.create_index(
        "orders_live",
        "orders",
        ["account", "symbol"],
        sqlite_where=sa.text("settled = 0"),
        postgresql_where=sa.text("settled = 0"),
    )
    op.create_index(
        "orders_number",
        "orders",
        ["account", "symbol", "venue_order_id"],
        sqlite_where=sa.text("venue_order_id IS NOT NULL"),
        postgresql_where=sa.text("venue_order_id IS NOT NULL"),
    )


def _create_plan() -> None:
    op.create_table(
        "plan",
        sa.Column("account", TEXT, nullable=False),
        sa.Column("plan_id", TEXT, nullable=False),
        sa.Column("content_hash", TEXT, nullable=False),
        sa.Column("symbol", TEXT, nullable=False),
        sa.Column("result", TEXT, nullable=True),
        sa.Column("answered_ms", sa.BigInteger(), nullable=False),
        sa.Column("published", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account", "plan_id"),
    )
    op.create_index(
        "plan_unpublished",
        "plan",
        ["account", "answered_ms", "plan_id"],
        sqlite_where=sa.text("result IS NOT NULL AND published = 0"),
        postgresql_where=sa.text("result IS NOT NULL AND published = 0"),
    )


def _create_request() -> None:
    op.create_table(
        "request",
        sa.Column("account", TEXT, nullable=False),
        sa.Column("request_id", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("symbol", TEXT, nullable=True),
        sa.Column("position_side", TEXT, nullable=True),
        sa.Column("hold_id", TEXT, nullable=True),
        sa.Column("qty", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("reason", TEXT, nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("outcome", TEXT, nullable=False),
        sa.Column("client_order_id", TEXT, nullable=True),
        sa.PrimaryKeyConstraint("account", "request_id"),
    )
    op.create_index(
        "request_open",
        "request",
        ["account", "created_ms"],
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )


def _create_fill() -> None:
    op.create_table(
        "fill",
        sa.Column("account", TEXT, nullable=False),
        sa.Column("symbol", TEXT, nullable=False),
        sa.Column("trade_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("order_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("client_order_id", TEXT, nullable=False),
        sa.Column("position_side", TEXT, nullable=False),
        sa.Column("side", TEXT, nullable=False),
        sa.Column("qty", TEXT, nullable=False),
        sa.Column("price", TEXT, nullable=True),
        sa.Column("venue_ms", sa.BigInteger(), nullable=False),
        sa.Column("source", TEXT, nullable=False),
        sa.Column("ledger_part", TEXT, nullable=False),
        sa.ForeignKeyConstraint(
            ["account", "client_order_id"], ["orders.account", "orders.client_order_id"], name="fill_order"
        ),
        sa.PrimaryKeyConstraint("account", "symbol", "trade_id", "order_id"),
    )
    op.create_index("fill_leg", "fill", ["account", "symbol", "position_side", "trade_id"])
    op.create_index("fill_time", "fill", ["account", "symbol", "venue_ms"])


def _create_ledger_move() -> None:
    op.create_table(
        "ledger_move",
        sa.Column("account", TEXT, nullable=False),
        sa.Column("symbol", TEXT, nullable=False),
        sa.Column("position_side", TEXT, nullable=False),
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("delta", TEXT, nullable=False),
        sa.Column("amt_after", TEXT, nullable=False),
        sa.Column("cause", TEXT, nullable=False),
        sa.Column("reference", TEXT, nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account", "symbol", "position_side"], ["leg.account", "leg.symbol", "leg.position_side"], name="move_leg"
        ),
        sa.PrimaryKeyConstraint("account", "symbol", "position_side", "version"),
    )
