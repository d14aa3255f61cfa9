"""Attainable sizes against brute force: every order, every tally."""

from __future__ import annotations

from itertools import pairwise, permutations, product

import numpy as np
import pytest
from scipy import stats

from harness.odds.goodness import clopper_pearson
from harness.validity.odds_attainable import all_tallies, intervals_size, runs_law, runs_size


@pytest.mark.parametrize("tally", [(3, 2, 2), (6, 1), (1, 1, 1, 1), (2, 5)])
def test_the_law_of_runs_is_that_of_every_order(tally: tuple[int, ...]) -> None:
    letters = np.repeat(np.arange(len(tally)), tally)
    counted = np.zeros(len(letters) + 1)
    for word in set(permutations(letters.tolist())):
        counted[1 + sum(a != b for a, b in pairwise(word))] += 1
    assert runs_law(tally) == pytest.approx(counted / counted.sum())


def test_every_tally_is_there_once() -> None:
    tallies, chance = all_tallies(6, (0.5, 0.3, 0.2))
    assert len(np.unique(tallies, axis=0)) == len(tallies) == 28
    assert chance == pytest.approx(stats.multinomial(6, [0.5, 0.3, 0.2]).pmf(tallies))


def test_intervals_miss_as_often_as_every_sequence_says() -> None:
    p, n, level = np.array([0.6, 0.3, 0.1]), 7, 0.3
    missed = 0.0
    for sequence in product(range(3), repeat=n):
        counts = np.bincount(sequence, minlength=3)
        ends = [clopper_pearson(int(one), n, 1 - level / 3) for one in counts]
        if not all(low <= share <= high for share, (low, high) in zip(p, ends, strict=True)):
            missed += float(np.prod(p[list(sequence)]))
    assert intervals_size(n, p, level) == pytest.approx(missed)
    assert 0 < missed < level


def test_the_size_of_runs_is_below_the_level_and_grows_with_it() -> None:
    p = np.array([0.6, 0.4])
    sizes = [runs_size(24, p, level, 99) for level in (0.05, 0.1, 0.2)]
    assert sizes == sorted(sizes)
    assert all(0 < size < level for size, level in zip(sizes, (0.05, 0.1, 0.2), strict=True))
