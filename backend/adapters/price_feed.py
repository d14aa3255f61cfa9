"""The price that payouts are made with: fresh, plausible, and on the treasury's side.

A buyer at an auction who asks one appraiser after another, takes no appraisal that is hours old,
and believes one that is far off only when a second opinion agrees. Without a price that is good
enough nothing is paid: a SOL price that is too low pays too much.

`payout_price` only looks at what is there; asking the sources is `refresh`, which production
calls from a thread and tests call as their clock goes on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from backend.adapters.clock import Clock
from backend.adapters.price_sources import Reading, Source, SourceFailed
from backend.domain.errors import PriceTooOld, PriceUnavailable

#: A source that is less sure than this is passed over.
CONFIDENCE_SHARE_MAX = Decimal("0.02")
_AHEAD_MAX = timedelta(seconds=60)
_LOOK_SECONDS = 1.0


@dataclass
class PriceFeed:
    """A `SolPrice` over several sources. `report` is told the source and what was wrong with it."""

    sources: Sequence[Source]
    clock: Clock
    refresh_seconds: int
    max_age_seconds: int
    max_jump: Decimal
    report: Callable[[str, str], None] = lambda source, problem: None
    _taken: Reading | None = None
    _suspect: Reading | None = None
    _next: datetime | None = None

    def __post_init__(self) -> None:
        self._every = timedelta(seconds=self.refresh_seconds)
        self._max_age = timedelta(seconds=self.max_age_seconds)

    def payout_price(self) -> Decimal:
        """The upper end of the confidence interval: if SOL is worth that, a payout made with less
        gives away too much. Raises PriceUnavailable, PriceTooOld."""
        taken = self._taken
        if taken is None:
            raise PriceUnavailable
        if self.clock.now() - taken.at > self._max_age:
            raise PriceTooOld
        return taken.usd + taken.confidence_usd

    def age_seconds(self) -> float | None:
        """Of the price in use, usable or not; None if there never was one."""
        taken = self._taken
        return None if taken is None else (self.clock.now() - taken.at).total_seconds()

    def refresh_if_due(self) -> None:
        if self._next is None or self.clock.now() >= self._next:
            self.refresh()

    def refresh(self) -> bool:
        """Ask the sources in their order until one gives a price to take; whether one did."""
        now = self.clock.now()
        self._next = now + self._every
        for source in self.sources:
            try:
                reading = source.fetch(now)
                self._check(reading, now)
            except SourceFailed as failed:
                self.report(source.name, str(failed))
                continue
            self._taken, self._suspect = reading, None
            return True
        # Nothing to take: look again soon, not only after the whole interval.
        self._next = now + self._every / 10
        return False

    def _check(self, reading: Reading, now: datetime) -> None:
        if now - reading.at > self._max_age:
            raise SourceFailed("its price is too old")
        if reading.at - now > _AHEAD_MAX:
            raise SourceFailed("its price is of the future")
        if reading.confidence_usd > reading.usd * CONFIDENCE_SHARE_MAX:
            raise SourceFailed("it is too unsure of its price")
        if self._taken is None or not self._far(reading, self._taken):
            return
        first = self._suspect
        if first is None or self._far(reading, first):
            self._suspect = reading
        elif reading.source != first.source or reading.at - first.at >= self._every:
            return  # another source, or the same one an interval later, says so too
        raise SourceFailed("its price jumped; waiting for a second opinion")

    def _far(self, one: Reading, other: Reading) -> bool:
        return abs(one.usd - other.usd) > other.usd * self.max_jump

    def run(self, stop: threading.Event) -> None:
        """Refresh when due, until `stop` is set."""
        while not stop.is_set():
            self.refresh_if_due()
            stop.wait(_LOOK_SECONDS)
