"""Provably fair rolls: a sealed server seed, a seed of the player's, a number.

Like a referee who puts a folded paper on the table before the game and opens it afterwards. The
paper is the server seed; its SHA-256, the commitment, is published first. Each roll is made from
HMAC-SHA256(server seed, "client seed:nonce:block"), so that neither side can steer it, and anybody
can repeat it once the seed is disclosed.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from backend.domain.rarity import Odds, pick

SEED_BYTES = 32
_BLOCKS_MAX = 64  # a draw below any bound misses 64 times with a chance under 2**-64


def commitment(server_seed: bytes) -> str:
    """What is published before the first roll: SHA-256 of the seed, in hex."""
    return hashlib.sha256(server_seed).hexdigest()


class FairRandomness:
    """A `Randomness` that anybody with both seeds and the nonce can repeat.

    Block n is HMAC-SHA256(server_seed, f"{client_seed}:{nonce}:{n}"), n from 0; its first eight
    bytes are one 64-bit number.
    """

    def __init__(self, server_seed: bytes, client_seed: str, nonce: int) -> None:
        self._key = server_seed
        self._label = f"{client_seed}:{nonce}"
        self._block = 0

    def _next(self) -> int:
        message = f"{self._label}:{self._block}".encode()
        self._block += 1
        return int.from_bytes(hmac.digest(self._key, message, "sha256")[:8], "big")

    def random(self) -> float:
        """The top 53 bits over 2**53: uniform in [0, 1), exact in a float."""
        return (self._next() >> 11) / 2**53

    def randrange(self, stop: int, /) -> int:
        """Uniform in 0 .. stop-1: numbers in the uneven rest of 2**64 are drawn again."""
        if not 0 < stop <= 2**32:
            raise ValueError(f"randrange of {stop}: must be 1 to 2**32")
        even = 2**64 - 2**64 % stop
        for _ in range(_BLOCKS_MAX):
            number = self._next()
            if number < even:
                return number % stop
        raise ValueError("64 draws in a row fell outside the range")


@dataclass(frozen=True)
class Proof:
    """All that a roll was made from, but for the seed: `choices` are (template id, weight) in
    the order in which they stood."""

    commitment: str
    client_seed: str
    nonce: int
    odds: Odds
    choices: tuple[tuple[int, int], ...]


def repeat_roll(proof: Proof, server_seed: bytes) -> tuple[str, int]:
    """The tier and the template that the seeds give.

    Raises ValueError if the seed is not the one that was committed to.
    """
    if not hmac.compare_digest(commitment(server_seed), proof.commitment):
        raise ValueError("the server seed does not match the commitment")
    randomness = FairRandomness(server_seed, proof.client_seed, proof.nonce)
    tier = proof.odds.roll(randomness)
    numbers, weights = zip(*proof.choices, strict=True)
    return tier, pick(numbers, randomness, weights)


def choices_text(choices: Sequence[tuple[int, int]]) -> str:
    """`choices` as stored and shown: "7:1,9:3"."""
    return ",".join(f"{number}:{weight}" for number, weight in choices)


def read_choices(text: str) -> tuple[tuple[int, int], ...]:
    """The reverse. Raises ValueError."""
    pairs = (one.split(":") for one in text.split(",") if one)
    return tuple((int(number), int(weight)) for number, weight in pairs)
