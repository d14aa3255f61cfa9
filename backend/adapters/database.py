"""The database: statements in few round trips, and bringing the schema up to date.

Most of what the services do is one statement that stands or falls as a whole, so connections
commit by themselves and spare BEGIN and COMMIT; `transaction` is for the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, TextClause, create_engine, make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, TimeoutError

from backend.domain.errors import DatabaseUnavailable

_MIGRATIONS = Path(__file__).parent / "migrations"
#: With a server that has gone silent, which would be waited for until TCP gives up.
_PATIENCE: dict[str, int | None] = {"connect_timeout": 5, "tcp_user_timeout": 10_000}  # s, ms


def open_engine(url: str, connections_kept: int = 5) -> Engine:
    """Connections to a database, whose statements' values no log shows. Prisma's `?pgbouncer=true`
    in `url` turns prepared statements off: a pooler that hands every transaction to another
    connection loses some and meets others twice."""
    parsed, connect = make_url(url), dict(_PATIENCE)
    if parsed.query.get("pgbouncer") == "true":
        connect["prepare_threshold"] = None
    return create_engine(
        parsed.difference_update_query(["pgbouncer"]), connect_args=connect,
        pool_size=connections_kept, hide_parameters=True,
    )  # fmt: skip


class Database:
    """Runs statements. Raises DatabaseUnavailable if the server does not answer."""

    def __init__(self, engine: Engine, within: Connection | None = None) -> None:
        self._engine = engine
        self._within = within
        self._autocommit = engine.execution_options(isolation_level="AUTOCOMMIT")

    def rows(self, statement: TextClause, **values: object) -> Sequence[Any]:
        """One statement, committed by itself or with its transaction; its rows, if it has any."""
        own = self._autocommit.connect
        with _answering(), nullcontext(self._within) if self._within else own() as connection:
            result = connection.execute(statement, values)
            return result.all() if result.returns_rows else ()

    def first(self, statement: TextClause, **values: object) -> Any:
        """The first row, or None."""
        return next(iter(self.rows(statement, **values)), None)

    @contextmanager
    def transaction(self) -> Iterator[Database]:
        """Several statements, all or none. An exception inside takes them back."""
        with _answering(), self._engine.begin() as connection:
            yield Database(self._engine, connection)


@contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError, TimeoutError) as error:
        raise DatabaseUnavailable from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise DatabaseUnavailable from error
        raise


def migrate(url: str, revision: str = "head") -> None:
    """Upgrade the database at `url` (SQLAlchemy's form) to a revision."""
    _alembic(command.upgrade, url, revision)


def downgrade(url: str, revision: str = "base") -> None:
    """Take the database back to a revision."""
    _alembic(command.downgrade, url, revision)


def _alembic(step: Callable[[Config, str], None], url: str, revision: str) -> None:
    """Alembic's steps with a connection in one transaction: all or none."""
    engine, config = open_engine(url), Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    try:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            step(config, revision)
    finally:
        engine.dispose()
