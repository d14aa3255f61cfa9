"""Draws from a backend's own books: `user_skins` joined with `skin_templates`.

Whether an NFT was sold back since does not matter: its row stays. Where the backend also keeps
rolls that are not published yet (the reference backend's `reveals`), those count as well, so that
nothing that was drawn is missing from the tally.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pyarrow as pa
from sqlalchemy import Engine, Inspector, create_engine, inspect, text
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from harness.errors import UsageError
from harness.odds.draws import Draws
from harness.odds.intake import draws_of
from harness.odds.table import RarityTable

_ROWS_A_BATCH = 50_000
_NAMES = ("time", "mint", "wallet", "box", "tier", "skin", "number")
_TYPES = dict(zip(_NAMES, (pa.timestamp("us", "UTC"), *[pa.string()] * 5, pa.int64()), strict=True))


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
    except KeyError as error:
        raise UsageError(
            f"database: user_skins or skin_templates has no column like {error}"
        ) from None
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
    inspector = inspect(engine)
    query, names = _reveals() if inspector.has_table("reveals") else _user_skins(inspector)
    with engine.connect().execution_options(stream_results=True) as connection:
        result = connection.execute(text(query))
        none = True
        while rows := result.fetchmany(_ROWS_A_BATCH):
            none = False
            yield _batch(list(map(tuple, rows)), names)
        if none:
            yield _batch([], names)


def _reveals() -> tuple[str, tuple[str, ...]]:
    """The reference backend's rolls, published or not; a reveal without a skin has not rolled."""
    return (
        "select r.created_at, r.nft_mint, u.user_id, r.box_id, t.rarity,"
        " t.weapon || ' | ' || t.skin_name, r.id from reveals r"
        " left join skin_templates t on t.id = r.skin_template_id"
        " left join user_skins u on u.nft_mint_address = r.nft_mint"
        " where r.skin_template_id is not null order by r.id"
    ), _NAMES


def _user_skins(inspector: Inspector) -> tuple[str, tuple[str, ...]]:
    """The guide's tables, whether their columns are written in camel case or with underscores;
    time, wallet and box only where the backend keeps them. An NFT without its template stays, as a
    row without a tier."""
    skins, templates = _columns(inspector, "user_skins"), _columns(inspector, "skin_templates")
    wanted = {
        "time": ("u", skins.get("createdat")),
        "mint": ("u", skins["nftmintaddress"]),
        "wallet": ("u", skins.get("userid")),
        "box": ("u", skins.get("boxid")),
        "tier": ("t", templates["rarity"]),
    }
    chosen = {name: f'{of}."{column}"' for name, (of, column) in wanted.items() if column}
    chosen["skin"] = f"""t."{templates["weapon"]}" || ' | ' || t."{templates["skinname"]}\""""
    order = chosen.get("time", chosen["mint"])
    return (
        f"select {', '.join(chosen.values())} from user_skins u left join skin_templates t"
        f' on t."{templates["id"]}" = u."{skins["skintemplateid"]}" order by {order}'
    ), tuple(chosen)


def _columns(inspector: Inspector, table: str) -> dict[str, str]:
    """Real names of a table's columns by their letters alone."""
    if not inspector.has_table(table):
        raise UsageError(f"database: has no table {table}; is it the backend's?")
    names = [str(column["name"]) for column in inspector.get_columns(table)]
    return {name.replace("_", "").lower(): name for name in names}


def _batch(rows: list[tuple[object, ...]], names: tuple[str, ...]) -> pa.RecordBatch:
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    arrays = []
    for name, column in zip(names, columns, strict=True):
        values = (
            [None if one is None else str(one) for one in column] if name == "wallet" else column
        )
        arrays.append(pa.array(list(values), _TYPES[name]))
    return pa.RecordBatch.from_arrays(arrays, names)
