"""Alembic's steps from one schema to the next, run by `journal.migrate` when a journal is opened."""
