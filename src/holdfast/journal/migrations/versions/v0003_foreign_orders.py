"""Open orders at the exchange that are not ours: what was seen of them, until they are gone."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add an empty table."""
    op.create_table(
        "foreign_order",
        sa.Column("account", TEXT, nullable=False),
        sa.Column("symbol", TEXT, nullable=False),
        sa.Column("order_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("client_order_id", TEXT, nullable=False),
        sa.Column("side", TEXT, nullable=False),
        sa.Column("position_side", TEXT, nullable=False),
        sa.Column("qty", TEXT, nullable=False),
        sa.Column("executed_qty", TEXT, nullable=False),
        sa.Column("price", TEXT, nullable=True),
        sa.Column("reduce_only", sa.BigInteger(), nullable=False),
        sa.Column("seen_ms", sa.BigInteger(), nullable=False),
        sa.Column("gone_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("account", "symbol", "order_id"),
    )
    op.create_index(
        "foreign_open",
        "foreign_order",
        ["account", "seen_ms"],
        sqlite_where=sa.text("gone_ms IS NULL"),
        postgresql_where=sa.text("gone_ms IS NULL"),
    )
