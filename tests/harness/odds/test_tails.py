"""Tails against scipy.stats, in the middle and far out."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from harness.odds.tails import (
    binomial_two_sided,
    chi_square_tail,
    gamma_tail,
    hypergeometric_two_sided,
    normal_quantile_above,
    normal_tail,
)


@pytest.mark.parametrize(
    ("n", "share"), [(1, 0.5), (20, 0.3), (50, 0.03), (997, 0.5), (10_000_000, 0.07)]
)
def test_two_sided_binomial_is_scipys(n: int, share: float) -> None:
    middle, spread = n * share, (n * share * (1 - share)) ** 0.5
    seen = {int(np.clip(middle + z * spread, 0, n)) for z in (-9, -4, -2, -1, 0, 0.5, 1, 3, 8)}
    for one in seen | {0, n}:
        theirs = stats.binomtest(one, n, share).pvalue
        assert binomial_two_sided(one, n, share) == pytest.approx(theirs, rel=1e-6, abs=1e-290)


@pytest.mark.parametrize(("marked", "total"), [(3, 10), (30, 1_000), (300_000, 10_000_000)])
def test_two_sided_hypergeometric_is_scipys(marked: int, total: int) -> None:
    taken = np.repeat([1, 5, 9], 10)
    if total > 10:
        taken = np.repeat([1, 30, 700], 10)
    rng = np.random.default_rng(1)
    seen = np.minimum(rng.integers(0, 40, 30), np.minimum(taken, marked))
    seen = np.maximum(seen, taken - (total - marked))
    law = stats.hypergeom(total, marked, taken)
    theirs = np.minimum(1.0, 2 * np.minimum(law.cdf(seen), law.sf(seen - 1)))
    ours = hypergeometric_two_sided(seen, taken, marked, total)
    assert ours == pytest.approx(theirs, rel=1e-6, abs=1e-290)


def test_limits_are_scipys() -> None:
    for value in (0.0, 0.3, 11.0, 300.0):
        assert chi_square_tail(value, 4) == pytest.approx(stats.chi2.sf(value, 4))
        assert gamma_tail(value, 2.5, 3.0) == pytest.approx(stats.gamma.sf(value, 2.5, scale=3.0))
        assert normal_tail(value) == pytest.approx(stats.norm.sf(value))
    assert normal_quantile_above(0.005) == pytest.approx(stats.norm.isf(0.005))
