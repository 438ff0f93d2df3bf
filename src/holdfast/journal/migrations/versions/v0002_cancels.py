"""Orders that rest may be asked to end: when, why, and the CANCEL plans that wait for it. Old orders: nobody asked."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add three columns that may be empty: no row is touched."""
    op.add_column("orders", sa.Column("cancel_at_ms", sa.BigInteger(), nullable=True))
    op.add_column("orders", sa.Column("cancel_why", TEXT, nullable=True))
    op.add_column("orders", sa.Column("cancel_plans", TEXT, nullable=True))
