"""Alembic's entry: runs the migrations on the connection that `journal.migrate` opened, in its transaction."""

from __future__ import annotations

from alembic import context

from holdfast.journal.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
