"""The database: a real Postgres, the run's own or a given one."""

from harness.database.embedded import EmbeddedPostgres
from harness.database.given import UrlDatabase
from harness.database.protocol import Database

__all__ = ["Database", "EmbeddedPostgres", "UrlDatabase"]
