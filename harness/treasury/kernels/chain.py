"""Forward and backward over a hidden chain of two regimes: the sums of Baum and Welch 1970."""

from __future__ import annotations

import numpy as np

from harness.treasury.kernels.compiling import compiled


@compiled
def forward(
    density: np.ndarray, moves: np.ndarray, start: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Probability of each regime given the past, and each step's likelihood.

    `density` float64[n, 2] of what was seen under each regime, `moves` float64[2, 2], `start`
    float64[2].
    """
    filtered, scales = np.empty_like(density), np.empty(len(density))
    before0, before1 = start[0], start[1]
    for place in range(len(density)):
        joint0, joint1 = before0 * density[place, 0], before1 * density[place, 1]
        total = joint0 + joint1
        scales[place] = total
        filtered[place, 0], filtered[place, 1] = joint0 / total, joint1 / total
        before0 = filtered[place, 0] * moves[0, 0] + filtered[place, 1] * moves[1, 0]
        before1 = filtered[place, 0] * moves[0, 1] + filtered[place, 1] * moves[1, 1]
    return filtered, scales


@compiled
def backward(
    density: np.ndarray, moves: np.ndarray, filtered: np.ndarray, scales: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Probability of each regime given everything, and the expected number of moves."""
    pairs, smoothed = np.zeros((2, 2)), np.empty_like(density)
    after0, after1 = 1.0, 1.0
    smoothed[-1] = filtered[-1]
    for place in range(len(density) - 2, -1, -1):
        ahead0 = density[place + 1, 0] * after0 / scales[place + 1]
        ahead1 = density[place + 1, 1] * after1 / scales[place + 1]
        for one in range(2):
            pairs[one, 0] += filtered[place, one] * moves[one, 0] * ahead0
            pairs[one, 1] += filtered[place, one] * moves[one, 1] * ahead1
        after0 = moves[0, 0] * ahead0 + moves[0, 1] * ahead1
        after1 = moves[1, 0] * ahead0 + moves[1, 1] * ahead1
        smoothed[place, 0] = filtered[place, 0] * after0
        smoothed[place, 1] = filtered[place, 1] * after1
    return smoothed, pairs
