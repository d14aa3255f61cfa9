"""The fast kernel against exact money, and its tables against exact probabilities."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pytest
from scipy import stats

from harness.treasury import (
    Behaviour,
    Demand,
    Economy,
    Gbm,
    Holders,
    Rules,
    Scenario,
    Shortfall,
    Tier,
)
from harness.treasury.engine import Tilt, base_tables, play_block
from harness.treasury.kernels.base import (
    LANES,
    UNIT_BITS,
    add_outcomes,
    exponentiate,
    fill_normals,
    fill_words,
)
from harness.treasury.model import payout_lamports
from harness.treasury.outcomes import Kind, kinds_of, tabulate

SOL = 10**9


def test_floats_stay_within_two_lamports_a_sale_of_whole_lamports() -> None:
    """The same draws, booked once as floats and once as the program would: one price, 26 days."""
    economy = Economy(tiers=(Tier("only", Decimal(1), (Decimal("37.31"),)),))
    scenario = Scenario(
        economy=economy, days=26, rules=Rules(on_shortfall=Shortfall.STOP),
        demand=Demand(40.0), behaviour=Behaviour((Holders(0.6),)), price=Gbm(150.0, 0.1, 1.2),
    )  # fmt: skip
    played = play_block(scenario, 9, 0, LANES)
    assert played.balances.shape == (LANES, 26)
    seeds = np.random.SeedSequence(entropy=9, spawn_key=(0, 0))
    streams = seeds.generate_state(4 * LANES, np.uint64).reshape(4, LANES)
    tables = base_tables(scenario, Tilt())
    words, normals = np.empty(LANES, np.uint64), np.empty(LANES)
    balance = [scenario.rules.treasury_lamports] * LANES
    price = np.full(LANES, 150.0)
    sales = np.zeros(LANES)
    for step in range(26):
        brought = np.zeros(LANES, np.uint64)
        for first, last in zip(tables.starts[:-1], tables.starts[1:], strict=True):
            fill_words(streams, words)
            rows = slice(first, last)
            mask = np.uint64(last - first - 1)
            add_outcomes(words, tables.limits[rows], tables.pairs[rows], mask, brought)
        fill_words(streams, words)
        fill_normals(words, streams, normals)
        for lane in range(LANES):
            boxes = int(brought[lane]) >> UNIT_BITS
            cents = (int(brought[lane]) & ((1 << UNIT_BITS) - 1)) * tables.unit_cents
            sold, rest = divmod(cents, 3731)
            assert rest == 0
            assert sold <= boxes
            sales[lane] += sold
            paid = payout_lamports(37_310_000, 850_000, round(price[lane] * 1e6))
            balance[lane] += boxes * economy.mint_revenue_lamports - sold * paid
            assert abs(balance[lane] - played.balances[lane, step]) <= 2 * sales[lane]
        price *= np.exp((0.1 - 0.72) / 365 + 1.2 / math.sqrt(365) * normals)
    assert sales.min() > 300


def test_tables_hold_the_exact_law() -> None:
    """Means, variances and a whole distribution, from the rows themselves."""
    kinds = kinds_of(Economy(), 25.0, 0.5, 1.0)
    tables = tabulate(kinds)
    mean_boxes = mean_cents = variance_cents = 0.0
    for first, last in zip(tables.starts[:-1], tables.starts[1:], strict=True):
        law = _law_of(tables, int(first), int(last))
        boxes = np.array([outcome >> UNIT_BITS for outcome in law], float)
        cents = np.array([outcome & ((1 << UNIT_BITS) - 1) for outcome in law], float)
        cents *= tables.unit_cents
        shares = np.array(list(law.values()))
        assert shares.sum() == pytest.approx(1, abs=1e-12)
        mean_boxes += shares @ boxes
        mean_cents += shares @ cents
        variance_cents += shares @ cents**2 - (shares @ cents) ** 2
    assert mean_boxes == pytest.approx(25, rel=1e-11)
    assert mean_cents == pytest.approx(sum(k.mean * k.cents for k in kinds), rel=1e-11)
    assert variance_cents == pytest.approx(sum(k.mean * k.cents**2 for k in kinds), rel=1e-9)


def test_one_kind_is_poisson_to_the_last_digits() -> None:
    tables = tabulate((Kind(3.7, 100),))
    law = _law_of(tables, 0, int(tables.starts[1]))
    for count in range(20):
        exact = stats.poisson.pmf(count, 3.7)
        assert law[(count << UNIT_BITS) + count] == pytest.approx(exact, rel=1e-9, abs=2e-16)


def test_a_tilted_law_is_the_law_times_the_tilt() -> None:
    plain, tilted = tabulate((Kind(2.0, 1000),)), tabulate((Kind(2.0, 1000),), 1e-4)
    mine = _law_of(plain, 0, int(plain.starts[1]))
    other = _law_of(tilted, 0, int(tilted.starts[1]))
    for count in range(12):
        key = (count << UNIT_BITS) + count
        weight = math.exp(tilted.cumulant - 1e-4 * 1000 * count)
        assert other[key] * weight == pytest.approx(mine[key], rel=1e-9)


@pytest.mark.parametrize("halvings", [0, 1, 4])
def test_the_series_is_the_exponential(halvings: int) -> None:
    exponents = np.linspace(-0.25, 0.25, 1001) * 2**halvings
    values = exponents.copy()
    exponentiate(values, 0.0, 1.0, halvings)
    assert np.max(np.abs(values / np.exp(exponents) - 1)) < 1e-15 * 2 ** (halvings + 1)


def _law_of(tables: object, first: int, last: int) -> dict[int, float]:
    limits, pairs = tables.limits[first:last], tables.pairs[first:last]
    law: dict[int, float] = {}
    for limit, pair in zip(limits.tolist(), pairs.tolist(), strict=True):
        share = limit / 2**64
        own, other = pair & 0xFFFFFFFF, pair >> 32
        law[own] = law.get(own, 0.0) + share / (last - first)
        law[other] = law.get(other, 0.0) + (1 - share) / (last - first)
    return law
