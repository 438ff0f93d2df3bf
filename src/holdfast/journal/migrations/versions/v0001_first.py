"""The first schema: everything that `schema.py` names at version 0001."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


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
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("baseline_ms", sa.BigInteger(), nullable=True),
        sa.Column("position_mode", sa.Text(), nullable=True),
        sa.Column("stamp_ms", sa.BigInteger(), nullable=True),
        sa.Column("trading_state", sa.Text(), nullable=False),
        sa.Column("halt_detail", sa.Text(), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.Column("head_hash", sa.Text(), nullable=False),
        sa.Column("events_published_seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account"),
    )


def _create_alert() -> None:
    op.create_table(
        "alert",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("alert_id", sa.Text(), nullable=False),
        sa.Column("hold_id", sa.Text(), nullable=True),
        sa.Column("symbol", sa.Text(), nullable=True),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("delivered_ms", sa.BigInteger(), nullable=True),
        sa.Column("acked_ms", sa.BigInteger(), nullable=True),
        sa.Column("acked_by", sa.Text(), nullable=False),
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
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("plan_id", sa.Text(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("hold_id", sa.Text(), nullable=True),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("position_side", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("qty", sa.Text(), nullable=False),
        sa.Column("exchange_amt", sa.Text(), nullable=False),
        sa.Column("ledger_amt", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.Column("attempt", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("approval_name", sa.Text(), nullable=True),
        sa.Column("approval_reason", sa.Text(), nullable=True),
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
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=True),
        sa.Column("hold_id", sa.Text(), nullable=True),
        sa.Column("plan_id", sa.Text(), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("prev_hash", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
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
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("hold_id", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("position_side", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("opened_ms", sa.BigInteger(), nullable=False),
        sa.Column("cause_as_of_ms", sa.BigInteger(), nullable=False),
        sa.Column("exchange_amt", sa.Text(), nullable=True),
        sa.Column("ledger_amt", sa.Text(), nullable=False),
        sa.Column("step_kind", sa.Text(), nullable=False),
        sa.Column("step_due_ms", sa.BigInteger(), nullable=False),
        sa.Column("step_text", sa.Text(), nullable=False),
        sa.Column("close_attempts", sa.BigInteger(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("approved_notional", sa.Text(), nullable=True),
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
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.Column("ttl_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account", "service"),
    )


def _create_leg() -> None:
    op.create_table(
        "leg",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("position_side", sa.Text(), nullable=False),
        sa.Column("amt", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("agreed_version", sa.BigInteger(), nullable=True),
        sa.Column("last_fill_ms", sa.BigInteger(), nullable=False),
        sa.Column("watermark_trade_id", sa.BigInteger(), nullable=True),
        sa.Column("watermark_ms", sa.BigInteger(), nullable=False),
        sa.Column("divergent_since_ms", sa.BigInteger(), nullable=True),
        sa.Column("seen_amt", sa.Text(), nullable=True),
        sa.Column("seen_as_of_ms", sa.BigInteger(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("account", "symbol", "position_side"),
    )


def _create_orders() -> None:
    op.create_table(
        "orders",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("client_order_id", sa.Text(), nullable=False),
        sa.Column("plan_id", sa.Text(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("position_side", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("qty", sa.Text(), nullable=False),
        sa.Column("order_type", sa.Text(), nullable=False),
        sa.Column("reduce_only", sa.BigInteger(), nullable=False),
        sa.Column("price", sa.Text(), nullable=True),
        sa.Column("time_in_force", sa.Text(), nullable=True),
        sa.Column("against_drift_qty", sa.Text(), nullable=False),
        sa.Column("hold_id", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("timestamp_ms", sa.BigInteger(), nullable=False),
        sa.Column("recv_window_ms", sa.BigInteger(), nullable=False),
        sa.Column("sent_count", sa.BigInteger(), nullable=False),
        sa.Column("venue_order_id", sa.BigInteger(), nullable=True),
        sa.Column("executed_qty", sa.Text(), nullable=False),
        sa.Column("booked_qty", sa.Text(), nullable=False),
        sa.Column("avg_price", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("error_detail", sa.Text(), nullable=False),
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
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("plan_id", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("result", sa.Text(), nullable=True),
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
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=True),
        sa.Column("position_side", sa.Text(), nullable=True),
        sa.Column("hold_id", sa.Text(), nullable=True),
        sa.Column("qty", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("client_order_id", sa.Text(), nullable=True),
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
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("trade_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("order_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("client_order_id", sa.Text(), nullable=False),
        sa.Column("position_side", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("qty", sa.Text(), nullable=False),
        sa.Column("price", sa.Text(), nullable=True),
        sa.Column("venue_ms", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("ledger_part", sa.Text(), nullable=False),
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
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("position_side", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("delta", sa.Text(), nullable=False),
        sa.Column("amt_after", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account", "symbol", "position_side"], ["leg.account", "leg.symbol", "leg.position_side"], name="move_leg"
        ),
        sa.PrimaryKeyConstraint("account", "symbol", "position_side", "version"),
    )
