"""A message's accounts as the runtime sees them: which there are and which may change."""

from __future__ import annotations

from dataclasses import dataclass

from solders.message import Message, MessageV0
from solders.pubkey import Pubkey

from harness.ledger.embedded.accounts import Accounts

ACCOUNT_LOCKS_MAX = 64
INSTRUCTIONS_MAX = 64
_TABLE_HEADER_BYTES = 56


@dataclass(frozen=True, slots=True)
class MessageAccounts:
    """All accounts of a message: its own, then those from lookup tables, writable ones first."""

    addresses: tuple[Pubkey, ...]
    writable: list[bool]
    loaded_writable: tuple[Pubkey, ...] = ()
    loaded_readonly: tuple[Pubkey, ...] = ()
    tables: tuple[Pubkey, ...] = ()

    @property
    def writable_addresses(self) -> list[Pubkey]:
        return [
            one for one, can_write in zip(self.addresses, self.writable, strict=True) if can_write
        ]


def accounts_of(message: Message | MessageV0, accounts: Accounts) -> MessageAccounts:
    """Resolve a message's accounts; an address that a table lacks becomes the default one, and
    the machine refuses the transaction."""
    keys = tuple(message.account_keys)
    header = message.header
    signed = header.num_required_signatures
    first_readonly_signed = signed - header.num_readonly_signed_accounts
    first_readonly = len(keys) - header.num_readonly_unsigned_accounts
    writable = [
        index < first_readonly_signed if index < signed else index < first_readonly
        for index in range(len(keys))
    ]
    lookups = message.address_table_lookups if isinstance(message, MessageV0) else []
    if not lookups:
        return MessageAccounts(keys, writable)
    changing: list[Pubkey] = []
    constant: list[Pubkey] = []
    for lookup in lookups:
        table = accounts.get(lookup.account_key)
        listed = b"" if table is None else bytes(table.data)[_TABLE_HEADER_BYTES:]
        changing += [_entry(listed, index) for index in bytes(lookup.writable_indexes)]
        constant += [_entry(listed, index) for index in bytes(lookup.readonly_indexes)]
    return MessageAccounts(
        (*keys, *changing, *constant),
        writable + [True] * len(changing) + [False] * len(constant),
        tuple(changing),
        tuple(constant),
        tuple(lookup.account_key for lookup in lookups),
    )


def _entry(listed: bytes, index: int) -> Pubkey:
    key = listed[index * 32 : index * 32 + 32]
    return Pubkey(key) if len(key) == 32 else Pubkey.default()
