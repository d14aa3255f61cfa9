"""What players get against what the house risks: the rules that no other rules beat."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.errors import UsageError
from harness.treasury.intervals import Estimate
from harness.treasury.scenario import Scenario
from harness.treasury.sweep import Done, Progress, keep_done, results_of
from harness.treasury.workers import Crew

CHOICES_MAX = 400


@dataclass(frozen=True)
class Choice:
    """One set of rules. `efficient`: nobody else pays players as much at as little risk."""

    values: tuple[tuple[str, Any], ...]
    paid_usd_box: float
    ruin: Estimate
    expected_shortfall_lamports: float
    efficient: bool = False


def frontier(
    scenario: Scenario,
    choices: Mapping[str, Sequence[Any]],
    *,
    paths: int = 2_000,
    seed: int = 0,
    crew: Crew | None = None,
    progress: Progress = lambda done, wanted: None,
) -> Done[Choice]:
    """Every combination of the values, such as {"rules.rate": [0.7, 0.8]}, under the same chance.
    On Ctrl-C those that are done are kept, and marked among themselves.

    Raises UsageError for more than 400 combinations or a value that cannot be, before any work.
    """
    combinations = list(itertools.product(*choices.values()))
    if not 1 <= len(combinations) <= CHOICES_MAX:
        raise UsageError(
            f"frontier: {len(combinations)} combinations; 1..{CHOICES_MAX} are possible"
        )
    changed = []
    for values in combinations:
        candidate = scenario
        for name, value in zip(choices, values, strict=True):
            candidate = candidate.change(name, value)
        changed.append(candidate)
    results = results_of(changed, paths=paths, seed=seed, crew=crew or Crew())
    rows = keep_done(
        (
            Choice(
                tuple(zip(choices, values, strict=True)), result.paid_usd_box(), result.ruin(),
                result.expected_shortfall(0.95),
            )
            for values, result in zip(combinations, results, strict=True)
        ),
        len(changed), progress,
    )  # fmt: skip
    for place, row in enumerate(list(rows)):
        rows[place] = replace(row, efficient=not any(_beats(other, row) for other in rows))
    return rows


def _beats(one: Choice, other: Choice) -> bool:
    """At least as good in both, better in one."""
    value = one.paid_usd_box - other.paid_usd_box
    risk = other.ruin.value - one.ruin.value
    return value >= 0 and risk >= 0 and (value > 0 or risk > 0)
