"""Size: how often an honest table is called dishonest."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from harness.odds.compare import compare
from harness.odds.dependence import contingency
from harness.odds.draws import BoxDraws, Coded
from harness.odds.eprocess import bettors
from harness.odds.exact import Kind, statistics
from harness.odds.goodness import (
    goodness_of_fit,
    hypergeometric,
    skins_within_tiers,
)
from harness.odds.order import (
    ENUMERATED_THREES_MAX,
    SHUFFLED_MAX,
    THREES_MIN,
    order_tests_of,
    permutation_test,
)
from harness.odds.plan import stopping_draws
from harness.odds.table import RarityTable, guide_table
from harness.report.charts import clopper_pearson
from harness.validity.odds_attainable import (
    all_tallies,
    intervals_size,
    runs_size,
    threes_size,
)
from harness.validity.parts import Part, PartFunction, markdown_table

_TABLES = 10_000
_LEVEL = 0.05
_SIZES = (50, 500, 5_000)
#: Monte Carlo tables and shuffles; fewer where all tests draw theirs, so that it ends in minutes.
_REPLICATES = {50: 199, 500: 199, 5_000: 999}
_SHUFFLES = {50: 99, 500: 99, 5_000: 199}
_DRAWS = 100_000
_STOCK_OF_DRAWS = 3  # how many times the draws the stock holds
_INTERVALS = "simultaneous Clopper-Pearson intervals"
_RUNS = "runs"
_THREES = "permutation: orders of three tiers"
#: Tables drawn at once to find those that the permutation test can be made of.
_TABLES_A_BATCH = 20_000
_BATCHES_MAX = 2_000


def size(n: int) -> PartFunction:
    """The part on honest tables of n draws."""

    def part(seed: int, scale: float, told: Callable[[str], None]) -> Part:
        return _size(n, seed, scale, told)

    return part


def _size(n: int, seed: int, scale: float, told: Callable[[str], None]) -> Part:
    """Every test on honest tables, against the binomial 99.9 % band."""
    tables = max(100, round(_TABLES * scale))
    found: dict[str, list[float]] = {}
    rng = np.random.default_rng([seed, n])
    for table in range(tables):
        if table % 100 == 0:
            told(f"{table} of {tables} tables")
        for name, one in p_values(n, rng).items():
            found.setdefault(name, []).append(one)
    if n // 3 < 3 * THREES_MIN:  # few tables have enough threes: draw until enough have
        told("tables for the permutation test")
        found[_THREES] = _orders_of_threes(n, tables, rng)
    told("attainable sizes")
    sizes = _attainable(n)
    rows, passed = [], True
    for name, values in found.items():
        p = np.array(values)
        count = int((p <= _LEVEL).sum())
        size = sizes.get(name, _LEVEL)
        low, high = band(len(p), size)
        ok = low <= count <= high and size <= _LEVEL
        passed &= ok
        told_size = f"{_LEVEL}" if name not in sizes else f"{size:.4f}, computed"
        rows.append((name, f"{len(p):,}", count, told_size, f"{low} to {high}",
                     "yes" if ok else "**NO**"))  # fmt: skip
    text = f"""## Odds: size at {n:,} draws

{tables:,} honest tables (50/25/15/7/3), level {_LEVEL}; band: the central 99.9 % of the binomial
distribution. Seed {seed}. Monte Carlo tests with {_REPLICATES[n]} tables or {_SHUFFLES[n]}
shuffles (an audit draws 99,999 and 1,999). "computed": a count has steps and intervals share their
level by Bonferroni, so that the size is below the level; its exact value
(harness/validity/odds_attainable.py) is what is asked, from both sides. Tests that {n:,} draws are
too few for are left out.

{markdown_table(("test", "tables", "rejected", "size", "asked", "within"), rows)}
"""
    return Part(text, passed)


def _attainable(n: int) -> dict[str, float]:
    """Sizes that are below the level for a reason, exact."""
    p = np.array(guide_table().probabilities)
    found = {_INTERVALS: intervals_size(n, p, _LEVEL)}
    if n <= SHUFFLED_MAX:
        found[_RUNS] = runs_size(n, p, _LEVEL, _SHUFFLES[n])
    if n // 3 <= ENUMERATED_THREES_MAX:
        found[_THREES] = threes_size(n, p, _LEVEL)
    return found


def _orders_of_threes(n: int, tables: int, rng: np.random.Generator) -> list[float]:
    """P-values of the permutation test of so many tables that have enough threes for it."""
    p, found = np.array(guide_table().probabilities), list[float]()
    for _ in range(_BATCHES_MAX):
        drawn = rng.choice(5, size=(_TABLES_A_BATCH, n), p=p).astype(np.int8)
        a, b, c = (drawn[:, start : n // 3 * 3 : 3] for start in range(3))
        enough = ((a != b) & (b != c) & (a != c)).sum(axis=1) >= THREES_MIN
        for tiers in drawn[enough]:
            found.append(permutation_test(tiers).p_value or 0.0)
            if len(found) == tables:
                return found
    raise AssertionError(f"only {len(found)} tables of {n} draws have {THREES_MIN} threes")


def band(tables: int, level: float) -> tuple[int, int]:
    """The central 99.9 % of the rejections of so many honest tables."""
    law = stats.binom(tables, level)
    return int(law.ppf(0.0005)), int(law.ppf(0.9995))


def p_values(n: int, rng: np.random.Generator) -> dict[str, float]:
    """Every test's p-value on one honest set of n draws."""
    table = guide_table()
    p = np.array(table.probabilities)
    tiers = rng.choice(5, size=n, p=p).astype(np.int8)
    counts = np.bincount(tiers, minlength=5)
    found: dict[str, float | None] = {}
    kinds: tuple[tuple[str, Kind], ...] = (
        ("exact multinomial", "probability"), ("Pearson chi-square", "pearson"),
        ("likelihood ratio G", "g"),
    )  # fmt: skip
    for name, kind in kinds:
        found[name] = _goodness(counts, p, kind, rng)
    ends = [clopper_pearson(int(seen), n, 1 - _LEVEL / len(p)) for seen in counts]
    covered = all(low <= share <= high for share, (low, high) in zip(p, ends, strict=True))
    found[_INTERVALS] = 1.0 if covered else 0.0
    skins = RarityTable("b", dict(table.odds), {t: dict.fromkeys("abcd", 1) for t in table.tiers})
    coded = Coded(rng.integers(0, 4, n).astype(np.int8), ("a", "b", "c", "d"))
    test = skins_within_tiers(BoxDraws(skins, tiers, coded), rng, _REPLICATES[n])
    found["skins within tiers"] = None if test is None else test.p_value
    held = {t: {"x": math.ceil(n * _STOCK_OF_DRAWS * share)}
            for t, share in zip(table.tiers, p, strict=True)}  # fmt: skip
    pool = RarityTable("b", None, stock=held)
    stock = np.array([one["x"] for one in held.values()])
    taken = np.repeat(np.arange(5), rng.multivariate_hypergeometric(stock, n)).astype(np.int8)
    found["tiers by stock"] = hypergeometric(BoxDraws(pool, taken), rng, _REPLICATES[n]).p_value
    for one in order_tests_of(tiers, p, rng, shuffles=_SHUFFLES[n]):
        found[one.name] = one.p_value
    for name, groups in (
        ("wallet, about 5 draws each", rng.integers(0, max(2, n // 5), n)),
        ("hour of the day", rng.integers(0, 24, n)),
    ):
        found[name] = contingency(name, groups, tiers, 5, rng, _SHUFFLES[n]).p_value
    half = np.bincount(tiers[: n // 3], minlength=5)
    found["two samples"] = compare(half, counts - half, table.tiers, alpha=_LEVEL, rng=rng,
                                   replicates=_REPLICATES[n]).test.p_value  # fmt: skip
    return {name: value for name, value in found.items() if value is not None}


def _goodness(
    counts: NDArray[np.int64], p: NDArray[np.float64], kind: Kind, rng: np.random.Generator
) -> float:
    """As the audit's, with fewer Monte Carlo tables; small tallies are looked up among all."""
    n = int(counts.sum())
    if n > min(_SIZES):
        found = goodness_of_fit(counts, p, kind, rng, replicates=_REPLICATES[n])
        return float(found.p_value or 0.0)
    statistic, tail = _tails(n, tuple(p), kind)
    seen = statistics(counts[np.newaxis, :], p, kind)[0]
    return float(tail[np.searchsorted(statistic, seen - 1e-7 * max(1.0, abs(seen)))])


@cache
def _tails(
    n: int, shares: tuple[float, ...], kind: Kind
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Every tally's statistic, growing, and the probability of it or a larger one."""
    tallies, chance = all_tallies(n, shares)
    statistic = statistics(tallies, np.array(shares), kind)
    order = np.argsort(statistic)
    return statistic[order], np.cumsum(chance[order][::-1])[::-1]


def anytime(seed: int, scale: float, told: Callable[[str], None]) -> Part:
    """The monitor on honest tables, looking after every draw."""
    tables = max(100, round(_TABLES * scale))
    table = guide_table()
    p = np.array(table.probabilities)
    rows, passed = [], True
    for name, changes in (
        ("planned for legendary=0.02", {"legendary": "0.02"}), ("no plan", None)
    ):  # fmt: skip
        other = None if changes is None else np.array(table.shifted(changes).probabilities)
        game = bettors(p, other)
        for alpha in (0.05, 0.01):
            rng = np.random.default_rng([seed, round(1 / alpha), changes is None])
            failed, part = 0, 100
            for start in range(0, tables, part):
                told(f"{name}, alpha {alpha}: {start} of {tables} tables")
                times = stopping_draws(game, p, alpha, min(part, tables - start), _DRAWS + 1, rng)
                failed += int((times <= _DRAWS).sum())
            high = band(tables, alpha)[1]
            ok = failed <= high
            passed &= ok
            rows.append((name, alpha, f"{tables:,}", f"{failed:,}", f"{failed / tables:.4f}",
                         f"{high:,}", "yes" if ok else "**NO**"))  # fmt: skip
    head = ("monitor", "alpha", "tables", "ever failed", "share", "asked at most", "within")
    text = f"""## Odds: size of the anytime-valid monitor

Honest tables of {_DRAWS:,} draws each, a look after every draw. Ville's inequality gives a chance
of at most alpha that the evidence ever reaches 1/alpha; asked: no more failures than the 99.95 %
quantile at exactly alpha. Seed {seed}.

{markdown_table(head, rows)}
"""
    return Part(text, passed)
