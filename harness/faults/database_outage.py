"""A database that fails over: every connection is cut, and none is taken for a while.

What its clients see is what a managed Postgres shows while a standby takes over: FATAL 57P01 on
open connections, then refusals, then the same data as before.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql
from sqlalchemy import URL

_CONNECT_SECONDS = 5
_CUT = "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s"


@contextmanager
def database_outage(url: URL) -> Iterator[None]:
    """Keep everybody out of the database at `url` until the context is left.

    The user of `url` must own the database and may also enter the database `postgres`.
    """
    name = str(url.database)
    back = url.set(drivername="postgresql", database="postgres")
    with psycopg.connect(
        back.render_as_string(hide_password=False), autocommit=True,
        connect_timeout=_CONNECT_SECONDS,
    ) as connection:  # fmt: skip
        allow = sql.SQL("alter database {} allow_connections {}")
        connection.execute(allow.format(sql.Identifier(name), sql.Literal(False)))
        try:
            connection.execute(_CUT, (name,))
            yield
        finally:
            connection.execute(allow.format(sql.Identifier(name), sql.Literal(True)))
