"""What every service works with, and what more than one of them asks the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeGuard

from solders.account import Account
from solders.pubkey import Pubkey

from backend.adapters import buyback_sql as sql
from backend.adapters.clock import Clock
from backend.adapters.database import Database
from backend.adapters.ledger import Ledger
from backend.domain.price import SolPrice
from backend.domain.rarity import Randomness
from backend.settings import Settings
from programs.addresses import TOKEN
from programs.buyback import client as buyback
from programs.token_metadata import client as token_metadata

_OWNER, _AMOUNT = slice(32, 64), slice(64, 72)


@dataclass
class Service:
    """Settings, database, ledger, time, chance and price; and the keys that follow from them."""

    settings: Settings
    db: Database
    ledger: Ledger
    clock: Clock
    randomness: Randomness
    price: SolPrice
    _opened = False

    def __post_init__(self) -> None:
        self.treasury = self.settings.treasury()
        self.treasury_address = str(self.treasury.pubkey())
        self.authority = self.settings.update_authority()
        self.collection = Pubkey.from_string(self.settings.collection_mint)
        self.program = Pubkey.from_string(self.settings.buyback_program_id)
        self.config = buyback.config_address(self.settings.buyback_config_version, self.program)

    def warm_up(self) -> None:
        """Open the treasury's book, which the first request would do otherwise."""
        if not self._opened:
            self.db.rows(sql.OPEN_BOOK, treasury=self.treasury_address)
            self._opened = True

    def treasury_state(
        self, *more: Pubkey
    ) -> tuple[buyback.Config | None, int, list[Account | None]]:
        """The buyback program's configuration, the treasury's lamports, and more accounts, as they
        were at one moment. Raises LedgerUnavailable."""
        config, treasury, *others = self.ledger.accounts(
            [self.config, self.treasury.pubkey(), *more]
        )
        parsed = None if config is None else buyback.Config.parse(bytes(config.data))
        return parsed, 0 if treasury is None else treasury.lamports, others


def is_label(one: Account | None) -> TypeGuard[Account]:
    """Whether an NFT's metadata are there: once burnt, a byte may be, or lamports of anybody's."""
    return one is not None and one.owner == token_metadata.PROGRAM_ID and len(one.data) > 1


def holds(token: Account | None, owner: Pubkey | None) -> bool:
    """Whether an SPL token account holds one token of its mint for `owner`."""
    if token is None or owner is None or token.owner != TOKEN:
        return False
    data = bytes(token.data)
    return data[_OWNER] == bytes(owner) and int.from_bytes(data[_AMOUNT], "little") == 1
