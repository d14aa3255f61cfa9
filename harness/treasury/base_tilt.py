"""Importance sampling inside the fast kernel: two knobs that make ruin likelier.

To know how often a river floods once in ten thousand years, make it rain more and weigh each flood
by how unlikely the rain was. Two knobs make it rain: a drift on the price's normals and an
exponential tilt on what a step costs. Both are set by the cross-entropy method (Rubinstein 1997),
level by level, from pilot runs; the estimate is unbiased whatever they are, and the weights are
taken at the time of ruin, not at the horizon. Base scenarios only; any other is refused.
"""

from __future__ import annotations

import math

import numpy as np

from harness.errors import UsageError
from harness.treasury.engine import Tilt, base_tables, play_block
from harness.treasury.outcomes import Kind, kinds_of
from harness.treasury.ruin import Samples, sum_up
from harness.treasury.scenario import Scenario

_LEVELS_MAX = 12
_ELITE = 0.1
_PILOT_PATHS = 8_192
_TILT_MAX = 1.0
#: Blocks of the pilots have numbers from here, so that no stream is used twice.
_PILOT_BLOCK = 10**9


def weighted_base_block(
    scenario: Scenario, seed: int, block: int, paths: int, tilt: Tilt
) -> Samples:
    """One block under a tilt: each ruined path with the weight of its chance up to its end."""
    played = play_block(scenario, seed, block, paths, tilt=tilt)
    assert played.log_weights is not None
    weights = np.where(played.pause_step < scenario.steps, np.exp(played.log_weights), 0.0)
    return sum_up(weights, paths if tilt == Tilt() else 0)


def find_tilt(scenario: Scenario, seed: int) -> Tilt:
    """The tilt under which ruin is common, by cross-entropy from level to level.

    Each level plays a pilot under the present tilt, takes the tenth of paths that ended closest to
    ruin, and moves the tilt to what those paths had in common: their mean normal, their mean cost.
    """
    check_base(scenario)
    minimum = float(scenario.rules.treasury_lamports_min)
    kinds = kinds_of(
        scenario.economy, scenario.demand.mints_day, scenario.behaviour.sold_at_once,
        scenario.step_days,
    )  # fmt: skip
    unit = base_tables(scenario, Tilt()).unit_cents
    tilt = Tilt()
    for level in range(_LEVELS_MAX):
        played = play_block(scenario, seed, _PILOT_BLOCK + level, _PILOT_PATHS, tilt=tilt)
        assert played.log_weights is not None
        assert played.travelled is not None
        assert played.spent is not None
        ruined = played.pause_step < scenario.steps
        closest = np.where(ruined, minimum, played.balances[:, -1])
        bound = max(float(np.quantile(closest, _ELITE)), minimum)
        elite = closest <= bound
        weights = np.exp(played.log_weights[elite] - played.log_weights[elite].max())
        ends = np.minimum(played.pause_step[elite], scenario.steps - 1)
        moves = float(weights @ ends)
        price = float(weights @ played.travelled[elite]) / max(moves, 1e-300)
        cost = float(weights @ played.spent[elite]) / float(weights @ (ends + 1))
        tilt = Tilt(max(-_TILT_MAX, min(_TILT_MAX, price)), _tilt_for(kinds, cost * unit))
        if bound <= minimum:
            break
    return tilt


def _tilt_for(kinds: tuple[Kind, ...], cents: float) -> float:
    """The exponential tilt under which a step costs `cents` on average, found by halving."""

    def cost(tilt: float) -> float:
        return sum(kind.mean * kind.cents * math.exp(tilt * kind.cents) for kind in kinds)

    most = 2.0 / max(kind.cents for kind in kinds)  # the dearest skin 7.4 times as likely
    low, high = 0.0, most
    if cents <= cost(low):
        return 0.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if cost(middle) < cents else (low, middle)
    return low


def check_base(scenario: Scenario) -> None:
    """Raise UsageError unless the fast kernel plays it."""
    if not scenario.is_base:
        raise UsageError(
            "this way of reducing variance knows the base model only: a gbm price, "
            'steady demand, sold at once or never, on_shortfall = "stop", no oracle fault; '
            "see docs/treasury-model.md"
        )
