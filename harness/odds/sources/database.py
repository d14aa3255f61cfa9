"""Draws from a backend's own books: `user_skins` joined with `skin_templates`.

A row is there from the moment of the roll, whether or not its reveal was published and whether or
not the NFT was sold back since, so that nothing that was drawn is missing from the tally.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pyarrow as pa
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from harness.errors import UsageError
from harness.odds.draws import Draws
from harness.odds.intake import draws_of
from harness.odds.table import RarityTable

_QUERY = text(
    "select u.created_at, u.nft_mint_address, u.user_id, u.box_id, t.rarity,"
    " t.weapon || ' | ' || t.skin_name, u.id"
    " from user_skins u join skin_templates t on t.id = u.skin_template_id order by u.id"
)
_ROWS_A_BATCH = 50_000
_NAMES = ("time", "mint", "wallet", "box", "tier", "skin", "number")


def draws_from_database(
    database: str | Engine, tables: Mapping[str, RarityTable], *, strict: bool = True
) -> Draws:
    """Draws from a URL of Postgres or an engine. The wallet is the owner's `user_id`; unclaimed
    NFTs have none, and the test of wallets leaves them out and says how many.

    Raises UsageError for a database that cannot be read, without its password.
    """
    try:
        engine = create_engine(database) if isinstance(database, str) else database
    except (ArgumentError, ModuleNotFoundError):
        raise UsageError(
            "database: must be postgresql+psycopg://user:password@host:port/database"
        ) from None
    try:
        source = f"database {engine.url.database}"
        return draws_of(_rows(engine), source, tables, strict=strict,
                        unknown_ok=frozenset({"wallet"}))  # fmt: skip
    except SQLAlchemyError as error:
        place = f"{engine.url.host}:{engine.url.port}/{engine.url.database}"
        reason = type(getattr(error, "orig", None) or error).__name__
        raise UsageError(
            f"database {place}: user_skins and skin_templates cannot be read ({reason})"
        ) from None
    finally:
        if isinstance(database, str):
            engine.dispose()


def _rows(engine: Engine) -> Iterator[pa.RecordBatch]:
    with engine.connect().execution_options(stream_results=True) as connection:
        result = connection.execute(_QUERY)
        none = True
        while rows := result.fetchmany(_ROWS_A_BATCH):
            none = False
            yield _batch(list(map(tuple, rows)))
        if none:
            yield _batch([])


def _batch(rows: list[tuple[object, ...]]) -> pa.RecordBatch:
    columns = list(zip(*rows, strict=True)) or [()] * len(_NAMES)
    texts = pa.string()
    types = (pa.timestamp("us", "UTC"), texts, texts, texts, texts, texts, pa.int64())
    owners = [None if one is None else str(one) for one in columns[2]]
    values = [*columns[:2], owners, *columns[3:]]
    return pa.RecordBatch.from_arrays(
        [pa.array(list(one), kind) for one, kind in zip(values, types, strict=True)], _NAMES
    )
