"""One seed, many independent streams: how a run is made to repeat itself.

Think of the seed as a book and of every purpose ("player-1's key", "the backend's rolls") as a
page of it: pages can be opened in any order, and none changes when another is added.
"""

from __future__ import annotations

import hashlib
import random

from solders.keypair import Keypair

DEFAULT_SEED = "1"


class Seed:
    """Derives keys and generators from one text, by SHA-256 of the text and a purpose."""

    def __init__(self, text: str) -> None:
        self.text = text

    def _digest(self, purpose: str) -> bytes:
        return hashlib.sha256(f"{self.text}/{purpose}".encode()).digest()

    def child(self, purpose: str) -> Seed:
        """A seed of its own for one part of the run, such as one scenario."""
        return Seed(f"{self.text}/{purpose}")

    def keypair(self, purpose: str) -> Keypair:
        """An ed25519 key pair. Good for test ledgers only: whoever knows the seed knows it."""
        return Keypair.from_seed(self._digest(f"key/{purpose}"))

    def generator(self, purpose: str) -> random.Random:
        """A generator of its own for one purpose."""
        return random.Random(int.from_bytes(self._digest(f"generator/{purpose}"), "big"))
