"""The past, cut into pieces and glued together anew: block bootstrap of a supplied history.

Circular blocks (Politis and Romano 1992) keep what neighbouring returns have to do with each other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from harness.errors import UsageError
from harness.treasury.prices.process import PriceProcess, positive

RETURNS_MIN = 20


@dataclass(frozen=True)
class Bootstrap(PriceProcess):
    """Logarithmic returns of a history, one per `return_days`, drawn in blocks of `block`.

    The shocks that others are passed decide nothing here: only `rng` does.
    """

    returns: tuple[float, ...]
    sol_usd: float = 200.0
    block: int = 20
    return_days: float = 1.0

    def __post_init__(self) -> None:
        positive("bootstrap", {"sol_usd": self.sol_usd, "return_days": self.return_days})
        if len(self.returns) < RETURNS_MIN:
            raise UsageError(
                f"bootstrap: needs at least {RETURNS_MIN} returns, got {len(self.returns)}"
            )
        if not all(map(math.isfinite, self.returns)):
            raise UsageError("bootstrap: a return is not a finite number; check the history")
        if not 1 <= self.block <= len(self.returns):
            raise UsageError(f"bootstrap.block: must be 1..{len(self.returns)}, is {self.block}")

    def check_step(self, step_days: float) -> None:
        """Raise UsageError unless a step is as long as a return."""
        if step_days != self.return_days:
            raise UsageError(
                f"bootstrap: the history has a return every {self.return_days:g} days, the "
                f"scenario a step every {step_days:g}; make step_seconds match"
            )

    def noise(
        self, rng: np.random.Generator, shape: tuple[int, int], step_days: float
    ) -> np.ndarray:
        """Where each move's block begins in the history; of a block the first column counts."""
        paths, moves = shape
        starts = rng.integers(0, len(self.returns), (paths, -(-moves // self.block)))
        return np.repeat(starts, self.block, axis=1)[:, :moves]

    def follow(self, shocks: np.ndarray, noise: np.ndarray, step_days: float) -> np.ndarray:
        self.check_step(step_days)
        history = np.array(self.returns)
        moves = np.arange(shocks.shape[1])
        places = (noise[:, moves // self.block * self.block] + moves % self.block) % len(history)
        logs = np.zeros((shocks.shape[0], len(moves) + 1))
        np.cumsum(history[places], axis=1, out=logs[:, 1:])
        return self.sol_usd * np.exp(logs)
