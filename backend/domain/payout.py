"""What a skin is worth in lamports: exact arithmetic, rounded down once."""

from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal, localcontext

LAMPORTS_PER_SOL = 1_000_000_000
_DIGITS = 60  # more than any product of our inputs has


def to_lamports(price_usd: Decimal, sol_usd: Decimal, rate: Decimal = Decimal(1)) -> int:
    """floor(price / SOL price x rate x 10^9).

    Raises ValueError unless the price is at least 0, the SOL price above 0, the rate in 0..1.
    """
    if not (price_usd >= 0 and sol_usd > 0 and 0 <= rate <= 1):
        raise ValueError(f"no payout for {price_usd} USD at {sol_usd} USD a SOL and rate {rate}")
    with localcontext(prec=_DIGITS):
        exact = price_usd * rate * LAMPORTS_PER_SOL / sol_usd
        return int(exact.to_integral_value(rounding=ROUND_FLOOR))


def to_sol(lamports: int) -> float:
    """For showing to people; never for arithmetic."""
    return lamports / LAMPORTS_PER_SOL
