"""Tests of order and dependence: quiet on fair draws, loud on the memory they are made for."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from harness.odds.dependence import (
    contingency,
    dependence_tests,
    permutation_moments,
    suspect_wallets,
)
from harness.odds.draws import BoxDraws, Coded
from harness.odds.order import _full_set_by, _runs_moments, order_tests_of
from harness.odds.result import TestResult
from harness.odds.table import guide_table

P = np.array(guide_table().probabilities)


def drawn(n: int, seed: int = 2) -> np.ndarray:
    return np.random.default_rng(seed).choice(5, n, p=P).astype(np.int8)


def battery(tiers: np.ndarray) -> dict[str, TestResult]:
    found = order_tests_of(tiers, P, np.random.default_rng(3), shuffles=499)
    return {one.name.partition(":")[0].partition(",")[0]: one for one in found}


@pytest.mark.parametrize("n", [400, 6_000])
def test_fair_draws_are_left_alone(n: int) -> None:
    for one in battery(drawn(n)).values():
        assert one.p_value is None or one.p_value > 0.001, one


def sticky(n: int) -> np.ndarray:
    """Every other draw repeats the one before with a chance of 0.3: the shares stay as promised."""
    rng, tiers = np.random.default_rng(4), drawn(n)
    for place in range(1, n):
        if rng.random() < 0.3:
            tiers[place] = tiers[place - 1]
    return tiers


def pity(n: int) -> np.ndarray:
    """A Legendary comes for sure after sixty draws without one, and is rarer before: 'overdue'."""
    rng, tiers, wait = np.random.default_rng(4), [], 0
    for _ in range(n):
        wait += 1
        hit = wait >= 60 or rng.random() < 0.0205
        tiers.append(4 if hit else rng.choice(4, p=P[:4] / P[:4].sum()))
        wait = 0 if hit else wait
    return np.array(tiers, dtype=np.int8)


def rising(n: int) -> np.ndarray:
    """Threes of different tiers are more often put in growing order."""
    rng, tiers = np.random.default_rng(4), drawn(n)
    for place in range(0, n - 2, 3):
        if rng.random() < 0.4:
            tiers[place : place + 3] = np.sort(tiers[place : place + 3])
    return tiers


@pytest.mark.parametrize(
    ("tiers", "names"),
    [
        (sticky(1_500), ("serial", "autocorrelation", "runs")),
        (sticky(4_000), ("serial", "autocorrelation", "runs")),
        (pity(20_000), ("gap", "coupon collector")),
        (rising(9_000), ("permutation",)),
    ],
)
def test_each_memory_is_found_by_its_test(tiers: np.ndarray, names: tuple[str, ...]) -> None:
    found = battery(tiers)
    for name in names:
        p = found[name].p_value
        assert p is not None
        assert p <= 0.002, found[name]


def test_too_few_draws_are_not_tested_and_say_what_is_needed() -> None:
    found = battery(drawn(15))
    assert all(one.p_value is None and one.detail for one in found.values())
    assert found["gap"].detail == "needs 500 draws"


def test_runs_moments_agree_with_shuffles() -> None:
    tiers, rng = drawn(60), np.random.default_rng(1)
    runs = []
    for _ in range(20_000):
        rng.shuffle(tiers)
        runs.append(1 + np.count_nonzero(tiers[1:] != tiers[:-1]))
    mean, variance = _runs_moments(np.bincount(tiers, minlength=5).astype(float))
    assert np.mean(runs) == pytest.approx(mean, abs=5 * np.sqrt(variance / 20_000))
    assert np.var(runs) == pytest.approx(variance, rel=0.06)


def test_the_full_set_of_a_fair_die_takes_14_point_7_throws() -> None:
    """The coupon collector's 6 (1 + 1/2 + ... + 1/6) = 14.7; Feller 1968, IX.3."""
    reached = _full_set_by(np.full(6, 1 / 6), 400)
    assert float(np.sum(1 - reached)) + 1 == pytest.approx(14.7)


def test_moments_of_the_contingency_statistic_agree_with_shuffles() -> None:
    rng = np.random.default_rng(1)
    tiers, groups = drawn(80), np.repeat(np.arange(6), [40, 20, 10, 5, 3, 2])
    values = []
    for _ in range(2_000):
        rng.shuffle(tiers)
        table = np.zeros((6, 5))
        np.add.at(table, (groups, tiers), 1)
        table = table[:, table.sum(axis=0) > 0]
        values.append(stats.contingency.chi2_contingency(table, correction=False).statistic)
    columns = np.bincount(tiers, minlength=5)
    mean, variance = permutation_moments(
        np.array([40.0, 20, 10, 5, 3, 2]), columns[columns > 0].astype(float)
    )
    assert np.mean(values) == pytest.approx(mean, abs=5 * np.sqrt(variance / 2_000))
    assert np.var(values) == pytest.approx(variance, rel=0.25)


def test_the_statistic_is_scipys() -> None:
    tiers, groups = drawn(3_000), np.random.default_rng(7).integers(0, 12, 3_000)
    found = contingency("g", groups, tiers, 5, np.random.default_rng(1))
    table = np.zeros((12, 5))
    np.add.at(table, (groups, tiers), 1)
    other = stats.chi2_contingency(table, correction=False)
    assert found.statistic == pytest.approx(other.statistic)
    assert found.p_value == pytest.approx(other.pvalue, abs=0.01)


def boxed(n: int, tiers: np.ndarray, **known: object) -> BoxDraws:
    rng = np.random.default_rng(9)
    names = tuple(f"w{number:03}" for number in range(n // 10))
    wallets = np.sort(rng.integers(0, len(names), n)).astype(np.int32)
    rng.shuffle(wallets)
    return BoxDraws(guide_table(), tiers, wallet=Coded(wallets, names), **known)  # type: ignore[arg-type]


@pytest.mark.parametrize("n", [1_500, 5_000])
def test_a_favoured_wallet_is_found_and_named(n: int) -> None:
    fair = boxed(n, drawn(n))
    assert suspect_wallets(fair, 0.05) == ()
    tiers = drawn(n)
    assert fair.wallet is not None
    mine = np.flatnonzero(fair.wallet.codes == 7)
    tiers[mine] = 4
    (one,) = suspect_wallets(boxed(n, tiers), 0.05)
    assert (one.wallet, one.tier, one.seen, one.draws) == (
        "w007",
        "Legendary",
        len(mine),
        len(mine),
    )
    test = dependence_tests(boxed(n, tiers), np.random.default_rng(1))[0]
    assert test.name == "wallet"
    assert test.p_value is not None
    assert test.p_value < 0.03


def test_hour_number_order_and_amount_are_tested() -> None:
    n = 6_000
    rng = np.random.default_rng(5)
    time_us = np.arange(n) * 60_000_000
    night = time_us // 3_600_000_000 % 24 < 6
    tiers = drawn(n)
    tiers[night & (rng.random(n) < 0.5)] = 0
    paid = np.where(rng.random(n) < 0.5, 200_000_000, 100_000_000)
    tiers[(paid == 100_000_000) & (tiers == 4)] = 0
    box = BoxDraws(guide_table(), tiers, time_us=time_us, number=np.arange(n), paid_lamports=paid)
    found = {one.name: one for one in dependence_tests(box, rng)}
    for name in ("hour of the day", "amount paid"):
        assert (found[name].p_value or 0) < 1e-4, name
    assert found["wallet"].p_value is None
    assert found["wallet"].detail == "the source does not say"
    late = drawn(n)
    late[4_000:][rng.random(2_000) < 0.2] = 0
    changed = BoxDraws(guide_table(), late, number=np.arange(n))
    found = {one.name: one for one in dependence_tests(changed, rng)}
    assert (found["mint number, in ten parts"].p_value or 0) < 1e-4


def test_unknown_owners_are_left_out_and_counted() -> None:
    wallets = Coded(np.array([0, 1] * 100 + [-1] * 50, dtype=np.int8), ("a", "b"))
    box = BoxDraws(guide_table(), drawn(250), wallet=wallets)
    found = dependence_tests(box, np.random.default_rng(1))[0]
    assert (found.n, found.detail) == (200, "50 draws without it left out")
