"""Publishing commitments, disclosing seeds, and the proof of a roll: see domain/fairness.py."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text

from backend.adapters.clock import Clock
from backend.adapters.database import Database
from backend.domain.errors import NftNotFound
from backend.domain.fairness import SEED_BYTES, commitment
from backend.domain.rarity import Randomness

_DISCLOSE = text(
    "update server_seeds set disclosed_at = :now where disclosed_at is null returning seed"
)
_COMMIT = text(
    "insert into server_seeds (commitment, seed, created_at) values (:commitment, :seed, :now)"
)
_CURRENT = text(
    "select commitment from server_seeds where disclosed_at is null order by id desc limit 1"
)
_PROOF = text(
    "select s.commitment, r.client_seed, r.nonce, r.choices, r.box_id, t.rarity as tier,"
    " t.id as template_id, case when s.disclosed_at is not null then s.seed end as server_seed"
    " from reveals r join server_seeds s on s.id = r.server_seed_id"
    " join skin_templates t on t.id = r.skin_template_id"
    " where r.nft_mint = :mint and r.state = 'revealed'"
)


@dataclass(frozen=True)
class Rotation:
    """The commitment from now on, and the seed that was used up to now."""

    commitment: str
    disclosed_seed: bytes | None


@dataclass(frozen=True)
class RollProof:
    """What it takes to repeat a roll; `server_seed` is empty until it is disclosed."""

    commitment: str
    client_seed: str
    nonce: int
    choices: str
    box_id: str
    tier: str
    template_id: int
    server_seed: bytes | None


class Fairness:
    """The referee's folded papers."""

    def __init__(self, database: Database, clock: Clock, randomness: Randomness) -> None:
        self._database = database
        self._clock = clock
        self._randomness = randomness

    def rotate(self) -> Rotation:
        """Disclose the seed in use, if any, and commit to a new one."""
        seed = bytes(self._randomness.randrange(256) for _ in range(SEED_BYTES))
        now, published = self._clock.now(), commitment(seed)
        with self._database.transaction() as connection:
            old = connection.execute(_DISCLOSE, {"now": now}).scalar()
            connection.execute(_COMMIT, {"commitment": published, "seed": seed, "now": now})
        return Rotation(published, None if old is None else bytes(old))

    def ensure(self) -> None:
        """Commit to a seed if there is none in use."""
        if self.current() is None:
            self.rotate()

    def current(self) -> str | None:
        """The commitment that the next rolls are bound to; None before the first rotation."""
        row = self._database.first(_CURRENT)
        return None if row is None else str(row.commitment)

    def proof(self, mint: str) -> RollProof:
        """Raises NftNotFound if the NFT was not rolled fairly."""
        row = self._database.first(_PROOF, mint=mint)
        if row is None:
            raise NftNotFound
        return RollProof(*row)
