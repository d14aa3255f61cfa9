"""The `base64+zstd` encoding without a compressor: valid Zstandard frames of stored blocks.

Any Zstandard decoder reads them; they save no bytes, which on loopback nobody misses.
Source: RFC 8878, sections 3.1.1 and 3.1.1.2.
"""

from __future__ import annotations

import struct

_MAGIC = 0xFD2FB528
_BLOCK_BYTES_MAX = 1 << 17
_SINGLE_SEGMENT_8_BYTE_SIZE = 0b1110_0000


def stored(data: bytes) -> bytes:
    """A Zstandard frame that holds `data` as it is."""
    header = struct.pack("<IBQ", _MAGIC, _SINGLE_SEGMENT_8_BYTE_SIZE, len(data))
    blocks = [
        data[start : start + _BLOCK_BYTES_MAX] for start in range(0, len(data), _BLOCK_BYTES_MAX)
    ] or [b""]
    last = len(blocks) - 1
    return header + b"".join(
        struct.pack("<I", len(block) << 3 | (index == last))[:3] + block
        for index, block in enumerate(blocks)
    )
