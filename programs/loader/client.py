"""Instructions of the upgradeable loader, and its accounts.

A program is carried onto a ledger like a piano up the stairs: its code goes piece by piece into a
buffer account, and is moved from there to its place in one step. An upgrade does the same and
swaps the pianos. What `solana program deploy` does; the layout is that of
solana-loader-v3-interface: a little-endian u32 for the instruction, then its fields.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from solders.system_program import CreateAccountParams, create_account
from solders.sysvar import CLOCK, RENT

from programs.addresses import SYSTEM, UPGRADEABLE_LOADER, program_data_address

#: Bytes before the code in a buffer, in a program's data, and a program account's size.
BUFFER_HEADER_BYTES = 37
PROGRAM_DATA_HEADER_BYTES = 45
PROGRAM_BYTES = 36

#: Code in one write, so that the transaction around it fits a packet of 1,232 bytes.
CHUNK_BYTES_MAX = 1000

_INITIALIZE_BUFFER, _WRITE, _DEPLOY, _UPGRADE, _SET_AUTHORITY, _CLOSE, _EXTEND = range(7)
_PROGRAM_DATA = 3


@dataclass(frozen=True)
class ProgramData:
    """A program's data account. `upgrade_authority` is None once nobody can change it."""

    slot: int
    upgrade_authority: Pubkey | None
    code: bytes

    @classmethod
    def parse(cls, data: bytes) -> ProgramData:
        """Read the account. Raises ValueError if the bytes are something else."""
        if len(data) < PROGRAM_DATA_HEADER_BYTES:
            raise ValueError(f"not a program's data: {len(data)} bytes")
        kind, slot, known = struct.unpack_from("<IQ?", data)
        if kind != _PROGRAM_DATA:
            raise ValueError(f"not a program's data: state {kind}")
        authority = Pubkey(data[13:45]) if known else None
        return cls(slot, authority, data[PROGRAM_DATA_HEADER_BYTES:])


def create_buffer(
    *, payer: Pubkey, buffer: Pubkey, authority: Pubkey, code_bytes: int, rent_lamports: int
) -> list[Instruction]:
    """An empty buffer for `code_bytes` of code. Signed by `payer` and `buffer`.

    `rent_lamports` is the exemption for BUFFER_HEADER_BYTES + code_bytes.
    """
    made = create_account(
        CreateAccountParams(
            from_pubkey=payer,
            to_pubkey=buffer,
            lamports=rent_lamports,
            space=BUFFER_HEADER_BYTES + code_bytes,
            owner=UPGRADEABLE_LOADER,
        )
    )
    return [made, _build(_INITIALIZE_BUFFER, b"", [_writable(buffer), _readonly(authority)])]


def write(*, buffer: Pubkey, authority: Pubkey, offset: int, code: bytes) -> Instruction:
    """Put a piece of code into a buffer. Signed by `authority`. Writing it twice is harmless."""
    fields = struct.pack("<IQ", offset, len(code)) + code
    return _build(_WRITE, fields, [_writable(buffer), _signer(authority)])


def deploy(
    *,
    payer: Pubkey,
    program: Pubkey,
    buffer: Pubkey,
    authority: Pubkey,
    code_bytes_max: int,
    rent_lamports: int,
) -> list[Instruction]:
    """Make a program of a full buffer. Signed by `payer`, `program` and `authority`.

    `code_bytes_max` is how large it may become by upgrades; `rent_lamports` is the exemption for
    PROGRAM_BYTES. The buffer is closed and its rent goes to `payer`.
    """
    made = create_account(
        CreateAccountParams(
            from_pubkey=payer,
            to_pubkey=program,
            lamports=rent_lamports,
            space=PROGRAM_BYTES,
            owner=UPGRADEABLE_LOADER,
        )
    )
    accounts = [
        AccountMeta(payer, is_signer=True, is_writable=True),
        _writable(program_data_address(program)),
        _writable(program),
        _writable(buffer),
        _readonly(RENT),
        _readonly(CLOCK),
        _readonly(SYSTEM),
        _signer(authority),
    ]
    return [made, _build(_DEPLOY, struct.pack("<Q", code_bytes_max), accounts)]


def upgrade(*, program: Pubkey, buffer: Pubkey, authority: Pubkey, spill: Pubkey) -> Instruction:
    """Replace a program's code by a buffer's. Signed by `authority`; `spill` gets the rent."""
    accounts = [
        _writable(program_data_address(program)),
        _writable(program),
        _writable(buffer),
        _writable(spill),
        _readonly(RENT),
        _readonly(CLOCK),
        _signer(authority),
    ]
    return _build(_UPGRADE, b"", accounts)


def set_authority(
    *, account: Pubkey, authority: Pubkey, new_authority: Pubkey | None
) -> Instruction:
    """Hand a buffer or a program's data over, or (None) make it unchangeable for ever."""
    accounts = [_writable(account), _signer(authority)]
    if new_authority is not None:
        accounts.append(_readonly(new_authority))
    return _build(_SET_AUTHORITY, b"", accounts)


def close(*, buffer: Pubkey, authority: Pubkey, recipient: Pubkey) -> Instruction:
    """Give a buffer up; its lamports go to `recipient`. Signed by `authority`."""
    return _build(_CLOSE, b"", [_writable(buffer), _writable(recipient), _signer(authority)])


def extend(*, program: Pubkey, payer: Pubkey, bytes_more: int) -> Instruction:
    """Make room for a larger upgrade. Signed by `payer`, who pays the rent."""
    accounts = [
        _writable(program_data_address(program)),
        _writable(program),
        _readonly(SYSTEM),
        AccountMeta(payer, is_signer=True, is_writable=True),
    ]
    return _build(_EXTEND, struct.pack("<I", bytes_more), accounts)


def _build(number: int, fields: bytes, accounts: list[AccountMeta]) -> Instruction:
    return Instruction(UPGRADEABLE_LOADER, struct.pack("<I", number) + fields, accounts)


def _writable(address: Pubkey) -> AccountMeta:
    return AccountMeta(address, is_signer=False, is_writable=True)


def _readonly(address: Pubkey) -> AccountMeta:
    return AccountMeta(address, is_signer=False, is_writable=False)


def _signer(address: Pubkey) -> AccountMeta:
    return AccountMeta(address, is_signer=True, is_writable=False)
