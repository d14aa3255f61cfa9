"""The books: the backend's own tables, as an accountant or an accident finds them.

Scenarios prepare and damage rows here, directly in Postgres, since the backend offers no such
thing to players. Table and column names are the guide's.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sqlalchemy import Engine, text

from harness.players.nft import Nft


class Books:
    """Direct access to the tables of the backend's database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def set_price(self, usd: Decimal | str, nft: Nft | None = None) -> None:
        """What every skin costs from now on, in US dollars; or just this NFT's, which gets a
        template of its own for that."""
        if nft is None:
            self.change("update skin_templates set base_price_usd = :usd", usd=Decimal(usd))
            return
        self.change(
            "with own as (insert into skin_templates"
            " (weapon, skin_name, condition, rarity, base_price_usd, image_url, weight)"
            " select weapon, skin_name, condition, rarity, :usd, image_url, 0 from skin_templates"
            " where id = (select skin_template_id from user_skins where nft_mint_address = :mint)"
            " returning id) update user_skins set skin_template_id = (select id from own)"
            " where nft_mint_address = :mint",
            usd=Decimal(usd), mint=str(nft.mint),
        )  # fmt: skip

    def price_of(self, nft: Nft) -> Decimal:
        """What the NFT's skin costs, in US dollars. Raises LookupError if it is in no inventory."""
        query = text(
            "select base_price_usd from skin_templates where id ="
            " (select skin_template_id from user_skins where nft_mint_address = :mint)"
        )
        with self._engine.connect() as connection:
            price = connection.execute(query, {"mint": str(nft.mint)}).scalar()
        if price is None:
            raise LookupError(f"{nft.name} is in no inventory")
        return Decimal(price)

    def set_stock(self, pieces: int) -> None:
        """How many of each skin are left."""
        self.change("update skin_templates set stock = :pieces", pieces=pieces)

    def name_skins(self, name: str) -> None:
        """Call every skin the same."""
        self.change("update skin_templates set skin_name = :name", name=name)

    def change(self, statement: str, **values: Any) -> int:
        """Run one statement; how many rows it touched. Raises LookupError if it touched none."""
        with self._engine.begin() as connection:
            rows = connection.execute(text(statement), values).rowcount
        if rows == 0:
            raise LookupError(f"no row was touched by: {statement}")
        return rows

    def count(self, table: str) -> int:
        """Rows in one of the backend's tables."""
        with self._engine.connect() as connection:
            return int(connection.execute(text(f"select count(*) from {table}")).scalar_one())

    def records(self, nft: Nft) -> int:
        """Rows in `buyback_records` for an NFT."""
        with self._engine.connect() as connection:
            query = text("select count(*) from buyback_records where nft_mint = :mint")
            return int(connection.execute(query, {"mint": str(nft.mint)}).scalar_one())
