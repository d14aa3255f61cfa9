"""What a test of the odds says: one line of a laboratory report."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

#: Tables or shuffles of a Monte Carlo p-value: its standard error at 0.01 is 0.0003.
REPLICATES = 99_999


@dataclass(frozen=True)
class TestResult:
    """One test. `p_value` is None where the data are too few to test; `detail` says why.

    `method`: exact, Monte Carlo or the limiting distribution used. `p_error`: standard error of a
    Monte Carlo p-value, 0 for others. `family`: what is tested (odds, skins, stock, order, ...).
    """

    __test__ = False  # not a pytest class, whatever its name says

    family: str
    name: str
    n: int
    statistic: float | None
    p_value: float | None
    method: str
    degrees_of_freedom: float | None = None
    p_error: float = 0.0
    detail: str = ""

    def as_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "family": self.family,
            "name": self.name,
            "n": self.n,
            "statistic": _finite(self.statistic),
            "degrees_of_freedom": _finite(self.degrees_of_freedom),
            "p_value": self.p_value,
            "p_error": self.p_error,
            "method": self.method,
            "detail": self.detail,
        }


@dataclass(frozen=True)
class Adjusted:
    """A test with its p-value adjusted for having looked at all of its family."""

    test: TestResult
    p_adjusted: float | None
    rejected: bool

    def as_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            **self.test.as_dict(),
            "p_adjusted": self.p_adjusted,
            "rejected": self.rejected,
        }


@dataclass(frozen=True)
class Table:
    """Results with a DataFrame view."""

    rows: tuple[dict[str, Any], ...] = field(default=())

    def frame(self) -> pd.DataFrame:
        import pandas as pd

        return pd.DataFrame(list(self.rows))


def monte_carlo(
    family: str,
    name: str,
    n: int,
    observed: float,
    drawn: NDArray[np.floating[Any]],
    what: str,
    detail: str = "",
) -> TestResult:
    """A Monte Carlo test: `drawn` are the statistic under the hypothesis, large values against it.

    p = (1 + those at least as large) / (1 + all), which is valid whatever their number (Davison
    and Hinkley 1997, Bootstrap Methods and their Application, 4.2). Equal up to rounding is equal.
    """
    size = len(drawn)
    above = int(np.count_nonzero(drawn >= observed - 1e-9 * max(1.0, abs(observed))))
    p = (1 + above) / (1 + size)
    return TestResult(
        family, name, n, observed, p, f"Monte Carlo, {size:,} {what}",
        p_error=float(np.sqrt(p * (1 - p) / size)), detail=detail,
    )  # fmt: skip


def holm(tests: list[TestResult], alpha: float) -> list[Adjusted]:
    """Holm's step-down adjustment: the chance of any false rejection is at most alpha, whatever
    the tests' dependence. Holm 1979, Scandinavian Journal of Statistics 6, 65-70."""
    able = [one for one in tests if one.p_value is not None]
    ordered = sorted(range(len(able)), key=lambda place: able[place].p_value or 0.0)
    adjusted: dict[int, float] = {}
    highest = 0.0
    for rank, place in enumerate(ordered):
        highest = max(highest, min(1.0, (len(able) - rank) * (able[place].p_value or 0.0)))
        adjusted[id(able[place])] = highest
    found = []
    for one in tests:
        p = adjusted.get(id(one))
        found.append(Adjusted(one, p, p is not None and p <= alpha))
    return found


def false_discovery(
    p_values: NDArray[np.float64], *, any_dependence: bool = True
) -> NDArray[np.float64]:
    """Adjusted p-values that control the expected share of false discoveries.

    Benjamini and Yekutieli 2001 (Annals of Statistics 29, 1165-1188), which holds under any
    dependence; without `any_dependence` Benjamini and Hochberg 1995 (JRSS B 57, 289-300).
    """
    m = len(p_values)
    if m == 0:
        return p_values
    factor = float(np.sum(1 / np.arange(1, m + 1))) if any_dependence else 1.0
    order = np.argsort(p_values)
    raised = p_values[order] * m * factor / np.arange(1, m + 1)
    smallest = np.minimum.accumulate(raised[::-1])[::-1]
    adjusted = np.empty(m)
    adjusted[order] = np.minimum(smallest, 1.0)
    return adjusted


def _finite(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)
