"""The books: the backend's own tables, as an accountant or an accident finds them.

Scenarios prepare and damage rows here, directly in Postgres, since the backend offers no such
thing to players. Table and column names are the guide's.
"""

from __future__ import annotations

import os
import signal
import time
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError

from harness.players.nft import Nft

_RECOVERY_TRIES_MAX = 600
_RECOVERY_POLL_SECONDS = 0.05


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

    def crash(self) -> None:
        """kill -9 one of the server's processes: Postgres takes all connections down and recovers
        from its log, as after a crash. Only for a server on this machine that this run started.

        The embedded server does not write each commit through (it is fast, not durable), so what
        was committed is written first, as a production server has done by then.
        """
        durable = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        with durable.connect() as connection, durable.connect() as witness:
            connection.execute(text("checkpoint"))
            pid = int(connection.execute(text("select pg_backend_pid()")).scalar_one())
            os.kill(pid, signal.SIGKILL)
            connection.invalidate()
            self._wait_until_gone(witness)
        self._engine.dispose()
        for _ in range(_RECOVERY_TRIES_MAX):
            try:
                with self._engine.connect():
                    return
            except OperationalError:
                time.sleep(_RECOVERY_POLL_SECONDS)
        raise TimeoutError("Postgres did not come back after a crash")

    def _wait_until_gone(self, witness: Connection) -> None:
        """Until the server has noticed the death and cut everybody off. Until then it still takes
        connections, only to drop them a moment later."""
        for _ in range(_RECOVERY_TRIES_MAX):
            try:
                witness.execute(text("select 1"))
            except OperationalError:
                witness.invalidate()
                return
            time.sleep(_RECOVERY_POLL_SECONDS)
        raise TimeoutError("Postgres did not notice that it crashed")

    def records(self, nft: Nft) -> int:
        """Rows in `buyback_records` for an NFT."""
        with self._engine.connect() as connection:
            query = text("select count(*) from buyback_records where nft_mint = :mint")
            return int(connection.execute(query, {"mint": str(nft.mint)}).scalar_one())
