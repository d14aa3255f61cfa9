"""Rare ruin, seen by looking where it happens: importance sampling and control variates.

To know how often a river floods once in ten thousand years, make it rain more and weigh each flood
by how unlikely the rain was. Two knobs make it rain: a drift on the price's normals and an
exponential tilt on what a step costs. Both are set by the cross-entropy method (Rubinstein 1997),
level by level, from pilot runs; the estimate is unbiased whatever they are, and the weights are
taken at the time of ruin, not at the horizon. Base scenarios only; any other is refused.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from harness.errors import UsageError
from harness.treasury import intervals
from harness.treasury.engine import Tilt, base_tables, play_block
from harness.treasury.intervals import Estimate
from harness.treasury.outcomes import Kind, kinds_of
from harness.treasury.prices import Gbm
from harness.treasury.prices.process import DAYS_YEAR
from harness.treasury.scenario import Scenario
from harness.treasury.workers import in_order

_LEVELS_MAX = 12
_ELITE = 0.1
_PILOT_PATHS = 8_192
_BLOCK_PATHS = 16_384
_BLOCKS_MAX = 2_000
_BLOCKS_ROUND = 4  # whatever the number of workers, so that it changes nothing
_TILT_MAX = 1.0
#: So much that no scenario reaches its minimum, and every lamport still fits into a float.
NEVER_RUINED_LAMPORTS = 2**52
#: Blocks of the pilots have numbers from here, so that no stream is used twice.
_PILOT_BLOCK = 10**9


@dataclass(frozen=True)
class RareRuin:
    """The probability of ruin, by how many paths it was found, and under which tilt."""

    ruin: Estimate
    played: int
    tilt: Tilt
    #: Paths that plain simulation would need for the same interval.
    plain_paths: float
    interrupted: bool = False


def rare_ruin(
    scenario: Scenario,
    *,
    seed: int = 0,
    relative_error: float = 0.1,
    workers: int = 1,
    dask: str | None = None,
    level: float = 0.95,
) -> RareRuin:
    """Probability of ruin with a standard error of at most `relative_error` of itself.

    Raises UsageError for a scenario that is not a base one, or if the bound on paths is reached.
    """
    _check(scenario)
    check_relative_error(relative_error)
    tilt = find_tilt(scenario, seed)
    totals = np.zeros(3)  # paths, sum of weights, sum of squares
    interrupted = False
    for first in range(0, _BLOCKS_MAX, _BLOCKS_ROUND):
        pieces = [
            (scenario, seed, block, _BLOCK_PATHS, tilt)
            for block in range(first, first + _BLOCKS_ROUND)
        ]
        try:
            for sums in in_order(weighted_ruin, pieces, workers=workers, dask=dask):
                totals += sums
        except KeyboardInterrupt:
            if totals[1] == 0:
                raise
            interrupted = True
        number, total, squares = totals.tolist()
        mean = total / number
        error = math.sqrt(max(0.0, squares / number - mean**2) / number)
        if interrupted or (total > 0 and error <= relative_error * mean):
            half = float(stats.norm.ppf(0.5 + level / 2)) * error
            estimate = Estimate(mean, max(0.0, mean - half), mean + half, level)
            return RareRuin(estimate, int(number), tilt, mean * (1 - mean) / error**2, interrupted)
    raise UsageError(
        f"ruin of this scenario is too rare: {int(totals[0])} tilted paths did not bring the "
        f"relative error below {relative_error:g}"
    )


def check_relative_error(relative_error: float) -> None:
    """Raise UsageError unless within 0.001..1."""
    if not 0.001 <= relative_error <= 1:
        raise UsageError(f"relative_error: must be within 0.001..1, is {relative_error}")


def weighted_ruin(scenario: Scenario, seed: int, block: int, paths: int, tilt: Tilt) -> np.ndarray:
    """Paths, sum of the weights of ruined paths, sum of their squares: float64[3]."""
    played = play_block(scenario, seed, block, paths, tilt=tilt)
    assert played.log_weights is not None
    weights = np.where(played.pause_step < scenario.steps, np.exp(played.log_weights), 0.0)
    return np.array([paths, weights.sum(), (weights**2).sum()])


def find_tilt(scenario: Scenario, seed: int) -> Tilt:
    """The tilt under which ruin is common, by cross-entropy from level to level.

    Each level plays a pilot under the present tilt, takes the tenth of paths that ended closest to
    ruin, and moves the tilt to what those paths had in common: their mean normal, their mean cost.
    """
    _check(scenario)
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


@dataclass(frozen=True)
class Controlled:
    """A mean with and without its control variate."""

    plain: Estimate
    controlled: Estimate
    #: Share of the variance that the control explains.
    explained: float


def controlled_mean_loss(
    scenario: Scenario, *, paths: int = 65_536, seed: int = 0, level: float = 0.95
) -> Controlled:
    """Mean outflow over the horizon, lamports, if nothing is ever refused.

    The control is the sum of first price / price over the steps, whose mean is known:
    sum over i of e^(-i (drift - volatility^2) dt). Base scenarios only.
    """
    _check(scenario)
    rich = scenario.change("rules.treasury_lamports", NEVER_RUINED_LAMPORTS)
    price, steps = scenario.price, scenario.steps
    assert isinstance(price, Gbm)
    years = scenario.step_days / DAYS_YEAR
    known = float(
        np.exp(-(price.drift_year - price.volatility_year**2) * years * np.arange(steps)).sum()
    )
    losses: list[np.ndarray] = []
    controls: list[np.ndarray] = []
    for block in range(-(-paths // _BLOCK_PATHS)):
        number = min(_BLOCK_PATHS, paths - block * _BLOCK_PATHS)
        played = play_block(rich, seed, block, number)
        losses.append(NEVER_RUINED_LAMPORTS - played.balances[:, -1])
        assert played.control is not None
        controls.append(played.control)
    loss, control = np.concatenate(losses), np.concatenate(controls)
    covariance = np.cov(loss, control)
    factor = covariance[0, 1] / covariance[1, 1] if covariance[1, 1] > 0 else 0.0
    better = loss - factor * (control - known)
    return Controlled(
        intervals.mean(loss, level),
        intervals.mean(better, level),
        float(1 - np.var(better) / np.var(loss)),
    )


def _check(scenario: Scenario) -> None:
    if not scenario.is_base:
        raise UsageError(
            "importance sampling and control variates know the base model only: a gbm price, "
            'steady demand, sold at once or never, on_shortfall = "stop", no oracle fault; '
            "see docs/treasury-model.md"
        )
