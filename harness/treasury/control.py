"""A control variate: the mean outflow, corrected by a sum over the price whose mean is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.treasury import intervals
from harness.treasury.base_tilt import check_base
from harness.treasury.engine import play_block
from harness.treasury.intervals import Estimate
from harness.treasury.model import NEVER_RUINED_LAMPORTS
from harness.treasury.prices import Gbm
from harness.treasury.prices.process import DAYS_YEAR
from harness.treasury.scenario import Scenario

_BLOCK_PATHS = 16_384


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
    check_base(scenario)
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
