"""A Postgres that somebody else runs, given by its URL.

Like cooking in another's kitchen: we bring our own pots, marked with our name, touch nothing that
was there, and leave it as we found it. Databases that a killed run left are taken away by the next
one, which knows them by their mark.
"""

from __future__ import annotations

import re
import secrets
from typing import Self
from urllib.parse import SplitResult, urlsplit

import psycopg

from harness.database import statements
from harness.errors import StartError, UsageError

_MARK = "mystery_box"
_OURS = re.compile(rf"{_MARK}_[0-9a-f]{{8}}_\w+")
_VERSION_MIN = 130_000  # the first whose DROP DATABASE can cut off connections
_CONNECT_SECONDS_MAX = 10


class UrlDatabase:
    """Databases of our own on a given server. Use as a context manager.

    `url` is SQLAlchemy's or libpq's: postgresql://user:password@host:port/database. The database
    that it names is used to connect and is not written to; the user must have CREATEDB.
    """

    kind = "url"

    def __init__(self, url: str) -> None:
        """Raises UsageError for what is no URL of Postgres, StartError if it cannot be used."""
        self._url = _parsed(url)
        self._run = f"{_MARK}_{secrets.token_hex(4)}"
        self._made: set[str] = set()
        # Kept open, named after this run: it tells other runs that this one lives.
        self._connection = self._connect()
        try:
            self._assert_usable()
            self._sweep()
        except BaseException:
            self._connection.close()
            raise

    def create_database(self, name: str, template: str | None = None) -> str:
        """Create a database, as a copy of one made here before if given; returns its URL."""
        full = self._full(name)
        source = None if template is None else self._full(template)
        version = self._connection.info.server_version
        self._connection.execute(statements.create_database(full, source, version))
        self._made.add(full)
        return self._url._replace(scheme="postgresql+psycopg", path="/" + full).geturl()

    def drop_database(self, name: str) -> None:
        """Drop a database made here and cut off whoever is connected to it."""
        full = self._full(name)
        self._connection.execute(statements.drop_database(full))
        self._made.discard(full)

    def close(self) -> None:
        """Drop what was made here and disconnect. Safe to call twice."""
        if self._connection.closed:
            return
        try:
            for name in sorted(self._made):
                self._connection.execute(statements.drop_database(name))
            self._made.clear()
        finally:
            self._connection.close()

    def reconnect(self) -> None:
        """Connect anew, after the server was restarted. Raises StartError."""
        self._connection.close()
        self._connection = self._connect()

    def abandon(self) -> None:
        """Disconnect and leave everything: for a server that goes away as a whole."""
        self._made.clear()
        self._connection.close()

    def _full(self, name: str) -> str:
        return f"{self._run}_{name}"

    def _connect(self) -> psycopg.Connection:
        try:
            return psycopg.connect(
                self._url.geturl(),
                autocommit=True,
                client_encoding="utf8",
                connect_timeout=_CONNECT_SECONDS_MAX,
                application_name=self._run,
            )
        except psycopg.OperationalError as error:
            reason = " ".join(str(error).split())
            raise StartError(f"the database at {_place(self._url)}: {reason}") from None

    def _assert_usable(self) -> None:
        place, version = _place(self._url), self._connection.info.server_version
        if version < _VERSION_MIN:
            raise StartError(f"the database at {place} is Postgres {version // 10000}; needs 13")
        row = self._connection.execute(
            "select rolcreatedb or rolsuper, rolname from pg_roles where rolname = current_user"
        ).fetchone()
        assert row is not None
        may, role = row
        if not may:
            raise StartError(
                f"the database at {place}: role {role} may not create databases; "
                f'let its owner run: ALTER ROLE "{role}" CREATEDB'
            )

    def _sweep(self) -> None:
        """Drop what killed runs of this role left: marked databases whose run is not connected."""
        rows = self._connection.execute(
            "select datname from pg_database join pg_roles on pg_roles.oid = datdba "
            "where rolname = current_user and datname like %s and not exists ("
            "select from pg_stat_activity as a where a.application_name like %s "
            "and starts_with(pg_database.datname, a.application_name))",
            (_MARK + r"\_%", _MARK + r"\_%"),
        ).fetchall()
        for (name,) in rows:
            if _OURS.fullmatch(name):
                self._connection.execute(statements.drop_database(name))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _parsed(text: str) -> SplitResult:
    try:
        url = urlsplit(text)
        right = url.scheme in ("postgresql", "postgresql+psycopg", "postgres") and url.port != 0
    except ValueError:  # its message would show the password
        right = False
    if not right:
        raise UsageError("--database: must be postgresql://user:password@host:port/database")
    return url._replace(scheme="postgresql")


def _place(url: SplitResult) -> str:
    """Where it is, without its password."""
    return f"{url.hostname or 'the local socket'}:{url.port or 5432}{url.path}"
