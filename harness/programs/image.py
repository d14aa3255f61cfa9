"""A deployed program as its loader keeps it, unpacked: the letter out of its envelope.

The upgradeable loader keeps code in a second account, behind a header and before spare room for
the next version; the older loaders keep the bare ELF in the program's own account. Layouts:
crate solana-loader-v3-interface 5.0.0 (`UpgradeableLoaderState`).
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass

from solders.pubkey import Pubkey

from harness.errors import HarnessError
from programs.addresses import UPGRADEABLE_LOADER

LOADER_V2 = Pubkey.from_string("BPFLoader2111111111111111111111111111111111")
LOADER_V1 = Pubkey.from_string("BPFLoader1111111111111111111111111111111111")
_BARE_LOADERS = (LOADER_V1, LOADER_V2)

_PROGRAM, _PROGRAM_DATA = 2, 3
_PROGRAM_BYTES = 4 + 32
HEADER_BYTES = 4 + 8 + 1 + 32  # state, slot, whether there is an authority, the authority


class NotDeployed(HarnessError):
    """There is no program at an address, or none that can be fetched."""


@dataclass(frozen=True)
class Code:
    """A program's code on a cluster. `account` is what the loader keeps, spare room included."""

    loader: Pubkey
    account: bytes
    slot: int | None = None
    upgrade_authority: Pubkey | None = None

    @property
    def elf(self) -> bytes:
        """The ELF without the spare room after it."""
        return trimmed(self.account)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.elf).hexdigest()

    @property
    def sha256_verify(self) -> str:
        """The hash that solana-verify prints: of all bytes but the zeros at the end."""
        return hashlib.sha256(self.account.rstrip(b"\0")).hexdigest()


def code_address(owner: Pubkey, data: bytes) -> Pubkey | None:
    """Where a program's code is, told from its account's owner and bytes; None: in itself.

    Raises NotDeployed if the account is no program of a loader that is known here.
    """
    if owner in _BARE_LOADERS:
        return None
    if owner != UPGRADEABLE_LOADER:
        raise NotDeployed(f"is owned by {owner}, which is no loader that is known here")
    if len(data) < _PROGRAM_BYTES or struct.unpack_from("<I", data) != (_PROGRAM,):
        raise NotDeployed("is an account of the upgradeable loader, but not a program")
    return Pubkey(data[4:_PROGRAM_BYTES])


def code_from(loader: Pubkey, data: bytes) -> Code:
    """Unpack the account that holds the code. Raises NotDeployed if it holds none."""
    if loader != UPGRADEABLE_LOADER:
        return Code(loader, _checked(data))
    if len(data) <= HEADER_BYTES or struct.unpack_from("<I", data) != (_PROGRAM_DATA,):
        raise NotDeployed("was closed: its code is gone")
    _, slot, has_authority = struct.unpack_from("<IQ?", data)
    authority = Pubkey(data[13:HEADER_BYTES]) if has_authority else None
    return Code(loader, _checked(data[HEADER_BYTES:]), slot, authority)


def _checked(elf: bytes) -> bytes:
    if elf[:4] != b"\x7fELF":
        raise NotDeployed("holds no ELF")
    return elf


def trimmed(account: bytes) -> bytes:
    """An ELF without the zeros that a loader keeps after it.

    The ELF's own header says where it ends, because an ELF may well end in zeros of its own.
    Bytes that are no zeros after that end are kept: whatever they are, they were deployed.
    """
    end = elf_bytes(account)
    if end is None or any(account[end:]):
        return account
    return account[:end]


def elf_bytes(content: bytes) -> int | None:
    """Size of a 64-bit little-endian ELF by its own tables; None if they do not fit in it."""
    try:
        program_at, section_at = struct.unpack_from("<QQ", content, 32)
        sizes = struct.unpack_from("<HHHHH", content, 52)
        header, program_size, programs, section_size, sections = sizes
        end = max(header, program_at + program_size * programs)
        end = max(end, section_at + section_size * sections)
        for number in range(sections):
            kind, _, _, offset, size = struct.unpack_from(
                "<IQQQQ", content, section_at + number * section_size + 4
            )
            if kind != _SHT_NOBITS:
                end = max(end, offset + size)
    except struct.error:
        return None
    return end if end <= len(content) else None


_SHT_NOBITS = 8
