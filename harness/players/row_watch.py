"""What a step changed in the backend's books: its rows of an NFT before and after.

An auditor who looks over the clerk's shoulder after every call and writes down only what is new.
"""

from __future__ import annotations

import threading
from contextlib import suppress

from solders.pubkey import Pubkey
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from harness.address_book import AddressBook
from harness.journal import Journal

#: One text for each table, as a reader needs it; none where the table has no row of the NFT.
_ROWS = text("""
    select
      (select state || coalesce(', ' || error_code, '') from reveals where nft_mint = :mint)
        as reveals,
      (select t.weapon || ' | ' || t.skin_name || case when u.is_burned_back then ', burnt back'
          else '' end
        from user_skins u join skin_templates t on t.id = u.skin_template_id
        where u.nft_mint_address = :mint) as user_skins,
      (select string_agg(state || ' ' || amount_lamports || ' lamports', ', ' order by id)
        from buyback_quotes where nft_mint = :mint) as buyback_quotes,
      (select trunc(amount_paid * 1000000000) || ' lamports' from buyback_records
        where nft_mint = :mint) as buyback_records""")


class RowWatch:
    """Writes a `rows` line into the journal whenever an NFT's rows are not what they were. Safe
    between threads; people who act at once may see each other's changes."""

    def __init__(self, engine: Engine, book: AddressBook, journal: Journal) -> None:
        # One statement that only looks: without a transaction it is one trip instead of three.
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._book = book
        self._journal = journal
        self._lock = threading.Lock()
        self._seen: dict[Pubkey, dict[str, str | None]] = {}

    def look(self, mint: Pubkey) -> None:
        """See what is new of an NFT. A database that is not there has nothing to show."""
        now: dict[str, str | None] = {}
        with suppress(SQLAlchemyError), self._engine.connect() as connection:
            row = connection.execute(_ROWS, {"mint": str(mint)}).one()
            now = dict(row._mapping)
        if not now:
            return
        with self._lock:
            before = self._seen.get(mint, {})
            self._seen[mint] = now
        changed = {
            table: [before.get(table), after]
            for table, after in now.items()
            if before.get(table) != after
        }
        if changed:
            self._journal.write("rows", nft=self._book.name(mint), changed=changed)
