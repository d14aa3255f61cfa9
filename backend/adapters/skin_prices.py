"""New skin prices from a CSV file, all or none; the database keeps what they were before.

    weapon,skinName,condition,basePriceUsd
    AK-47,Redline,Field-Tested,13.10

`condition` may be left out where weapon and name are enough.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TextIO

from sqlalchemy import text

from backend.adapters.database import Database

_ROWS_MAX = 100_000
_PRICE_MAX = Decimal(10) ** 9
_FIND = text("""
    select id from skin_templates where weapon = :weapon and skin_name = :skin
      and (cast(:condition as text) is null or condition = :condition) for update""")
_SET = text("""
    update skin_templates set base_price_usd = :price where id = :id
      and base_price_usd <> :price returning id""")


class BadPrices(Exception):
    """The file was not taken; one line for each problem."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def update_prices(database: Database, path: Path) -> tuple[int, int]:
    """How many rows the file has, and how many prices it changed. Raises BadPrices, OSError."""
    problems: list[str] = []
    seen: set[int] = set()
    changed = rows = 0
    with path.open(encoding="utf-8-sig", newline="") as file, database.transaction() as entries:
        for line, row in _read(file, problems):
            rows += 1
            where = f"line {line}"
            price = _price(row.get("basePriceUsd"))
            found = entries.rows(
                _FIND, weapon=row.get("weapon"), skin=row.get("skinName"),
                condition=row.get("condition") or None,
            )  # fmt: skip
            if price is None:
                problems.append(f"{where}: basePriceUsd: {row.get('basePriceUsd')!r} is no price")
            if len(found) != 1:
                count = "no skin" if not found else f"{len(found)} skins"
                problems.append(f"{where}: {row.get('weapon')} | {row.get('skinName')}: {count}")
            elif found[0].id in seen:
                problems.append(f"{where}: {row['weapon']} | {row['skinName']}: stands twice")
            elif price is not None:
                seen.add(found[0].id)
                changed += len(entries.rows(_SET, id=found[0].id, price=price))
        if problems or not rows:
            raise BadPrices(problems or ["no rows"])
    return rows, changed


def _read(file: TextIO, problems: list[str]) -> Iterator[tuple[int, dict[str, str]]]:
    reader = csv.DictReader(file)
    missing = {"weapon", "skinName", "basePriceUsd"} - set(reader.fieldnames or ())
    if missing:
        problems.append(f"line 1: missing columns: {', '.join(sorted(missing))}")
        return
    for number, row in enumerate(reader, 2):
        if number > _ROWS_MAX:
            problems.append(f"more than {_ROWS_MAX} rows")
            return
        yield number, row


def _price(written: str | None) -> Decimal | None:
    try:
        price = Decimal(written or "")
    except InvalidOperation:
        return None
    if not (price.is_finite() and 0 <= price < _PRICE_MAX):
        return None
    return price if price == round(price, 4) else None
