"""Three tellings of the same draws, audited in a process of their own.

Statistics need libraries that take 200 MB and stay. A player's page, the ledger and the books are
asked in a process that ends, so that whoever plays scenarios stays small.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from harness.errors import HarnessError

#: Mint, tier and skin of a draw, as the reveal's answer told them.
Told = tuple[str, str, str]


def refuted(told: Sequence[Told], rpc_url: str, machine: str, database_url: str) -> str:
    """What is wrong with draws of the guide's box; an empty text if nothing is: the tally keeps the
    promise, and ledger and database tell the same draws.

    Raises HarnessError if the process ends before it has answered.
    """
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as apart:
        try:
            return apart.submit(_refuted, told, rpc_url, machine, database_url).result()
        except BrokenProcessPool:  # a plain Pool would start another process, for ever
            raise HarnessError(
                "the process that audits the draws ended without an answer; is there enough memory?"
            ) from None


def _refuted(told: Sequence[Told], rpc_url: str, machine: str, database_url: str) -> str:
    import pyarrow as pa
    from solana.rpc.api import Client
    from solders.pubkey import Pubkey
    from sqlalchemy import create_engine

    from harness.odds.assertions import OddsRefuted, assert_odds
    from harness.odds.intake import draws_of
    from harness.odds.sources.database import draws_from_database
    from harness.odds.sources.ledger import draws_from_ledger
    from harness.odds.table import guide_table

    table = guide_table()
    tables = {table.box: table}
    mints, tiers, skins = zip(*told, strict=True)
    columns = {"box": [table.box] * len(told), "mint": mints, "tier": tiers, "skin": skins}
    batch = pa.RecordBatch.from_pydict(
        {name: pa.array(values, pa.string()) for name, values in columns.items()}
    )
    try:
        assert_odds(draws_of([batch], "reveal API of a testbed", tables), table)
    except OddsRefuted as error:
        return str(error)
    tier_of = {skin: tier for _, tier, skin in told}
    ledger = draws_from_ledger(
        Client(rpc_url), Pubkey.from_string(machine), tier_of, tables, box=table.box
    )
    database = draws_from_database(create_engine(database_url), tables)
    for name, other in (("ledger", ledger), ("database", database)):
        shown = other.frame()[["mint", "tier", "skin"]].astype(str)
        if sorted(map(tuple, shown.to_numpy().tolist())) != sorted(told):
            return f"the {name} tells other draws than the answers of the reveal"
    return ""
