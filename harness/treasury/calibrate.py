"""From records to a model: how many boxes a day, who sells and when; and how good a forecast is.

Demand is a Poisson rate with its exact interval, and a test whether days scatter more than Poisson
ones do. Holding is a mixture by maximum likelihood with censoring, since most boxes are still held
when the records end: a share that sells at once, a share that sells at some hazard, and a rest that
never does (a cure model; Boag 1949). The back-test fits the first part and forecasts the second.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy import optimize, special, stats

from harness.errors import UsageError
from harness.treasury.behaviour import Behaviour, Holders
from harness.treasury.demand import Demand
from harness.treasury.intervals import Estimate, share
from harness.treasury.records import Records
from harness.treasury.scenario import Scenario

ITEMS_MIN = 20
_HAZARD_MIN, _HAZARD_MAX = 1e-6, 50.0
_DRAWS_MAX = 100_000


@dataclass(frozen=True)
class Fitting:
    """How records are fitted and the fit is tested: a sale within `at_once_days` is one at once;
    the back-test fits the first `split` of the time, takes `draws` forecasts and holds them to
    their interval at `level`."""

    at_once_days: float = 1.0
    split: float = 0.7
    draws: int = 4_000
    level: float = 0.95

    def __post_init__(self) -> None:
        if not 0 < self.at_once_days <= 365:
            raise UsageError(
                f"at_once_days: must be above 0 and at most 365, is {self.at_once_days}"
            )
        for name in ("split", "level"):
            if not 0 < getattr(self, name) < 1:
                raise UsageError(f"{name}: must be between 0 and 1, is {getattr(self, name)}")
        if not 100 <= self.draws <= _DRAWS_MAX:
            raise UsageError(f"draws: must be 100..{_DRAWS_MAX}, is {self.draws}")


@dataclass(frozen=True)
class Calibration:
    """Estimates with their intervals. `dispersion_p` is small where days scatter too much."""

    days: float
    boxes: int
    mints_day: Estimate
    dispersion_p: float
    sold_at_once: Estimate
    seller_share: float
    hazard_day: float
    log_likelihood: float
    #: Logit of the sellers' share among those who do not sell at once, logarithm of their hazard:
    #: mode and covariance (inverse observed information), for forecasts.
    holding: tuple[float, float]
    holding_covariance: tuple[tuple[float, float], tuple[float, float]]

    @property
    def demand(self) -> Demand:
        return Demand(mints_day=self.mints_day.value)

    @property
    def behaviour(self) -> Behaviour:
        groups = [Holders(self.sold_at_once.value)]
        if self.seller_share > 0:
            groups.append(Holders(self.seller_share, self.hazard_day))
        return Behaviour(tuple(groups))

    def applied(self, scenario: Scenario) -> Scenario:
        """The scenario with this demand and behaviour."""
        return replace(scenario, demand=self.demand, behaviour=self.behaviour)


def calibrate(records: Records, fitting: Fitting | None = None) -> Calibration:
    """Fit demand and holding. Raises UsageError for too few boxes or too short a time."""
    fitting = fitting or Fitting()
    level, at_once_days = fitting.level, fitting.at_once_days
    number = len(records.items)
    if number < ITEMS_MIN or records.days <= at_once_days:
        raise UsageError(
            f"{number} boxes over {records.days:.1f} days: at least {ITEMS_MIN} boxes and more "
            f"than {at_once_days:g} day are needed to calibrate"
        )
    tail = (1 - level) / 2
    rate = Estimate(  # Garwood's exact interval (1936)
        number / records.days,
        float(stats.chi2.ppf(tail, 2 * number)) / 2 / records.days,
        float(stats.chi2.ppf(1 - tail, 2 * number + 2)) / 2 / records.days,
        level,
    )
    minted = np.array([item.minted_day for item in records.items])
    ripe = minted <= records.days - at_once_days  # watched long enough to have sold at once
    held = np.array(
        [
            (records.days if item.sold_day is None else item.sold_day) - item.minted_day
            for item in records.items
        ]
    )
    sold = np.array([item.sold_day is not None for item in records.items])
    at_once = sold & (held <= at_once_days)
    once = share(int(at_once[ripe].sum()), int(ripe.sum()), level)
    mode, covariance, likelihood = _cure_model(held[~at_once], sold[~at_once])
    seller, hazard = float(special.expit(mode[0])), math.exp(mode[1])
    return Calibration(
        days=records.days,
        boxes=number,
        mints_day=rate,
        dispersion_p=_dispersion(minted, records.days),
        sold_at_once=once,
        seller_share=seller * (1 - once.value),
        hazard_day=hazard,
        log_likelihood=likelihood,
        holding=mode,
        holding_covariance=covariance,
    )


def _dispersion(minted: np.ndarray, days: float) -> float:
    """Fisher's index of dispersion of whole days: chance of such scatter if demand is Poisson."""
    whole = math.floor(days)
    counts = np.bincount(minted[minted < whole].astype(int), minlength=whole)
    if whole < 2 or counts.sum() == 0:
        return math.nan
    statistic = ((counts - counts.mean()) ** 2).sum() / counts.mean()
    return float(stats.chi2.sf(statistic, whole - 1))


_Pair = tuple[float, float]


def _cure_model(held: np.ndarray, sold: np.ndarray) -> tuple[_Pair, tuple[_Pair, _Pair], float]:
    """Among those who do not sell at once: (logit of the share of sellers, logarithm of their
    hazard a day), its covariance, the log-likelihood.

    Density of a sale: s h exp(-h t); survival: 1 - s + s exp(-h t).
    """
    if not sold.any():
        return (-math.inf, -math.inf), ((0.0, 0.0), (0.0, 0.0)), 0.0

    def loss(parameters: np.ndarray) -> float:
        portion, hazard = 1 / (1 + math.exp(-parameters[0])), math.exp(parameters[1])
        density = math.log(portion) + math.log(hazard) - hazard * held[sold]
        survival = np.log1p(-portion * -np.expm1(-hazard * held[~sold]) * (1 - 1e-12))
        return -float(density.sum() + survival.sum())

    start = sold.sum() / max(held.sum(), 1e-9)
    bounds = [(-12.0, 12.0), (math.log(_HAZARD_MIN), math.log(_HAZARD_MAX))]
    fits = [
        optimize.minimize(loss, [logit, math.log(start * factor)], bounds=bounds)
        for logit in (-1.0, 3.0)
        for factor in (0.5, 2.0)
    ]
    best = min(fits, key=lambda fit: fit.fun)
    covariance = np.linalg.pinv(_curvature(loss, best.x))
    a, b, c = (float(covariance[place]) for place in ((0, 0), (0, 1), (1, 1)))
    return (float(best.x[0]), float(best.x[1])), ((max(a, 0), b), (b, max(c, 0))), -float(best.fun)


def _curvature(loss: Callable[[np.ndarray], float], at: np.ndarray) -> np.ndarray:
    """Second derivatives by central differences: the observed information."""
    step = 1e-3
    ways = np.eye(2) * step
    found = np.empty((2, 2))
    for i, j in ((0, 0), (0, 1), (1, 1)):
        corners = (
            loss(at + ways[i] + ways[j]) - loss(at + ways[i] - ways[j])
            - loss(at - ways[i] + ways[j]) + loss(at - ways[i] - ways[j])
        )  # fmt: skip
        found[i, j] = found[j, i] = corners / (4 * step * step)
    return found


@dataclass(frozen=True)
class BackTest:
    """Forecast of the second part from the first. Ranks are uniform where the model is right."""

    split_day: float
    calibration: Calibration
    mints: int
    mints_forecast: Estimate
    sales: int
    sales_forecast: Estimate

    @property
    def holds(self) -> bool:
        """Whether both counts lie within their forecast intervals."""
        return all(
            forecast.low <= seen <= forecast.high
            for seen, forecast in (
                (self.mints, self.mints_forecast), (self.sales, self.sales_forecast)
            )
        )  # fmt: skip


def back_test(records: Records, fitting: Fitting | None = None, *, seed: int = 0) -> BackTest:
    """Fit the first part of the time and forecast the rest, the fit's own uncertainty included.

    Raises UsageError for too few records before the split.
    """
    fitting = fitting or Fitting()
    draws, level, once = fitting.draws, fitting.level, fitting.at_once_days
    day = records.days * fitting.split
    past = records.until(day)
    fitted = calibrate(past, fitting)
    ahead = records.days - day
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    # The rate itself is uncertain: its gamma posterior under Jeffreys' prior.
    rates = rng.gamma(len(past.items) + 0.5, 1 / past.days, draws)
    mints = rng.poisson(rates * ahead)
    ages = np.array([day - item.minted_day for item in past.items if item.sold_day is None])
    habits = _draw_habits(rng, fitted, past, fitting)
    sales = _sales_of_held(rng, habits, ages, ahead, once)
    sales = sales + _sales_of_new(rng, habits, mints, ahead, once)
    return BackTest(
        split_day=day,
        calibration=fitted,
        mints=sum(item.minted_day >= day for item in records.items),
        mints_forecast=_interval(mints, level),
        sales=sum(item.sold_day is not None and item.sold_day >= day for item in records.items),
        sales_forecast=_interval(sales, level),
    )


@dataclass(frozen=True)
class _Habits:
    """Plausible values of what was fitted, float64[draws, 1] each: share that sells at once, share
    of sellers among the rest, their hazard a day."""

    once: np.ndarray
    sellers: np.ndarray
    hazard: np.ndarray


def _draw_habits(
    rng: np.random.Generator, fitted: Calibration, past: Records, fitting: Fitting
) -> _Habits:
    draws = fitting.draws
    ripe = sum(item.minted_day <= past.days - fitting.at_once_days for item in past.items)
    hits = fitted.sold_at_once.value * ripe
    once = rng.beta(hits + 0.5, ripe - hits + 0.5, (draws, 1))
    if math.isinf(fitted.holding[0]):
        return _Habits(once, np.zeros((draws, 1)), np.full((draws, 1), _HAZARD_MIN))
    drawn = rng.multivariate_normal(fitted.holding, fitted.holding_covariance, draws)
    hazard = np.exp(np.clip(drawn[:, 1:], math.log(_HAZARD_MIN), math.log(_HAZARD_MAX)))
    return _Habits(once, special.expit(drawn[:, :1]), hazard)


def _sales_of_held(
    rng: np.random.Generator, habits: _Habits, ages: np.ndarray, ahead: float, at_once_days: float
) -> np.ndarray:
    """Those who hold already: given their age, sellers are rarer the longer they held."""
    fading = habits.sellers * np.exp(-habits.hazard * ages)
    chance = fading / (fading + 1 - habits.sellers + 1e-300) * -np.expm1(-habits.hazard * ahead)
    # A young box may still be one that is sold at once.
    young = habits.once * np.clip(1 - ages / at_once_days, 0, 1)
    once = young / (young + 1 - habits.once)
    return rng.binomial(1, once + (1 - once) * chance).sum(axis=1)


def _sales_of_new(
    rng: np.random.Generator, habits: _Habits, mints: np.ndarray, ahead: float, at_once_days: float
) -> np.ndarray:
    """Those who come, uniformly over the time ahead; sold at once or by hazard."""
    by_hazard = 1 - -np.expm1(-habits.hazard * ahead) / (habits.hazard * ahead)
    at_once = habits.once * (1 - min(at_once_days, ahead) / 2 / ahead)
    chance = at_once + (1 - habits.once) * habits.sellers * by_hazard
    return rng.binomial(mints, chance[:, 0])


def _interval(draws: np.ndarray, level: float) -> Estimate:
    tail = (1 - level) / 2
    low, high = np.quantile(draws, [tail, 1 - tail], method="inverted_cdf")
    return Estimate(float(draws.mean()), float(low), float(high), level)
