"""The gate: a policy says how much risk is allowed, and a change of rules passes or does not.

    scenario = "treasury.toml"
    paths = 20000

    [limits]
    ruin_max = 0.01
    expected_shortfall_99_sol_max = 150

What is compared with a limit is the unfavourable end of the confidence interval: too few paths
cannot pass a gate. Break-even prices and rates are arithmetic and have none.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.errors import UsageError
from harness.treasury.intervals import Estimate
from harness.treasury.model import LAMPORTS_PER_SOL
from harness.treasury.reserve import break_even
from harness.treasury.result import Result, quantile, tail_mean
from harness.treasury.scenario import Scenario
from harness.treasury.scenario_file import build, read_scenario, read_toml
from harness.treasury.simulation import simulate


@dataclass(frozen=True)
class Limits:
    """Each may be left out. Risk figures are over the scenario's horizon."""

    #: Probability of a refused sale.
    ruin_max: float | None = None
    value_at_risk_99_sol_max: float | None = None
    expected_shortfall_99_sol_max: float | None = None
    drawdown_95_sol_max: float | None = None
    #: The SOL price below which minting only to sell pays.
    arbitrage_sol_usd_max: float | None = None
    #: The rate must not be above the one at which the house breaks even if everybody sells.
    rate_above_break_even_max: float | None = None


@dataclass(frozen=True)
class Policy:
    """What a gate asks."""

    scenario: str
    limits: Limits
    paths: int = 20_000
    seed: int = 0


@dataclass(frozen=True)
class Finding:
    """One limit: what was found, and the value that was compared."""

    name: str
    limit: float
    value: float
    compared: float
    passed: bool


def read_policy(path: Path) -> tuple[Policy, Scenario]:
    """A policy and its scenario, which is named relative to it. Raises UsageError."""
    policy: Policy = build(Policy, read_toml(path), path.name, {})
    if all(value is None for value in dataclasses.asdict(policy.limits).values()):
        raise UsageError(f"{path.name}: limits: names no limit; a gate that asks nothing passes")
    return policy, read_scenario(path.parent / policy.scenario)


def judge(
    policy: Policy,
    scenario: Scenario,
    *,
    workers: int = 1,
    dask: str | None = None,
    progress: Callable[[int, int], None] = lambda done, wanted: None,
) -> tuple[list[Finding], Result]:
    """Simulate and compare. The result says if it was cut short; the intervals of the findings
    are as wide then as the paths that were played make them."""
    result = simulate(
        scenario, paths=policy.paths, seed=policy.seed, workers=workers, dask=dask,
        progress=progress,
    )  # fmt: skip
    even = break_even(scenario)
    ruin, risk = result.ruin(), result.value_at_risk(0.99)
    short = tail_mean(result.summary.loss, 0.99)
    fall = quantile(result.summary.drawdown[-1], 0.95)
    over = float(scenario.rules.rate) - even.rate_all_sell
    figures = {
        "ruin_max": (ruin.value, ruin.high),
        "value_at_risk_99_sol_max": _sol(risk),
        "expected_shortfall_99_sol_max": _sol(short),
        "drawdown_95_sol_max": _sol(fall),
        "arbitrage_sol_usd_max": (even.sol_usd_arbitrage, even.sol_usd_arbitrage),
        "rate_above_break_even_max": (over, over),
    }
    findings = []
    for name, limit in dataclasses.asdict(policy.limits).items():
        if limit is not None:
            value, compared = figures[name]
            findings.append(Finding(name, limit, value, compared, compared <= limit))
    return findings, result


def _sol(found: Estimate) -> tuple[float, float]:
    return found.value / LAMPORTS_PER_SOL, found.high / LAMPORTS_PER_SOL
