"""The skins: a seeded catalogue in five tiers, for a fresh database.

Names and prices in US dollars are made up in the style of a CS2 market. At the guide's odds the
average box is worth 44.32 USD and buys back for 37.67 USD, against 40 USD for a mint of 0.2 SOL at
200 USD a SOL.
"""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

from sqlalchemy import create_engine, func, select
from sqlalchemy.orm import Session

from backend.adapters.tables import SkinTemplate

_CATALOGUE = Path(__file__).with_name("catalogue.json")


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
    engine = create_engine(url)
    try:
        with Session(engine) as session, session.begin():
            if session.scalar(select(func.count()).select_from(SkinTemplate)):
                return 0
            templates = catalogue()
            session.add_all(templates)
            return len(templates)
    finally:
        engine.dispose()
