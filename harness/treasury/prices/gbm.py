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
)


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
        self, rng: np.random.Generator, shape: tuple[int, int], step_days: float
    ) -> np.ndarray:
        jumps = rng.poisson(self.jumps_year * step_days / DAYS_YEAR, shape)
        return self.jump_mean * jumps + self.jump_deviation * np.sqrt(jumps) * rng.standard_normal(
            shape
        )

    def follow(self, shocks: np.ndarray, noise: np.ndarray, step_days: float) -> np.ndarray:
        mean_jump = math.expm1(self.jump_mean + self.jump_deviation**2 / 2)
        drift = self.drift_year - self.jumps_year * mean_jump
        smooth = exponentiate(self.sol_usd, drift, self.volatility_year, shocks, step_days)
        smooth[:, 1:] *= np.exp(np.cumsum(noise, axis=1))
        return smooth
