"""Tails of the distributions that an audit asks for, without loading scipy.stats (50 MB).

How far out is far? Each function is the chance of a value at least as far out as the one seen.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray
from scipy import special

_EQUAL = 1e-7  # probabilities that differ by less are equal, as in R and scipy
_NEGLIGIBLE = 1e-17


def chi_square_tail(value: float, df: float) -> float:
    """P(X >= value) for a chi-square with `df` degrees of freedom."""
    return float(special.chdtrc(df, value))


def gamma_tail(value: float, shape: float, scale: float) -> float:
    """P(X >= value) for a gamma distribution."""
    return float(special.gammaincc(shape, value / scale))


def normal_tail(z: float) -> float:
    """P(X >= z) for a standard normal."""
    return float(special.ndtr(-z))


def normal_quantile_above(tail: float) -> float:
    """z with P(X >= z) = tail."""
    return float(-special.ndtri(tail))


def binomial_two_sided(seen: int, n: int, share: float) -> float:
    """Exact two-sided p-value: the probability of all counts no more probable than `seen`."""

    def log_chance(k: int) -> float:
        chosen = special.gammaln(n + 1) - special.gammaln(k + 1) - special.gammaln(n - k + 1)
        return float(chosen + special.xlogy(k, share) + special.xlog1py(n - k, -share))

    limit, mode = log_chance(seen) + _EQUAL, min(n, math.floor((n + 1) * share))
    if seen == mode:
        return 1.0
    if seen < mode:  # the least count above the mode that is as improbable
        low, high = mode, n + 1
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if log_chance(middle) <= limit else (middle + 1, high)
        far = special.bdtrc(low - 1, n, share) if low <= n else 0.0
        return min(1.0, float(special.bdtr(seen, n, share) + far))
    low, high = -1, mode  # the greatest count below it
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if log_chance(middle) <= limit else (low, middle - 1)
    far = special.bdtr(low, n, share) if low >= 0 else 0.0
    return min(1.0, float(special.bdtrc(seen - 1, n, share) + far))


@numba.njit(cache=True)
def hypergeometric_two_sided(
    seen: NDArray[Any], taken: NDArray[Any], marked: int, total: int
) -> NDArray[np.float64]:
    """Twice the smaller tail, at most 1, for each of `seen` marked ones among `taken` out of
    `total`, of which `marked` are. Terms by their ratios, from the one that was seen outwards."""
    found = np.empty(len(seen))
    for place in range(len(seen)):
        k, n = int(seen[place]), int(taken[place])
        chance = math.exp(
            math.lgamma(marked + 1) - math.lgamma(k + 1) - math.lgamma(marked - k + 1)
            + math.lgamma(total - marked + 1) - math.lgamma(n - k + 1)
            - math.lgamma(total - marked - n + k + 1)
            - math.lgamma(total + 1) + math.lgamma(n + 1) + math.lgamma(total - n + 1)
        )  # fmt: skip
        mode = (n + 1) * (marked + 1) // (total + 2)
        low = high = term = chance
        j = k
        while j > max(0, n - (total - marked)) and (j > mode or term > _NEGLIGIBLE * low):
            term *= j / (marked - j + 1) * (total - marked - n + j) / (n - j + 1)
            low += term
            j -= 1
        term, j = chance, k
        while j < min(n, marked) and (j < mode or term > _NEGLIGIBLE * high):
            term *= (marked - j) / (j + 1) * (n - j) / (total - marked - n + j + 1)
            high += term
            j += 1
        found[place] = min(1.0, 2 * min(low, high))
    return found
