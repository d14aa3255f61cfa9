"""How many boxes are bought: a steady trickle, a crowd that draws a crowd, a campaign.

The counts are exact: Poisson given the intensity of the step. Every kind ends when the supply
does. Formulas: docs/treasury-model.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.errors import UsageError

MINTS_DAY_MAX = 1e6


@dataclass(frozen=True)
class Hawkes:
    """Self-excitement: each mint brings `branching` more on average, spread with a mean of
    1 / `decay_day` days (Hawkes 1971, exponential kernel)."""

    branching: float
    decay_day: float

    def __post_init__(self) -> None:
        if not 0 <= self.branching < 1:
            raise UsageError(
                f"hawkes.branching: must be from 0 and below 1, or demand explodes: "
                f"{self.branching}"
            )
        if not 0 < self.decay_day <= 86_400:
            raise UsageError(f"hawkes.decay_day: must be above 0, is {self.decay_day}")


@dataclass(frozen=True)
class Campaign:
    """From `day` on, for `days`, demand is `factor` times as high."""

    day: float
    days: float
    factor: float

    def __post_init__(self) -> None:
        if self.day < 0 or self.days <= 0 or not 0 <= self.factor <= 1000:
            raise UsageError(
                f"campaign: day from 0, days above 0, factor 0..1000; is {self.day}, {self.days}, "
                f"{self.factor}"
            )


@dataclass(frozen=True)
class Demand:
    """`mints_day` boxes a day at the opening SOL price; x (SOL price / opening price) ^
    -`price_elasticity`, because the price of a box is in SOL and people think in dollars."""

    mints_day: float = 25.0
    hawkes: Hawkes | None = None
    campaigns: tuple[Campaign, ...] = ()
    price_elasticity: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.mints_day <= MINTS_DAY_MAX:
            raise UsageError(f"mints_day: must be 0..{MINTS_DAY_MAX:g}, is {self.mints_day}")
        if not 0 <= self.price_elasticity <= 10:
            raise UsageError(f"price_elasticity: must be 0..10, is {self.price_elasticity}")

    def profile(self, steps: int, step_days: float) -> np.ndarray:
        """Planned intensity of each step, mints a day: float64[steps]."""
        starts = np.arange(steps) * step_days
        factors = np.ones(steps)
        for campaign in self.campaigns:
            inside = np.minimum(starts + step_days, campaign.day + campaign.days) - np.maximum(
                starts, campaign.day
            )
            factors += (campaign.factor - 1) * np.clip(inside / step_days, 0, 1)
        return self.mints_day * np.maximum(factors, 0)

    @property
    def is_steady(self) -> bool:
        return self.hawkes is None and not self.campaigns and self.price_elasticity == 0
