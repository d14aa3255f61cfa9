"""The skins: a seeded catalogue in five tiers, for a fresh database.

Names and prices in US dollars are made up in the style of a CS2 market. At the guide's odds the
average box is worth 44.32 USD and buys back for 37.67 USD, against 40 USD for a mint of 0.2 SOL at
200 USD a SOL.
"""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import text

from backend.adapters.database import open_engine

_CATALOGUE = Path(__file__).with_name("catalogue.json")


class SkinTemplate(NamedTuple):
    """A skin that a box can turn into; a row of `skin_templates`."""

    weapon: str
    skin_name: str
    condition: str
    rarity: str
    base_price_usd: Decimal
    image_url: str

    @property
    def title(self) -> str:
        """What the NFT is called once revealed."""
        return f"{self.weapon} | {self.skin_name}"


def catalogue() -> list[SkinTemplate]:
    """The catalogue's templates, not yet in any database."""
    rows = json.loads(_CATALOGUE.read_text(encoding="utf-8"))
    return [
        SkinTemplate(**{**row, "base_price_usd": Decimal(row["base_price_usd"])}) for row in rows
    ]


def seed_catalogue(url: str) -> int:
    """Put the catalogue into an empty `skin_templates`; returns how many rows were written.

    A table that has rows is left as it is.
    """
    engine = open_engine(url)
    try:
        with engine.begin() as connection:
            # Two processes that start at once must not both find it empty.
            connection.execute(text("lock table skin_templates in share row exclusive mode"))
            if connection.execute(text("select 1 from skin_templates limit 1")).first():
                return 0
            rows = [template._asdict() for template in catalogue()]
            names = list(rows[0])
            values = ", ".join(f":{name}" for name in names)
            insert = f"insert into skin_templates ({', '.join(names)}) values ({values})"
            connection.execute(text(insert), rows)
            return len(rows)
    finally:
        engine.dispose()
