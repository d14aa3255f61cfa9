"""Size: how often an honest table is called dishonest."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from itertools import combinations

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
from harness.odds.order import order_tests_of
from harness.odds.plan import stopping_draws
from harness.odds.table import RarityTable, guide_table
from harness.report.charts import clopper_pearson
from harness.validity.parts import Part, PartFunction, markdown_table

_TABLES = 10_000
_LEVEL = 0.05
_SIZES = (50, 500, 5_000)
#: Monte Carlo tables and shuffles; fewer where all tests draw theirs, so that it ends in minutes.
_REPLICATES = {50: 199, 500: 199, 5_000: 999}
_SHUFFLES = {50: 99, 500: 99, 5_000: 199}
_DRAWS = 100_000
_STOCK_OF_DRAWS = 3  # how many times the draws the stock holds
#: Tests that are wider than their level by construction: exact intervals with Bonferroni.
_WIDE = frozenset({"simultaneous Clopper-Pearson intervals"})
#: Statistics with so few likely values that none comes near the level: fifty draws have 26 to 40
#: runs, and the test looks at their distance from the mean.
_COARSE = frozenset({(50, "runs")})


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
    rows, passed = [], True
    for name, values in found.items():
        p = np.array(values)
        count = int((p <= _LEVEL).sum())
        low, high = band(len(p), _LEVEL)
        coarse = name in _WIDE or (n, name) in _COARSE
        ok = count <= high and (coarse or count >= low)
        passed &= ok
        asked = f"at most {high}" if coarse else f"{low} to {high}"
        rows.append((name, f"{len(p):,}", count, asked, "yes" if ok else "**NO**"))
    text = f"""## Odds: size at {n:,} draws

{tables:,} honest tables (50/25/15/7/3), level {_LEVEL}; band: the central 99.9 % of the binomial
distribution. Seed {seed}. Monte Carlo tests with {_REPLICATES[n]} tables or {_SHUFFLES[n]}
shuffles (an audit draws 99,999 and 1,999). "at most": intervals that are wider than their
level by construction, and statistics with so few values that no value's probability comes near the
level. A test that needs more draws than a table has is left out, and counts only the tables it
could test.

{markdown_table(("test", "tables", "rejected", "asked", "within"), rows)}
"""
    return Part(text, passed)


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
    found["simultaneous Clopper-Pearson intervals"] = 1.0 if covered else 0.0
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
    statistic, tail = _all_tallies(n, tuple(p), kind)
    seen = statistics(counts[np.newaxis, :], p, kind)[0]
    return float(tail[np.searchsorted(statistic, seen - 1e-7 * max(1.0, abs(seen)))])


@cache
def _all_tallies(
    n: int, shares: tuple[float, ...], kind: Kind
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Every tally's statistic, growing, and the probability of it or a larger one."""
    p, k = np.array(shares), len(shares)
    bars = np.array(list(combinations(range(n + k - 1), k - 1)))
    edges = np.pad(bars, ((0, 0), (1, 1)), constant_values=(-1, n + k - 1))
    tallies = np.diff(edges, axis=1) - 1
    chance = np.exp(-statistics(tallies, p, "probability"))
    statistic = statistics(tallies, p, kind)
    order = np.argsort(statistic)
    return statistic[order], np.cumsum(chance[order][::-1])[::-1]


def anytime(seed: int, scale: float, told: Callable[[str], None]) -> Part:
    """The monitor on honest tables, looking after every draw."""
    tables = max(100, round(_TABLES * scale))
    table = guide_table()
    p = np.array(table.probabilities)
    rows, passed = [], True
    for name, changes, alpha, share in (
        ("planned for legendary=0.02", {"legendary": "0.02"}, 0.05, 1.0),
        ("no plan", None, 0.05, 0.1),
        ("no plan", None, 0.01, 0.1),
    ):
        other = None if changes is None else np.array(table.shifted(changes).probabilities)
        game, some = bettors(p, other), round(tables * share)
        rng = np.random.default_rng([seed, round(1 / alpha), changes is None])
        failed, part = 0, 100
        for start in range(0, some, part):
            told(f"{name}, alpha {alpha}: {start} of {some} tables")
            times = stopping_draws(game, p, alpha, min(part, some - start), _DRAWS + 1, rng)
            failed += int((times <= _DRAWS).sum())
        high = band(some, alpha)[1]
        ok = failed <= high
        passed &= ok
        rows.append((name, alpha, f"{some:,}", f"{failed:,}", f"{failed / some:.4f}", f"{high:,}",
                     "yes" if ok else "**NO**"))  # fmt: skip
    head = ("monitor", "alpha", "tables", "ever failed", "share", "asked at most", "within")
    text = f"""## Odds: size of the anytime-valid monitor

Honest tables of {_DRAWS:,} draws each, a look after every draw. Ville's inequality gives a chance
of at most alpha that the evidence ever reaches 1/alpha; asked: no more failures than the 99.95 %
quantile at exactly alpha. Seed {seed}.

{markdown_table(head, rows)}
"""
    return Part(text, passed)
