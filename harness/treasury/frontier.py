"""What players get against what the house risks: the rules that no other rules beat."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.errors import UsageError
from harness.treasury.intervals import Estimate
from harness.treasury.scenario import Scenario
from harness.treasury.simulation import simulate

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
    workers: int = 1,
    progress: Callable[[int, int], None] = lambda done, wanted: None,
) -> list[Choice]:
    """Every combination of the values, such as {"rules.rate": [0.7, 0.8]}, under the same chance.

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
    rows = []
    for number, (values, candidate) in enumerate(zip(combinations, changed, strict=True), 1):
        result = simulate(candidate, paths=paths, seed=seed, workers=workers)
        if result.interrupted:
            raise KeyboardInterrupt
        rows.append(
            Choice(
                tuple(zip(choices, values, strict=True)), result.paid_usd_box(), result.ruin(),
                result.expected_shortfall(0.95),
            )
        )  # fmt: skip
        progress(number, len(combinations))
    return [
        Choice(
            row.values, row.paid_usd_box, row.ruin, row.expected_shortfall_lamports,
            not any(_beats(other, row) for other in rows),
        )
        for row in rows
    ]  # fmt: skip


def _beats(one: Choice, other: Choice) -> bool:
    """At least as good in both, better in one."""
    value = one.paid_usd_box - other.paid_usd_box
    risk = other.ruin.value - one.ruin.value
    return value >= 0 and risk >= 0 and (value > 0 or risk > 0)
