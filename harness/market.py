"""The market: what a SOL costs, and when it cost what.

The testbed's own noticeboard. Whoever pays out reads it; a scenario may write a new price; the
judges read back which prices ever hung there.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from harness.clock import Clock


@dataclass(frozen=True)
class Terms:
    """Price and rate in force from a moment on."""

    since: datetime
    sol_usd: Decimal
    rate: Decimal
    #: Prices of skins by name, where they are not what the price table says now.
    skins_usd: Mapping[str, Decimal] = field(default_factory=dict)


class Market:
    """The SOL price and the buyback rate, with their history. Safe between threads."""

    def __init__(self, clock: Clock, sol_usd: Decimal, rate: Decimal) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._history = [Terms(clock.now(), sol_usd, rate)]

    @property
    def terms(self) -> Terms:
        """What is in force now."""
        with self._lock:
            return self._history[-1]

    @property
    def history(self) -> tuple[Terms, ...]:
        """Everything that ever was in force, oldest first."""
        with self._lock:
            return tuple(self._history)

    def payout_price(self) -> Decimal:
        """US dollars a SOL now; what the reference backend asks."""
        return self.terms.sol_usd

    def move(
        self,
        *,
        sol_usd: Decimal | str | None = None,
        rate: Decimal | None = None,
        skins_usd: Mapping[str, Decimal] | None = None,
    ) -> None:
        """Hang up a new price, rate or price table, in force at once."""
        now = self._clock.now()
        with self._lock:
            last = self._history[-1]
            self._history.append(
                Terms(
                    now,
                    last.sol_usd if sol_usd is None else Decimal(sol_usd),
                    last.rate if rate is None else rate,
                    last.skins_usd if skins_usd is None else dict(skins_usd),
                )
            )
