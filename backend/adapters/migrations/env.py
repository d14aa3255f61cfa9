"""Alembic's entry point; the connection comes from `backend.adapters.database`."""

from alembic import context

from backend.adapters.tables import Table

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Table.metadata,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
