"""The kernel and the plain till must agree on every balance, and the till with the backend."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.payout import to_lamports
from harness.treasury import (
    Arbitrage,
    Behaviour,
    Books,
    Bots,
    Demand,
    DynamicRate,
    Economy,
    Gbm,
    Hawkes,
    Holders,
    Panic,
    PriceSensitivity,
    QuoteHunters,
    Rules,
    Scenario,
    Shortfall,
    SkinIndex,
    TopUp,
    Whales,
    record,
)
from harness.treasury.exact import serving_order
from harness.treasury.model import payout_lamports

SOL = 10**9

CROWD = Behaviour(
    holders=(Holders(0.3), Holders(0.4, 0.05)),
    price_sensitivity=PriceSensitivity(3.0),
    panic=Panic(0.5, 10.0),
    arbitrage=Arbitrage(15.0),
    quote_hunters=QuoteHunters(0.5),
    whales=Whales(0.05, 0.3),
    bots=Bots(30.0, 2.0),
)
SCENARIOS = {
    "guide": Scenario(days=60),
    "everybody": Scenario(
        price=Gbm(90.0, 0.0, 1.0),
        behaviour=CROWD,
        demand=Demand(20.0, Hawkes(0.5, 1.0), price_elasticity=0.5),
        rules=Rules(
            treasury_lamports=103 * SOL,
            quote_life_seconds=86_400,
            dynamic_rate=DynamicRate(Decimal("0.6"), 1.0, 1.5),
            top_up=TopUp(102 * SOL, 105 * SOL, 60 * SOL),
            reveal_fee_lamports=5_000,
            buyback_fee_lamports=5_000,
        ),
        skin_index=SkinIndex(0.5, 0.0, 0.4, table_follows=True),
        days=60,
    ),
    "pause": Scenario(
        price=Gbm(90.0, 0.0, 1.0),
        rules=Rules(
            treasury_lamports=110 * SOL, on_shortfall=Shortfall.PAUSE, resume_lamports=112 * SOL
        ),
        days=60,
    ),
    "caps by the hour": Scenario(
        price=Gbm(90.0),
        rules=Rules(treasury_lamports=150 * SOL, payout_lamports_max_day=2 * SOL, sales_max_day=9),
        behaviour=CROWD,
        days=10,
        step_seconds=3600,
    ),
    "sold out": Scenario(economy=Economy(supply_items=100), days=30),
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_kernel_keeps_the_books_of_the_plain_till_to_the_lamport(name: str) -> None:
    scenario = SCENARIOS[name]
    sales = refused = 0
    for tape in record(scenario, seed=11, paths=8):
        books = Books(scenario.economy, scenario.rules, scenario.step_days)
        for step in tape.steps:
            entries = books.play(step)
            paid = [0] * len(step.paid)
            for entry in entries:
                paid[entry.template] += entry.paid
                sales += entry.paid
                refused += not entry.paid
            assert tuple(paid) == step.paid
            assert books.treasury_lamports == step.treasury_lamports
            assert books.treasury_lamports >= scenario.rules.treasury_lamports_min
    assert sales > 50
    if name in ("everybody", "pause", "caps by the hour"):
        assert refused > 0


def test_nobody_sells_what_nobody_holds_and_no_more_is_minted_than_there_is() -> None:
    scenario = SCENARIOS["sold out"]
    for tape in record(scenario, seed=2, paths=5):
        held = [0] * len(scenario.economy.templates)
        for step in tape.steps:
            held = [have + new for have, new in zip(held, step.minted, strict=True)]
            assert all(tried <= have for have, tried in zip(held, step.tried, strict=True))
            held = [have - paid for have, paid in zip(held, step.paid, strict=True)]
        assert sum(sum(step.minted) for step in tape.steps) == 100


def test_a_step_serves_each_sale_once_and_kept_quotes_first() -> None:
    (tape,) = record(SCENARIOS["everybody"], seed=5, paths=1)
    step = max(tape.steps, key=lambda one: sum(one.tried_kept))
    served = list(serving_order(step))
    assert len(served) == sum(step.tried)
    assert sum(reading == step.kept_microusd for _, reading in served) == sum(step.tried_kept) > 0
    assert served[0][0] == next(
        template % len(step.tried)
        for template in range(step.step, step.step + len(step.tried))
        if step.tried[template % len(step.tried)]
    )


@given(price=st.integers(0, 10**12), rate=st.integers(0, 10**6), oracle=st.integers(1, 10**11))
def test_a_payout_is_what_the_backend_pays(price: int, rate: int, oracle: int) -> None:
    from harness.treasury.kernels.full import payout

    right = to_lamports(
        Decimal(price).scaleb(-6), Decimal(oracle).scaleb(-6), Decimal(rate).scaleb(-6)
    )
    assert payout_lamports(price, rate, oracle) == right
    if right < 2**53:
        assert payout(price, rate, oracle) == right
