"""The rows of obligations: what the house may owe a player."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from backend.adapters.database import Database

_COLUMNS = (
    "id, kind, nft_mint, wallet, amount_lamports, state, tx_signature, signed_tx,"
    " last_valid_block_height"
)
_LIST = text(f"select {_COLUMNS} from obligations order by id limit :most")
_DUE = text(
    f"select {_COLUMNS} from obligations where state in ('approved', 'paying')"
    " order by id limit :most"
)
_OWE = text(
    "insert into obligations (kind, nft_mint, wallet, amount_lamports, state, created_at)"
    " values (:kind, :mint, :wallet, :amount, 'open', :now) on conflict (kind, nft_mint) do nothing"
)
_DECIDE = text(
    "update obligations set state = :state, wallet = coalesce(cast(:wallet as text), wallet)"
    " where id = :id and state = 'open'"
    " and (:state = 'waived' or coalesce(cast(:wallet as text), wallet) is not null) returning id"
)
# Only whoever still sees what it read may store other bytes.
_SIGN = text(
    "update obligations set state = 'paying', tx_signature = :signature, signed_tx = :signed_tx,"
    " last_valid_block_height = :last_height where id = :id and state in ('approved', 'paying')"
    " and tx_signature is not distinct from cast(:old_signature as text) returning id"
)
_PAID = text(
    "update obligations set state = 'paid', settled_at = :now where id = :id and state = 'paying'"
)

_RESERVED = text(
    "select coalesce(sum(reserved_lamports), 0) as lamports from treasury_books"
    " where treasury = :treasury"
)


@dataclass(frozen=True)
class Obligation:
    id: int
    kind: str
    nft_mint: str
    wallet: str | None
    amount_lamports: int
    state: str
    tx_signature: str | None
    signed_tx: bytes | None
    last_valid_block_height: int | None


class ObligationRows:
    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self, most: int = 1000) -> list[Obligation]:
        return [Obligation(*row) for row in self._database.rows(_LIST, most=most)]

    def due(self, most: int) -> list[Obligation]:
        return [Obligation(*row) for row in self._database.rows(_DUE, most=most)]

    def owe(self, kind: str, mint: str, wallet: str | None, lamports: int, now: datetime) -> None:
        """Note a debt, once for each kind and NFT."""
        self._database.rows(_OWE, kind=kind, mint=mint, wallet=wallet, amount=lamports, now=now)

    def decide(self, number: int, state: str, wallet: str | None) -> bool:
        """Approve or waive an open one; False if it is not open, or has no wallet to pay to."""
        return bool(self._database.rows(_DECIDE, id=number, state=state, wallet=wallet))

    def sign(self, owed: Obligation, signature: str, signed_tx: bytes, last_height: int) -> bool:
        """Store bytes before they are sent; False if somebody else stored others first."""
        return bool(
            self._database.rows(
                _SIGN, id=owed.id, signature=signature, signed_tx=signed_tx,
                last_height=last_height, old_signature=owed.tx_signature,
            )
        )  # fmt: skip

    def reserved_lamports(self, treasury: str) -> int:
        """What open quotes hold back."""
        return int(self._database.first(_RESERVED, treasury=treasury).lamports)

    def paid(self, number: int, now: datetime) -> None:
        self._database.rows(_PAID, id=number, now=now)
