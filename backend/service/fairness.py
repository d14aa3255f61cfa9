"""Publishing commitments, disclosing seeds, and the proof of a roll: see domain/fairness.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from backend.adapters import reveal_sql as sql
from backend.adapters.clock import Clock
from backend.adapters.database import Database
from backend.domain.errors import NftNotFound
from backend.domain.fairness import SEED_BYTES, commitment
from backend.domain.rarity import Randomness


@dataclass(frozen=True)
class Fairness:
    """The referee's folded papers."""

    db: Database
    clock: Clock
    randomness: Randomness

    def rotate(self) -> tuple[str, bytes | None]:
        """Commit to a new seed and disclose the one in use: the commitment, and that seed if there
        was one."""
        seed = bytes(self.randomness.randrange(256) for _ in range(SEED_BYTES))
        now, published = self.clock.now(), commitment(seed)
        with self.db.transaction() as entries:
            old = entries.first(sql.DISCLOSE, now=now)
            entries.rows(sql.COMMIT, commitment=published, seed=seed, now=now)
        return published, None if old is None else bytes(old.seed)

    def ensure(self) -> None:
        """Commit to a seed if there is none in use."""
        if self.current() is None:
            self.rotate()

    def current(self) -> str | None:
        """The commitment that the next rolls are bound to; None before the first rotation."""
        row = self.db.first(sql.COMMITMENT)
        return None if row is None else str(row.commitment)

    def proof(self, mint: str) -> dict[str, Any]:
        """What it takes to repeat a roll; `server_seed` is empty until it is disclosed. Raises
        NftNotFound if the NFT was not rolled fairly."""
        row = self.db.first(sql.PROOF, mint=mint)
        if row is None:
            raise NftNotFound
        return dict(row._mapping)
