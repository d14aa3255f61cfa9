"""Geometric Brownian motion, and Merton's: the same with jumps.

Black and Scholes 1973; Merton 1976, "Option pricing when underlying stock returns are
discontinuous", Journal of Financial Economics 3.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from harness.treasury.prices.process import (
    DAYS_YEAR,
    PriceProcess,
    exponentiate,
    finite,
    positive,
    solve_increasing,
)

#: A jump of the usual size gets at most e^3 times as likely.
_JUMP_TILT_MAX = 3.0


@dataclass(frozen=True)
class Gbm(PriceProcess):
    """dS / S = drift dt + volatility dW, both a year."""

    sol_usd: float = 200.0
    drift_year: float = 0.0
    volatility_year: float = 0.8

    def __post_init__(self) -> None:
        positive("gbm", {"sol_usd": self.sol_usd})
        finite("gbm", {"volatility_year": self.volatility_year, "drift_year": abs(self.drift_year)})

    def follow(self, shocks: np.ndarray, noise: np.ndarray, step_days: float) -> np.ndarray:
        return exponentiate(self.sol_usd, self.drift_year, self.volatility_year, shocks, step_days)


@dataclass(frozen=True)
class Merton(PriceProcess):
    """Geometric Brownian motion with `jumps_year` jumps of normal size in the logarithm.

    The drift is that of the whole price: the jumps' mean is compensated.
    """

    sol_usd: float = 200.0
    drift_year: float = 0.0
    volatility_year: float = 0.6
    jumps_year: float = 10.0
    jump_mean: float = -0.05
    jump_deviation: float = 0.1

    def __post_init__(self) -> None:
        positive("merton", {"sol_usd": self.sol_usd})
        finite("merton", {
            "volatility_year": self.volatility_year, "drift_year": abs(self.drift_year),
            "jump_mean": abs(self.jump_mean), "jump_deviation": self.jump_deviation,
        })  # fmt: skip
        finite("merton", {"jumps_year": self.jumps_year}, 1e5)

    def noise(
        self,
        rng: np.random.Generator,
        shape: tuple[int, int],
        step_days: float,
        tilts: np.ndarray | None = None,
    ) -> np.ndarray:
        """Sum of the jumps of each move. Tilted, jumps come e^K(tilt) times as often, with K the
        cumulant of one jump, and of another mean: Esscher's transform of a compound Poisson."""
        used = np.zeros(shape[1]) if tilts is None else tilts
        rate = self.jumps_year * step_days / DAYS_YEAR
        jumps = rng.poisson(rate * np.exp(self._cumulant(used)), shape)
        mean = self.jump_mean + used * self.jump_deviation**2
        return mean * jumps + self.jump_deviation * np.sqrt(jumps) * rng.standard_normal(shape)

    def _cumulant(self, tilts: np.ndarray) -> np.ndarray:
        return tilts * self.jump_mean + tilts**2 * self.jump_deviation**2 / 2

    def drive(self, noise: np.ndarray) -> np.ndarray:
        return noise

    def log_ratio(self, noise: np.ndarray, tilts: np.ndarray, step_days: float) -> np.ndarray:
        rate = self.jumps_year * step_days / DAYS_YEAR
        return tilts * noise - rate * np.expm1(self._cumulant(tilts))

    def tilts_for(self, means: np.ndarray, step_days: float) -> np.ndarray:
        rate, size = self.jumps_year * step_days / DAYS_YEAR, self.jump_deviation**2
        typical = abs(self.jump_mean) + self.jump_deviation
        if rate == 0 or typical == 0:
            return np.zeros_like(means)

        def mean_of(tilts: np.ndarray) -> np.ndarray:
            return rate * np.exp(self._cumulant(tilts)) * (self.jump_mean + tilts * size)

        return solve_increasing(mean_of, means, _JUMP_TILT_MAX / typical)

    def follow(self, shocks: np.ndarray, noise: np.ndarray, step_days: float) -> np.ndarray:
        mean_jump = math.expm1(self.jump_mean + self.jump_deviation**2 / 2)
        drift = self.drift_year - self.jumps_year * mean_jump
        smooth = exponentiate(self.sol_usd, drift, self.volatility_year, shocks, step_days)
        smooth[:, 1:] *= np.exp(np.cumsum(noise, axis=1))
        return smooth
