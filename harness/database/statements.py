"""The few statements with which databases come and go, whoever runs the server."""

from __future__ import annotations

import re

from psycopg import sql

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
#: From this version on a copy can be made file by file.
_FILE_COPY_VERSION = 150_000


def create_database(name: str, template: str | None, server_version: int) -> sql.Composed:
    """CREATE DATABASE, as a copy of `template` if given. `server_version` as libpq counts it,
    180006 for 18.6. Raises ValueError for a name that would need quoting."""
    statement = sql.SQL("CREATE DATABASE {}").format(_identifier(name))
    if template is None:
        # A server may have been set up without a locale and give its databases no encoding.
        return statement + sql.SQL(" TEMPLATE template0 ENCODING 'UTF8'")
    statement += sql.SQL(" TEMPLATE {}").format(_identifier(template))
    if server_version >= _FILE_COPY_VERSION:
        # A copy of files is faster than WAL-logging each page, for a database this small.
        statement += sql.SQL(" STRATEGY file_copy")
    return statement


def drop_database(name: str) -> sql.Composed:
    """DROP DATABASE, cutting off whoever is connected to it."""
    return sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(_identifier(name))


def _identifier(name: str) -> sql.Identifier:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a plain database name")
    return sql.Identifier(name)
