"""What the backend believes a SOL costs: the market, seen through a glass that may be dirty.

Takes the market's paths and gives the backend's. A fault lasts from `from_day` to `to_day`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from harness.errors import UsageError


class OracleKind(StrEnum):
    LIVE = "live"
    #: Shows the price of `lag_seconds` ago.
    LAG = "lag"
    #: Stops at the price of the fault's first step.
    FROZEN = "frozen"
    #: A number in the source code, as in the guide: `value_usd`.
    HARDCODED = "hardcoded"
    #: Shows `factor` x the market for the fault's duration; only the oracle sees it.
    WICK = "wick"


@dataclass(frozen=True)
class Oracle:
    """A reading rule. `update_seconds` is how often it is read at all; between, it ages."""

    kind: OracleKind = OracleKind.LIVE
    lag_seconds: float = 0.0
    value_usd: float = 200.0
    factor: float = 1.0
    update_seconds: float = 0.0
    from_day: float = 0.0
    to_day: float = math.inf

    def __post_init__(self) -> None:
        for name in ("lag_seconds", "update_seconds", "from_day"):
            if not 0 <= getattr(self, name) < math.inf:
                raise UsageError(f"oracle.{name}: must be from 0, is {getattr(self, name)}")
        for name in ("value_usd", "factor"):
            if not 0 < getattr(self, name) < math.inf:
                raise UsageError(f"oracle.{name}: must be above 0, is {getattr(self, name)}")
        if not self.to_day > self.from_day:
            raise UsageError(f"oracle: to_day {self.to_day} must be after from_day {self.from_day}")

    @property
    def is_live(self) -> bool:
        return self.kind is OracleKind.LIVE and self.update_seconds == 0

    def readings(self, sol_usd: np.ndarray, step_seconds: float) -> np.ndarray:
        """The backend's prices for the market's: float64[paths, steps], USD a SOL."""
        steps = sol_usd.shape[1]
        places = np.arange(steps)
        if self.update_seconds > 0:
            every = max(1, round(self.update_seconds / step_seconds))
            places = places // every * every
        read = sol_usd[:, places] if self.update_seconds > 0 else sol_usd.copy()
        days = np.arange(steps) * step_seconds / 86_400
        faulty = np.flatnonzero((days >= self.from_day) & (days < self.to_day))
        if self.kind is OracleKind.LIVE or not len(faulty):
            return read
        if self.kind is OracleKind.LAG:
            behind = math.ceil(self.lag_seconds / step_seconds)
            read[:, faulty] = sol_usd[:, np.maximum(places[faulty] - behind, 0)]
        elif self.kind is OracleKind.FROZEN:
            read[:, faulty] = read[:, faulty[:1]]
        elif self.kind is OracleKind.HARDCODED:
            read[:, faulty] = self.value_usd
        else:
            read[:, faulty] *= self.factor
        return read
