"""Keccak-256 as Solana's programs use it (Merkle trees of allow lists). hashlib has only SHA-3,
which pads otherwise.

The sponge and its constants: FIPS 202, sections 3.2 and 4, with Keccak's own padding byte 0x01.
Small and slow: for a handful of hashes.
"""

from __future__ import annotations

_RATE_BYTES = 136
_ROUNDS = 24
_MASK = (1 << 64) - 1


def keccak_256(message: bytes) -> bytes:
    """The 32-byte hash of a message."""
    padded = bytearray(message) + b"\x01"
    padded += bytes(-len(padded) % _RATE_BYTES)
    padded[-1] |= 0x80
    lanes = [[0] * 5 for _ in range(5)]
    for start in range(0, len(padded), _RATE_BYTES):
        for place in range(_RATE_BYTES // 8):
            at = start + 8 * place
            lanes[place % 5][place // 5] ^= int.from_bytes(padded[at : at + 8], "little")
        lanes = _permuted(lanes)
    return b"".join(lanes[place % 5][place // 5].to_bytes(8, "little") for place in range(4))


def _permuted(lanes: list[list[int]]) -> list[list[int]]:
    """Keccak-f[1600]: 24 rounds of theta, rho, pi, chi and iota."""
    constants = 1  # the linear feedback shift register behind iota
    for _ in range(_ROUNDS):
        columns = [lane[0] ^ lane[1] ^ lane[2] ^ lane[3] ^ lane[4] for lane in lanes]
        for x in range(5):
            parity = columns[x - 1] ^ _rotated(columns[(x + 1) % 5], 1)
            lanes[x] = [lane ^ parity for lane in lanes[x]]
        x, y, moved = 1, 0, lanes[1][0]
        for step in range(24):
            x, y = y, (2 * x + 3 * y) % 5
            lanes[x][y], moved = _rotated(moved, (step + 1) * (step + 2) // 2), lanes[x][y]
        for y in range(5):
            row = [lanes[x][y] for x in range(5)]
            for x in range(5):
                lanes[x][y] = row[x] ^ (~row[(x + 1) % 5] & _MASK & row[(x + 2) % 5])
        for bit in range(7):
            if constants & 1:
                lanes[0][0] ^= 1 << ((1 << bit) - 1)
            constants = (constants << 1) ^ (0x171 if constants & 0x80 else 0)
    return lanes


def _rotated(lane: int, bits: int) -> int:
    bits %= 64
    return ((lane << bits) | (lane >> (64 - bits))) & _MASK
