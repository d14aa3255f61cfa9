"""Which law fits a history of prices, and how well: fitted parameters with their evidence.

All laws are fitted to the same logarithmic returns by maximum likelihood (Heston by matching
moments, because its likelihood has no closed form) and looked at in the same way: information
criteria, whether standardised residuals look as the law says (Kolmogorov-Smirnov), whether squared
residuals are still correlated (Ljung-Box), and the one-day loss that the law and the history
exceed once in a hundred days.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import optimize, special, stats

from harness.errors import UsageError
from harness.treasury.history import History
from harness.treasury.kernels.chain import backward, forward
from harness.treasury.prices import Bootstrap, Garch, Gbm, Heston, Merton, PriceProcess, Regimes
from harness.treasury.prices.process import DAYS_YEAR

_JUMPS_MAX = 12  # in one step; the Poisson weights beyond are below 1e-9 for what is fitted
_EM_ROUNDS = 300
_LAGS = 10
_SIMULATED = 40_000
_REFITS = 40  # of made-up histories, for what moments can see


@dataclass(frozen=True)
class Fit:
    """A law and the evidence. `log_likelihood`, `aic`, `bic` are NaN where there is no likelihood.

    `ks_p`: of residuals against the law; `ljung_box_p`: of their squares, 10 lags; `loss_99_law`
    and `loss_99_history`: one-step losses as shares.
    """

    name: str
    process: PriceProcess
    parameters: int
    log_likelihood: float
    aic: float
    bic: float
    ks_p: float
    ljung_box_p: float
    loss_99_law: float
    loss_99_history: float
    #: What the fit cannot know, where there is something to say.
    limits: str = ""


def fit_all(history: History, rng: np.random.Generator) -> list[Fit]:
    """Every law that the history allows, best by BIC first, those without likelihood last.

    GARCH needs daily returns and is left out for others. `rng` draws what the laws are made to tell
    (their 1 % losses, Heston's refits). Raises UsageError for a flat history.
    """
    returns = history.log_returns
    if np.ptp(returns) == 0:
        raise UsageError(f"{history.name}: the price never moves: there is nothing to fit")
    laws = (fit_gbm, fit_merton, fit_regimes, fit_heston, fit_bootstrap)
    fits = [fit(history, rng) for fit in laws]
    if history.step_days == 1:
        fits.append(fit_garch(history, rng))
    return sorted(fits, key=lambda fit: (math.isnan(fit.bic), fit.bic))


def fit_gbm(history: History, rng: np.random.Generator) -> Fit:
    returns, years = history.log_returns, history.step_days / DAYS_YEAR
    mean, deviation = float(returns.mean()), float(returns.std())
    process = Gbm(
        history.last_usd, mean / years + deviation**2 / years / 2, deviation / math.sqrt(years)
    )
    likelihood = float(stats.norm.logpdf(returns, mean, deviation).sum())
    residuals = (returns - mean) / deviation
    return _fit("gbm", process, 2, likelihood, residuals, residuals, history, rng)


def fit_merton(history: History, rng: np.random.Generator) -> Fit:
    """Normal mixture with Poisson weights (Merton 1976), by maximum likelihood."""
    returns, years = history.log_returns, history.step_days / DAYS_YEAR
    counts = np.arange(_JUMPS_MAX)[:, None]

    def terms(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        mean, log_deviation, log_rate, jump_mean, log_jump = values
        rate = math.exp(log_rate)
        weights = -rate + counts * log_rate - special.gammaln(counts + 1)
        variances = math.exp(2 * log_deviation) + counts * math.exp(2 * log_jump)
        return weights, mean + counts * jump_mean, np.sqrt(variances)

    def cost(values: np.ndarray) -> float:
        weights, means, deviations = terms(values)
        each = weights + stats.norm.logpdf(returns[None, :], means, deviations)
        return -float(special.logsumexp(each, axis=0).sum())

    spread = float(returns.std())
    starts = [
        np.array([0.0, math.log(spread * 0.7), math.log(rate), 0.0, math.log(spread * size)])
        for rate, size in ((0.05, 3.0), (0.3, 1.5))
    ]
    bounds = [
        (-5 * spread, 5 * spread), (math.log(spread / 50), math.log(spread * 2)),
        (math.log(1e-4), 0.0), (-20 * spread, 20 * spread),
        (math.log(spread / 50), math.log(spread * 30)),
    ]  # fmt: skip
    best = min(
        (optimize.minimize(cost, start, method="L-BFGS-B", bounds=bounds) for start in starts),
        key=lambda found: found.fun,
    )
    mean, log_deviation, log_rate, jump_mean, log_jump = (float(value) for value in best.x)
    deviation, rate, jump = math.exp(log_deviation), math.exp(log_rate), math.exp(log_jump)
    jumps_year = rate / years
    mean_jump = math.expm1(jump_mean + jump**2 / 2)
    process = Merton(
        history.last_usd, mean / years + deviation**2 / years / 2 + jumps_year * mean_jump,
        deviation / math.sqrt(years), jumps_year, jump_mean, jump,
    )  # fmt: skip
    weights, means, deviations = terms(best.x)
    ranks = (np.exp(weights) * stats.norm.cdf(returns[None, :], means, deviations)).sum(axis=0)
    residuals = stats.norm.ppf(np.clip(ranks, 1e-12, 1 - 1e-12))
    return _fit("merton", process, 5, -float(best.fun), residuals, residuals, history, rng)


def fit_regimes(history: History, rng: np.random.Generator) -> Fit:
    """Two Gaussian regimes, by expectation and maximisation (Hamilton 1989, Baum-Welch)."""
    returns, step = history.log_returns, history.step_days
    years, spread = step / DAYS_YEAR, float(returns.std())
    means, deviations = np.zeros(2), np.array([0.6, 1.6]) * spread
    stay, start, likelihood = np.array([0.97, 0.9]), np.array([0.8, 0.2]), -math.inf
    for _ in range(_EM_ROUNDS):
        moves = np.array([[stay[0], 1 - stay[0]], [1 - stay[1], stay[1]]])
        density = stats.norm.pdf(returns[:, None], means, deviations) + 1e-300
        filtered, scales = forward(density, moves, start)
        smoothed, pairs = backward(density, moves, filtered, scales)
        reached = float(np.log(scales).sum())
        weight = smoothed.sum(axis=0)
        means = smoothed.T @ returns / weight
        squares = (smoothed * (returns[:, None] - means) ** 2).sum(axis=0) / weight
        deviations = np.maximum(np.sqrt(squares), spread * 1e-3)
        stay = np.clip(np.diag(pairs) / pairs.sum(axis=1), 1e-6, 1 - 1e-6)
        start = smoothed[0]
        if reached - likelihood < 1e-7 * abs(reached):
            break
        likelihood = reached
    order = np.argsort(deviations)
    means, deviations, stay = means[order], deviations[order], stay[order]
    process = Regimes(
        history.last_usd,
        tuple((means / years + deviations**2 / years / 2).tolist()),
        tuple((deviations / math.sqrt(years)).tolist()),
        tuple((-step / np.log(stay)).tolist()),
        first=int(np.argmax(filtered[-1][order])),
    )
    moves = np.array([[stay[0], 1 - stay[0]], [1 - stay[1], stay[1]]])
    before = np.vstack([start[order], filtered[:-1][:, order] @ moves])
    ranks = (before * stats.norm.cdf(returns[:, None], means, deviations)).sum(axis=1)
    residuals = stats.norm.ppf(np.clip(ranks, 1e-12, 1 - 1e-12))
    return _fit("regimes", process, 6, reached, residuals, residuals, history, rng)


def fit_heston(history: History, rng: np.random.Generator) -> Fit:
    """By moments: mean variance, and size and decay of the autocorrelation of squared returns.

    A likelihood would need the hidden variance integrated out (a particle filter). Instead the
    report says how well moments see: the same fit to histories of this length that the fitted law
    made.
    """
    returns, step = history.log_returns, history.step_days
    process = _heston_by_moments(returns, step, history.last_usd)
    made = process.paths(rng, rng.standard_normal((_REFITS, len(returns))), step)
    again = [_heston_by_moments(one, step, history.last_usd) for one in np.diff(np.log(made))]

    def reach(name: str) -> str:
        values = [getattr(one, name) for one in again]
        low, high = np.quantile(values, [0.1, 0.9])
        return f"{name} {getattr(process, name):.3g} ({low:.3g} to {high:.3g})"

    residuals = (returns - returns.mean()) / math.sqrt(
        process.variance_mean_year * step / DAYS_YEAR
    )
    fitted = _fit("heston", process, 5, math.nan, None, residuals, history, rng)
    names = ("variance_mean_year", "reversion_year", "variance_volatility", "correlation")
    return replace(
        fitted,
        limits="by moments, without a likelihood to compare; middle 80 % of "
        f"{_REFITS} refits of histories that it made: {', '.join(map(reach, names))}",
    )


def _heston_by_moments(returns: np.ndarray, step_days: float, sol_usd: float) -> Heston:
    years = step_days / DAYS_YEAR
    centred = returns - returns.mean()
    squares = centred**2
    mean = float(squares.mean()) / years
    lags = np.arange(1, min(40, len(returns) // 4))
    cross = np.array([np.cov(squares[lag:], squares[:-lag])[0, 1] for lag in lags]) / years**2
    first = max(float(cross[:3].mean()), 1e-6 * mean**2)
    half = np.flatnonzero(cross < first / 2)
    reversion = math.log(2) / ((lags[half[0]] if len(half) else lags[-1]) * years)
    # Stationary variance of the variance: mean x volatility^2 / (2 reversion).
    volatility = math.sqrt(first * 2 * reversion / mean)
    lead = float(np.corrcoef(centred[:-1], squares[1:])[0, 1])
    recent = float(squares[-min(20, len(squares)) :].mean()) / years
    return Heston(
        sol_usd, float(returns.mean()) / years + mean / 2, recent, mean,
        min(reversion, 1e6), min(volatility, 100.0), max(-0.95, min(0.95, 3 * lead)),
    )  # fmt: skip


def fit_garch(history: History, rng: np.random.Generator) -> Fit:
    """GARCH(1,1) with Student t innovations, by the arch package; daily returns only."""
    from arch import arch_model

    returns = history.log_returns * 100
    found = arch_model(returns, mean="Constant", vol="GARCH", p=1, q=1, dist="t").fit(
        disp="off", show_warning=False
    )
    values: dict[Any, Any] = found.params.to_dict()
    alpha, beta = float(values["alpha[1]"]), float(values["beta[1]"])
    if alpha + beta >= 1:  # integrated: the closest law that has a variance
        beta = 0.9999 - alpha
    freedom = max(float(values["nu"]), 2.01)
    process = Garch(
        history.last_usd, float(values["mu"]) / 100, max(float(values["omega"]), 1e-10) / 1e4,
        alpha, beta, freedom,
    )  # fmt: skip
    residuals = np.asarray(found.std_resid)
    scaled = residuals * math.sqrt(freedom / (freedom - 2))
    uniform = stats.norm.ppf(np.clip(stats.t.cdf(scaled, freedom), 1e-12, 1 - 1e-12))
    likelihood = float(found.loglikelihood) + len(returns) * math.log(100)
    return _fit("garch", process, 5, likelihood, uniform, residuals, history, rng)


def fit_bootstrap(history: History, rng: np.random.Generator) -> Fit:
    """Nothing to estimate but the length of blocks (Politis and White 2004, by arch)."""
    from arch.bootstrap import optimal_block_length

    returns = history.log_returns
    length = float(optimal_block_length(np.abs(returns))["circular"].iloc[0])
    block = int(min(max(1, round(length)), len(returns)))
    process = Bootstrap(tuple(returns.tolist()), history.last_usd, block, history.step_days)
    residuals = (returns - returns.mean()) / returns.std()
    return _fit("bootstrap", process, 1, math.nan, None, residuals, history, rng)


def _fit(
    name: str,
    process: PriceProcess,
    parameters: int,
    likelihood: float,
    residuals: np.ndarray | None,
    standardised: np.ndarray,
    history: History,
    rng: np.random.Generator,
) -> Fit:
    returns = history.log_returns
    steps = 200
    shocks = rng.standard_normal((_SIMULATED // steps, steps - 1))
    simulated = np.diff(np.log(process.paths(rng, shocks, history.step_days)), axis=1)
    return Fit(
        name=name,
        process=process,
        parameters=parameters,
        log_likelihood=likelihood,
        aic=2 * parameters - 2 * likelihood,
        bic=parameters * math.log(len(returns)) - 2 * likelihood,
        ks_p=math.nan if residuals is None else float(stats.kstest(residuals, "norm").pvalue),
        ljung_box_p=_ljung_box(standardised**2),
        loss_99_law=-math.expm1(float(np.quantile(simulated, 0.01))),
        loss_99_history=-math.expm1(float(np.quantile(returns, 0.01))),
    )


def _ljung_box(values: np.ndarray) -> float:
    """p-value of no correlation up to 10 lags (Ljung and Box 1978)."""
    number = len(values)
    centred = values - values.mean()
    total = float(centred @ centred)
    if total == 0:
        return math.nan
    statistic = sum(
        (float(centred[lag:] @ centred[:-lag]) / total) ** 2 / (number - lag)
        for lag in range(1, _LAGS + 1)
    )
    return float(stats.chi2.sf(number * (number + 2) * statistic, _LAGS))
