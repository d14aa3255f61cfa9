"""Durable nonces: a transaction that does not go stale.

An ordinary transaction carries the date (a recent blockhash) and is refused when old. One that
begins by stamping a ticket (AdvanceNonceAccount) carries the ticket's number instead: good until
the ticket is stamped, and stamped even if the rest fails.
Source: agave's runtime, check_transactions.rs and nonce_info.rs.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass

from solders.account import Account
from solders.hash import Hash
from solders.message import Message, MessageV0
from solders.pubkey import Pubkey

from harness.ledger.embedded.accounts import Accounts
from programs.addresses import SYSTEM

NONCE_ACCOUNT_BYTES = 80
_ADVANCE = struct.pack("<I", 4)
_CURRENT_VERSION_INITIALIZED = struct.pack("<II", 1, 1)
_AUTHORITY, _NONCE = slice(8, 40), slice(40, 72)


@dataclass(frozen=True, slots=True)
class Nonce:
    """The nonce account that a transaction runs on."""

    address: Pubkey
    account: Account


def durable_nonce(blockhash: Hash) -> bytes:
    """The value that a nonce account takes when it is advanced in a block."""
    return hashlib.sha256(b"DURABLE_NONCE" + bytes(blockhash)).digest()


def is_nonce(account: Account | None) -> bool:
    """Whether an account is an initialised nonce account."""
    return (
        account is not None
        and account.owner == SYSTEM
        and len(account.data) == NONCE_ACCOUNT_BYTES
        and bytes(account.data)[:8] == _CURRENT_VERSION_INITIALIZED
    )


def nonce_of(
    message: Message | MessageV0, writable: list[bool], accounts: Accounts, next_value: bytes
) -> Nonce | None:
    """The nonce that makes the message's blockhash good; None if nothing does.

    `next_value` is what the nonce would become: a nonce advanced in this very block is not good.
    """
    if not message.instructions:
        return None
    first, keys = message.instructions[0], message.account_keys
    if keys[first.program_id_index] != SYSTEM or first.data[:4] != _ADVANCE or not first.accounts:
        return None
    at = first.accounts[0]
    if at >= len(keys) or not writable[at]:
        return None
    account = accounts.get(keys[at])
    if account is None or not is_nonce(account):
        return None
    data = bytes(account.data)
    value = bytes(message.recent_blockhash)
    signers = {
        keys[index] for index in first.accounts if index < message.header.num_required_signatures
    }
    good = data[_NONCE] == value != next_value and Pubkey(data[_AUTHORITY]) in signers
    return Nonce(keys[at], account) if good else None


def advanced(account: Account, value: bytes) -> Account:
    """The nonce account with a new value."""
    data = bytearray(account.data)
    data[_NONCE] = value
    return Account(account.lamports, bytes(data), account.owner, False, account.rent_epoch)


def holds(account: Account, value: bytes) -> bool:
    """Whether a nonce account's present value is `value`."""
    return is_nonce(account) and bytes(account.data)[_NONCE] == value
