"""Splitting against plain simulation and importance sampling, and its machinery piece by piece."""

from __future__ import annotations

import dataclasses
from decimal import Decimal

import numpy as np
import pytest

from harness.errors import UsageError
from harness.treasury import (
    Arbitrage,
    Behaviour,
    Bootstrap,
    Demand,
    DynamicRate,
    Garch,
    Gbm,
    Hawkes,
    Heston,
    Holders,
    Merton,
    Oracle,
    OracleKind,
    Panic,
    Regimes,
    Rules,
    Scenario,
    Shortfall,
    SkinIndex,
    Stress,
    Whales,
    simulate,
)
from harness.treasury.engine import draw_chance, play_full, prices_of
from harness.treasury.prices import PriceProcess
from harness.treasury.rare import rare_ruin
from harness.treasury.ruin import Wish
from harness.treasury.splitting import split_ruin
from harness.treasury.workers import Crew

SOL = 10**9
CROWD = Scenario(
    price=Heston(200.0, variance_year=0.4, variance_mean_year=0.4),
    skin_index=SkinIndex(0.3, 0.0, 0.3, table_follows=True),
    oracle=Oracle(OracleKind.LAG, lag_seconds=86_400),
    demand=Demand(25.0, Hawkes(0.3, 1.0), price_elasticity=0.3),
    behaviour=Behaviour(
        (Holders(0.4), Holders(0.3, 0.05)), panic=Panic(0.5, 5.0), arbitrage=Arbitrage(5.0, 0.3),
        whales=Whales(0.02, 0.2),
    ),
    rules=Rules(dynamic_rate=DynamicRate(Decimal("0.7")), treasury_lamports=160 * SOL),
    days=60,
)  # fmt: skip
LAWS = [
    Gbm(), Merton(), Heston(), Regimes(), Garch(), Stress(),
    Bootstrap(tuple(np.random.default_rng(1).normal(0, 0.04, 50)), block=7),
]  # fmt: skip


@pytest.fixture
def few_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    """Races of 256 paths: the estimate is unbiased for any number, and a test has little time."""
    monkeypatch.setattr("harness.treasury.splitting._PATHS_MAX", 256)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: type(law).__name__)
def test_a_clone_is_its_parent_up_to_the_graft_and_nobody_after_it(law: PriceProcess) -> None:
    """The property that splitting rests on, for every law: what stands up to a step follows from
    the columns before it, and behind the step prices and people have chance of their own."""
    index = SkinIndex() if isinstance(law, Bootstrap | Stress) else CROWD.skin_index
    scenario = dataclasses.replace(CROWD, price=law, skin_index=index)
    root = np.random.SeedSequence(5)
    chance = draw_chance(scenario, root, 8, by_step=True)
    fresh = draw_chance(scenario, np.random.SeedSequence(6), 4, by_step=True)
    before = (*prices_of(scenario, chance), _balances(scenario, chance))
    parents, children = np.array([0, 1, 2, 3]), np.array([4, 5, 6, 7])
    steps = np.array([0, 9, 25, 58])
    chance.graft(children, parents, steps, fresh)
    after = (*prices_of(scenario, chance), _balances(scenario, chance))
    for old, new in zip(before, after, strict=True):
        if old.shape == (1, 1):
            continue
        assert np.array_equal(old[parents], new[parents])
        for parent, child, step in zip(parents, children, steps, strict=True):
            assert np.array_equal(new[child, : step + 1], old[parent, : step + 1])
    sol, balances = after[0], after[-1]
    assert (balances[children, -1] != balances[parents, -1]).all()
    if not isinstance(law, Stress | Bootstrap):
        assert (sol[children, -1] != sol[parents, -1]).all()
    elif isinstance(law, Bootstrap):
        # Goes on with the block it is in, then with others.
        assert np.allclose(sol[6, :29] / sol[2, :29], 1)
        assert sol[6, -1] != sol[2, -1]


def _balances(scenario: Scenario, chance: object) -> np.ndarray:
    sol, oracle, market, table = prices_of(scenario, chance)
    claims = np.zeros(sol.shape)
    root = np.random.SeedSequence(0)
    return play_full(
        scenario, root, sol, oracle, market, table, crowd=chance.crowd, claims=claims
    ).balances


@pytest.mark.parametrize(
    ("scenario", "paths"),
    [
        pytest.param(
            dataclasses.replace(
                CROWD, days=10, price=Heston(110.0, variance_year=0.4, variance_mean_year=0.4)
            ).change("rules.treasury_lamports", 110 * SOL),
            8_000,
            id="everybody",
        ),
        pytest.param(
            Scenario(
                price=Stress("crash", 200.0, 0.6, day=10.0), days=40,
                behaviour=Behaviour((Holders(0.5), Holders(0.3, 0.05))),
                rules=Rules(treasury_lamports=228 * SOL),
            ),
            8_000,
            id="a drawn price: only people are left to chance",
        ),
    ],
)  # fmt: skip
def test_where_ruin_is_common_enough_plain_simulation_says_the_same(
    scenario: Scenario, paths: int, few_paths: None
) -> None:
    plain = simulate(scenario, paths=paths, seed=1).ruin(level=0.999)
    split = split_ruin(scenario, seed=2, wish=Wish(0.15, level=0.999))
    assert 0.0005 < plain.value < 0.2
    assert split.reached
    assert split.ruin.low < plain.high
    assert split.ruin.high > plain.low


def test_one_in_ten_thousand_is_what_importance_sampling_says(few_paths: None) -> None:
    base = Scenario(
        rules=Rules(treasury_lamports=195 * SOL, on_shortfall=Shortfall.STOP),
        price=Gbm(110.0, 0.0, 0.8), days=30,
    )  # fmt: skip
    sampled = rare_ruin(base, seed=1, wish=Wish(0.03))
    split = split_ruin(base, seed=1, wish=Wish(0.2, level=0.999))
    assert 3e-5 < sampled.ruin.value < 3e-4
    assert split.ruin.low < sampled.ruin.value < split.ruin.high
    assert split.relative_error <= 0.2
    assert split.plain_paths > 10 * split.played


def test_workers_and_chance_decide_nothing_else(few_paths: None) -> None:
    short = dataclasses.replace(CROWD, days=10, rules=Rules(treasury_lamports=102 * SOL))
    alone = split_ruin(short, seed=3, wish=Wish(0.5))
    with Crew(2) as crew:
        assert alone == split_ruin(short, seed=3, wish=Wish(0.5), crew=crew)
    assert alone.ruin != split_ruin(short, seed=4, wish=Wish(0.5)).ruin


def test_ctrl_c_keeps_the_races_that_are_done(few_paths: None) -> None:
    done = []

    def cut(played: int, wanted: int) -> None:
        done.append(played)
        if len(done) == 3:
            raise KeyboardInterrupt

    short = dataclasses.replace(CROWD, days=3, rules=Rules(treasury_lamports=101 * SOL))
    found = split_ruin(short, seed=3, wish=Wish(0.001), progress=cut)
    assert found.interrupted
    assert not found.reached
    assert found.played == done[-1]
    assert 0 < found.ruin.low <= found.ruin.value


def test_the_limit_on_paths_ends_it_with_what_is_known(few_paths: None) -> None:
    short = dataclasses.replace(CROWD, days=3, rules=Rules(treasury_lamports=101 * SOL))
    found = split_ruin(short, seed=3, wish=Wish(0.001, paths_max=1_000))
    assert not found.reached
    assert not found.interrupted
    assert found.relative_error > 0.001
    # A round of eight races, whose 256 paths are the least that is played.
    assert 8 * 256 <= found.played < 8 * 256 * 64
    nobody_sells = Scenario(behaviour=Behaviour(()), days=3)
    nothing = split_ruin(nobody_sells, wish=Wish(paths_max=1_000))
    assert nothing.ruin.value == nothing.ruin.low == 0
    assert not nothing.reached
    # Wilson's upper end of 0 of the paths that began without a clone.
    assert nothing.ruin.high == pytest.approx(3.84 / (8 * 256 + 3.84), rel=0.01)
    for bad in ({"relative_error": 0}, {"paths_max": 0}, {"level": 1}):
        with pytest.raises(UsageError, match="must be"):
            Wish(**bad)
