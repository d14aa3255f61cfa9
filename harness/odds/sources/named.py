"""A source by its name, as the command line gives it."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from harness.errors import UsageError
from harness.odds.draws import Draws
from harness.odds.table import RarityTable

#: What `SOURCE` may be, for help texts.
KINDS = (
    "draws.csv, draws.parquet, a run's journal.jsonl, a postgresql:// URL of a backend's database, "
    "an RPC URL (http...) with --machine, `roll` (the reference backend's roll alone) or `testbed` "
    "(real mints, revealed over HTTP)"
)


@dataclass(frozen=True)
class SourceOptions:
    """What sources need beside their name. `seed` None: the operating system's randomness.
    `keep_mints`: of a file, see `draws_from_file`."""

    draws: int = 1000
    seed: str | None = "1"
    machine: str | None = None
    skins: Mapping[str, str] | None = None
    strict: bool = True
    keep_mints: bool = True
    told: Callable[[int], None] = lambda _: None


def open_source(name: str, tables: Mapping[str, RarityTable], options: SourceOptions) -> Draws:
    """Draws of a named source. Raises UsageError for a name that is none."""
    if name.startswith(("postgresql", "postgres:")):
        from harness.odds.sources.database import draws_from_database

        url = (
            name if "+" in name.partition(":")[0] else "postgresql+psycopg:" + name.split(":", 1)[1]
        )
        return draws_from_database(url, tables, strict=options.strict)
    if name.startswith(("http://", "https://")):
        return _from_ledger(name, tables, options)
    if name in ("roll", "testbed"):
        if len(tables) != 1:
            raise UsageError(f"{name}: draws one box; name it with --box")
        (table,) = tables.values()
        return _from_roll(table, options) if name == "roll" else _from_testbed(table, options)
    from harness.odds.sources.files import draws_from_file

    return draws_from_file(Path(name), tables, strict=options.strict, keep_mints=options.keep_mints)


def _from_ledger(url: str, tables: Mapping[str, RarityTable], options: SourceOptions) -> Draws:
    from solana.rpc.api import Client
    from solders.pubkey import Pubkey

    from harness.backend_server import reference_prices
    from harness.odds.sources.ledger import draws_from_ledger

    if len(tables) != 1:
        raise UsageError("a candy machine sells one box; name it with --box")
    (box,) = tables
    try:
        machine = Pubkey.from_string(options.machine or "")
    except ValueError:
        raise UsageError("a ledger needs --machine, the candy machine's base58 address") from None
    skins = options.skins or {
        skin: tier for tier, prices in reference_prices().items() for skin in prices
    }
    client = Client(url, timeout=30)
    return draws_from_ledger(client, machine, skins, tables, box=box, strict=options.strict)


# Both sources draw the guide's box at the guide's odds, whatever is promised of it, and a box of
# another name as its table says: as a backend that sells it does.


def _from_roll(table: RarityTable, options: SourceOptions) -> Draws:
    from harness.backend_server import reference_prices, reference_roll
    from harness.odds.sources.rolls import draws_from_roll, sold_odds
    from harness.odds.table import GUIDE_BOX
    from harness.seeds import Seed

    odds = None if table.box == GUIDE_BOX else sold_odds(table, reference_prices())
    randomness = (
        random.SystemRandom() if options.seed is None else Seed(options.seed).generator("backend")
    )
    return draws_from_roll(reference_roll(randomness, odds), options.draws, table)


def _from_testbed(table: RarityTable, options: SourceOptions) -> Draws:
    from harness.backend_server import reference_prices
    from harness.odds.sources.rolls import draws_from_testbed, sold_odds
    from harness.odds.table import GUIDE_BOX
    from harness.run.folder import new_run_folder
    from harness.run.session import RunOptions, RunSession

    odds = None if table.box == GUIDE_BOX else sold_odds(table, reference_prices())
    seed = options.seed or str(random.SystemRandom().randrange(10**9))
    with tempfile.TemporaryDirectory(prefix="odds-") as folder:
        session = RunSession(RunOptions(seed, new_run_folder(Path(folder), datetime.now(UTC))))
        try:
            changes = {"items_available": options.draws, "authority_lamports": 10**15}
            with session.testbed("odds", title="draws for an audit", changes=changes) as bed:
                box = None
                if odds is not None:
                    box = bed.operator.put_on_sale(table.box, odds, items_available=options.draws)
                return draws_from_testbed(bed, options.draws, table, box=box, told=options.told)
        finally:
            session.close()
