"""Tests of a tally against published examples, other implementations and brute force."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from harness.errors import UsageError
from harness.odds.compare import compare
from harness.odds.draws import BoxDraws, Coded
from harness.odds.exact import OUTCOMES_MAX, outcomes, statistics, tail_probability
from harness.odds.goodness import (
    goodness_of_fit,
    hypergeometric,
    likelihood_ratio,
    omnibus,
    skins_within_tiers,
    tier_intervals,
)
from harness.odds.result import TestResult, false_discovery, holm
from harness.odds.table import RarityTable, guide_table

P = np.array([0.5, 0.25, 0.15, 0.07, 0.03])


def box(counts: list[int], table: RarityTable | None = None) -> BoxDraws:
    tiers = np.repeat(np.arange(len(counts)), counts).astype(np.int8)
    return BoxDraws(table or guide_table(), tiers)


def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def test_mendels_peas() -> None:
    """Mendel 1866, 315:101:108:32 against 9:3:3:1. The statistic 0.470 and p = 0.925 stand in most
    textbooks; R's chisq.test gives 0.47002, p 0.9254."""
    peas, p = np.array([315, 101, 108, 32]), np.array([9, 3, 3, 1]) / 16
    found = goodness_of_fit(peas, p, "pearson", rng(), reference="limit")
    assert found.statistic == pytest.approx(0.47002, abs=5e-6)
    assert found.p_value == pytest.approx(0.9254, abs=5e-5)
    g = goodness_of_fit(peas, p, "g", rng(), reference="limit")
    other = stats.power_divergence(peas, p * 556, lambda_="log-likelihood")
    assert (g.statistic, g.p_value) == pytest.approx((other.statistic, other.pvalue))


@pytest.mark.parametrize("kind", ["probability", "pearson", "g"])
def test_enumeration_agrees_with_brute_force(kind: str) -> None:
    """Every sequence of 7 draws on 3 tiers, one by one."""
    p, seen = np.array([0.6, 0.3, 0.1]), np.array([2, 3, 2])
    limit = statistics(seen[np.newaxis, :], p, kind)[0]  # type: ignore[arg-type]
    total = 0.0
    for sequence in product(range(3), repeat=7):
        tally = np.bincount(sequence, minlength=3)
        if statistics(tally[np.newaxis, :], p, kind)[0] >= limit - 1e-9:  # type: ignore[arg-type]
            total += math.prod(p[one] for one in sequence)
    assert tail_probability(seen, p, kind) == pytest.approx(total)  # type: ignore[arg-type]


def test_two_tiers_are_the_exact_binomial_test() -> None:
    for seen in range(21):
        p = tail_probability(np.array([20 - seen, seen]), np.array([0.7, 0.3]), "probability")
        assert p == pytest.approx(stats.binomtest(seen, 20, 0.3).pvalue)


def test_drawn_and_enumerated_p_values_agree() -> None:
    counts = np.array([20, 15, 8, 3, 4])
    for kind in ("probability", "pearson", "g"):
        exact = goodness_of_fit(counts, P, kind, rng(), reference="exact")
        drawn = goodness_of_fit(counts, P, kind, rng(), reference="monte-carlo")
        assert exact.p_value is not None
        assert drawn.p_value == pytest.approx(exact.p_value, abs=5 * drawn.p_error)
        assert drawn.p_error > 0


def test_which_reference_is_used_depends_on_the_size_alone() -> None:
    table = guide_table()
    assert omnibus(box([50, 25, 15, 7, 3], table), rng()).method.startswith("exact, 4,598,126")
    assert omnibus(box([250, 125, 75, 35, 15], table), rng()).method.startswith("Monte Carlo")
    assert omnibus(box([2500, 1250, 750, 350, 150], table), rng()).method == "chi-square limit"


def test_too_much_to_enumerate_and_nothing_to_test_are_refused() -> None:
    with pytest.raises(ValueError, match="too many to enumerate"):
        tail_probability(np.array([500, 250, 150, 70, 30]), P, "pearson")
    assert outcomes(1000, 5) > OUTCOMES_MAX
    with pytest.raises(UsageError, match="no draws"):
        goodness_of_fit(np.zeros(5, dtype=np.int64), P, "pearson", rng())
    with pytest.raises(ValueError, match="no limiting distribution"):
        goodness_of_fit(np.array([5, 1, 1, 1, 1]), P, "probability", rng(), reference="limit")


def test_intervals_are_clopper_and_pearsons_with_bonferroni() -> None:
    found = tier_intervals(box([250, 120, 80, 30, 20]), 0.05)
    for one in found:
        low, high = proportion_confint(one.seen, 500, 0.05 / 5, method="beta")
        assert (one.low, one.high) == pytest.approx((low, high))
    raw = [one.p_value for one in found]
    assert [one.p_adjusted for one in found] == pytest.approx(
        list(multipletests(raw, method="holm")[1])
    )


def test_adjustments_agree_with_statsmodels() -> None:
    p = np.array([0.001, 0.04, 0.03, 0.2, 0.0101, 0.5])
    for dependent, name in ((True, "fdr_by"), (False, "fdr_bh")):
        ours = false_discovery(p, any_dependence=dependent)
        assert list(ours) == pytest.approx(list(multipletests(p, method=name)[1]))
    tests = [TestResult("f", str(one), 1, 0.0, float(one), "exact") for one in p]
    tests.insert(2, TestResult("f", "untested", 1, None, None, "none"))
    adjusted = holm(tests, 0.05)
    assert adjusted[2].p_adjusted is None
    kept = [one.p_adjusted for one in adjusted if one.p_adjusted is not None]
    assert kept == pytest.approx(list(multipletests(p, method="holm")[1]))
    assert [one.rejected for one in adjusted] == [True, False, False, False, False, False, False]


def test_the_most_powerful_test_counts_the_tier_that_changed() -> None:
    shifted = np.array(guide_table().shifted({"legendary": "0.05"}).probabilities)
    found = likelihood_ratio(np.array([46, 25, 14, 7, 8]), P, shifted)
    assert found.p_value == pytest.approx(stats.binom.sf(7, 100, 0.03))
    rarer = np.array(guide_table().shifted({"legendary": "0.02"}).probabilities)
    found = likelihood_ratio(np.array([98, 0, 0, 0, 2]), P, rarer)
    assert found.p_value == pytest.approx(stats.binom.cdf(2, 100, 0.03))


def test_skins_are_compared_with_their_weights() -> None:
    table = RarityTable(
        "b", {"A": "0.5", "B": "0.5"}, {"A": {"x": 1, "y": 3}, "B": {"z": 1, "w": 1}}
    )
    names = ("w", "x", "y", "z")
    tiers = np.repeat([0, 0, 1, 1], [30, 70, 40, 60]).astype(np.int8)
    skins = np.repeat([1, 2, 0, 3], [30, 70, 40, 60])
    found = skins_within_tiers(BoxDraws(table, tiers, Coded(skins, names)), rng())
    assert found is not None
    a = stats.chisquare([30, 70], [25, 75]).statistic
    b = stats.chisquare([40, 60], [50, 50]).statistic
    assert found.statistic == pytest.approx(a + b)
    assert found.p_value == pytest.approx(stats.chi2.sf(a + b, 2))
    stray = BoxDraws(table, np.array([0], dtype=np.int8), Coded(np.array([0]), names))
    with pytest.raises(UsageError, match="A: skin 'w' was drawn 1 times, but the table does not"):
        skins_within_tiers(stray, rng())


def test_a_stock_runs_out() -> None:
    """10 of 12 drawn: with replacement nothing odd, without it the only Bs are long gone."""
    table = RarityTable("pool", None, stock={"A": {"x": 8}, "B": {"y": 4}})
    found = hypergeometric(box([6, 4], table), rng())
    weights = {k: math.comb(8, 10 - k) * math.comb(4, k) / math.comb(12, 10) for k in (2, 3, 4)}
    expected = 10 / 3
    as_far = sum(w for k, w in weights.items() if abs(k - expected) >= abs(4 - expected) - 1e-9)
    assert found.p_value == pytest.approx(as_far, abs=5 * found.p_error)
    with pytest.raises(UsageError, match="B: 5 drawn of a stock of 4"):
        hypergeometric(box([5, 5], table), rng())
    assert hypergeometric(box([8, 4], table), rng()).p_value is None


def test_two_samples_agree_with_scipy_and_statsmodels() -> None:
    a, b = np.array([500, 260, 140, 70, 30]), np.array([980, 500, 310, 150, 60])
    tiers = guide_table().tiers
    found = compare(a, b, tiers, alpha=0.05, rng=rng())
    other = stats.chi2_contingency([a, b], correction=False)
    assert (found.test.statistic, found.test.p_value) == pytest.approx(other[:2])
    for place, one in enumerate(found.changes):
        low, high = confint_proportions_2indep(
            b[place], b.sum(), a[place], a.sum(), method="newcomb", alpha=0.05 / 5
        )
        assert (one.change_low, one.change_high) == pytest.approx((low, high))
    assert not found.differs


def test_small_samples_are_compared_given_their_margins() -> None:
    """Fisher's tea: 3 of 4 and 1 of 4 right; two-sided p = 34/70 (Fisher 1935, The Design of
    Experiments, chapter 2)."""
    found = compare(np.array([3, 1]), np.array([1, 3]), ("milk", "tea"), alpha=0.05, rng=rng())
    assert found.test.p_value == pytest.approx(34 / 70, abs=5 * found.test.p_error)
    with pytest.raises(UsageError, match="second: has no draws"):
        compare(np.array([1, 1]), np.zeros(2, dtype=int), ("a", "b"), alpha=0.05, rng=rng())
