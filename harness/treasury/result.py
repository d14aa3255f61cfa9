"""What came of it: the answers that a simulation gives, each with its uncertainty."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from harness.treasury import intervals
from harness.treasury.engine import recorded_steps
from harness.treasury.intervals import Estimate
from harness.treasury.kernels.full import TOTALS
from harness.treasury.model import LAMPORTS_PER_SOL
from harness.treasury.scenario import Scenario, describe
from harness.treasury.sketch import Sketch
from harness.treasury.summary import Summary


@dataclass(frozen=True)
class Result:
    """Results of `simulate`. Money in lamports, time in days, probabilities as shares.

    "Ruin" is the first sale that is refused because the minimum would be crossed.
    """

    scenario: Scenario
    seed: int
    wanted_paths: int
    antithetic: bool
    #: Stopped by Ctrl-C; `paths` says how many were played.
    interrupted: bool
    summary: Summary

    @property
    def paths(self) -> int:
        return self.summary.paths

    @property
    def recorded_days(self) -> np.ndarray:
        """The ends of the recorded steps, in days: float64[recorded]."""
        return (recorded_steps(self.scenario.steps) + 1) * self.scenario.step_days

    def ruin(self, days: float | None = None, *, level: float = 0.95) -> Estimate:
        """Probability of ruin within `days` (default: the horizon)."""
        steps = self.scenario.steps
        if days is not None:
            steps = min(steps, math.floor(days / self.scenario.step_days))
        hits = int(self.summary.paused_at[:steps].sum())
        if self.antithetic and days is None:
            # Pairs are not independent, blocks are.
            rows = self.summary.block_rows
            if len(rows) > 1:
                return intervals.mean(rows[:, 1] / rows[:, 0], level)
        return intervals.share(hits, self.paths, level)

    def ruin_over_time(self, *, level: float = 0.95) -> list[tuple[float, Estimate]]:
        """(day, probability of ruin until then) for each recorded day."""
        reached = np.cumsum(self.summary.paused_at)
        return [
            (float(day), intervals.share(int(reached[step]), self.paths, level))
            for day, step in zip(
                self.recorded_days, recorded_steps(self.scenario.steps), strict=True
            )
        ]

    def time_to_ruin(self, share: float = 0.5) -> float | None:
        """Days until `share` of those paths that are ruined are; None if none is."""
        counts = self.summary.paused_at
        if not counts.any():
            return None
        step = int(np.searchsorted(np.cumsum(counts), share * counts.sum()))
        return (step + 1) * self.scenario.step_days

    def balance(self, share: float) -> np.ndarray:
        """Quantile of the balance on each recorded day: float64[recorded]."""
        return np.array([sketch.quantile(share) for sketch in self.summary.balance])

    def drawdown(self, share: float) -> np.ndarray:
        """Quantile of the deepest fall from a peak until each recorded day."""
        return np.array([sketch.quantile(share) for sketch in self.summary.drawdown])

    def value_at_risk(self, share: float = 0.99, *, level: float = 0.95) -> Estimate:
        """Loss over the horizon that is exceeded with probability 1 - `share`."""
        return quantile(self.summary.loss, share, level)

    def expected_shortfall(self, share: float = 0.99) -> float:
        """Mean loss in the worst 1 - `share` of all cases."""
        return self.summary.loss.mean_above(share)

    def mean_end(self, *, level: float = 0.95) -> Estimate:
        """Mean of the last balance."""
        rows = self.summary.block_rows
        if len(rows) > 1:
            whole = rows[rows[:, 0] == rows[0, 0]]
            return intervals.mean(whole[:, 2], level)
        return Estimate(float(rows[0, 2]), -math.inf, math.inf, level)

    def totals(self) -> dict[str, float]:
        """Means over paths of what is counted; empty from the fast kernel, which does not count."""
        if self.scenario.is_base:
            return {}
        return dict(zip(TOTALS, (self.summary.totals / self.paths).tolist(), strict=True))

    def paid_usd_box(self) -> float:
        """Dollars that players are paid per box minted, at the market's SOL price: what the offer
        is worth to them. From the base kernel, which counts nothing, the mean without refusals."""
        totals = self.totals()
        if totals:
            return totals["paid_microusd"] / 1e6 / max(totals["minted"], 1e-9)
        economy, behaviour = self.scenario.economy, self.scenario.behaviour
        return float(self.scenario.rules.rate) * economy.box_usd * behaviour.sold_at_once

    def outstanding(self) -> dict[str, float]:
        """Mean items held at the end, by tier."""
        held: dict[str, float] = {}
        for template, number in zip(
            self.scenario.economy.templates, self.summary.outstanding, strict=True
        ):
            held[template.tier] = held.get(template.tier, 0.0) + float(number) / self.paths
        return held

    def as_json(self) -> dict[str, Any]:
        """All answers, for `result.json`."""
        ruin, risk = self.ruin(), self.value_at_risk()
        return {
            "scenario": describe(self.scenario),
            "scenario_sha256": self.scenario.digest(),
            "seed": self.seed,
            "kernel": "base" if self.scenario.is_base else "full",
            "paths": self.paths,
            "wanted_paths": self.wanted_paths,
            "interrupted": self.interrupted,
            "ruin": {"value": ruin.value, "low": ruin.low, "high": ruin.high, "level": ruin.level},
            "median_days_to_ruin": self.time_to_ruin(),
            "ruin_over_time": [
                {"day": day, "value": at.value, "low": at.low, "high": at.high}
                for day, at in self.ruin_over_time()
            ],
            "balance_sol": {
                f"{share:g}": (self.balance(share) / LAMPORTS_PER_SOL).tolist()
                for share in (0.01, 0.05, 0.5, 0.95, 0.99)
            },
            "drawdown_sol": {
                f"{share:g}": (self.drawdown(share) / LAMPORTS_PER_SOL).tolist()
                for share in (0.5, 0.95, 0.99)
            },
            "recorded_days": self.recorded_days.tolist(),
            "value_at_risk_99_sol": {
                "value": risk.value / LAMPORTS_PER_SOL,
                "low": risk.low / LAMPORTS_PER_SOL,
                "high": risk.high / LAMPORTS_PER_SOL,
            },
            "expected_shortfall_99_sol": self.expected_shortfall() / LAMPORTS_PER_SOL,
            "means_a_path": self.totals(),
            "outstanding_by_tier": self.outstanding(),
        }


def tail_mean(sketch: Sketch, share: float, level: float = 0.95) -> Estimate:
    """Mean of the worst 1 - `share` with its normal interval, which takes the spread within the
    tail and the doubt about where it begins (Manistre and Hancock 2005, North American Actuarial
    Journal 9, 129-156). Without an end where the tail's own beginning has none."""
    begin, value = quantile(sketch, share, level), sketch.mean_above(share)
    if not math.isfinite(begin.high):
        return Estimate(value, -math.inf, math.inf, level)
    variance = sketch.deviation_above(share) ** 2 + share * (value - begin.value) ** 2
    error = math.sqrt(variance / (sketch.total * (1 - share)))
    half = float(stats.norm.ppf(0.5 + level / 2)) * error
    return Estimate(value, value - half, value + half, level)


def quantile(sketch: Sketch, share: float, level: float = 0.95) -> Estimate:
    """A sketch's quantile with the distribution-free interval of its order statistics."""
    low, high = intervals.quantile_ranks(share, sketch.total, level)
    return Estimate(
        sketch.quantile(share),
        sketch.at_rank(low) if low >= 1 else -math.inf,
        sketch.at_rank(high) if high <= sketch.total else math.inf,
        level,
    )
