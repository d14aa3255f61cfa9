"""Does one draw know of another? Tests of the order in which tiers came.

A fair reveal forgets. Each test looks for one kind of memory: a tier that likes to follow another,
rows that are too long or too short, a Legendary that is overdue, a full set that takes too long.
The tests are Knuth's (The Art of Computer Programming, vol. 2, 3.3.2) on the final outcome. Those
that need no promise hold for the tally as it is (under shuffles of it); gap and coupon collector
compare with the promised odds.
"""

from __future__ import annotations

from itertools import combinations, permutations
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from harness.odds.column import tally
from harness.odds.draws import BoxDraws
from harness.odds.exact import tail_probability
from harness.odds.result import TestResult, monte_carlo
from harness.odds.tails import chi_square_tail, normal_tail

#: Up to so many draws the distribution is drawn (shuffles, or sequences at the promised odds);
#: beyond, the limit is good: docs/validity.md.
SHUFFLED_MAX = 2_000
_SHUFFLES = 1_999
ENUMERATED_THREES_MAX = 24  # beyond, four or more are expected of each order
#: Threes of different tiers that the permutation test needs.
THREES_MIN = 10
_LAGS = 10
_BINS_MAX = 20
_EXPECTED_MIN = 5.0
_SUBSETS_TIERS_MAX = 12
FAMILY = "order"


def order_tests(
    box: BoxDraws, rng: np.random.Generator, *, shuffles: int = _SHUFFLES
) -> list[TestResult]:
    """The whole battery on one box's draws, oldest first."""
    p = np.array(box.table.probabilities)
    return order_tests_of(box.tier, p, rng, shuffles=shuffles)


def order_tests_of(
    tiers: NDArray[np.int8], p: NDArray[np.float64], rng: np.random.Generator,
    *, shuffles: int = _SHUFFLES,
) -> list[TestResult]:  # fmt: skip
    """As `order_tests`, of a sequence of tier numbers (n) with promised probabilities (k)."""
    return [
        *_by_shuffles(tiers, len(p), rng, shuffles),
        _gap(tiers, p, rng, shuffles),
        _coupon_collector(tiers, p, rng, shuffles),
        permutation_test(tiers),
    ]


def _by_shuffles(
    tiers: NDArray[np.int8], k: int, rng: np.random.Generator, shuffles: int
) -> list[TestResult]:
    """Serial, autocorrelation and runs, given the tally."""
    n = len(tiers)
    counts = tally(tiers, k).astype(np.float64)
    names = ("serial: which tier follows which", "autocorrelation, lags 1-10", "runs")
    if n < 20 or np.count_nonzero(counts) < 2:
        why = "needs 20 draws of two tiers"
        return [TestResult(FAMILY, name, n, None, None, "none", detail=why) for name in names]
    seen = np.array(_memory(tiers, k, _LAGS))
    if n <= SHUFFLED_MAX:
        seed = int(rng.integers(2**31))
        drawn = _shuffled(tiers.copy(), k, _LAGS, shuffles, seed)
        for values in (seen[np.newaxis, :], drawn):
            values[:, 2] = runs_away(values[:, 2], counts)
        return [
            monte_carlo(FAMILY, name, n, float(seen[place]), drawn[:, place], "shuffles")
            for place, name in enumerate(names)
        ]
    present = int(np.count_nonzero(counts))
    serial_df = (present - 1) ** 2
    mean, variance = _runs_moments(counts)
    z = (seen[2] - mean) / np.sqrt(variance)
    serial_p = chi_square_tail(float(seen[0]), serial_df)
    lags_p = chi_square_tail(float(seen[1]), _LAGS)
    return [
        TestResult(FAMILY, names[0], n, float(seen[0]), serial_p, "chi-square limit",
                   serial_df),
        TestResult(FAMILY, names[1], n, float(seen[1]), lags_p, "chi-square limit", _LAGS),
        TestResult(FAMILY, names[2], n, float(z), 2 * normal_tail(abs(z)),
                   "normal limit", detail=f"{seen[2]:.0f} runs, {mean:.1f} expected"),
    ]  # fmt: skip


def runs_away(runs: NDArray[Any], counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """The test's statistic: how far numbers of runs are from their mean, given the tally."""
    return np.abs(runs - _runs_moments(counts)[0])


def _runs_moments(counts: NDArray[np.float64]) -> tuple[float, float]:
    """Mean and variance of the number of runs, given the tally. Mood 1940, Annals of Mathematical
    Statistics 11, 367-392; Barton and David 1957, Biometrika 44, 168-178."""
    n = float(counts.sum())
    squares, cubes = float((counts**2).sum()), float((counts**3).sum())
    mean = (n * (n + 1) - squares) / n
    variance = (squares * (squares + n * (n + 1)) - 2 * n * cubes - n**3) / (n**2 * (n - 1))
    return mean, max(variance, 1e-12)


@numba.njit(cache=True)
def _memory(tiers: NDArray[np.int8], k: int, lags: int) -> tuple[float, float, float]:
    """Pearson's statistic of the table of successive pairs, Ljung and Box's Q of the tiers'
    numbers (1978, Biometrika 65, 297-303), and the number of runs. One pass."""
    n = len(tiers)
    pairs = np.zeros((k, k))
    sums = np.zeros(lags)
    tally = np.zeros(k)
    runs = 1
    total, squares = 0.0, 0.0
    for place in range(n):
        tier = tiers[place]
        tally[tier] += 1
        total += tier
        squares += tier * tier
        if place > 0:
            before = tiers[place - 1]
            pairs[before, tier] += 1
            if before != tier:
                runs += 1
    mean = total / n
    variance = squares / n - mean * mean
    for place in range(n):
        here = tiers[place] - mean
        for lag in range(1, min(lags, place) + 1):
            sums[lag - 1] += here * (tiers[place - lag] - mean)
    box = 0.0
    for lag in range(1, lags + 1):
        r = sums[lag - 1] / (n * variance)
        box += r * r / (n - lag)
    chi = 0.0
    for first in range(k):
        for second in range(k):
            expected = (n - 1) * tally[first] / n * tally[second] / n
            if expected > 0:
                chi += (pairs[first, second] - expected) ** 2 / expected
    return chi, n * (n + 2) * box, float(runs)


@numba.njit(cache=True)
def _shuffled(
    tiers: NDArray[np.int8], k: int, lags: int, shuffles: int, seed: int
) -> NDArray[np.float64]:
    np.random.seed(seed)
    found = np.empty((shuffles, 3))
    for number in range(shuffles):
        np.random.shuffle(tiers)
        chi, box, runs = _memory(tiers, k, lags)
        found[number, 0] = chi
        found[number, 1] = box
        found[number, 2] = runs
    return found


def _gap(
    tiers: NDArray[np.int8], p: NDArray[np.float64], rng: np.random.Generator, shuffles: int
) -> TestResult:
    """Waits between two of the rarest tier are geometric."""
    rarest, name = int(np.argmin(p)), "gap: waits for the rarest tier"
    share = float(p[rarest])
    n = len(tiers)
    expected = n * share
    bins = int(min(_BINS_MAX, expected // _EXPECTED_MIN))
    if bins < 3:
        why = f"needs {3 * _EXPECTED_MIN / share:.0f} draws"
        return TestResult(FAMILY, name, n, None, None, "none", detail=why)
    edges = _geometric_edges(share, bins)
    chances = np.diff(np.concatenate([[0.0], 1 - (1 - share) ** edges[:-1], [1.0]]))
    return _binned(name, tiers, p, edges, chances, rng, shuffles, _gap_bins, rarest)


def _geometric_edges(share: float, bins: int) -> NDArray[np.int64]:
    """Upper edges of waits' bins that are about equally likely; the last has no end."""
    levels = np.arange(1, bins) / bins
    edges = np.unique(np.ceil(np.log1p(-levels) / np.log1p(-share)).astype(np.int64))
    return np.append(edges, np.iinfo(np.int64).max)


@numba.njit(cache=True)
def _gap_bins(tiers: NDArray[np.int8], edges: NDArray[np.int64], rarest: int) -> NDArray[np.int64]:
    counts = np.zeros(len(edges), dtype=np.int64)
    wait = 0
    for place in range(len(tiers)):
        wait += 1
        if tiers[place] == rarest:
            index = 0
            while wait > edges[index]:
                index += 1
            counts[index] += 1
            wait = 0
    return counts


def _coupon_collector(
    tiers: NDArray[np.int8], p: NDArray[np.float64], rng: np.random.Generator, shuffles: int
) -> TestResult:
    """How many draws it takes to have seen every tier, again and again."""
    name, n, k = "coupon collector: draws to a full set", len(tiers), len(p)
    if k > _SUBSETS_TIERS_MAX:
        why = f"more than {_SUBSETS_TIERS_MAX} tiers"
        return TestResult(FAMILY, name, n, None, None, "none", detail=why)
    longest = int(min(n, 40 / p.min())) + k
    reached = _full_set_by(p, longest)
    mean = float(np.sum(1 - reached)) + 1
    bins = int(min(10, n / mean // _EXPECTED_MIN))
    if bins < 3:
        why = f"needs {3 * _EXPECTED_MIN * mean:.0f} draws"
        return TestResult(FAMILY, name, n, None, None, "none", detail=why)
    levels = np.arange(1, bins) / bins
    inner = np.unique(np.searchsorted(reached, levels) + 1)
    chances = np.diff(np.concatenate([[0.0], reached[inner - 1], [1.0]]))
    edges = np.append(inner, np.iinfo(np.int64).max).astype(np.int64)
    return _binned(name, tiers, p, edges, chances, rng, shuffles, _set_bins, k)


def _full_set_by(p: NDArray[np.float64], longest: int) -> NDArray[np.float64]:
    """Chance of having seen all tiers after 1..longest draws, by inclusion and exclusion (von
    Schelling 1954, American Mathematical Monthly 61, 306-311)."""
    draws = np.arange(1, longest + 1)
    reached = np.ones(longest)
    for size in range(1, len(p) + 1):
        for missing in combinations(p, size):
            reached += (-1) ** size * np.maximum(1 - sum(missing), 0.0) ** draws
    return np.clip(reached, 0.0, 1.0)


@numba.njit(cache=True)
def _set_bins(tiers: NDArray[np.int8], edges: NDArray[np.int64], k: int) -> NDArray[np.int64]:
    counts = np.zeros(len(edges), dtype=np.int64)
    seen = np.zeros(k, dtype=np.bool_)
    have, length = 0, 0
    for place in range(len(tiers)):
        length += 1
        if not seen[tiers[place]]:
            seen[tiers[place]] = True
            have += 1
            if have == k:
                index = 0
                while length > edges[index]:
                    index += 1
                counts[index] += 1
                seen[:] = False
                have, length = 0, 0
    return counts


def _binned(
    name: str,
    tiers: NDArray[np.int8],
    p: NDArray[np.float64],
    edges: NDArray[np.int64],
    chances: NDArray[np.float64],
    rng: np.random.Generator,
    shuffles: int,
    count: Any,
    argument: int,
) -> TestResult:
    """Pearson's statistic of binned waits, against drawn sequences where draws are few: an end
    that cuts the last wait off matters there."""
    n = len(tiers)

    def statistic(sequence: NDArray[np.int8]) -> float:
        counts = count(sequence, edges, argument)
        expected = counts.sum() * chances
        if expected.sum() == 0:
            return float("inf")  # no wait came to an end
        return float(((counts - expected) ** 2 / expected).sum())

    observed = statistic(tiers)
    if n <= SHUFFLED_MAX:
        sequences = rng.choice(len(p), size=(min(shuffles, 999), n), p=p).astype(np.int8)
        drawn = np.array([statistic(one) for one in sequences])
        return monte_carlo(FAMILY, name, n, observed, drawn, "sequences drawn")
    df = len(chances) - 1
    return TestResult(FAMILY, name, n, observed, chi_square_tail(observed, df),
                      "chi-square limit", df)  # fmt: skip


def permutation_test(tiers: NDArray[np.int8]) -> TestResult:
    """Three draws in a row of different tiers come in six orders, all as likely."""
    name, n = "permutation: orders of three tiers", len(tiers)
    triples = tiers[: n // 3 * 3].reshape(-1, 3)
    a, b, c = triples[:, 0], triples[:, 1], triples[:, 2]
    different = (a != b) & (b != c) & (a != c)
    code = ((a < b) * np.int8(4) + (b < c) * np.int8(2) + (a < c))[different]
    codes = sorted({(x < y) * 4 + (y < z) * 2 + (x < z) for x, y, z in permutations(range(3))})
    counts = tally(code, 8)[codes]
    m = int(counts.sum())
    if m < THREES_MIN:
        why = f"fewer than {THREES_MIN} threes of different tiers"
        return TestResult(FAMILY, name, n, None, None, "none", detail=why)
    p = np.full(6, 1 / 6)
    observed = float(((counts - m / 6) ** 2 / (m / 6)).sum())
    if m <= ENUMERATED_THREES_MAX:
        p_value = tail_probability(counts, p, "pearson")
        return TestResult(FAMILY, name, n, observed, p_value, "exact", detail=f"{m} threes")
    return TestResult(FAMILY, name, n, observed, chi_square_tail(observed, 5),
                      "chi-square limit", 5, detail=f"{m} threes")  # fmt: skip
