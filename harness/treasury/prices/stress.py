"""Paths that somebody has drawn by hand: crashes, bleeding, a flash that comes back.

All are the same for every path; what is left to chance is demand and behaviour.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.errors import UsageError
from harness.treasury.prices.process import PriceProcess, positive

#: name -> what it does
STRESSES = {
    "flat": "the price stays where it is",
    "crash": "falls by `depth` within one step at `day` and stays there",
    "flash_crash": "falls by `depth` at `day`, is back after `days`",
    "slow_bleed": "falls by `depth` evenly (in the logarithm) over `days` from `day`",
    "rally": "rises by `depth` (1 is a doubling) within one step at `day` and stays there",
}


@dataclass(frozen=True)
class Stress(PriceProcess):
    """A drawn path; `depth` is a share of the price (0.9 is a fall of 90 %)."""

    shape: str = "crash"
    sol_usd: float = 200.0
    depth: float = 0.6
    day: float = 30.0
    days: float = 1.0

    def __post_init__(self) -> None:
        positive("stress", {"sol_usd": self.sol_usd, "days": self.days})
        if self.shape not in STRESSES:
            raise UsageError(f"stress.shape: {self.shape!r} is not one of {', '.join(STRESSES)}")
        most = 100 if self.shape == "rally" else 0.999999
        if not 0 <= self.depth <= most:
            raise UsageError(f"stress.depth: must be within 0..{most:g}, is {self.depth}")
        if self.day < 0:
            raise UsageError(f"stress.day: must be from 0, is {self.day}")

    def follow(self, shocks: np.ndarray, noise: np.ndarray, step_days: float) -> np.ndarray:
        days = np.arange(shocks.shape[1] + 1) * step_days
        low = 1 - self.depth
        if self.shape == "crash":
            shape = np.where(days >= self.day, low, 1.0)
        elif self.shape == "flash_crash":
            shape = np.where((days >= self.day) & (days < self.day + self.days), low, 1.0)
        elif self.shape == "slow_bleed":
            shape = low ** np.clip((days - self.day) / self.days, 0, 1)
        elif self.shape == "rally":
            shape = np.where(days >= self.day, 1 + self.depth, 1.0)
        else:
            shape = np.ones_like(days)
        return np.tile(self.sol_usd * shape, (shocks.shape[0], 1))
