"""Two samples: did the odds change between two periods, or do two backends differ?

Two urns and no label on either: the question is not what they hold but whether they hold the same.
No promise is needed for it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import UsageError
from harness.odds.draws import BoxDraws
from harness.odds.exact import statistics
from harness.odds.result import REPLICATES, TestResult, monte_carlo
from harness.odds.tails import chi_square_tail, normal_quantile_above

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_EXPECTED_MIN = 10.0


@dataclass(frozen=True)
class TierChange:
    """A tier's share in both samples and the change with an interval for all tiers at once
    (Newcombe 1998, Statistics in Medicine 17, 873-890, method 10; Bonferroni over the tiers)."""

    tier: str
    first: float
    second: float
    change_low: float
    change_high: float


@dataclass(frozen=True)
class Comparison:
    """Whether two tallies come from the same odds. `differs`: the test rejects at `alpha`."""

    first: str
    second: str
    alpha: float
    test: TestResult
    changes: tuple[TierChange, ...]

    @property
    def differs(self) -> bool:
        return self.test.p_value is not None and self.test.p_value <= self.alpha

    def frame(self) -> pd.DataFrame:
        """A row for each tier."""
        import pandas as pd

        return pd.DataFrame([asdict(one) for one in self.changes])

    def plot(self) -> Figure:
        """Each tier's change of odds with its interval; 0 is no change."""
        from harness.odds.picture import Picture

        figure = Picture(figsize=(7, 2.6), layout="constrained")
        axes = figure.subplots()
        tiers = [one.tier for one in self.changes]
        axes.hlines(tiers, [one.change_low for one in self.changes],
                    [one.change_high for one in self.changes])  # fmt: skip
        axes.plot([one.second - one.first for one in self.changes], tiers, "o")
        axes.axvline(0, color="0.5", linestyle="--")
        axes.margins(y=0.15)  # the outer tiers lay on the frame
        axes.set_xlabel(f"odds of {self.second} less those of {self.first}")
        axes.set_title("differ" if self.differs else "do not differ detectably", loc="left")
        return figure

    def as_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "first": self.first,
            "second": self.second,
            "alpha": self.alpha,
            "differs": self.differs,
            "test": self.test.as_dict(),
            "tiers": [asdict(one) for one in self.changes],
        }


def compare(
    first: NDArray[Any],
    second: NDArray[Any],
    tiers: tuple[str, ...],
    *,
    alpha: float,
    rng: np.random.Generator,
    names: tuple[str, str] = ("first", "second"),
    replicates: int = REPLICATES,
) -> Comparison:
    """Compare two tallies (k each). Pearson's test of homogeneity: the chi-square limit from 10
    expected in each cell, below that against tables with the same margins (Fisher, Freeman and
    Halton's conditioning: given both sizes and the totals by tier the split is hypergeometric).

    Raises UsageError for an empty sample.
    """
    for name, counts in zip(names, (first, second), strict=True):
        if counts.sum() == 0:
            raise UsageError(f"{name}: has no draws to compare")
    totals = (first + second).astype(np.int64)
    there = totals > 0
    sizes, n = (int(first.sum()), int(second.sum())), int(totals.sum())
    observed = float(_homogeneity(first[np.newaxis, :], totals, sizes)[0])
    df = int(np.count_nonzero(there)) - 1
    if df == 0:
        test = TestResult("two samples", "same odds", n, None, None, "none", detail="one tier only")
    elif min(sizes) * totals[there].min() / n >= _EXPECTED_MIN:
        test = TestResult("two samples", "same odds", n, observed,
                          chi_square_tail(observed, df), "chi-square limit", df)  # fmt: skip
    else:
        tables = rng.multivariate_hypergeometric(totals, sizes[0], replicates, method="marginals")
        drawn = _homogeneity(tables, totals, sizes)
        test = monte_carlo("two samples", "same odds", n, observed, drawn, "tables drawn")
    level = alpha / len(tiers)
    changes = []
    for place, tier in enumerate(tiers):
        a, b = int(first[place]), int(second[place])
        low, high = _newcombe(a, sizes[0], b, sizes[1], level)
        changes.append(TierChange(tier, a / sizes[0], b / sizes[1], low, high))
    return Comparison(*names, alpha, test, tuple(changes))


def _homogeneity(
    first: NDArray[Any], totals: NDArray[np.int64], sizes: tuple[int, int]
) -> NDArray[np.float64]:
    there = totals > 0
    share = totals[there] / totals.sum()
    one = statistics(first[:, there], share, "pearson")
    return one + statistics((totals - first)[:, there], share, "pearson")


def _newcombe(a: int, n: int, b: int, m: int, alpha: float) -> tuple[float, float]:
    """Interval for b/m - a/n from the two Wilson intervals."""
    (low1, high1), (low2, high2) = _wilson(a, n, alpha), _wilson(b, m, alpha)
    first, second = a / n, b / m
    change = second - first
    down = float(np.hypot(second - low2, high1 - first))
    up = float(np.hypot(high2 - second, first - low1))
    return change - down, change + up


def _wilson(seen: int, n: int, alpha: float) -> tuple[float, float]:
    z = normal_quantile_above(alpha / 2)
    middle = (seen + z * z / 2) / (n + z * z)
    half = z / (n + z * z) * float(np.sqrt(seen * (n - seen) / n + z * z / 4))
    return max(0.0, middle - half), min(1.0, middle + half)


def split_at(box: BoxDraws, time: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The tallies before and from a time (ISO 8601, UTC if it says nothing else).

    Raises UsageError for what is no time and for draws without one.
    """
    try:
        parsed = datetime.fromisoformat(time)
    except ValueError:
        raise UsageError(f"--at: {time!r} is no time such as 2026-11-01T00:00:00Z") from None
    if box.time_us is None:
        raise UsageError("the source has no times to split by")
    moment = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    later = box.time_us >= int(moment.timestamp() * 1_000_000)
    k = len(box.table.tiers)
    early = np.bincount(box.tier[~later], minlength=k)
    return early.astype(np.int64), np.bincount(box.tier[later], minlength=k).astype(np.int64)
