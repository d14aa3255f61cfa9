"""Does the house treat some differently? Tiers against wallet, hour, place in line, price, box.

Like asking whether the croupier's luck depends on who sits down: under the promise a draw knows
neither its buyer nor the time, so that any grouping of the draws is a random one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from harness.odds.column import relabelled, tally
from harness.odds.draws import BoxDraws
from harness.odds.result import TestResult, false_discovery, monte_carlo
from harness.odds.tails import gamma_tail, hypergeometric_two_sided

_SHUFFLED_MAX = 2_000
_SHUFFLES = 1_999
_BLOCKS = 10
_LEVELS_MAX = 20
_US_AN_HOUR = 3_600_000_000
_WALLETS_SHOWN = 20
FAMILY = "dependence"


def dependence_tests(
    box: BoxDraws, rng: np.random.Generator, *, shuffles: int = _SHUFFLES
) -> list[TestResult]:
    """One test for each thing that is known of the draws. Those that are not known are named."""
    tests = []
    for name, groups in _groupings(box):
        if groups is None:
            why = "the source does not say"
            tests.append(TestResult(FAMILY, name, len(box), None, None, "none", detail=why))
            continue
        tests.append(contingency(name, groups, box.tier, len(box.table.tiers), rng, shuffles))
    return tests


def box_tests(boxes: Sequence[BoxDraws], rng: np.random.Generator) -> list[TestResult]:
    """Boxes that promise the same odds, held against each other: one test a promise.

    Sees two boxes that lie on either side of their promise, each too close to it to be found out
    alone. A box that promises odds of its own, or draws from a stock, is held against its own
    table only.
    """
    promises: dict[tuple[object, ...], list[BoxDraws]] = {}
    for box in boxes:
        if not box.table.from_stock:
            promises.setdefault((box.table.tiers, box.table.shares), []).append(box)
    tests = []
    for alike in promises.values():
        if len(alike) > 1:
            k = len(alike[0].table.tiers)
            groups = np.repeat(np.arange(len(alike), dtype=np.int16), [len(one) for one in alike])
            tiers = np.concatenate([one.tier for one in alike])
            test = contingency("box", groups, tiers, k, rng)
            names = ", ".join(one.table.box for one in alike)
            tests.append(replace(test, detail="; ".join(filter(None, (names, test.detail)))))
    return tests


def _groupings(box: BoxDraws) -> Iterator[tuple[str, NDArray[Any] | None]]:
    """One at a time: each is as long as the draws."""
    yield "wallet", None if box.wallet is None else box.wallet.codes
    yield "hour of the day", None if box.time_us is None else _hours(box.time_us)
    yield "mint number, in ten parts", _blocks(box.number)
    yield "order of draws, in ten parts", _ten_parts(len(box)) if len(box) else None
    yield "amount paid", _levels(box.paid_lamports)


def contingency(
    name: str,
    groups: NDArray[Any],
    tiers: NDArray[np.int8],
    k: int,
    rng: np.random.Generator,
    shuffles: int = _SHUFFLES,
    family: str = FAMILY,
) -> TestResult:
    """Pearson's statistic of groups x tiers (both n long; negative groups are left out).

    Few draws: against shuffles of the tiers. Many: a gamma distribution with the statistic's exact
    mean and variance under shuffling, which also holds for many thinly filled groups, such as
    wallets.
    """
    left_out = int(np.count_nonzero(groups < 0)) if len(groups) and groups.min() < 0 else 0
    detail = f"{left_out} draws without it left out" if left_out else ""
    if left_out:
        known = groups >= 0
        groups, tiers = groups[known], tiers[known]
    n = len(groups)
    rows = tally(groups, int(groups.max()) + 1 if n else 1)
    columns = tally(tiers, k)
    codes = relabelled(groups, np.cumsum(rows > 0) - 1) if np.any(rows == 0) else groups
    rows, columns = rows[rows > 0], columns[columns > 0]
    if len(rows) < 2 or len(columns) < 2 or n < 10:
        return TestResult(family, name, n, None, None, "none", detail="needs two groups and tiers")
    if len(rows) == n:
        return TestResult(family, name, n, None, None, "none", detail="no group has two draws")
    observed = float(_pearson(_crossed(codes, tiers, len(rows), k)))
    df = (len(rows) - 1) * (len(columns) - 1)
    if n <= _SHUFFLED_MAX:
        drawn = _shuffled(codes, tiers.copy(), len(rows), k, shuffles, int(rng.integers(2**31)))
        return monte_carlo(family, name, n, observed, drawn, "shuffles", detail)
    mean, variance = permutation_moments(rows.astype(np.float64), columns.astype(np.float64))
    shape, scale = mean**2 / variance, variance / mean
    p_value = gamma_tail(observed, shape, scale)
    return TestResult(family, name, n, observed, p_value, "gamma limit, exact moments", df,
                      detail=detail)  # fmt: skip


def permutation_moments(
    rows: NDArray[np.float64], columns: NDArray[np.float64]
) -> tuple[float, float]:
    """Mean and variance of Pearson's statistic over all tables with these margins (all above 0).

    The statistic is n times the trace of a product of two centred projections, one of them
    shuffled; the moments of that are in Kazi-Aoual, Hitier, Sabatier and Lebreton 1995,
    Computational Statistics and Data Analysis 20, 643-656.
    """
    n = float(rows.sum())

    def parts(margin: NDArray[np.float64]) -> tuple[float, float, float]:
        m = len(margin)
        trace = m - 1.0
        diagonal = float((1 / margin).sum()) - 2 * m / n + 1 / n  # sum of squares
        spread = (n - 1) * trace - trace**2
        return trace, spread, n * (n + 1) * diagonal - (n - 1) * (trace**2 + 2 * trace)

    (t1, a1, b1), (t2, a2, b2) = parts(rows), parts(columns)
    mean = n * t1 * t2 / (n - 1)
    variance = 2 * a1 * a2 / ((n - 1) ** 2 * (n + 1) * (n - 2))
    variance += b1 * b2 / ((n + 1) * n * (n - 1) * (n - 2) * (n - 3))
    return mean, max(n * n * variance, 1e-12)


@dataclass(frozen=True)
class SuspectWallet:
    """A wallet that got more or less of a tier than luck explains. `p_value`: exact two-sided
    hypergeometric times the number of tiers; `p_adjusted`: Benjamini and Yekutieli over wallets."""

    wallet: str
    draws: int
    tier: str
    seen: int
    expected: float
    p_value: float
    p_adjusted: float


def suspect_wallets(
    box: BoxDraws, level: float, *, any_dependence: bool = True
) -> tuple[SuspectWallet, ...]:
    """Wallets whose tiers differ from everybody's, with a false discovery rate of at most `level`.

    Under fairness a wallet's draws are a random handful of all draws: each tier's count is
    hypergeometric. Sorted by p-value, at most twenty.
    """
    if box.wallet is None or not len(box.wallet.names):
        return ()
    known = slice(None) if box.wallet.codes.min() >= 0 else box.wallet.codes >= 0
    wallets, tiers = len(box.wallet.names), len(box.table.tiers)
    table = _crossed(box.wallet.codes[known], box.tier[known], wallets, tiers)
    draws, tally = table.sum(axis=1), table.sum(axis=0)
    p = np.ones_like(table, dtype=np.float64)
    for tier in range(tiers):
        cases, back = np.unique(table[:, tier] * (draws.max() + 1) + draws, return_inverse=True)
        seen, size = cases // (draws.max() + 1), cases % (draws.max() + 1)
        found = hypergeometric_two_sided(seen, size, int(tally[tier]), int(tally.sum()))
        p[:, tier] = found[back]
    least = p.argmin(axis=1)
    raw = np.minimum(1.0, p[np.arange(wallets), least] * tiers)
    adjusted = false_discovery(raw, any_dependence=any_dependence)
    order = np.argsort(raw, kind="stable")[:_WALLETS_SHOWN]
    return tuple(
        SuspectWallet(
            box.wallet.names[one],
            int(draws[one]),
            box.table.tiers[least[one]],
            int(table[one, least[one]]),
            float(draws[one] * tally[least[one]] / tally.sum()),
            float(raw[one]),
            float(adjusted[one]),
        )
        for one in order
        if adjusted[one] <= level
    )


def _blocks(numbers: NDArray[Any] | None) -> NDArray[Any] | None:
    """Ten parts of as many draws each, in the numbers' order."""
    if numbers is None or len(numbers) == 0:
        return None
    in_order = not np.any(numbers[1:] < numbers[:-1])
    parts = _ten_parts(len(numbers))
    if in_order:
        return parts
    found = np.empty(len(numbers), dtype=np.int8)
    found[np.argsort(numbers, kind="stable")] = parts
    return found


def _ten_parts(n: int) -> NDArray[np.int8]:
    starts = -(-np.arange(_BLOCKS + 1) * n // _BLOCKS)  # rounded up
    return np.repeat(np.arange(_BLOCKS, dtype=np.int8), np.diff(starts))


def _levels(amounts: NDArray[Any] | None) -> NDArray[Any] | None:
    """Amounts as groups: each its own while there are few, else ten parts."""
    if amounts is None:
        return None
    distinct, codes = np.unique(amounts, return_inverse=True)
    return codes if len(distinct) <= _LEVELS_MAX else _blocks(amounts)


@numba.njit(cache=True)
def _hours(time_us: NDArray[Any]) -> NDArray[Any]:
    hours = np.empty(len(time_us), dtype=np.int8)
    for place in range(len(time_us)):
        hours[place] = time_us[place] // _US_AN_HOUR % 24
    return hours


@numba.njit(cache=True)
def _crossed(groups: NDArray[Any], tiers: NDArray[Any], rows: int, k: int) -> NDArray[Any]:
    """The table of groups x tiers."""
    table = np.zeros((rows, k), dtype=np.int64)
    for place in range(len(groups)):
        table[groups[place], tiers[place]] += 1
    return table


@numba.njit(cache=True)
def _pearson(table: NDArray[Any]) -> float:
    by_group, by_tier = table.sum(axis=1), table.sum(axis=0)
    found = 0.0
    for group in range(table.shape[0]):
        for tier in range(table.shape[1]):
            if table[group, tier] > 0:
                found += table[group, tier] ** 2 / (by_group[group] * by_tier[tier])
    return by_tier.sum() * (found - 1.0)


@numba.njit(cache=True)
def _shuffled(
    groups: NDArray[Any], tiers: NDArray[Any], rows: int, k: int, shuffles: int, seed: int
) -> NDArray[Any]:
    np.random.seed(seed)
    found = np.empty(shuffles)
    for number in range(shuffles):
        np.random.shuffle(tiers)
        found[number] = _pearson(_crossed(groups, tiers, rows, k))
    return found
