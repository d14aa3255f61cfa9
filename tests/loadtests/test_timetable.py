"""Open arrival keeps its timetable: the right number, the right spacing, the same for one seed."""

from __future__ import annotations

import random

import numpy as np
import pytest
from scipy import stats

from harness.load.profile import Profile, profile_from
from loadtests.timetable import people_at, stage_at, timetable


def profile(arrival: str) -> Profile:
    return profile_from(
        {
            "arrival": arrival,
            "mix": {"status": 1},
            "stages": [
                {"name": "flat", "seconds": 100, "rate": 20},
                {"name": "up", "seconds": 100, "rate": 60, "ramp": True},
                {"name": "down", "seconds": 50, "rate": 10},
            ],
        },
        "made",
    )


def starts(arrival: str, generators: int = 1, seed: int = 1) -> np.ndarray:
    found = [
        start
        for index in range(generators)
        for start, _ in timetable(
            profile(arrival), index, generators, random.Random(seed * 100 + index)
        )
    ]
    return np.sort(np.array(found))


@pytest.mark.parametrize("generators", [1, 3])
def test_constant_arrivals_are_evenly_spaced(generators: int) -> None:
    all_starts = starts("constant", generators)
    assert len(all_starts) == 100 * 20 + 100 * 40 + 50 * 10
    flat = all_starts[all_starts < 100]
    assert np.allclose(np.diff(flat), 1 / 20)
    up = all_starts[(all_starts >= 100) & (all_starts < 200)]
    assert np.all(np.diff(up, 2) < 1e-9)  # ever closer
    assert 1 / np.diff(up)[-1] == pytest.approx(60, rel=0.01)


@pytest.mark.parametrize("generators", [1, 3])
def test_poisson_arrivals_have_exponential_gaps(generators: int) -> None:
    all_starts = starts("poisson", generators)
    flat = all_starts[all_starts < 100]
    assert stats.kstest(np.diff(flat) * 20, "expon").pvalue > 0.001
    up = all_starts[(all_starts >= 100) & (all_starts < 200)]
    # On the ramp the number that has come grows as 20 t + 0.2 t^2: uniform after that change.
    t = up - 100
    assert stats.kstest((20 * t + 0.2 * t**2) / 4000, "uniform").pvalue > 0.001
    assert len(all_starts) == pytest.approx(6500, abs=4 * 6500**0.5)


def test_the_same_seed_draws_the_same_timetable() -> None:
    assert np.array_equal(starts("poisson", seed=3), starts("poisson", seed=3))
    assert not np.array_equal(starts("poisson", seed=3)[:50], starts("poisson", seed=4)[:50])


def test_each_arrival_knows_its_stage() -> None:
    for start, stage in timetable(profile("constant"), 0, 1, random.Random(1)):
        assert stage == stage_at(profile("constant"), start)


def test_closed_people_follow_the_stages() -> None:
    one = profile("closed")
    assert [people_at(one, at) for at in (0, 99, 100, 150, 199.9, 200, 999)] == [
        20, 20, 20, 40, 60, 10, 10,
    ]  # fmt: skip
