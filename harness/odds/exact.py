"""The exact distribution of a tally: every way in which n draws can fall on k tiers.

For a few hundred draws all of them can be looked at (316,251 for fifty draws on five tiers), so
that no approximation is needed where one would be poor.
"""

from __future__ import annotations

import math
from typing import Literal

import numba
import numpy as np
from numpy.typing import NDArray

#: What orders the outcomes: their improbability, Pearson's or the likelihood-ratio statistic.
Kind = Literal["probability", "pearson", "g"]
_KINDS = {"probability": 0, "pearson": 1, "g": 2}
#: Outcomes that are enumerated at most: about a second.
OUTCOMES_MAX = 20_000_000


def outcomes(n: int, tiers: int) -> int:
    """How many tallies n draws on that many tiers can have."""
    return math.comb(n + tiers - 1, tiers - 1)


def tail_probability(counts: NDArray[np.int64], p: NDArray[np.float64], kind: Kind) -> float:
    """Exact probability of a tally at least as extreme as `counts` under probabilities `p`.

    Extreme means no more probable than `counts` (the exact multinomial test: Read and Cressie 1988,
    Goodness-of-Fit Statistics for Discrete Multivariate Data, 9.1), or a Pearson or G statistic at
    least as large. Outcomes equal up to 1e-7 count as equal. Raises ValueError for too many.
    """
    n = int(counts.sum())
    if outcomes(n, len(p)) > OUTCOMES_MAX:
        raise ValueError(f"{outcomes(n, len(p))} outcomes are too many to enumerate")
    logs = log_terms(n, p)
    statistic = statistics(counts[np.newaxis, :], p, kind)[0]
    return min(1.0, float(_tail(n, len(p), logs, n * p, _KINDS[kind], statistic)))


def statistics(
    counts: NDArray[np.integer], p: NDArray[np.float64], kind: Kind
) -> NDArray[np.float64]:
    """The statistic of many tallies (rows x tiers), large where the hypothesis is doubtful."""
    n = counts.sum(axis=1, keepdims=True)
    if kind == "pearson":
        return ((counts - n * p) ** 2 / (n * p)).sum(axis=1)
    if kind == "g":
        with np.errstate(divide="ignore", invalid="ignore"):
            terms = np.where(counts > 0, counts * np.log(counts / (n * p)), 0.0)
        return 2 * terms.sum(axis=1)
    from scipy.special import gammaln

    return -(gammaln(n[:, 0] + 1) + (counts * np.log(p) - gammaln(counts + 1)).sum(axis=1))


def log_terms(n: int, p: NDArray[np.float64]) -> NDArray[np.float64]:
    """log(p_i^x / x!) for every tier i and x = 0..n, with log n! added to the first tier's."""
    from scipy.special import gammaln

    x = np.arange(n + 1)
    terms = x * np.log(p)[:, np.newaxis] - gammaln(x + 1)
    terms[0] += gammaln(n + 1)
    return terms


@numba.njit(cache=True)
def _tail(
    n: int,
    tiers: int,
    logs: NDArray[np.float64],
    expected: NDArray[np.float64],
    kind: int,
    observed: float,
) -> float:
    """Sum of the probabilities of all tallies whose statistic is at least `observed`.

    Goes through the compositions of n by Nijenhuis and Wilf's NEXCOM (Combinatorial Algorithms,
    1978, chapter 5)."""
    x = np.zeros(tiers, dtype=np.int64)
    x[0] = n
    limit = observed - 1e-7 * max(1.0, abs(observed))
    total = 0.0
    while True:
        log_p, statistic = 0.0, 0.0
        for tier in range(tiers):
            log_p += logs[tier, x[tier]]
        if kind == 0:
            statistic = -log_p
        elif kind == 1:
            for tier in range(tiers):
                away = x[tier] - expected[tier]
                statistic += away * away / expected[tier]
        else:
            for tier in range(tiers):
                if x[tier] > 0:
                    statistic += 2.0 * x[tier] * math.log(x[tier] / expected[tier])
        if statistic >= limit:
            total += math.exp(log_p)
        if x[tiers - 1] == n:
            return total
        first = 0
        while x[first] == 0:
            first += 1
        held = x[first]
        x[first] = 0
        x[0] = held - 1
        x[first + 1] += 1
