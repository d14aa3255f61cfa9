"""One whole question: an economy, its rules, the weather, the crowd, and how long to watch."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from scipy import stats

from harness.errors import UsageError
from harness.treasury.behaviour import Behaviour
from harness.treasury.demand import Demand
from harness.treasury.model import Economy, Rules, Shortfall
from harness.treasury.oracle import Oracle
from harness.treasury.prices import Bootstrap, Gbm, PriceProcess, SkinIndex, Stress

STEPS_MAX = 1_000_000
SECONDS_DAY = 86_400


@dataclass(frozen=True)
class Scenario:
    """Everything that decides what may happen; a seed decides what does.

    Raises UsageError for parts that do not fit together.
    """

    economy: Economy = field(default_factory=Economy)
    rules: Rules = field(default_factory=Rules)
    price: PriceProcess = field(default_factory=Gbm)
    skin_index: SkinIndex = field(default_factory=SkinIndex)
    oracle: Oracle = field(default_factory=Oracle)
    demand: Demand = field(default_factory=Demand)
    behaviour: Behaviour = field(default_factory=Behaviour)
    days: float = 365.0
    step_seconds: float = float(SECONDS_DAY)

    def __post_init__(self) -> None:
        if not 0 < self.days <= 36_500:
            raise UsageError(f"days: must be above 0 and at most 36500, is {self.days}")
        if not 1 <= self.step_seconds <= 30 * SECONDS_DAY:
            raise UsageError(f"step_seconds: must be 1..{30 * SECONDS_DAY}: {self.step_seconds}")
        if not 1 <= self.steps <= STEPS_MAX:
            raise UsageError(
                f"days {self.days:g} in steps of {self.step_seconds:g} s are {self.steps} steps; "
                f"at least 1 and at most {STEPS_MAX} are possible"
            )
        if self.skin_index.correlation and isinstance(self.price, Bootstrap | Stress):
            raise UsageError(
                f"skin_index.correlation: a {type(self.price).__name__.lower()} has no shocks that "
                "an index could be correlated with; set it to 0"
            )
        # A wrong step for a law of daily returns is said now, not after an hour.
        check = getattr(self.price, "check_step", None)
        if check is not None:
            check(self.step_days)

    @property
    def steps(self) -> int:
        return round(self.days * SECONDS_DAY / self.step_seconds)

    @property
    def step_days(self) -> float:
        return self.step_seconds / SECONDS_DAY

    @property
    def is_base(self) -> bool:
        """Whether the fast kernel plays it exactly: see docs/treasury-model.md."""
        return (
            isinstance(self.price, Gbm)
            and self.skin_index.is_flat
            and self.oracle.is_live
            and self.demand.is_steady
            and self._cannot_sell_out()
            and self.behaviour.is_memoryless
            and self.rules.on_shortfall is Shortfall.STOP
            and self.rules.payout_lamports_max_day is None
            and self.rules.sales_max_day is None
            and self.rules.dynamic_rate is None
            and self.rules.top_up is None
        )

    def _cannot_sell_out(self) -> bool:
        """Whether the supply outlasts the horizon but for a chance that is never drawn."""
        mean = self.demand.mints_day * self.days
        return bool(stats.poisson.sf(self.economy.supply_items, mean) < 1e-12)

    def change(self, name: str, value: Any) -> Scenario:
        """A copy with one number changed, such as `change("rules.rate", Decimal("0.8"))`.

        Numbers are turned into the kind that the field has. Raises UsageError for unknown names.
        """
        part, _, key = name.partition(".")
        if part not in _names(self):
            raise UsageError(f"{name}: a scenario has no {part}; known: {', '.join(_names(self))}")
        if not key:
            return dataclasses.replace(self, **{part: _like(getattr(self, part), value)})
        inner = getattr(self, part)
        if key not in _names(inner):
            raise UsageError(f"{name}: {part} has no {key}; known: {', '.join(_names(inner))}")
        changed = dataclasses.replace(inner, **{key: _like(getattr(inner, key), value)})
        return dataclasses.replace(self, **{part: changed})

    def digest(self) -> str:
        """SHA-256 of all that it says: equal for equal scenarios, on any machine."""
        told = json.dumps(describe(self), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(told.encode()).hexdigest()


def describe(part: Any) -> Any:
    """A dataclass as JSON values, with the kind of each part that has several kinds."""
    if dataclasses.is_dataclass(part) and not isinstance(part, type):
        told = {name: describe(getattr(part, name)) for name in _names(part)}
        return {"kind": type(part).__name__.lower(), **told}
    if isinstance(part, tuple | list):
        return [describe(item) for item in part]
    if isinstance(part, Decimal):
        return str(part)
    if isinstance(part, float) and part in (float("inf"), float("-inf")):
        return repr(part)
    return part


def _names(part: Any) -> list[str]:
    return [field.name for field in dataclasses.fields(part)]


def _like(old: Any, value: Any) -> Any:
    """`value` as the kind of number that stood there."""
    if isinstance(old, Decimal) and not isinstance(value, Decimal):
        return Decimal(str(round(float(value), 6)))
    if isinstance(old, int) and not isinstance(old, bool) and isinstance(value, float):
        return round(value)
    return value
