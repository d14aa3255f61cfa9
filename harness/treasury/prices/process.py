"""What every price process can do, and the skin index that walks beside it."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from harness.errors import UsageError

DAYS_YEAR = 365.0


class PriceProcess(ABC):
    """A law for SOL/USD. `sol_usd` is the price of the first step.

    All chance of a path stands in two rows of numbers, a column a move: its shocks and its noise.
    Who draws the columns from some move on anew has a path that goes on from there by the same law,
    whatever the law remembers: that is how splitting clones paths.
    """

    @property
    @abstractmethod
    def sol_usd(self) -> float: ...

    def noise(
        self,
        rng: np.random.Generator,
        shape: tuple[int, int],
        step_days: float,
        tilts: np.ndarray | None = None,
    ) -> np.ndarray:
        """What the law needs beside its shocks: [paths, moves], or [paths, 0] if nothing.

        With `tilts`, float64[moves], noise whose `drive` is made larger or smaller by exponential
        tilting, for importance sampling; `log_ratio` says by how much likelier that made it.
        """
        return np.zeros((shape[0], 0))

    def drive(self, noise: np.ndarray) -> np.ndarray:
        """What tilting makes larger or smaller, a number a move: [paths, moves], or [paths, 0] if
        the law's noise cannot be tilted."""
        return np.zeros((len(noise), 0))

    def log_ratio(self, noise: np.ndarray, tilts: np.ndarray, step_days: float) -> np.ndarray:
        """Logarithm of tilted over untilted density of each move's noise, like `drive`."""
        return np.zeros((len(noise), 0))

    def tilts_for(self, means: np.ndarray, step_days: float) -> np.ndarray:
        """The tilts, within bounds, under which moves have these mean drives."""
        return np.zeros_like(means)

    @abstractmethod
    def follow(self, shocks: np.ndarray, noise: np.ndarray, step_days: float) -> np.ndarray:
        """Prices in USD a SOL: float64[paths, steps], column 0 is `sol_usd`.

        `shocks` are independent standard normals, float64[paths, steps - 1]; they are passed in so
        that they can be mirrored or shared with the skin index.
        """
        ...

    def paths(self, rng: np.random.Generator, shocks: np.ndarray, step_days: float) -> np.ndarray:
        """`follow` with a noise of its own."""
        return self.follow(shocks, self.noise(rng, shocks.shape, step_days), step_days)


@dataclass(frozen=True)
class SkinIndex:
    """Market prices of skins as a multiple of the price table: a geometric Brownian motion whose
    shocks have `correlation` with those of SOL. Where `table_follows` is false, the backend keeps
    its table and only people see the market move."""

    volatility_year: float = 0.0
    drift_year: float = 0.0
    correlation: float = 0.0
    table_follows: bool = False

    def __post_init__(self) -> None:
        if not -1 <= self.correlation <= 1:
            raise UsageError(
                f"skin_index.correlation: impossible; must be within -1..1, is {self.correlation}"
            )
        finite("skin_index", {"volatility_year": self.volatility_year})
        if not -10 <= self.drift_year <= 10:
            raise UsageError(f"skin_index.drift_year: must be within -10..10, is {self.drift_year}")

    @property
    def is_flat(self) -> bool:
        return self.volatility_year == 0 and self.drift_year == 0

    def follow(self, shocks: np.ndarray, own: np.ndarray, step_days: float) -> np.ndarray:
        """Multiples of the price table, float64[paths, steps], column 0 is 1; `shocks` are those
        of SOL, `own` as many normals more."""
        mixed = self.correlation * shocks + math.sqrt(1 - self.correlation**2) * own
        return exponentiate(1.0, self.drift_year, self.volatility_year, mixed, step_days)


def exponentiate(
    start: float, drift_year: float, volatility_year: float, shocks: np.ndarray, step_days: float
) -> np.ndarray:
    """Geometric Brownian motion driven by given normals: float64[paths, steps]."""
    years = step_days / DAYS_YEAR
    moves = (drift_year - volatility_year**2 / 2) * years
    logs = np.empty((shocks.shape[0], shocks.shape[1] + 1))
    logs[:, 0] = 0
    np.cumsum(volatility_year * math.sqrt(years) * shocks + moves, axis=1, out=logs[:, 1:])
    return start * np.exp(logs)


def solve_increasing(
    function: Callable[[np.ndarray], np.ndarray], wanted: np.ndarray, bound: float
) -> np.ndarray:
    """x within -bound..bound with function(x) = wanted, an entry each, by halving 60 times; the
    bound where there is none."""
    low, high = np.full_like(wanted, -bound), np.full_like(wanted, bound)
    for _ in range(60):
        middle = (low + high) / 2
        below = function(middle) < wanted
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return (low + high) / 2


def positive(where: str, values: Mapping[str, float], most: float = 1e9) -> None:
    """Raise UsageError for a value that is not above 0, or not finite."""
    for name, value in values.items():
        if not 0 < value <= most:
            raise UsageError(f"{where}.{name}: must be above 0 and at most {most:g}, is {value}")


def finite(where: str, values: Mapping[str, float], most: float = 100.0) -> None:
    """Raise UsageError for a value that is not from 0, or not finite."""
    for name, value in values.items():
        if not 0 <= value <= most:
            raise UsageError(f"{where}.{name}: must be within 0..{most:g}, is {value}")
