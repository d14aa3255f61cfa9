"""The adversary finds profits where there are some, and none where there are none."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from harness.errors import UsageError
from harness.treasury import Gbm, Oracle, OracleKind, Rules, Scenario
from harness.treasury.adversary import (
    Search,
    best_response,
    break_even_sol_usd,
    mint_cost_sol,
    payout_ratio,
)

SHORT = Scenario(price=Gbm(sol_usd=300.0, volatility_year=0.8))
SEARCH = Search(days=2, paths=40)


def test_the_break_even_price_is_where_a_box_brings_its_cost() -> None:
    price = break_even_sol_usd(Scenario())
    assert payout_ratio(Scenario(), price) == pytest.approx(1)
    assert payout_ratio(Scenario(), price * 0.9) > 1 > payout_ratio(Scenario(), price * 1.1)
    # By hand: 0.85 x 44.32 USD over 0.2 SOL and what a mint costs beyond.
    assert price == pytest.approx(0.85 * 44.3165 / mint_cost_sol(Scenario()), rel=1e-3)


def test_far_above_break_even_nobody_can_earn() -> None:
    found = best_response(SHORT, SEARCH, seed=1)
    assert not found.profitable
    assert found.profit_usd_day.value <= 1e-9


def test_below_break_even_anybody_can() -> None:
    cheap = replace(SHORT, price=Gbm(sol_usd=150.0, volatility_year=0.8))
    found = best_response(cheap, replace(SEARCH, mints_day_max=10), seed=1)
    assert found.profitable
    # At most 10 boxes a day, each worth its ratio less one at about 150 USD a SOL.
    bound = 10 * (payout_ratio(cheap, 120) - 1) * mint_cost_sol(cheap) * 180
    assert 0 < found.profit_usd_day.value < bound
    assert found.mints_day <= 10 + 1e-9


def test_a_hard_coded_price_is_exploited_and_a_live_one_is_not() -> None:
    falling = Gbm(sol_usd=230.0, volatility_year=0.8, drift_year=40.0)
    live = replace(SHORT, price=falling)
    stale = replace(live, oracle=Oracle(OracleKind.HARDCODED, value_usd=150.0))
    assert best_response(stale, SEARCH, seed=2).profit_usd_day.value > (
        best_response(live, SEARCH, seed=2).profit_usd_day.value + 1
    )


def test_a_longer_quote_is_worth_more_to_the_adversary() -> None:
    near = replace(SHORT, price=Gbm(sol_usd=188.0, volatility_year=2.0))
    short = best_response(near, SEARCH, seed=3)
    long = best_response(replace(near, rules=Rules(quote_life_seconds=3600)), SEARCH, seed=3)
    assert long.strategy.keeps_quotes
    assert long.profit_usd_day.value > short.profit_usd_day.value


def test_a_lower_rate_takes_the_profit_away() -> None:
    cheap = replace(SHORT, price=Gbm(sol_usd=150.0))
    low = replace(cheap, rules=Rules(rate=Decimal("0.5")))
    assert not best_response(low, SEARCH, seed=1).profitable


@pytest.mark.parametrize(
    ("name", "value"),
    [("paths", 3), ("mints_day_max", 0), ("days", 0), ("step_seconds", 0.5), ("rounds", -1),
     ("margins", ()), ("margins", (-1.0,)), ("sell_below", (0.0,))],
)  # fmt: skip
def test_numbers_that_cannot_be(name: str, value: object) -> None:
    with pytest.raises(UsageError, match=name):
        replace(SEARCH, **{name: value})


def test_more_than_memory_is_meant_to_hold_is_refused_before_it_is_drawn() -> None:
    with pytest.raises(UsageError, match="take fewer paths or days"):
        best_response(SHORT, Search(days=365, step_seconds=60, paths=200))
