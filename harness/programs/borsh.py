"""Borsh by hand: the few forms that instructions' arguments are made of."""

from __future__ import annotations

import struct
from collections.abc import Iterable

from solders.pubkey import Pubkey


def u8(number: int) -> bytes:
    return struct.pack("<B", number)


def u16(number: int) -> bytes:
    return struct.pack("<H", number)


def u32(number: int) -> bytes:
    return struct.pack("<I", number)


def u64(number: int) -> bytes:
    return struct.pack("<Q", number)


def i64(number: int) -> bytes:
    return struct.pack("<q", number)


def flag(value: bool) -> bytes:
    return b"\1" if value else b"\0"


def blob(content: bytes) -> bytes:
    """Bytes with their length before them."""
    return u32(len(content)) + content


def text(content: str) -> bytes:
    return blob(content.encode())


def vector(parts: Iterable[bytes]) -> bytes:
    """Encoded values with their number before them."""
    listed = list(parts)
    return u32(len(listed)) + b"".join(listed)


def option(content: bytes | None) -> bytes:
    return b"\0" if content is None else b"\1" + content


def creators(*shares: tuple[Pubkey, bool, int]) -> bytes:
    """Creators of an NFT: address, whether they signed, their share in percent."""
    return vector(bytes(address) + flag(signed) + u8(share) for address, signed, share in shares)
