"""Three tellings of the same draws, audited in a process of their own.

Statistics need libraries that take 200 MB and stay. A player's page, the ledger and the books are
asked in a process that ends, so that whoever plays scenarios stays small.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass

from harness.errors import HarnessError

_NAMES = ("box", "mint", "tier", "skin")
#: Mint, tier and skin of a draw, as the reveal's answer told them.
Told = tuple[str, str, str]


@dataclass(frozen=True)
class BoxTold:
    """Draws of one box type: its promise (each tier's share as text), the address of the machine
    that sells it, and what the reveals answered."""

    box: str
    odds: Mapping[str, str]
    machine: str
    draws: Sequence[Told]


def refuted(boxes: Sequence[BoxTold], rpc_url: str, database_url: str) -> str:
    """What is wrong with the draws; an empty text if nothing is: each box's tally keeps its own
    promise, and ledger and database tell the same draws of the same boxes.

    Raises HarnessError if the process ends before it has answered.
    """
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as apart:
        try:
            return apart.submit(_refuted, boxes, rpc_url, database_url).result()
        except BrokenProcessPool:  # a plain Pool would start another process, for ever
            raise HarnessError(
                "the process that audits the draws ended without an answer; is there enough memory?"
            ) from None


def _refuted(boxes: Sequence[BoxTold], rpc_url: str, database_url: str) -> str:
    import pyarrow as pa
    from solana.rpc.api import Client
    from solders.pubkey import Pubkey
    from sqlalchemy import create_engine

    from harness.odds.assertions import OddsRefuted, assert_odds
    from harness.odds.intake import draws_of
    from harness.odds.sources.database import draws_from_database
    from harness.odds.sources.ledger import draws_from_ledger
    from harness.odds.table import RarityTable

    tables = {one.box: RarityTable(one.box, dict(one.odds)) for one in boxes}
    rows = [(one.box, *told) for one in boxes for told in one.draws]
    batch = pa.RecordBatch.from_pydict(
        {
            name: pa.array(values, pa.string())
            for name, values in zip(_NAMES, zip(*rows, strict=True), strict=True)
        }
    )
    try:
        assert_odds(draws_of([batch], "reveal API of a testbed", tables), tables)
    except OddsRefuted as error:
        return str(error)
    tier_of = {skin: tier for one in boxes for _, tier, skin in one.draws}
    tellings = {"database": [draws_from_database(create_engine(database_url), tables)]}
    tellings["ledger"] = [
        draws_from_ledger(
            Client(rpc_url), Pubkey.from_string(one.machine), tier_of, tables, box=one.box
        )
        for one in boxes
    ]
    for name, others in tellings.items():
        shown = [
            tuple(row)
            for other in others
            for row in other.frame()[list(_NAMES)].astype(str).to_numpy().tolist()
        ]
        if sorted(shown) != sorted(rows):
            return f"the {name} tells other draws than the answers of the reveal"
    return ""
