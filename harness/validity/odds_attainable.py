"""Attainable size: how often a test of few values rejects when all is honest, computed.

A stair has no step at every height. A statistic that takes few values cannot reject with a chance
of exactly 5 %; the exact chance it can reach follows from its distribution, and a simulation is
held against that figure from both sides, which "at most 5 %" would not do.
"""

from __future__ import annotations

import math
from functools import cache
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from harness.odds.exact import statistics, tail_probability
from harness.odds.order import THREES_MIN, runs_away
from harness.report.charts import clopper_pearson

_TALLIES_DRAWN = 300
_ENUMERATED_DRAWS_MAX = 60
_NEGLIGIBLE = 1e-7  # tallies left out weigh less together


def intervals_size(n: int, p: NDArray[np.float64], level: float) -> float:
    """Chance that a simultaneous Clopper-Pearson interval of n draws misses its tier's odds.

    Counts are independent Poisson ones given that they add up to n, so that the chance of all
    being covered is one convolution."""
    covered = np.ones(1)
    for share in p:
        x = np.arange(n + 1)
        ends = [clopper_pearson(int(one), n, 1 - level / len(p)) for one in x]
        holds = np.array([low <= share <= high for low, high in ends])
        law = np.where(holds, stats.poisson.pmf(x, n * share), 0.0)
        covered = np.convolve(covered, law)[: n + 1]
    return 1 - float(covered[n] / stats.poisson.pmf(n, n))


def runs_size(n: int, p: NDArray[np.float64], level: float, shuffles: int) -> float:
    """Chance that the test of runs against so many shuffles rejects at `level`: exact over every
    tally while they can be listed, beyond over 300 drawn ones."""
    if n <= _ENUMERATED_DRAWS_MAX:
        tallies, chance = all_tallies(n, tuple(p))
    else:
        tallies = np.random.default_rng(n).multinomial(n, p, size=_TALLIES_DRAWN)
        chance = np.full(len(tallies), 1 / len(tallies))
    # the number of runs does not ask which tier is which
    ordered, place = np.unique(np.sort(tallies, axis=1), axis=0, return_inverse=True)
    weights = np.bincount(place.ravel(), weights=chance)
    likely = weights > _NEGLIGIBLE / len(weights)
    most = math.floor(level * (1 + shuffles) + 1e-9) - 1  # shuffles as far away, and still rejected
    total = 0.0
    for tally, weight in zip(ordered[likely], weights[likely], strict=True):
        if np.count_nonzero(tally) < 2:
            continue
        law = runs_law(tuple(int(one) for one in tally if one))
        away = np.round(runs_away(np.arange(len(law)), tally.astype(np.float64)), 9)
        for distance in np.unique(away[law > 0]):
            as_far = min(1.0, float(law[away >= distance].sum()))
            total += weight * law[away == distance].sum() * stats.binom.cdf(most, shuffles, as_far)
    return float(total)


def runs_law(tally: tuple[int, ...]) -> NDArray[np.float64]:
    """Probability of 0, 1, .. n runs when a tally (all above 0) is put in a random order.

    Words cut into B pieces of one letter are easy to count; a word of R runs can be cut so in
    C(n-R, B-R) ways, and inverting that gives the words of R runs. In whole numbers, exact.
    """
    n, pieces = sum(tally), [1]
    for count in tally:
        grown = [0] * (len(pieces) + count)
        for before, ways in enumerate(pieces):
            for own in range(1, count + 1) if ways else ():
                total = before + own
                grown[total] += ways * math.comb(count - 1, own - 1) * math.comb(total, own)
        pieces = grown
    words = [
        sum((-1) ** (runs - cut) * math.comb(n - cut, runs - cut) * pieces[cut]
            for cut in range(runs + 1))
        for runs in range(n + 1)
    ]  # fmt: skip
    every = sum(words)
    return np.array([one / every for one in words])


def threes_size(n: int, p: NDArray[np.float64], level: float) -> float:
    """Chance that the permutation test of n draws rejects, given enough threes to be made."""
    different = 6 * sum(math.prod(three) for three in combinations(p, 3))
    threes = np.arange(THREES_MIN, n // 3 + 1)
    weights = stats.binom.pmf(threes, n // 3, different)
    sizes = [_orders_size(int(m), level) for m in threes]
    return float(weights @ sizes / weights.sum())


def _orders_size(m: int, level: float) -> float:
    """The exact test of m threes over six orders."""
    p = np.full(6, 1 / 6)
    tallies, chance = all_tallies(m, tuple(p))
    values = np.round(statistics(tallies, p, "pearson"), 7)
    found = 0.0
    for value in np.unique(values):
        like = values == value
        if tail_probability(tallies[like.argmax()], p, "pearson") <= level:
            found += float(chance[like].sum())
    return found


@cache
def all_tallies(n: int, shares: tuple[float, ...]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Every way in which n draws fall on the tiers, and its probability."""
    p, k = np.array(shares), len(shares)
    bars = np.array(list(combinations(range(n + k - 1), k - 1)))
    edges = np.pad(bars, ((0, 0), (1, 1)), constant_values=(-1, n + k - 1))
    tallies = np.diff(edges, axis=1) - 1
    return tallies, np.exp(-statistics(tallies, p, "probability"))
