"""Importance sampling beyond the base model: the weights of every law, and the answers."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from harness.errors import UsageError
from harness.treasury import (
    Arbitrage,
    Behaviour,
    Bootstrap,
    Garch,
    Gbm,
    Heston,
    Holders,
    Merton,
    Oracle,
    OracleKind,
    Panic,
    Regimes,
    Rules,
    Scenario,
    SkinIndex,
    Stress,
    simulate,
)
from harness.treasury.engine import draw_chance, prices_of
from harness.treasury.path_tilt import (
    SEGMENTS,
    PathTilt,
    draw_tilted,
    find_path_tilt,
    log_ratios,
    weighted_block,
)
from harness.treasury.prices import PriceProcess
from harness.treasury.rare import rare_ruin
from harness.treasury.ruin import Wish
from harness.treasury.workers import Crew

SOL = 10**9
INDEX = SkinIndex(0.3, 0.0, 0.3, table_follows=True)
HISTORY = tuple(np.random.default_rng(1).normal(-0.001, 0.04, 60))
#: A law and a tilt of its noise that is felt.
LAWS = [
    (Gbm(), 0.0), (Merton(jumps_year=60.0), -5.0), (Heston(), 0.3), (Regimes(), 0.0),
    (Garch(), -0.05), (Bootstrap(HISTORY, block=7), -4.0),
]  # fmt: skip
CROWD = Scenario(
    price=Merton(130.0), oracle=Oracle(OracleKind.LAG, lag_seconds=86_400), skin_index=INDEX,
    behaviour=Behaviour(
        (Holders(0.4), Holders(0.3, 0.05)), panic=Panic(0.5, 5.0), arbitrage=Arbitrage(5.0, 0.3)
    ),
    rules=Rules(treasury_lamports=150 * SOL), days=25,
)  # fmt: skip


def _ramp(most: float) -> tuple[float, ...]:
    return tuple(most * (SEGMENTS - place) / SEGMENTS for place in range(SEGMENTS))


@pytest.mark.parametrize(("law", "noise"), LAWS, ids=lambda one: type(one).__name__)
def test_weights_undo_a_tilt(law: PriceProcess, noise: float) -> None:
    """For every law: under its tilt, weights have mean 1 and weighted prices the mean of untilted
    ones, at a step in the middle and at the end; and the tilt does move the price."""
    index = SkinIndex() if isinstance(law, Bootstrap) else INDEX
    scenario = dataclasses.replace(CROWD, price=law, skin_index=index)
    shift = 0.0 if isinstance(law, Bootstrap) else -0.12
    tilt = PathTilt(_ramp(shift), _ramp(noise), _ramp(0.1))
    chance = draw_tilted(scenario, np.random.SeedSequence(1), 40_000, tilt)
    sol, _, market, _ = prices_of(scenario, chance)
    plain, _, plain_market, _ = prices_of(
        scenario, draw_chance(scenario, np.random.SeedSequence(2), 40_000)
    )
    ratios = log_ratios(scenario, chance, tilt)
    assert ratios.shape == sol.shape
    for step in (12, 24):
        weights = np.exp(-ratios[:, step])
        pairs = [(np.ones_like(weights), np.ones(40_000))]
        pairs.append((np.minimum(sol[:, step], 400.0), np.minimum(plain[:, step], 400.0)))
        pairs.append(
            (1.0 * (sol[:, step] < 0.85 * sol[0, 0]), 1.0 * (plain[:, step] < 0.85 * sol[0, 0]))
        )
        if market.shape[1] > 1:
            pairs.append((market[:, step], plain_market[:, step]))
        for tilted, untilted in pairs:
            values = weights * tilted
            error = np.hypot(values.std(), untilted.std()) / np.sqrt(40_000)
            assert abs(values.mean() - untilted.mean()) < 4.5 * error
        assert sol[:, step].mean() < plain[:, step].mean() - 2


@pytest.mark.parametrize(
    "price",
    [Merton(130.0), Heston(130.0, 0.0, 0.6, 0.6), Garch(130.0), Regimes(130.0)],
    ids=lambda one: type(one).__name__,
)  # fmt: skip
def test_rare_and_plain_ruin_agree(price: PriceProcess) -> None:
    scenario = dataclasses.replace(CROWD, price=price)
    plain = simulate(scenario, paths=8_000, seed=1).ruin(level=0.999)
    assert 0.001 < plain.value < 0.1
    rare = rare_ruin(scenario, seed=2, wish=Wish(0.1, 40_000, level=0.999))
    assert rare.method == "importance"
    assert rare.ruin.low < plain.high
    assert rare.ruin.high > plain.low
    if isinstance(price, Merton | Heston):
        assert rare.plain_paths > 5 * rare.played


def test_no_weight_is_above_what_the_untilted_tenth_allows() -> None:
    """A tilt that points the wrong way costs paths and nothing else."""
    scenario = CROWD.change("rules.on_shortfall", "stop")
    wrong = PathTilt(_ramp(0.5), _ramp(8.0), _ramp(-0.3))
    found = weighted_block(scenario, 3, 0, 4_000, wrong)
    assert found.unchanged == 400
    assert 0 < found.squares <= 10 * found.total


def test_the_weights_of_what_is_certain_have_mean_one() -> None:
    """Whoever sells all of it at 50 USD a SOL ruins the treasury within days, tilted or not."""
    scenario = dataclasses.replace(
        CROWD, price=Merton(50.0), behaviour=Behaviour((Holders(1.0),)),
    ).change("rules.on_shortfall", "stop")  # fmt: skip
    found = weighted_block(scenario, 3, 0, 20_000, PathTilt((0.6,) * SEGMENTS, (-4.0,) * SEGMENTS))
    assert 0 < found.error < 0.02
    assert abs(found.mean - 1) < 4 * found.error


def test_a_tilt_leans_early_and_to_where_it_hurts() -> None:
    tilt, found = find_path_tilt(CROWD.change("rules.on_shortfall", "stop"), 1)
    assert found
    assert tilt.shocks[0] < tilt.shocks[3] < 0
    assert tilt.noise[0] < 0 < tilt.skins[0]


def test_what_prices_do_not_decide_is_split() -> None:
    drawn = Scenario(
        price=Stress("crash", 200.0, 0.6, day=5.0), days=15,
        behaviour=Behaviour((Holders(0.5), Holders(0.3, 0.05))),
        rules=Rules(treasury_lamports=135 * SOL),
    )  # fmt: skip
    assert rare_ruin(drawn, seed=1, wish=Wish(1.0, 1)).method == "splitting"
    with pytest.raises(UsageError, match="take --method splitting"):
        rare_ruin(drawn, method="importance")
    with pytest.raises(UsageError, match="method 'magic' is unknown"):
        rare_ruin(drawn, method="magic")


def test_common_ruin_is_simply_counted() -> None:
    poor = CROWD.change("rules.treasury_lamports", 104 * SOL)
    found = rare_ruin(poor, seed=1, wish=Wish(0.05))
    plain = simulate(poor, paths=8_000, seed=2).ruin(level=0.999)
    assert found.method == "plain"
    assert found.plain_paths == pytest.approx(found.played, rel=0.01)
    assert plain.low < found.ruin.value < plain.high


def test_pilots_that_memory_does_not_hold_are_refused_before_they_are_drawn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As on a machine of 4 GiB: half a million steps are too many for 512 pilots."""
    sizes = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 2**20}
    monkeypatch.setattr("harness.treasury.simulation.os.sysconf", sizes.__getitem__)
    monkeypatch.setattr("harness.treasury.rare.find_path_tilt", None)
    long = dataclasses.replace(CROWD, days=365, step_seconds=70, price=Merton())
    with pytest.raises(UsageError, match=r"need 1\d\.\d GiB, this machine has 4\.0"):
        rare_ruin(long)


def test_the_crew_decides_nothing() -> None:
    wish = Wish(0.3, 1)
    alone = rare_ruin(CROWD, seed=5, wish=wish)
    with Crew(2) as crew:
        assert rare_ruin(CROWD, seed=5, wish=wish, crew=crew) == alone
    assert rare_ruin(CROWD, seed=6, wish=wish).ruin != alone.ruin
