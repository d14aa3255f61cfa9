"""What every price process can do, and the skin index that walks beside it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from harness.errors import UsageError

DAYS_YEAR = 365.0


class PriceProcess(Protocol):
    """A law for SOL/USD. `sol_usd` is the price of the first step."""

    @property
    def sol_usd(self) -> float: ...

    def paths(self, rng: np.random.Generator, shocks: np.ndarray, step_days: float) -> np.ndarray:
        """Prices in USD a SOL: float64[paths, steps], column 0 is `sol_usd`.

        `shocks` are independent standard normals, float64[paths, steps - 1], which drive the
        price's own moves (they are passed in so that they can be mirrored, tilted or shared with
        the skin index); everything else the law needs comes from `rng`.
        """
        ...


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

    def paths(self, rng: np.random.Generator, shocks: np.ndarray, step_days: float) -> np.ndarray:
        """Multiples of the price table, float64[paths, steps], column 0 is 1."""
        own = rng.standard_normal(shocks.shape)
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
