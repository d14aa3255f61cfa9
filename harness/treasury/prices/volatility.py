"""Laws whose volatility moves: Heston, regime switching, GARCH.

Heston 1993 (Review of Financial Studies 6) by the full-truncation Euler scheme of Lord, Koekkoek
and van Dijk 2010; Hamilton 1989 (Econometrica 57); Bollerslev 1986 with Student t innovations.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from harness.errors import UsageError
from harness.treasury.prices.process import DAYS_YEAR, PriceProcess, finite, positive


@dataclass(frozen=True)
class Heston(PriceProcess):
    """Variance reverts to `variance_mean_year` at `reversion_year` with its own noise."""

    sol_usd: float = 200.0
    drift_year: float = 0.0
    variance_year: float = 0.64
    variance_mean_year: float = 0.64
    reversion_year: float = 4.0
    variance_volatility: float = 1.0
    correlation: float = -0.3

    def __post_init__(self) -> None:
        positive("heston", {"sol_usd": self.sol_usd, "reversion_year": self.reversion_year})
        finite("heston", {
            "variance_year": self.variance_year, "variance_mean_year": self.variance_mean_year,
            "variance_volatility": self.variance_volatility, "drift_year": abs(self.drift_year),
        })  # fmt: skip
        if not -1 <= self.correlation <= 1:
            raise UsageError(
                f"heston.correlation: impossible; must be within -1..1, is {self.correlation}"
            )

    def noise(
        self,
        rng: np.random.Generator,
        shape: tuple[int, int],
        step_days: float,
        tilts: np.ndarray | None = None,
    ) -> np.ndarray:
        """Standard normals; tilted, their mean is the tilt."""
        return rng.standard_normal(shape) + (0.0 if tilts is None else tilts)

    def drive(self, noise: np.ndarray) -> np.ndarray:
        return noise

    def log_ratio(self, noise: np.ndarray, tilts: np.ndarray, step_days: float) -> np.ndarray:
        return tilts * (noise - tilts / 2)

    def tilts_for(self, means: np.ndarray, step_days: float) -> np.ndarray:
        return np.clip(means, -1.0, 1.0)

    def follow(self, shocks: np.ndarray, noise: np.ndarray, step_days: float) -> np.ndarray:
        years = step_days / DAYS_YEAR
        second = self.correlation * shocks + math.sqrt(1 - self.correlation**2) * noise
        logs = np.zeros((shocks.shape[0], shocks.shape[1] + 1))
        variance = np.full(shocks.shape[0], self.variance_year)
        for step in range(shocks.shape[1]):
            used = np.maximum(variance, 0)
            spread = np.sqrt(used * years)
            logs[:, step + 1] = (
                logs[:, step] + (self.drift_year - used / 2) * years + spread * shocks[:, step]
            )
            variance += self.reversion_year * (self.variance_mean_year - used) * years
            variance += self.variance_volatility * spread * second[:, step]
        return self.sol_usd * np.exp(logs)


@dataclass(frozen=True)
class Regimes(PriceProcess):
    """A hidden chain of regimes, each with drift and volatility a year; `stay_days` is the mean
    stay in each, from which the chain leaves to any of the others alike."""

    sol_usd: float = 200.0
    drifts_year: tuple[float, ...] = (0.3, -1.0)
    volatilities_year: tuple[float, ...] = (0.6, 1.4)
    stay_days: tuple[float, ...] = (90.0, 20.0)
    first: int = 0

    def __post_init__(self) -> None:
        positive("regimes", {"sol_usd": self.sol_usd})
        number = len(self.drifts_year)
        if not 2 <= number <= 8 or {len(self.volatilities_year), len(self.stay_days)} != {number}:
            raise UsageError(
                "regimes: drifts_year, volatilities_year and stay_days must have the same length, "
                f"2..8; they have {number}, {len(self.volatilities_year)}, {len(self.stay_days)}"
            )
        for index in range(number):
            finite("regimes", {
                f"volatilities_year[{index}]": self.volatilities_year[index],
                f"drifts_year[{index}]": abs(self.drifts_year[index]),
            })  # fmt: skip
            positive("regimes", {f"stay_days[{index}]": self.stay_days[index]})
        if not 0 <= self.first < number:
            raise UsageError(f"regimes.first: must be 0..{number - 1}, is {self.first}")

    def noise(
        self,
        rng: np.random.Generator,
        shape: tuple[int, int],
        step_days: float,
        tilts: np.ndarray | None = None,
    ) -> np.ndarray:
        """Uniform numbers that decide who leaves; they are not tilted."""
        return rng.random(shape[::-1]).T

    def follow(self, shocks: np.ndarray, noise: np.ndarray, step_days: float) -> np.ndarray:
        years = step_days / DAYS_YEAR
        volatility = np.array(self.volatilities_year)
        moves = (np.array(self.drifts_year) - volatility**2 / 2) * years
        leave = -np.expm1(-step_days / np.array(self.stay_days))
        number = len(volatility)
        logs = np.zeros((shocks.shape[0], shocks.shape[1] + 1))
        regime = np.full(shocks.shape[0], self.first)
        for step in range(shocks.shape[1]):
            spread = volatility[regime] * math.sqrt(years)
            logs[:, step + 1] = logs[:, step] + moves[regime] + spread * shocks[:, step]
            draw = noise[:, step]
            leaves = draw < leave[regime]
            # What is left of the draw below its threshold is uniform again: it picks the target.
            target = (draw / leave[regime] * (number - 1)).astype(np.int64)
            regime = np.where(
                leaves, (regime + 1 + np.minimum(target, number - 2)) % number, regime
            )
        return self.sol_usd * np.exp(logs)


@dataclass(frozen=True)
class Garch(PriceProcess):
    """GARCH(1,1) of daily logarithmic returns in parts (not percent), Student t innovations.

    variance = omega + alpha x last return^2 + beta x last variance. Steps must be whole days.
    """

    sol_usd: float = 200.0
    mean_day: float = 0.0
    omega: float = 0.00012
    alpha: float = 0.10
    beta: float = 0.85
    freedom: float = 5.0

    def __post_init__(self) -> None:
        positive("garch", {"sol_usd": self.sol_usd, "omega": self.omega})
        finite("garch", {"alpha": self.alpha, "beta": self.beta, "mean_day": abs(self.mean_day)}, 1)
        if self.alpha + self.beta >= 1:
            raise UsageError(
                f"garch: alpha + beta must be below 1, or variance explodes: "
                f"{self.alpha} + {self.beta}"
            )
        if not self.freedom > 2:
            raise UsageError(f"garch.freedom: must be above 2, is {self.freedom}")

    def check_step(self, step_days: float) -> None:
        """Raise UsageError unless a step is a day."""
        if step_days != 1:
            raise UsageError(
                f"garch: is a law of daily returns; step_seconds must be 86400, the step is "
                f"{step_days:g} days"
            )

    def noise(
        self,
        rng: np.random.Generator,
        shape: tuple[int, int],
        step_days: float,
        tilts: np.ndarray | None = None,
    ) -> np.ndarray:
        """Chi-squares, the smaller the wilder the day; tilted, they are scaled."""
        return rng.chisquare(self.freedom, shape) / (1 - 2 * (0.0 if tilts is None else tilts))

    def drive(self, noise: np.ndarray) -> np.ndarray:
        return noise

    def log_ratio(self, noise: np.ndarray, tilts: np.ndarray, step_days: float) -> np.ndarray:
        return tilts * noise + self.freedom / 2 * np.log1p(-2 * tilts)

    def tilts_for(self, means: np.ndarray, step_days: float) -> np.ndarray:
        # The mean is freedom / (1 - 2 tilt); down to a fourth of it, up to its double.
        return (1 - self.freedom / np.clip(means, self.freedom / 4, 2 * self.freedom)) / 2

    def follow(self, shocks: np.ndarray, noise: np.ndarray, step_days: float) -> np.ndarray:
        self.check_step(step_days)
        # A Student t is a normal over the root of a chi-square; scaled to variance 1.
        innovations = (
            shocks / np.sqrt(noise / self.freedom) * math.sqrt((self.freedom - 2) / self.freedom)
        )
        logs = np.zeros((shocks.shape[0], shocks.shape[1] + 1))
        variance = np.full(shocks.shape[0], self.omega / (1 - self.alpha - self.beta))
        for step in range(shocks.shape[1]):
            surprise = np.sqrt(variance) * innovations[:, step]
            logs[:, step + 1] = logs[:, step] + self.mean_day + surprise
            variance = self.omega + self.alpha * surprise**2 + self.beta * variance
        return self.sol_usd * np.exp(logs)
