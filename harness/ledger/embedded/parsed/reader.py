"""Reading packed instruction and account data, a field at a time."""

from __future__ import annotations

import base64
import struct
from typing import Any

from solders.pubkey import Pubkey


class CannotParse(Exception):
    """The data is not what its program's layout says; nodes then show it unparsed."""


class Reader:
    """A cursor over bytes. Every read past the end raises CannotParse."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def take(self, size: int) -> bytes:
        if size > self.left:
            raise CannotParse
        self._at += size
        return self._data[self._at - size : self._at]

    def u8(self) -> int:
        return self.take(1)[0]

    def i8(self) -> int:
        return int(struct.unpack("<b", self.take(1))[0])

    def u16(self) -> int:
        return int(struct.unpack("<H", self.take(2))[0])

    def u32(self) -> int:
        return int(struct.unpack("<I", self.take(4))[0])

    def u64(self) -> int:
        return int(struct.unpack("<Q", self.take(8))[0])

    def i16(self) -> int:
        return int(struct.unpack("<h", self.take(2))[0])

    def i64(self) -> int:
        return int(struct.unpack("<q", self.take(8))[0])

    def f64(self) -> float:
        return float(struct.unpack("<d", self.take(8))[0])

    def key(self) -> str:
        return str(Pubkey(self.take(32)))

    def option_key(self) -> str | None:
        """One byte, 0 or 1, then a key if it is 1."""
        return self.key() if self.flag() else None

    def flag(self) -> bool:
        """A borsh bool: any byte but 0 and 1 is an error."""
        byte = self.u8()
        if byte > 1:
            raise CannotParse
        return byte == 1

    def fixed_option_key(self) -> str | None:
        """Four bytes, then 32 bytes in any case."""
        given, key = self.u32(), self.key()
        return key if given else None

    def zeroable_key(self) -> str | None:
        """A key where all zeros stand for none."""
        raw = self.take(32)
        return str(Pubkey(raw)) if any(raw) else None

    def text(self) -> str:
        """A bincode string: eight bytes of length."""
        return self._utf8(self.u64())

    def short_text(self) -> str:
        """A borsh string: four bytes of length."""
        return self._utf8(self.u32())

    def rest_of_text(self) -> str:
        return self._utf8(self.left)

    def base64(self, size: int) -> str:
        return base64.b64encode(self.take(size)).decode()

    def rest(self) -> bytes:
        return self.take(self.left)

    def _utf8(self, size: int) -> str:
        try:
            return self.take(size).decode()
        except UnicodeDecodeError:
            raise CannotParse from None


def read(data: bytes, fields: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    """Fields by name, each read by the reader's method of the given name."""
    reader = Reader(data)
    return {name: getattr(reader, kind)() for name, kind in fields}
