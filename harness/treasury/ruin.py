"""Estimates of a rare ruin's probability: pieces of work until the answer is sure enough.

Every method gives independent, unbiased pieces. They are added up in rounds until the standard
error is small enough, and at the latest when a number of paths is reached that is fixed before.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from harness.errors import UsageError
from harness.treasury import intervals
from harness.treasury.intervals import Estimate
from harness.treasury.workers import Crew

PATHS_MAX = 4_000_000

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class RareRuin:
    """The probability of ruin, how it was found and by how many paths.

    `reached`: the relative standard error is at most what was asked; otherwise the limit on paths
    or Ctrl-C ended the search, and the interval is as wide as it is. `plain_paths`: what plain
    simulation would need for the same standard error (infinite if no ruin was seen).
    """

    method: str
    ruin: Estimate
    relative_error: float
    reached: bool
    played: int
    plain_paths: float
    interrupted: bool = False


@dataclass(frozen=True)
class Wish:
    """How sure an answer must be: standard error over value, the most paths that may be played for
    it, and the level of the interval that is given."""

    relative_error: float = 0.1
    paths_max: int = PATHS_MAX
    level: float = 0.95

    def __post_init__(self) -> None:
        if not 0.001 <= self.relative_error <= 1:
            raise UsageError(f"relative_error: must be within 0.001..1, is {self.relative_error}")
        if not 1 <= self.paths_max <= 10**9:
            raise UsageError(f"paths_max: must be 1..10^9, is {self.paths_max}")
        if not 0 < self.level < 1:
            raise UsageError(f"level: must be above 0 and below 1, is {self.level}")


@dataclass(frozen=True)
class Samples:
    """Independent samples of mean p: their number, sum and sum of squares; paths played for them,
    and how many of these were drawn as in the model, without any change of chance."""

    number: int
    total: float
    squares: float
    played: int
    unchanged: int

    def __add__(self, other: Samples) -> Samples:
        return Samples(
            self.number + other.number, self.total + other.total, self.squares + other.squares,
            self.played + other.played, self.unchanged + other.unchanged,
        )  # fmt: skip

    @property
    def mean(self) -> float:
        return self.total / self.number

    @property
    def error(self) -> float:
        """Standard error of the mean; infinite where it cannot be known."""
        if self.number < 2 or self.total <= 0:
            return math.inf
        variance = max(0.0, self.squares / self.number - self.mean**2)
        return math.sqrt(variance / (self.number - 1))


def until_sure(
    method: str,
    work: Callable[..., Samples],
    piece: Callable[[int], tuple[Any, ...]],
    wish: Wish,
    *,
    crew: Crew,
    round_pieces: int,
    progress: Progress = lambda done, wanted: None,
) -> RareRuin:
    """Add up work(*piece(0)), work(*piece(1)), ... in rounds of `round_pieces` until the wish is
    fulfilled or its limit on paths reached.

    Rounds do not depend on the number of workers, so neither does the answer. `progress(done,
    wanted)` counts paths; what is wanted is estimated from the error so far. Ctrl-C keeps what is
    done; if that is less than two samples, KeyboardInterrupt goes on.
    """
    found = Samples(0, 0.0, 0.0, 0, 0)
    interrupted, first = False, 0
    try:
        while True:
            pieces = [piece(number) for number in range(first, first + round_pieces)]
            for one in crew.in_order(work, pieces):
                found = found + one
                progress(found.played, _wanted(found, wish))
            first += round_pieces
            if found.error <= wish.relative_error * found.mean or found.played >= wish.paths_max:
                break
    except KeyboardInterrupt:
        if found.number < 2:
            raise
        interrupted = True
    return _answer(method, found, wish, interrupted)


def _wanted(found: Samples, wish: Wish) -> int:
    if not math.isfinite(found.error):
        return wish.paths_max
    more = (found.error / (wish.relative_error * found.mean)) ** 2
    return max(found.played, min(wish.paths_max, math.ceil(found.played * more)))


def _answer(method: str, found: Samples, wish: Wish, interrupted: bool) -> RareRuin:
    mean, error = found.mean, found.error
    if found.total <= 0:
        # Nothing was seen: what is known is what the paths without a change of chance say.
        none = intervals.share(0, max(1, found.unchanged), wish.level)
        return RareRuin(method, none, math.inf, False, found.played, math.inf, interrupted)
    half = float(stats.t.ppf(0.5 + wish.level / 2, found.number - 1)) * error
    estimate = Estimate(mean, max(0.0, mean - half), min(1.0, mean + half), wish.level)
    relative = error / mean
    plain = mean * (1 - mean) / error**2 if error > 0 else math.inf
    return RareRuin(
        method, estimate, relative, relative <= wish.relative_error, found.played, plain,
        interrupted,
    )  # fmt: skip


def sum_up(weights: np.ndarray, unchanged: int) -> Samples:
    """A block of weighted paths, float64[paths]; 0 for a path that was not ruined."""
    return Samples(
        len(weights), float(weights.sum()), float((weights**2).sum()), len(weights), unchanged
    )
