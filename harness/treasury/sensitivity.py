"""Which number matters: Sobol's indices of variance and PAWN's of distribution, through SALib.

Every set of numbers is played under the same chance, so that what moves the answer is the numbers.
Sobol 2001; Saltelli et al. 2010; Pianosi and Wagener 2015 (PAWN).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.errors import UsageError
from harness.treasury.model import LAMPORTS_PER_SOL
from harness.treasury.result import Result
from harness.treasury.scenario import Scenario
from harness.treasury.sweep import Done, Progress, keep_done, results_of
from harness.treasury.workers import Crew

SETS_MAX = 100_000
_SETS_MIN = 8

#: Numbers that are varied where none are named, and between which bounds.
USUAL: dict[str, tuple[float, float]] = {
    "rules.rate": (0.70, 0.95),
    "price.volatility_year": (0.4, 1.2),
    "price.drift_year": (-0.5, 0.5),
    "demand.mints_day": (10.0, 50.0),
    "economy.mint_price_lamports": (180e6, 260e6),
}
OUTPUTS: dict[str, Callable[[Result], float]] = {
    "ruin": lambda result: result.ruin().value,
    "shortfall_sol": lambda result: result.expected_shortfall(0.95) / LAMPORTS_PER_SOL,
    "loss_sol": lambda result: result.summary.loss.mean() / LAMPORTS_PER_SOL,
}


@dataclass(frozen=True)
class Importance:
    """Of one number: Sobol's first-order and total index with the half-width of their 95 %
    intervals, and PAWN's median Kolmogorov-Smirnov distance."""

    name: str
    first: float
    first_half: float
    total: float
    total_half: float
    pawn: float


def sensitivity(
    scenario: Scenario,
    bounds: Mapping[str, tuple[float, float]] | None = None,
    *,
    output: str = "shortfall_sol",
    sets: int = 64,
    paths: int = 1_000,
    seed: int = 0,
    crew: Crew | None = None,
    progress: Progress = lambda done, wanted: None,
) -> Done[Importance]:
    """Play `sets` x (numbers + 2) scenarios; `sets` must be a power of two. On Ctrl-C the indices
    are of the sets that are done, if these are at least 8.

    Raises UsageError for unknown numbers or outputs, or too many scenarios, before any work.
    """
    from SALib.analyze import pawn, sobol
    from SALib.sample import sobol as sampler

    bounds = dict(USUAL if bounds is None else bounds)
    if output not in OUTPUTS:
        raise UsageError(f"output: {output!r} is not one of {', '.join(OUTPUTS)}")
    if sets < _SETS_MIN or sets & (sets - 1):
        raise UsageError(f"sets: must be a power of two from 8, is {sets}")
    number = sets * (len(bounds) + 2)
    if number > SETS_MAX:
        raise UsageError(f"{number} scenarios are too many; at most {SETS_MAX}")
    for name, (low, high) in bounds.items():
        if not low < high:
            raise UsageError(f"{name}: bounds {low}..{high} are empty")
        scenario.change(name, low)
        scenario.change(name, high)
    problem: dict[str, Any] = {
        "num_vars": len(bounds), "names": list(bounds), "bounds": [list(b) for b in bounds.values()]
    }  # fmt: skip
    samples = sampler.sample(problem, sets, calc_second_order=False, seed=seed)
    changed = []
    for sample in samples:
        one = scenario
        for name, value in zip(bounds, sample, strict=True):
            one = one.change(name, float(value))
        changed.append(one)
    results = results_of(changed, paths=paths, seed=seed, crew=crew or Crew())
    played = keep_done(map(OUTPUTS[output], results), len(changed), progress)
    whole = len(played) // (len(bounds) + 2)
    if whole < _SETS_MIN:
        raise KeyboardInterrupt  # too few for any index
    samples = samples[: whole * (len(bounds) + 2)]
    values = np.array(played[: len(samples)])
    if np.ptp(values) == 0:
        raise UsageError(f"{output} is {values[0]:g} for all {len(values)} scenarios: widen bounds")
    variance = sobol.analyze(problem, values, calc_second_order=False, seed=seed)
    distance = pawn.analyze(problem, samples, values, S=8, seed=seed)
    rows = Done(
        Importance(
            name, float(variance["S1"][place]), float(variance["S1_conf"][place]),
            float(variance["ST"][place]), float(variance["ST_conf"][place]),
            float(distance["median"][place]),
        )
        for place, name in enumerate(bounds)
    )  # fmt: skip
    rows.interrupted = played.interrupted
    return rows
