"""Metaplex Candy Guard: the bouncer in front of a candy machine.

Guards are conditions of a mint. They are stored as a bit mask of those present followed by each
one's fields, in the fixed order of the program's `GuardType`. The first, bot tax, turns every
refusal of the others into a success that takes the tax and mints nothing. Layouts: the published
crate mpl-candy-guard 3.0.0 and its IDL beside this file.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from programs.addresses import (
    ASSOCIATED_TOKEN,
    INSTRUCTIONS_SYSVAR,
    SLOT_HASHES_SYSVAR,
    SYSTEM,
    TOKEN,
    associated_token_address,
)
from programs.candy_machine import client as candy_machine
from programs.token_metadata import client as token_metadata

PROGRAM_ID = Pubkey.from_string("Guard1JwRhJkVH6XZhzoYxeBVQe872VH6QggF4BWmS9g")

# Bits of the guards that are supported here, from `GuardType`.
_BOT_TAX, _SOL_PAYMENT, _START_DATE, _END_DATE, _MINT_LIMIT = 0, 1, 3, 7, 9
#: Accounts of a mint that are not a guard's own.
MINT_ACCOUNTS = 25
_ACCOUNT_HEADER_BYTES = 8 + 32 + 1 + 32  # discriminator, base, bump, authority


def _discriminator(name: str) -> bytes:
    return sha256(f"global:{name}".encode()).digest()[:8]


_INITIALIZE, _WRAP, _UPDATE, _MINT_V2 = map(
    _discriminator, ("initialize", "wrap", "update", "mint_v2")
)


@dataclass(frozen=True)
class BotTax:
    """What an invalid mint costs; `last_instruction` makes any instruction after it invalid."""

    lamports: int
    last_instruction: bool


@dataclass(frozen=True)
class SolPayment:
    lamports: int
    destination: Pubkey


@dataclass(frozen=True)
class MintLimit:
    """At most `limit` mints for one wallet, counted under `id`."""

    id: int
    limit: int


@dataclass(frozen=True)
class Guards:
    """The default guard set; None leaves a guard out."""

    bot_tax: BotTax | None = None
    sol_payment: SolPayment | None = None
    start_date: datetime | None = None
    end_date: datetime | None = None
    mint_limit: MintLimit | None = None

    def encode(self) -> bytes:
        """As the program stores them: mask, guards in order, no groups."""
        parts: dict[int, bytes] = {}
        if self.bot_tax is not None:
            parts[_BOT_TAX] = struct.pack(
                "<Q?", self.bot_tax.lamports, self.bot_tax.last_instruction
            )
        if self.sol_payment is not None:
            parts[_SOL_PAYMENT] = struct.pack("<Q", self.sol_payment.lamports) + bytes(
                self.sol_payment.destination
            )
        if self.start_date is not None:
            parts[_START_DATE] = struct.pack("<q", int(self.start_date.timestamp()))
        if self.end_date is not None:
            parts[_END_DATE] = struct.pack("<q", int(self.end_date.timestamp()))
        if self.mint_limit is not None:
            parts[_MINT_LIMIT] = struct.pack("<BH", self.mint_limit.id, self.mint_limit.limit)
        mask = sum(1 << bit for bit in parts)
        guards = b"".join(parts[bit] for bit in sorted(parts))
        return struct.pack("<Q", mask) + guards + struct.pack("<I", 0)

    @classmethod
    def parse(cls, account: bytes) -> Guards:
        """Read a guard account. Raises ValueError for guards that are not supported here."""
        data = account[_ACCOUNT_HEADER_BYTES:]
        (mask,) = struct.unpack_from("<Q", data)
        known = (_BOT_TAX, _SOL_PAYMENT, _START_DATE, _END_DATE, _MINT_LIMIT)
        if unknown := mask & ~sum(1 << bit for bit in known):
            raise ValueError(f"guards with mask {unknown:#x} are not supported here")
        at = 8
        found: dict[int, tuple[int, ...]] = {}
        destination = Pubkey.default()
        for bit, layout in (
            (_BOT_TAX, "<Q?"),
            (_SOL_PAYMENT, "<Q"),
            (_START_DATE, "<q"),
            (_END_DATE, "<q"),
            (_MINT_LIMIT, "<BH"),
        ):
            if not mask & 1 << bit:
                continue
            found[bit] = struct.unpack_from(layout, data, at)
            at += struct.calcsize(layout)
            if bit == _SOL_PAYMENT:
                destination = Pubkey(data[at : at + 32])
                at += 32
        if struct.unpack_from("<I", data, at) != (0,):
            raise ValueError("guard groups are not supported here")

        def date(bit: int) -> datetime | None:
            return datetime.fromtimestamp(found[bit][0], UTC) if bit in found else None

        return cls(
            bot_tax=BotTax(found[_BOT_TAX][0], bool(found[_BOT_TAX][1]))
            if _BOT_TAX in found
            else None,
            sol_payment=SolPayment(found[_SOL_PAYMENT][0], destination)
            if _SOL_PAYMENT in found
            else None,
            start_date=date(_START_DATE),
            end_date=date(_END_DATE),
            mint_limit=MintLimit(*found[_MINT_LIMIT]) if _MINT_LIMIT in found else None,
        )


@dataclass(frozen=True)
class MintAccounts:
    """What every mint from one machine has in common."""

    machine: Pubkey
    guard: Pubkey
    collection_mint: Pubkey
    collection_update_authority: Pubkey
    guards: Guards


def guard_address(base: Pubkey) -> Pubkey:
    """The guard made with this base key."""
    return Pubkey.find_program_address([b"candy_guard", bytes(base)], PROGRAM_ID)[0]


def mint_counter_address(guard: Pubkey, machine: Pubkey, user: Pubkey, limit_id: int) -> Pubkey:
    """Where a wallet's mints are counted for the mint limit."""
    seeds = [b"mint_limit", bytes([limit_id]), bytes(user), bytes(guard), bytes(machine)]
    return Pubkey.find_program_address(seeds, PROGRAM_ID)[0]


def initialize(*, base: Pubkey, authority: Pubkey, payer: Pubkey, guards: Guards) -> Instruction:
    """Create a guard. Signed by `base` and `payer`."""
    data = guards.encode()
    return Instruction(
        PROGRAM_ID,
        _INITIALIZE + struct.pack("<I", len(data)) + data,
        [
            AccountMeta(guard_address(base), False, True),
            AccountMeta(base, True, False),
            AccountMeta(authority, False, False),
            AccountMeta(payer, True, True),
            AccountMeta(SYSTEM, False, False),
        ],
    )


def update(*, guard: Pubkey, authority: Pubkey, guards: Guards) -> Instruction:
    """Replace the guards. Signed by `authority`, who pays."""
    data = guards.encode()
    return Instruction(
        PROGRAM_ID,
        _UPDATE + struct.pack("<I", len(data)) + data,
        [
            AccountMeta(guard, False, True),
            AccountMeta(authority, True, False),
            AccountMeta(authority, True, True),
            AccountMeta(SYSTEM, False, False),
        ],
    )


def wrap(*, guard: Pubkey, authority: Pubkey, machine: Pubkey) -> Instruction:
    """Put the guard in front of a machine. Signed by `authority` of both."""
    return Instruction(
        PROGRAM_ID,
        _WRAP,
        [
            AccountMeta(guard, False, False),
            AccountMeta(authority, True, False),
            AccountMeta(machine, False, True),
            AccountMeta(candy_machine.PROGRAM_ID, False, False),
            AccountMeta(authority, True, False),
        ],
    )


def mint(*, machine: MintAccounts, payer: Pubkey, mint: Pubkey) -> Instruction:
    """One guarded mint (mint_v2) to the payer's own wallet. Signed by `payer` and `mint`."""
    own = candy_machine.authority_address(machine.machine)
    collection = machine.collection_mint
    delegate = token_metadata.collection_delegate_address(
        collection, machine.collection_update_authority, own
    )
    absent = AccountMeta(PROGRAM_ID, False, False)
    accounts = [
        AccountMeta(machine.guard, False, False),
        AccountMeta(candy_machine.PROGRAM_ID, False, False),
        AccountMeta(machine.machine, False, True),
        AccountMeta(own, False, True),
        AccountMeta(payer, True, True),
        AccountMeta(payer, True, True),
        AccountMeta(mint, True, True),
        AccountMeta(payer, True, False),
        AccountMeta(token_metadata.metadata_address(mint), False, True),
        AccountMeta(token_metadata.edition_address(mint), False, True),
        AccountMeta(associated_token_address(payer, mint), False, True),
        absent,  # token record, for programmable NFTs
        AccountMeta(delegate, False, False),
        AccountMeta(collection, False, False),
        AccountMeta(token_metadata.metadata_address(collection), False, True),
        AccountMeta(token_metadata.edition_address(collection), False, False),
        AccountMeta(machine.collection_update_authority, False, False),
        AccountMeta(token_metadata.PROGRAM_ID, False, False),
        AccountMeta(TOKEN, False, False),
        AccountMeta(ASSOCIATED_TOKEN, False, False),
        AccountMeta(SYSTEM, False, False),
        AccountMeta(INSTRUCTIONS_SYSVAR, False, False),
        AccountMeta(SLOT_HASHES_SYSVAR, False, False),
        absent,  # authorisation rules program
        absent,  # authorisation rules
    ]
    # What the guards themselves need, in the order of the guards.
    if machine.guards.sol_payment is not None:
        accounts.append(AccountMeta(machine.guards.sol_payment.destination, False, True))
    if machine.guards.mint_limit is not None:
        counter = mint_counter_address(
            machine.guard, machine.machine, payer, machine.guards.mint_limit.id
        )
        accounts.append(AccountMeta(counter, False, True))
    no_arguments, no_label = struct.pack("<I", 0), b"\0"
    return Instruction(PROGRAM_ID, _MINT_V2 + no_arguments + no_label, accounts)
