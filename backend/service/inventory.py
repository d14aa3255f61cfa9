"""A wallet's revealed skins: what the ledger says it holds and the books know."""

from __future__ import annotations

from dataclasses import dataclass

from solders.pubkey import Pubkey
from sqlalchemy import text

from backend.adapters.database import Database
from backend.adapters.ledger import Ledger

_SHOWN_MAX = 1000
_SKINS = text(
    "select u.nft_mint_address as nft_mint, t.weapon || ' | ' || t.skin_name as skin_name,"
    " t.rarity as skin_rarity, t.condition, t.image_url"
    " from user_skins u join skin_templates t on t.id = u.skin_template_id"
    " where u.nft_mint_address = any(:mints) and not u.is_burned_back order by u.id limit :most"
)


@dataclass(frozen=True)
class Owned:
    nft_mint: str
    skin_name: str
    skin_rarity: str
    condition: str
    image_url: str


class Inventory:
    def __init__(self, database: Database, ledger: Ledger) -> None:
        self._database = database
        self._ledger = ledger

    def of(self, wallet: Pubkey) -> list[Owned]:
        """In the order of their reveal, at most 1,000. Raises LedgerUnavailable."""
        mints = [str(mint) for mint in self._ledger.mints_held_by(wallet)]
        if not mints:
            return []
        return [Owned(*row) for row in self._database.rows(_SKINS, mints=mints, most=_SHOWN_MAX)]
