"""An estimate and how sure it is: confidence intervals for shares, means and quantiles."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class Estimate:
    """A value with its confidence interval at `level`."""

    value: float
    low: float
    high: float
    level: float = 0.95

    @property
    def relative_error(self) -> float:
        """Standard error over value, from the interval's width."""
        deviate = float(stats.norm.ppf(0.5 + self.level / 2))
        return (self.high - self.low) / 2 / deviate / self.value if self.value else math.inf


def share(hits: int, number: int, level: float = 0.95) -> Estimate:
    """Wilson's interval (1927) for a probability."""
    if number <= 0:
        return Estimate(math.nan, 0.0, 1.0, level)
    z = float(stats.norm.ppf(0.5 + level / 2))
    p = hits / number
    middle = (p + z * z / (2 * number)) / (1 + z * z / number)
    half = z * math.sqrt(p * (1 - p) / number + z * z / (4 * number**2)) / (1 + z * z / number)
    low = 0.0 if hits == 0 else middle - half
    high = 1.0 if hits == number else middle + half
    return Estimate(p, max(0.0, low), min(1.0, high), level)


def mean(values: np.ndarray, level: float = 0.95) -> Estimate:
    """Student's interval for the mean of independent values."""
    number = len(values)
    centre = float(np.mean(values))
    if number < 2:
        return Estimate(centre, -math.inf, math.inf, level)
    error = float(np.std(values, ddof=1)) / math.sqrt(number)
    half = float(stats.t.ppf(0.5 + level / 2, number - 1)) * error
    return Estimate(centre, centre - half, centre + half, level)


def quantile_ranks(share_below: float, number: int, level: float = 0.95) -> tuple[int, int]:
    """Ranks, from 1, of the order statistics that enclose a quantile (binomial, distribution-free).

    A rank outside 1..number says that the sample is too small for a bound on that side.
    """
    tail = (1 - level) / 2
    low = int(stats.binom.ppf(tail, number, share_below))
    high = int(stats.binom.ppf(1 - tail, number, share_below)) + 1
    return low, high
