"""The database: a real Postgres of the run's own."""

from harness.database.embedded import EmbeddedPostgres

__all__ = ["EmbeddedPostgres"]
