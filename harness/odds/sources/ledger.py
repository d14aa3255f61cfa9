"""Draws from a ledger: the history of a candy machine's mints and of their metadata.

What can be looked up today is a biased sample. NFTs that were sold back are burnt, their metadata
is closed, and players sell the poor ones: the tiers that are left look better than those that were
drawn. So this source does not read metadata accounts. It follows the machine's transactions: every
mint, and for each the update that revealed it, which history keeps after the NFT has gone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pyarrow as pa
from solana.rpc.api import Client
from solana.rpc.commitment import Confirmed
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction
from solders.transaction_status import UiTransactionStatusMeta

from harness.errors import HarnessError, UsageError
from harness.odds.draws import Draws, Rejects
from harness.odds.intake import draws_of
from harness.odds.table import RarityTable
from programs.candy_guard import client as candy_guard
from programs.candy_machine import client as candy_machine
from programs.token_metadata import client as token_metadata

_PAGE = 1000  # the most that getSignaturesForAddress gives at once
_PAGES_MAX = 1000


@dataclass(frozen=True)
class LedgerDraw:
    """One mint with what its reveal wrote. `number`: its place among the machine's mints."""

    time: datetime
    mint: str
    wallet: str
    name: str
    number: int


@dataclass(frozen=True)
class LedgerHistory:
    """Draws, and the mints that were never revealed: they have no tier to count."""

    draws: tuple[LedgerDraw, ...]
    unrevealed: int


def draws_from_ledger(
    client: Client,
    machine: Pubkey,
    skins: Mapping[str, str],
    tables: Mapping[str, RarityTable],
    *,
    box: str,
    strict: bool = True,
) -> Draws:
    """Draws of the box that a candy machine sells. `skins` maps a revealed name to its tier, since
    the ledger only knows the name.

    Raises UsageError for an address without a history and naming a revealed name without a tier.
    """
    history = read_history(client, machine)
    if not history.draws and not history.unrevealed:
        raise UsageError(f"{machine}: has no mints in this ledger's history; is it the machine?")
    draws = draws_of([_batch(history, skins, box)], "ledger", tables, strict=strict)
    counted = {**draws.rejects.counted, "mint was not revealed": history.unrevealed}
    return replace(
        draws,
        rows_in=draws.rows_in + history.unrevealed,
        rejects=Rejects({why: n for why, n in counted.items() if n}, draws.rejects.examples),
    )


def read_history(client: Client, machine: Pubkey) -> LedgerHistory:
    """Every mint of a machine, oldest first, with the name its first update wrote.

    Raises HarnessError if the ledger lists a transaction that it does not show.
    """
    found: list[LedgerDraw] = []
    minted = unrevealed = 0
    for signature in _signatures(client, machine):
        transaction, meta, time = _read(client, signature)
        mint = _minted(transaction, meta)
        if mint is None:
            continue
        minted += 1
        name = _revealed(client, token_metadata.metadata_address(mint))
        if name is None:
            unrevealed += 1
            continue
        wallet = str(transaction.message.account_keys[0])
        found.append(LedgerDraw(time, str(mint), wallet, name, minted))
    return LedgerHistory(tuple(found), unrevealed)


def _signatures(client: Client, address: Pubkey) -> Iterator[Signature]:
    """The signatures of an address's successful transactions, oldest first."""
    listed: list[Signature] = []
    before: Signature | None = None
    for _ in range(_PAGES_MAX):
        page = client.get_signatures_for_address(
            address, before=before, limit=_PAGE, commitment=Confirmed
        ).value
        listed += [one.signature for one in page if one.err is None]
        if len(page) < _PAGE:
            break
        before = page[-1].signature
    else:
        raise HarnessError(f"{address}: more than {_PAGE * _PAGES_MAX:,} transactions")
    return reversed(listed)


def _read(
    client: Client, signature: Signature
) -> tuple[VersionedTransaction, UiTransactionStatusMeta, datetime]:
    answer = client.get_transaction(
        signature, encoding="base64", commitment=Confirmed, max_supported_transaction_version=0
    ).value
    transaction = None if answer is None else answer.transaction.transaction
    if (
        answer is None
        or not isinstance(transaction, VersionedTransaction)
        or answer.transaction.meta is None
    ):
        raise HarnessError(
            "the ledger lists a transaction in an account's history but does not show it; use an "
            "RPC that keeps the whole history"
        )
    return transaction, answer.transaction.meta, datetime.fromtimestamp(answer.block_time or 0, UTC)


def _minted(transaction: VersionedTransaction, meta: UiTransactionStatusMeta) -> Pubkey | None:
    """The NFT that a mint instruction made; None for a bot that was taxed and for other things."""
    keys = list(transaction.message.account_keys)
    guarded = {candy_guard.PROGRAM_ID, candy_machine.PROGRAM_ID}
    if not any(keys[one.program_id_index] in guarded for one in transaction.message.instructions):
        return None
    before = {one.mint for one in meta.pre_token_balances or ()}
    for one in meta.post_token_balances or ():
        amount = one.ui_token_amount
        if one.mint not in before and amount.amount == "1" and amount.decimals == 0:
            return one.mint
    return None


def _revealed(client: Client, metadata: Pubkey) -> str | None:
    """The name that the first update of a metadata account wrote, None if there was none."""
    for signature in _signatures(client, metadata):
        transaction, _, _ = _read(client, signature)
        keys = transaction.message.account_keys
        for one in transaction.message.instructions:
            if keys[one.program_id_index] != token_metadata.PROGRAM_ID:
                continue
            if metadata in {keys[place] for place in one.accounts if place < len(keys)}:
                name = token_metadata.updated_name(bytes(one.data))
                if name is not None:
                    return name
    return None


def _batch(history: LedgerHistory, skins: Mapping[str, str], box: str) -> pa.RecordBatch:
    if unknown := sorted({one.name for one in history.draws} - set(skins)):
        raise UsageError(
            f"ledger: {unknown[0]!r} was revealed, but the skins given have no tier for it"
        )
    draws = history.draws
    return pa.RecordBatch.from_pydict(
        {
            "time": pa.array([one.time for one in draws], pa.timestamp("us", "UTC")),
            "mint": pa.array([one.mint for one in draws], pa.string()),
            "wallet": pa.array([one.wallet for one in draws], pa.string()),
            "box": pa.array([box] * len(draws), pa.string()),
            "tier": pa.array([skins[one.name] for one in draws], pa.string()),
            "skin": pa.array([one.name for one in draws], pa.string()),
            "number": pa.array([one.number for one in draws], pa.int64()),
        }
    )
