"""What several `harness odds` commands ask for, and how a table is chosen by it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from harness.odds.table import RarityTable

Table = Annotated[
    Path | None,
    typer.Option(help="TOML or JSON with each box's odds, skins, stock. Default: the guide's."),
]
Odds = Annotated[str | None, typer.Option(help='One box in one line: "Common=0.5,Legendary=0.5".')]
Box = Annotated[str | None, typer.Option(help="Which box of --table; needed where one is.")]
Alpha = Annotated[float, typer.Option(help="Chance that an honest table is called refuted.")]
Prices = Annotated[
    Path | None,
    typer.Option(help="CSV tier,skin,price_usd, or JSON. Default: the reference catalogue."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]


def chosen_tables(table: Path | None, odds: str | None, box: str | None) -> dict[str, RarityTable]:
    from harness.errors import UsageError
    from harness.odds.table import GUIDE_BOX, RarityTable, guide_table, read_tables

    if table is not None and odds is not None:
        raise UsageError("give --table or --odds, not both")
    if odds is not None:
        name = box or GUIDE_BOX
        return {name: RarityTable.parse(odds, name)}
    if table is None:
        guide = guide_table()
        name = box or guide.box
        return {name: RarityTable(name, dict(guide.odds))}
    tables = read_tables(table)
    if box is None:
        return tables
    if box not in tables:
        raise UsageError(f"{table.name}: has no box {box!r}; it has {', '.join(tables)}")
    return {box: tables[box]}


def only_one(tables: dict[str, RarityTable]) -> RarityTable:
    from harness.errors import UsageError

    if len(tables) != 1:
        raise UsageError(f"the table has boxes {', '.join(tables)}; choose one with --box")
    return next(iter(tables.values()))
