"""Which database a run keeps its books in, from what a person wrote."""

from __future__ import annotations

from pathlib import Path

from harness.database.embedded import EmbeddedPostgres
from harness.database.given import UrlDatabase
from harness.database.protocol import Database
from harness.errors import UsageError

HELP = "embedded, container (container=IMAGE names another) or a URL of Postgres."


def check_database(written: str) -> str:
    """What `--database` may be: returned as it is. Raises UsageError for anything else."""
    kind, _, image = written.partition("=")
    known = written in ("embedded", "container") or (kind == "container" and bool(image))
    if not known and "://" not in written:
        raise UsageError(f"--database {written}: must be {HELP[:-1]}")
    return written


def open_database(written: str, log: Path) -> Database:
    """Start or reach it. Raises UsageError for what it cannot be, StartError if it fails."""
    kind, _, image = check_database(written).partition("=")
    if written == "embedded":
        return EmbeddedPostgres.start(log=log)
    if kind == "container":
        from harness.database.container import IMAGE, ContainerPostgres

        return ContainerPostgres.start(log, image or IMAGE)
    return UrlDatabase(written)
