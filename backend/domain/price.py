"""What a SOL costs, as far as paying out is concerned.

The service asks for one number: the price to pay with. Where it comes from, how old it may be and
which side of a confidence interval is taken is the feed's business (`backend.adapters`).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol


class SolPrice(Protocol):
    """A source of the SOL price. Must not block for long: it is asked within requests."""

    def payout_price(self) -> Decimal:
        """US dollars a SOL to pay with now, above 0.

        Raises PriceUnavailable if there is none, PriceTooOld if the last one is too old to use
        (both in `backend.domain.errors`).
        """
        ...


@dataclass(frozen=True)
class StaticPrice:
    """The price of SOL_PRICE_USD, for tests and for a start without a feed."""

    usd: Decimal

    def payout_price(self) -> Decimal:
        return self.usd
