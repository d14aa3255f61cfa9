"""What people do with a box once it is theirs, and what they do when they smell money or danger.

Every dataclass here is one kind of person; leaving it out of a scenario means that nobody is like
that. Rates are a day, hazards are rates of selling of one item. Formulas: docs/treasury-model.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from harness.errors import UsageError

HOLDER_GROUPS_MAX = 8
#: A hazard from here on means "sells within the step", with certainty.
AT_ONCE = math.inf


def _within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise UsageError(f"{name}: must be within {low:g}..{high:g}, is {value}")


@dataclass(frozen=True)
class Holders:
    """A share of all items is in the hands of people who sell at this hazard a day.

    Several groups make a mixture (hyper-exponential holding times: the longer held, the less
    likely sold); what the shares leave to 1 is never sold. `inf` sells at once.
    """

    share: float
    hazard_day: float = AT_ONCE

    def __post_init__(self) -> None:
        _within("holders.share", self.share, 0, 1)
        if math.isnan(self.hazard_day) or self.hazard_day < 0:
            raise UsageError(f"holders.hazard_day: must be from 0, is {self.hazard_day}")


@dataclass(frozen=True)
class PriceSensitivity:
    """Holders who compare with selling elsewhere.

    Their hazard is multiplied by (payout / outside value) ^ elasticity, where the outside value is
    `outside_share` of the skin's market price at the market's SOL price and skin index.
    """

    elasticity: float
    outside_share: float = 0.85

    def __post_init__(self) -> None:
        _within("price_sensitivity.elasticity", self.elasticity, 0, 50)
        if not 0 < self.outside_share <= 1:
            raise UsageError(
                f"price_sensitivity.outside_share: must be above 0 and at most 1, is "
                f"{self.outside_share}"
            )


@dataclass(frozen=True)
class Panic:
    """A bank run: what counts is what the treasury holds above its minimum. As that falls below
    `level` x its opening value, hazards grow, up to `factor` times when nothing is left."""

    level: float
    factor: float

    def __post_init__(self) -> None:
        if not 0 < self.level <= 10:
            raise UsageError(f"panic.level: must be above 0 and at most 10, is {self.level}")
        _within("panic.factor", self.factor, 1, 10_000)


@dataclass(frozen=True)
class Arbitrage:
    """People who mint only while the expected payout exceeds all costs by `margin`, and sell all
    of it at once, as long as the treasury can pay them."""

    mints_day: float
    margin: float = 0.0

    def __post_init__(self) -> None:
        _within("arbitrage.mints_day", self.mints_day, 0, 1e6)
        _within("arbitrage.margin", self.margin, -1, 10)


@dataclass(frozen=True)
class QuoteHunters:
    """A share of all sales is made by people who keep every open quote and use the best of them."""

    share: float

    def __post_init__(self) -> None:
        _within("quote_hunters.share", self.share, 0, 1)


@dataclass(frozen=True)
class Whales:
    """Now and then somebody sells `stock_share` of everything that is held, at once."""

    events_day: float
    stock_share: float

    def __post_init__(self) -> None:
        _within("whales.events_day", self.events_day, 0, 100)
        _within("whales.stock_share", self.stock_share, 0, 1)


@dataclass(frozen=True)
class Bots:
    """Machines that mint from the first second for `days` and sell everything at once."""

    mints_day: float
    days: float

    def __post_init__(self) -> None:
        _within("bots.mints_day", self.mints_day, 0, 1e6)
        _within("bots.days", self.days, 0, 36_500)


@dataclass(frozen=True)
class Behaviour:
    """Everybody together. The default: half of all items are sold at once, the rest is kept."""

    holders: tuple[Holders, ...] = (Holders(0.5),)
    price_sensitivity: PriceSensitivity | None = None
    panic: Panic | None = None
    arbitrage: Arbitrage | None = None
    quote_hunters: QuoteHunters | None = None
    whales: Whales | None = None
    bots: Bots | None = None

    def __post_init__(self) -> None:
        if len(self.holders) > HOLDER_GROUPS_MAX:
            raise UsageError(f"holders: at most {HOLDER_GROUPS_MAX} groups: {len(self.holders)}")
        total = math.fsum(group.share for group in self.holders)
        if total > 1 + 1e-12:
            raise UsageError(f"holders: shares must add up to at most 1, they add up to {total}")

    @property
    def sold_at_once(self) -> float:
        """Share of items that is sold in the step in which it is minted."""
        return math.fsum(g.share for g in self.holders if math.isinf(g.hazard_day))

    @property
    def is_memoryless(self) -> bool:
        """Whether items are sold at once or never, by people who look at nothing."""
        rest = (self.price_sensitivity, self.panic, self.arbitrage, self.quote_hunters, self.whales)
        return (
            all(part is None for part in rest)
            and self.bots is None
            and all(math.isinf(g.hazard_day) or g.hazard_day == 0 for g in self.holders)
        )
