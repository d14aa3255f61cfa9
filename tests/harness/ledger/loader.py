"""Instructions of the upgradeable loader, as `solana program deploy` sends them."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.system_program import CreateAccountParams, create_account

from harness.ledger.embedded import EmbeddedLedger
from programs.addresses import SYSTEM, UPGRADEABLE_LOADER, program_data_address
from tests.harness.ledger.wallets import PAYER, send

RENT = Pubkey.from_string("SysvarRent111111111111111111111111111111111")
CLOCK = Pubkey.from_string("SysvarC1ock11111111111111111111111111111111")
_CHUNK_BYTES = 900
_BUFFER_HEADER_BYTES = 37
_PROGRAM_BYTES = 36


def loader(tag: int, data: bytes, accounts: Sequence[AccountMeta]) -> Instruction:
    return Instruction(UPGRADEABLE_LOADER, struct.pack("<I", tag) + data, list(accounts))


def written(address: Pubkey) -> AccountMeta:
    return AccountMeta(address, False, True)


def read(address: Pubkey) -> AccountMeta:
    return AccountMeta(address, False, False)


AUTHORITY = AccountMeta(PAYER.pubkey(), True, False)


def write_buffer(ledger: EmbeddedLedger, code: bytes, seed: bytes) -> Pubkey:
    """Create a buffer and write a program into it, a transaction at a time."""
    buffer = Keypair.from_seed(seed * 32)
    size = _BUFFER_HEADER_BYTES + len(code)
    created = create_account(
        CreateAccountParams(
            from_pubkey=PAYER.pubkey(),
            to_pubkey=buffer.pubkey(),
            lamports=ledger.chain.machine.minimum_balance_for_rent_exemption(size),
            space=size,
            owner=UPGRADEABLE_LOADER,
        )
    )
    begun = loader(0, b"", [written(buffer.pubkey()), read(PAYER.pubkey())])
    send(ledger, [created, begun], [PAYER, buffer])
    for start in range(0, len(code), _CHUNK_BYTES):
        chunk = code[start : start + _CHUNK_BYTES]
        data = struct.pack("<IQ", start, len(chunk)) + chunk
        send(ledger, [loader(1, data, [written(buffer.pubkey()), AUTHORITY])])
    return buffer.pubkey()


def deploy(ledger: EmbeddedLedger, program: Keypair, buffer: Pubkey, max_data_len: int) -> None:
    """DeployWithMaxDataLen, after creating the program's account in the same transaction."""
    created = create_account(
        CreateAccountParams(
            from_pubkey=PAYER.pubkey(),
            to_pubkey=program.pubkey(),
            lamports=ledger.chain.machine.minimum_balance_for_rent_exemption(_PROGRAM_BYTES),
            space=_PROGRAM_BYTES,
            owner=UPGRADEABLE_LOADER,
        )
    )
    deployed = loader(
        2,
        struct.pack("<Q", max_data_len),
        [
            AccountMeta(PAYER.pubkey(), True, True),
            written(program_data_address(program.pubkey())),
            written(program.pubkey()),
            written(buffer),
            read(RENT),
            read(CLOCK),
            read(SYSTEM),
            AUTHORITY,
        ],
    )
    send(ledger, [created, deployed], [PAYER, program])


def upgrade(program: Pubkey, buffer: Pubkey) -> Instruction:
    return loader(
        3,
        b"",
        [
            written(program_data_address(program)),
            written(program),
            written(buffer),
            written(PAYER.pubkey()),
            read(RENT),
            read(CLOCK),
            AUTHORITY,
        ],
    )


def extend(program: Pubkey, extra_bytes: int) -> Instruction:
    return loader(
        6,
        struct.pack("<I", extra_bytes),
        [
            written(program_data_address(program)),
            written(program),
            read(SYSTEM),
            AccountMeta(PAYER.pubkey(), True, True),
        ],
    )


def close(program: Pubkey) -> Instruction:
    return loader(
        5,
        b"",
        [
            written(program_data_address(program)),
            written(PAYER.pubkey()),
            AUTHORITY,
            written(program),
        ],
    )
