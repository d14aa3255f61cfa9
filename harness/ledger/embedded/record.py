"""What the ledger remembers of one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import TransactionMetadata


@dataclass(frozen=True, slots=True)
class TokenBalance:
    """How much of a mint a token account held. `index` is its place among the accounts."""

    index: int
    mint: Pubkey
    owner: Pubkey
    amount: int
    decimals: int
    program: Pubkey


@dataclass(frozen=True, slots=True)
class TransactionRecord:
    """A transaction that is on the ledger. `error` is its error as JSON, None if it succeeded."""

    signature: Signature
    transaction: VersionedTransaction
    slot: int
    block_time: int
    error: Any
    fee_lamports: int
    accounts: tuple[Pubkey, ...]
    loaded_writable: tuple[Pubkey, ...]
    loaded_readonly: tuple[Pubkey, ...]
    before_lamports: tuple[int, ...]
    after_lamports: tuple[int, ...]
    before_tokens: tuple[TokenBalance, ...]
    after_tokens: tuple[TokenBalance, ...]
    meta: TransactionMetadata


@dataclass(frozen=True, slots=True)
class Refused:
    """A transaction that never got onto the ledger. `meta` is there if it was run at all."""

    error: Any
    meta: TransactionMetadata | None = None
