"""The generator against its published reference, and every count against its exact law."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit
from scipy import stats

from harness.treasury.kernels.stream import binomial, next_word, next_words, normal_from, poisson

DRAWS = 200_000


def stream(seed: int) -> np.ndarray:
    return np.random.SeedSequence(seed).generate_state(4, np.uint64)


def test_words_are_those_of_xoshiro256_plus_plus() -> None:
    """Against the authors' C code, said in Python's big integers."""
    state = [1, 2, 3, 4]
    mask = 2**64 - 1

    def rotated(x: int, by: int) -> int:
        return ((x << by) | (x >> (64 - by))) & mask

    expected = []
    for _ in range(100):
        expected.append((rotated((state[0] + state[3]) & mask, 23) + state[0]) & mask)
        t = (state[1] << 17) & mask
        state[2] ^= state[0]
        state[3] ^= state[1]
        state[1] ^= state[2]
        state[0] ^= state[3]
        state[2] ^= t
        state[3] = rotated(state[3], 45)
    assert next_words(np.array([1, 2, 3, 4], np.uint64), 100).tolist() == expected
    assert expected[0] == 41943041  # the first word of the reference implementation


@njit
def _poissons(state: np.ndarray, mean: float, number: int) -> np.ndarray:
    return np.array([poisson(state, mean) for _ in range(number)])


@njit
def _binomials(state: np.ndarray, number: int, chance: float, draws: int) -> np.ndarray:
    return np.array([binomial(state, number, chance) for _ in range(draws)])


@njit
def _normals(state: np.ndarray, number: int) -> np.ndarray:
    return np.array([normal_from(next_word(state), state) for _ in range(number)])


@pytest.mark.parametrize("mean", [0.3, 9.5, 10.5, 140.0])
def test_poisson_counts(mean: float) -> None:
    _same_law(_poissons(stream(1), mean, DRAWS), stats.poisson(mean))


@pytest.mark.parametrize(
    ("number", "chance"), [(7, 0.2), (40, 0.9), (60, 0.3), (1000, 0.02), (5000, 0.6)]
)
def test_binomial_counts(number: int, chance: float) -> None:
    _same_law(_binomials(stream(2), number, chance, DRAWS), stats.binom(number, chance))


def test_normals() -> None:
    draws = _normals(stream(3), 400_000)
    assert stats.kstest(draws, "norm").pvalue > 1e-3
    far = np.mean(np.abs(draws) > 3.6541528853610088)  # the ziggurat's tail
    assert far == pytest.approx(2 * stats.norm.sf(3.6541528853610088), rel=0.35)


def _same_law(draws: np.ndarray, law: stats.rv_discrete) -> None:
    """Chi-square over cells with an expectation of at least 20; the seed is fixed."""
    counts = np.bincount(draws)
    expected = law.pmf(np.arange(len(counts))) * len(draws)
    cells = expected >= 20
    observed = np.append(counts[cells], counts[~cells].sum())
    wanted = np.append(expected[cells], len(draws) - expected[cells].sum())
    if wanted[-1] < 5:
        observed, wanted = observed[:-1], wanted[:-1] * observed[:-1].sum() / wanted[:-1].sum()
    assert stats.chisquare(observed, wanted).pvalue > 1e-3
