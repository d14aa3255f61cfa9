"""The past, cut into pieces and glued together anew: block bootstrap of a supplied history.

Circular blocks (Politis and Romano 1992) keep what neighbouring returns have to do with each other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import special

from harness.errors import UsageError
from harness.treasury.prices.process import PriceProcess, positive, solve_increasing

RETURNS_MIN = 20
#: A block one standard deviation from the mean gets at most e^3 times as likely.
_BLOCK_TILT_MAX = 3.0


@dataclass(frozen=True)
class Bootstrap(PriceProcess):
    """Logarithmic returns of a history, one per `return_days`, drawn in blocks of `block`.

    The shocks that others are passed decide nothing here: only the noise does.
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
        self,
        rng: np.random.Generator,
        shape: tuple[int, int],
        step_days: float,
        tilts: np.ndarray | None = None,
    ) -> np.ndarray:
        """Where each move's block begins in the history; of a block the first column counts.
        Tilted, a block is e^(tilt x its sum of returns) times as likely."""
        paths, moves = shape
        blocks = -(-moves // self.block)
        if tilts is None:
            starts = rng.integers(0, len(self.returns), (paths, blocks))
        else:
            # The start whose stretch of the cumulative chances a uniform number falls into.
            chances = np.cumsum(np.exp(self._log_chances(tilts[:: self.block])), axis=1)
            draws = rng.random((blocks, paths))
            starts = np.array(
                [np.searchsorted(*pair, side="right") for pair in zip(chances, draws, strict=True)]
            ).T.reshape(paths, blocks)
            starts = np.minimum(starts, len(self.returns) - 1)
        return np.repeat(starts, self.block, axis=1)[:, :moves]

    def _sums(self) -> np.ndarray:
        """Sum of the returns of the block that begins at each place of the history."""
        history = np.array(self.returns)
        return np.convolve(np.concatenate([history, history]), np.ones(self.block), "valid")[
            : len(history)
        ]

    def _log_chances(self, tilts: np.ndarray) -> np.ndarray:
        """Logarithms of the chances of every start under each tilt: float64[tilts, starts]."""
        raised = np.multiply.outer(tilts, self._sums())
        return raised - special.logsumexp(raised, axis=1, keepdims=True)

    def drive(self, noise: np.ndarray) -> np.ndarray:
        """The return of each move."""
        history = np.array(self.returns)
        moves = np.arange(noise.shape[1])
        places = (noise[:, moves // self.block * self.block] + moves % self.block) % len(history)
        return history[places]

    def log_ratio(self, noise: np.ndarray, tilts: np.ndarray, step_days: float) -> np.ndarray:
        """Of a block all stands at its first move, where it was drawn."""
        ratio = np.zeros(noise.shape)
        firsts = slice(None, None, self.block)
        chances = self._log_chances(tilts[firsts]) + math.log(len(self.returns))
        ratio[:, firsts] = chances[np.arange(chances.shape[0]), noise[:, firsts]]
        return ratio

    def tilts_for(self, means: np.ndarray, step_days: float) -> np.ndarray:
        sums = self._sums()

        def mean_of(tilts: np.ndarray) -> np.ndarray:
            return np.exp(self._log_chances(tilts)) @ sums

        spread = float(sums.std())
        if spread == 0:
            return np.zeros_like(means)
        return solve_increasing(mean_of, means * self.block, _BLOCK_TILT_MAX / spread)

    def follow(self, shocks: np.ndarray, noise: np.ndarray, step_days: float) -> np.ndarray:
        self.check_step(step_days)
        logs = np.zeros((shocks.shape[0], shocks.shape[1] + 1))
        np.cumsum(self.drive(noise), axis=1, out=logs[:, 1:])
        return self.sol_usd * np.exp(logs)
