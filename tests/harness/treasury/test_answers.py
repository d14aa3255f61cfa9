"""Reserve, rates, frontier, stress, sensitivity and rare ruin: each against something known."""

from __future__ import annotations

import dataclasses
import math
from decimal import Decimal

import numpy as np
import pytest

from harness.errors import UsageError
from harness.treasury import (
    Arbitrage,
    Behaviour,
    Demand,
    Gbm,
    Holders,
    Oracle,
    OracleKind,
    Rules,
    Scenario,
    Shortfall,
    Stress,
    simulate,
)
from harness.treasury.base_tilt import find_tilt
from harness.treasury.control import controlled_mean_loss
from harness.treasury.frontier import frontier
from harness.treasury.intervals import share
from harness.treasury.rare import rare_ruin
from harness.treasury.reserve import (
    best_dynamic_rate,
    best_static_rate,
    break_even,
    required_reserve,
)
from harness.treasury.result import tail_mean
from harness.treasury.ruin import Wish
from harness.treasury.sensitivity import sensitivity
from harness.treasury.sketch import Sketch
from harness.treasury.stress import stress_table

SOL = 10**9
BASE = Scenario(rules=Rules(on_shortfall=Shortfall.STOP, treasury_lamports=130 * SOL), days=120)


def test_break_even_is_arithmetic() -> None:
    even = break_even(BASE)
    # A box is worth 44.3158... USD and costs 0.2 SOL at 200 USD.
    assert even.rate_all_sell == pytest.approx(40 / BASE.economy.box_usd)
    assert even.rate == pytest.approx(2 * even.rate_all_sell)
    assert even.sol_usd_all_sell == pytest.approx(0.85 * BASE.economy.box_usd / 0.2)
    # Costs as measured on the ledger: 0.2 + 0.0119812 - 0.0104996 SOL.
    assert even.sol_usd_arbitrage == pytest.approx(0.85 * BASE.economy.box_usd / 0.2014816)


@pytest.mark.parametrize(("sol_usd", "mints"), [(186.0, True), (188.0, False)])
def test_arbitrage_begins_at_the_price_that_break_even_names(sol_usd: float, mints: bool) -> None:
    scenario = Scenario(
        price=Stress("flat", sol_usd), behaviour=Behaviour((), arbitrage=Arbitrage(10.0)), days=10
    )
    assert 186.0 < break_even(scenario).sol_usd_arbitrage < 188.0
    assert (simulate(scenario, paths=64).totals()["arbitrage_minted"] > 0) is mints


def test_a_hard_coded_oracle_feeds_arbitrage_when_it_is_too_low_only() -> None:
    crowd = Behaviour((), arbitrage=Arbitrage(10.0))
    for value, fed in ((150.0, True), (250.0, False)):
        scenario = Scenario(
            price=Stress("flat", 200.0), behaviour=crowd, days=10,
            oracle=Oracle(OracleKind.HARDCODED, value_usd=value),
        )  # fmt: skip
        assert (simulate(scenario, paths=64).totals()["arbitrage_minted"] > 0) is fed


def test_the_reserve_survives_as_often_as_was_asked() -> None:
    found = required_reserve(BASE, 0.97, paths=8_000, seed=1)
    lasts = BASE.change("rules.treasury_lamports", int(found.lamports.value))
    seen = simulate(lasts, paths=16_000, seed=2).ruin(level=0.9999)
    assert seen.low < 0.03 < seen.high
    # People who react: found by halving, with the same meaning.
    crowd = dataclasses.replace(
        BASE, days=20, behaviour=Behaviour((Holders(0.6), Holders(0.3, 0.1))), price=Gbm(120.0)
    )
    halved = required_reserve(crowd, 0.9, paths=400, seed=1)
    again = crowd.change("rules.treasury_lamports", int(halved.lamports.value))
    assert simulate(again, paths=400, seed=1).ruin().value <= 0.1


def test_the_best_rates_keep_the_limit_and_a_higher_one_would_not() -> None:
    best = best_static_rate(BASE, 0.02, paths=2_000)
    assert best.ruin.value <= 0.02
    higher = BASE.change("rules.rate", best.rate + Decimal("0.02"))
    assert simulate(higher, paths=2_000).ruin().value > 0.02
    short = dataclasses.replace(BASE, days=20.0, price=Gbm(100.0))
    falling = best_dynamic_rate(short, 0.5, paths=100, rates=2)
    assert falling.ruin.value <= 0.5
    assert falling.rate_low is not None
    with pytest.raises(UsageError, match="no rate keeps ruin"):
        best_static_rate(
            dataclasses.replace(
                BASE, price=Stress("flat", 1e-6), days=3.0,
                rules=Rules(treasury_lamports=100 * SOL, on_shortfall=Shortfall.STOP),
            ),
            0.0,
            paths=100,
        )  # fmt: skip


def test_the_frontier_marks_what_nothing_beats() -> None:
    rows = frontier(
        dataclasses.replace(BASE, days=30, price=Gbm(120.0)),
        {"rules.rate": [0.5, 0.9], "rules.treasury_lamports": [110 * SOL, 200 * SOL]},
        paths=2_000,
    )
    marked = {row.values for row in rows if row.efficient}
    for row in rows:
        beaten = any(
            other.paid_usd_box >= row.paid_usd_box
            and other.ruin.value <= row.ruin.value
            and (other.paid_usd_box, other.ruin.value) != (row.paid_usd_box, row.ruin.value)
            for other in rows
        )
        assert (row.values in marked) is not beaten
    # The same rate with a smaller treasury is ruined more often.
    assert (("rules.rate", 0.9), ("rules.treasury_lamports", 110 * SOL)) not in marked
    with pytest.raises(UsageError, match="rules has no rats"):
        frontier(BASE, {"rules.rats": [1]})


def test_the_stress_table_orders_nightmares_as_they_hurt() -> None:
    rows = {row.name: row for row in stress_table(Scenario(days=90), paths=16, seed=1)}
    assert len(rows) == 14
    losses = [rows[f"SOL falls by {depth} on day 30"].loss_sol_mean for depth in ("30%", "60%")]
    assert rows["nothing happens"].loss_sol_mean < losses[0] < losses[1]
    assert rows["SOL falls by 60 %, people do the arithmetic"].arbitrage_paid_sol > 0
    assert rows["the oracle alone sees a wick of -70 % for a day"].arbitrage_paid_sol > 0
    assert (
        rows["the oracle is hard-coded at the opening price, SOL falls by 60 %"].arbitrage_paid_sol
        == 0
    )


def test_sensitivity_finds_the_number_that_matters() -> None:
    calm = dataclasses.replace(BASE, price=Gbm(200.0, 0.0, 0.01), days=20)
    rows = sensitivity(
        calm,
        {"rules.rate": (0.1, 0.9), "price.volatility_year": (0.01, 0.02)},
        output="loss_sol", sets=32, paths=64,
    )  # fmt: skip
    rate, volatility = rows
    assert rate.total == pytest.approx(1, abs=0.15)
    assert abs(volatility.total) < 0.05
    assert rate.pawn > 2 * volatility.pawn
    for bad, words in ((7, "power of two"), (2**16, "too many")):
        with pytest.raises(UsageError, match=words):
            sensitivity(calm, sets=bad)
    with pytest.raises(UsageError, match="price has no volatility_yr"):
        sensitivity(calm, {"price.volatility_yr": (0.1, 0.2)})


def test_rare_and_plain_ruin_agree_and_rare_takes_fewer_paths() -> None:
    scenario = BASE.change("rules.treasury_lamports", 220 * SOL)
    rare = rare_ruin(scenario, seed=3, wish=Wish(0.05))
    plain = simulate(scenario, paths=4 * rare.played, seed=4).ruin(level=0.9999)
    assert plain.low < rare.ruin.value < plain.high
    assert rare.relative_error <= 0.05
    assert rare.plain_paths > 3 * rare.played
    assert find_tilt(scenario, 3).price < 0
    with pytest.raises(UsageError, match="base model only"):
        find_tilt(dataclasses.replace(BASE, price=Stress()), 0)


def test_the_control_variate_agrees_and_explains() -> None:
    found = controlled_mean_loss(BASE, paths=16_384, seed=5)
    assert found.explained > 0.9
    assert found.plain.low < found.controlled.value < found.plain.high
    assert found.controlled.high - found.controlled.low < (found.plain.high - found.plain.low) / 3


def test_antithetic_pairs_agree_with_plain_and_vary_less() -> None:
    calm = dataclasses.replace(BASE, rules=Rules(
        treasury_lamports=10_000 * SOL, on_shortfall=Shortfall.STOP), demand=Demand(25.0),
    )  # fmt: skip
    plain = simulate(calm, paths=8 * 16_384, seed=6)
    mirrored = simulate(calm, paths=8 * 16_384, seed=6, antithetic=True)
    both = mirrored.mean_end(level=0.9999)
    assert both.low < plain.mean_end().value < both.high
    spread = [np.std(result.summary.block_rows[:, 2]) for result in (mirrored, plain)]
    assert spread[0] < spread[1]


def test_a_sketch_knows_quantiles_to_a_thousandth_and_tails() -> None:
    values = np.random.default_rng(1).normal(5e9, 8e10, 40_001)
    one, other = Sketch(), Sketch()
    one.add(values[:10_000])
    other.add(values[10_000:])
    one.merge(other)
    for part in (0.001, 0.2, 0.5, 0.99):
        assert one.quantile(part) == pytest.approx(
            np.quantile(values, part, method="inverted_cdf"), rel=1.1e-3
        )
    worst = np.sort(values)[-400:]
    assert one.mean_above(1 - 400 / 40_001) == pytest.approx(worst.mean(), rel=1.1e-3)
    assert one.mean() == pytest.approx(values.mean(), abs=1.1e-3 * np.abs(values).mean())
    with pytest.raises(ValueError, match="finite"):
        one.add(np.array([np.nan]))


def test_the_interval_of_a_tails_mean_holds_as_often_as_it_says() -> None:
    """2,000 losses, of which the worst hundred are averaged; exponential, so that the mean beyond
    a level is known. Beside it 10 losses, which say nothing about the worst in twenty."""
    rng = np.random.default_rng(3)
    held = 0
    for _ in range(400):
        sketch = Sketch()
        sketch.add(rng.exponential(1e9, 2_000))
        found = tail_mean(sketch, 0.95)
        held += found.low <= 1e9 * (math.log(20) + 1) <= found.high
    assert 0.91 < held / 400 < 0.98
    few = Sketch()
    few.add(rng.exponential(1e9, 10))
    assert tail_mean(few, 0.95).high == math.inf


def test_wilson_intervals_contain_the_share_and_end_at_the_edges() -> None:
    assert share(0, 100).low == 0
    assert share(100, 100).high == 1
    seen = share(13, 200)
    assert (seen.low, seen.high) == pytest.approx((0.03839, 0.10803), abs=5e-4)
