"""Does the tally fit the promise? Tests of counts against a rarity table.

Three ways of weighing the same tally (improbability, Pearson, likelihood ratio), always against
the distribution that holds for its size: enumerated where that is possible, drawn where expected
counts are small, the chi-square limit only where it is good.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

from harness.errors import UsageError
from harness.odds.column import tally
from harness.odds.draws import BoxDraws
from harness.odds.exact import Kind, outcomes, statistics, tail_probability
from harness.odds.result import REPLICATES, TestResult, monte_carlo
from harness.odds.tails import binomial_two_sided, chi_square_tail, normal_tail
from harness.report.charts import clopper_pearson

Reference = Literal["auto", "exact", "monte-carlo", "limit"]
#: Enumerate up to so many outcomes (five tiers: 109 draws); a few tenths of a second.
_ENUMERATED_MAX = 6_000_000
#: From this expected count in the rarest tier on the chi-square limit is used.
_EXPECTED_MIN = 50.0
_NAMES: dict[Kind, str] = {
    "probability": "exact multinomial",
    "pearson": "Pearson chi-square",
    "g": "likelihood ratio G",
}
_BATCH = 10_000


def goodness_of_fit(
    counts: NDArray[np.int64],
    p: NDArray[np.float64],
    kind: Kind,
    rng: np.random.Generator,
    *,
    reference: Reference = "auto",
    replicates: int = REPLICATES,
    family: str = "odds",
) -> TestResult:
    """Test a tally against probabilities `p` (both by tier, of the same length).

    `reference`: where the p-value comes from; auto enumerates up to 6 million outcomes, uses the
    chi-square limit from 50 expected in the rarest tier, and draws tables in between. The exact
    multinomial test has no limit of its own: beyond, it is drawn.
    Raises UsageError for an empty tally, ValueError for a limit that does not exist.
    """
    n, tiers = int(counts.sum()), len(p)
    if reference == "limit" and kind == "probability":
        raise ValueError("an outcome's probability has no limiting distribution")
    if n == 0:
        raise UsageError("there are no draws to test")
    observed = float(statistics(counts[np.newaxis, :], p, kind)[0])
    if reference == "auto":
        reference = _suited(n, p, kind)
    name, df = _NAMES[kind], tiers - 1
    if reference == "exact":
        p_value = tail_probability(counts, p, kind)
        how = f"exact, {outcomes(n, tiers):,} outcomes"
        return TestResult(family, name, n, observed, p_value, how, None)
    if reference == "limit":
        p_value = chi_square_tail(observed, df)
        return TestResult(family, name, n, observed, p_value, "chi-square limit", df)
    drawn = np.concatenate(
        [
            statistics(rng.multinomial(n, p, size=min(_BATCH, replicates - start)), p, kind)
            for start in range(0, replicates, _BATCH)
        ]
    )
    return monte_carlo(family, name, n, observed, drawn, "tables drawn")


def _suited(n: int, p: NDArray[np.float64], kind: Kind) -> Reference:
    if outcomes(n, len(p)) <= _ENUMERATED_MAX:
        return "exact"
    return "limit" if kind != "probability" and n * p.min() >= _EXPECTED_MIN else "monte-carlo"


def omnibus(box: BoxDraws, rng: np.random.Generator) -> TestResult:
    """The one test of the odds that an audit counts: exact while outcomes can be enumerated,
    Pearson's beyond. Fixed by the number of draws alone, so that nobody chooses by the result."""
    if box.table.from_stock:
        return hypergeometric(box, rng)
    p = np.array(box.table.probabilities)
    n = len(box)
    kind: Kind = "probability" if outcomes(n, len(p)) <= _ENUMERATED_MAX else "pearson"
    return goodness_of_fit(box.counts, p, kind, rng)


@dataclass(frozen=True)
class TierInterval:
    """A tier's share with an interval that holds for all tiers at once. `p_value`: two-sided
    exact binomial, unadjusted; `p_adjusted`: Holm over the tiers."""

    tier: str
    promised: float
    seen: int
    share: float
    low: float
    high: float
    p_value: float
    p_adjusted: float


def tier_intervals(box: BoxDraws, alpha: float) -> tuple[TierInterval, ...]:
    """Clopper and Pearson's exact intervals (1934, Biometrika 26, 404-413), each at level
    1 - alpha/k for k tiers (Bonferroni): all of them hold together with at least 1 - alpha."""
    n, p = len(box), box.table.probabilities
    found = []
    p_values = [
        binomial_two_sided(int(seen), n, share) for seen, share in zip(box.counts, p, strict=True)
    ]
    adjusted = _holm(p_values)
    for place, tier in enumerate(box.table.tiers):
        seen = int(box.counts[place])
        low, high = clopper_pearson(seen, n, 1 - alpha / len(p))
        found.append(
            TierInterval(
                tier, p[place], seen, seen / n, low, high, p_values[place], adjusted[place]
            )
        )
    return tuple(found)


def directed(box: BoxDraws, alternative: NDArray[np.float64]) -> TestResult:
    """The most powerful test against one alternative (Neyman and Pearson 1933): the log
    likelihood ratio, with its exact mean and variance under the promise and the normal limit."""
    p = np.array(box.table.probabilities)
    return likelihood_ratio(box.counts, p, alternative)


def likelihood_ratio(
    counts: NDArray[np.int64], p: NDArray[np.float64], alternative: NDArray[np.float64]
) -> TestResult:
    """As `directed`, of a tally. Where only one tier's ratio differs from the others', the ratio
    grows with that tier's count and the p-value is exact binomial."""
    n, ratio = int(counts.sum()), np.log(alternative / p)
    statistic = float(counts @ ratio)
    groups = np.unique(np.round(ratio, 12))
    if len(groups) == 2:
        high = np.round(ratio, 12) == groups[1]
        seen = int(counts[high].sum())
        p_value = float(special.bdtrc(seen - 1, n, p[high].sum())) if seen else 1.0
        return TestResult("odds", "most powerful against the plan", n, statistic, p_value,
                          "exact binomial")  # fmt: skip
    mean = float(p @ ratio)
    deviation = float(np.sqrt(n * (p @ ratio**2 - mean**2)))
    p_value = normal_tail((statistic - n * mean) / deviation)
    return TestResult("odds", "most powerful against the plan", n, statistic, p_value,
                      "normal limit")  # fmt: skip


def skins_within_tiers(
    box: BoxDraws, rng: np.random.Generator, replicates: int = REPLICATES
) -> TestResult | None:
    """Given how often each tier came, do its skins come by their weights? Pearson's statistic
    summed over the tiers. None where the table or the source says nothing about skins.

    Skins of a stock are drawn without replacement: multivariate hypergeometric.
    Raises UsageError for a skin that its tier does not have.
    """
    listed: dict[str, dict[str, float]] = {
        tier: {skin: float(w) for skin, w in skins.items()}
        for tier, skins in (box.table.stock or box.table.skins).items()
    }
    if not listed or box.skin is None:
        return None
    stock = bool(box.table.stock)
    observed, smallest, df = 0.0, np.inf, 0
    drawn = np.zeros(replicates)
    plans = []
    for place, tier in enumerate(box.table.tiers):
        seen = _skin_counts(box, place, tier, listed)
        if seen is None or (n := int(seen.sum())) == 0 or len(seen) < 2:
            continue
        weights = np.array(list(listed[tier].values()))
        q = weights / weights.sum()
        shrink = _finite_correction(n, int(weights.sum())) if stock else 1.0
        if shrink == 0:  # all were drawn: nothing is left to chance
            continue
        observed += float(statistics(seen[np.newaxis, :], q, "pearson")[0]) / shrink
        smallest, df = min(smallest, n * float(q.min())), df + len(q) - 1
        plans.append((n, q, weights.astype(np.int64), shrink))
    total = len(box)
    family, name = ("stock", "skins by stock") if stock else ("skins", "skins within tiers")
    if df == 0:
        return TestResult(family, name, total, None, None, "none", detail="no tier has two skins")
    if smallest >= 5 and not stock:
        p_value = chi_square_tail(observed, df)
        return TestResult(family, name, total, observed, p_value, "chi-square limit", df)
    for n, q, held, shrink in plans:
        tables = (
            rng.multivariate_hypergeometric(held, n, size=replicates, method="marginals")
            if stock
            else rng.multinomial(n, q, size=replicates)
        )
        drawn += statistics(tables, q, "pearson") / shrink
    return monte_carlo(family, name, total, observed, drawn, "tables drawn")


def hypergeometric(
    box: BoxDraws, rng: np.random.Generator, replicates: int = REPLICATES
) -> TestResult:
    """Tiers drawn without replacement from the table's stock: Pearson's statistic with the finite
    population's correction, its distribution drawn from the multivariate hypergeometric.

    Raises UsageError if more was drawn than there was.
    """
    held = np.array([sum(skins.values()) for skins in box.table.stock.values()])
    n, p = len(box), held / held.sum()
    for tier, seen, there in zip(box.table.tiers, box.counts, held, strict=True):
        if seen > there:
            raise UsageError(f"box {box.table.box}: {tier}: {seen} drawn of a stock of {there}")
    shrink = _finite_correction(n, int(held.sum()))
    if shrink == 0:
        why = "the whole stock was drawn: nothing is left to chance"
        return TestResult("stock", "tiers by stock", n, None, None, "none", detail=why)
    observed = float(statistics(box.counts[np.newaxis, :], p, "pearson")[0]) / shrink
    tables = rng.multivariate_hypergeometric(held, n, size=replicates, method="marginals")
    drawn = statistics(tables, p, "pearson") / shrink
    return monte_carlo("stock", "tiers by stock", n, observed, drawn, "tables drawn")


def _finite_correction(n: int, population: int) -> float:
    return (population - n) / max(population - 1, 1)


def _skin_counts(
    box: BoxDraws, place: int, tier: str, listed: dict[str, dict[str, float]]
) -> NDArray[np.int64] | None:
    assert box.skin is not None
    counts = tally(box.skin.codes[box.tier == place], len(box.skin.names))
    seen: dict[str, Any] = {box.skin.names[code]: counts[code] for code in np.flatnonzero(counts)}
    if tier not in listed:
        return None
    if unknown := sorted(set(seen) - set(listed[tier])):
        raise UsageError(
            f"box {box.table.box}: {tier}: skin {unknown[0]!r} was drawn {seen[unknown[0]]} times, "
            "but the table does not list it"
        )
    return np.array([seen.get(skin, 0) for skin in listed[tier]], dtype=np.int64)


def _holm(p_values: list[float]) -> list[float]:
    order = np.argsort(p_values)
    raised = np.array(p_values)[order] * np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(np.maximum.accumulate(raised), 1.0)
    return [float(one) for one in adjusted]
