"""What open quotes may promise together.

A quote that the treasury signed can be cashed by its holder at any moment until its blockhash
dies. So each holds its amount back, and a new one is given only if all of them could be cashed at
once without touching the minimum balance.
"""

from __future__ import annotations

from enum import StrEnum


class QuoteState(StrEnum):
    """OPEN: issued. SIGNED: complete bytes stored, may be on the way. Then PAID or DEAD."""

    OPEN = "open"
    SIGNED = "signed"
    PAID = "paid"
    DEAD = "dead"


def headroom_lamports(
    balance_lamports: int, min_lamports: int, reserved_lamports: int, paid_since_lamports: int
) -> int:
    """Lamports that a new quote may promise; negative if too much is promised already.

    `reserved_lamports` is now, `balance_lamports` was read a little before: what was paid in
    between may or may not be missing from that balance already, so it counts as missing.
    """
    return balance_lamports - min_lamports - reserved_lamports - paid_since_lamports
