"""What became of a transaction, as far as the ledger can prove it."""

from __future__ import annotations

from enum import StrEnum


class Fate(StrEnum):
    """Only FAILED and EXPIRED prove that these bytes can never land any more."""

    LANDED = "landed"
    #: It is on the ledger as an error: used up, nothing changed but the fee.
    FAILED = "failed"
    #: Not on the ledger, and its blockhash is dead beyond any fork.
    EXPIRED = "expired"
    #: A node would not take it; the bytes are still good.
    REFUSED = "refused"
    UNKNOWN = "unknown"

    @property
    def dead(self) -> bool:
        return self in (Fate.FAILED, Fate.EXPIRED)
