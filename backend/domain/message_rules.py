"""What the treasury co-signs when the user signed first.

Wallets may change a transaction before they sign it: a priority fee, a guard that asserts what
the wallet has shown. That is fine as long as the treasury can lose nothing but the quoted amount,
so everything in the message is checked against a short list, and what is not on it is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from solders.hash import Hash
from solders.instruction import Instruction
from solders.message import Message, MessageV0
from solders.pubkey import Pubkey

from backend.domain.errors import TransactionMismatch
from programs.addresses import COMPUTE_BUDGET

#: Assertions that Phantom and Solflare append; they read accounts.
LIGHTHOUSE = Pubkey.from_string("L2TExMFKdjpN9kozasaurPirfHy9P8sbXoAN1qA3S95")
_COMPUTE_BUDGET_KINDS = (b"\1", b"\2", b"\3", b"\4")  # heap, units, unit price, loaded data


@dataclass(frozen=True)
class Agreed:
    """What the quote promised: one instruction, one payer, one blockhash."""

    user: Pubkey
    treasury: Pubkey
    execute: Instruction
    blockhash: Hash


def check_message(message: Message | MessageV0, agreed: Agreed) -> None:
    """Raises TransactionMismatch, with the reason, unless signing `message` is safe."""
    keys = list(message.account_keys)
    if isinstance(message, MessageV0) and message.address_table_lookups:
        raise TransactionMismatch("The transaction looks accounts up in a table")
    if keys[0] != agreed.user:
        raise TransactionMismatch("Somebody other than the user pays the fee")
    if set(keys[: message.header.num_required_signatures]) != {agreed.user, agreed.treasury}:
        raise TransactionMismatch("The transaction wants other signers than user and treasury")
    # A durable nonce would keep the transaction alive for ever; the issued blockhash does not.
    if message.recent_blockhash != agreed.blockhash:
        raise TransactionMismatch("The blockhash is not the one that was issued")
    kinds = [_kind(one, agreed) for one in _instructions(message, keys)]
    if kinds.count(agreed.execute.program_id) != 1:
        raise TransactionMismatch("There must be one buyback instruction")


def _kind(instruction: tuple[Pubkey, list[Pubkey], bytes], agreed: Agreed) -> Pubkey:
    """The program of an instruction that is allowed. Raises TransactionMismatch."""
    program, accounts, data = instruction
    if program == agreed.execute.program_id:
        expected = [meta.pubkey for meta in agreed.execute.accounts]
        if accounts != expected or data != bytes(agreed.execute.data):
            raise TransactionMismatch("The buyback instruction is not the one that was issued")
    elif program == COMPUTE_BUDGET:
        if accounts or data[:1] not in _COMPUTE_BUDGET_KINDS:
            raise TransactionMismatch("An unknown compute budget instruction")
    elif program == LIGHTHOUSE:
        if agreed.treasury in accounts:
            raise TransactionMismatch("A guard instruction uses the treasury")
    else:
        raise TransactionMismatch("An instruction of a program that is not allowed")
    return program


def _instructions(
    message: Message | MessageV0, keys: list[Pubkey]
) -> Iterator[tuple[Pubkey, list[Pubkey], bytes]]:
    for one in message.instructions:
        indexes = [one.program_id_index, *bytes(one.accounts)]
        if max(indexes) >= len(keys):
            raise TransactionMismatch("An instruction names an account that is not there")
        program, *accounts = (keys[index] for index in indexes)
        yield program, accounts, bytes(one.data)
