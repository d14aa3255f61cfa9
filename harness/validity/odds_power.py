"""Power: how often a dishonest table is caught, and after how many draws."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from harness.odds.exact import Kind, statistics
from harness.odds.goodness import likelihood_ratio
from harness.odds.monitor import Watch, epsilons
from harness.odds.plan import (
    chi_square_draws,
    kullback_leibler,
    most_powerful_draws,
    noncentral_draws,
    pearson_power,
    stopping_draws,
)
from harness.odds.table import RarityTable, guide_table
from harness.validity.parts import Part, markdown_table

_TABLES = 20_000
_PATHS = 2_000
_HELD_PATHS = 400
_ALPHA, _POWER = 0.01, 0.9
_POINTS = 0.02
_WALD_TIMES = 1.5

#: Name, shifted tiers, the tier that absorbs the shift (None: all others in proportion).
SHIFTS: tuple[tuple[str, dict[str, str], str | None], ...] = (
    ("Legendary 3 to 2 %, Common absorbs", {"legendary": "0.02"}, "Common"),
    ("Legendary 3 to 2 %, in proportion", {"legendary": "0.02"}, None),
    ("Legendary 3 to 2.5 %, Common absorbs", {"legendary": "0.025"}, "Common"),
    ("Epic and Legendary swapped", {"epic": "0.03", "legendary": "0.07"}, None),
    ("Epic 7 to 6 %, in proportion", {"epic": "0.06"}, None),
)


def _odds(changes: dict[str, str], absorb: str | None) -> tuple[RarityTable, NDArray[np.float64]]:
    table = guide_table()
    return table, np.array(table.shifted(changes, absorb).probabilities)


def power(seed: int, scale: float, told: Callable[[str], None]) -> Part:
    """Rejections of shifted tables at the planned number of draws, against theory."""
    tables = max(200, round(_TABLES * scale))
    slack = _POINTS if scale >= 1 else _POINTS + 3 * math.sqrt(0.09 / tables)
    rows, passed = [], True
    for place, (name, changes, absorb) in enumerate(SHIFTS):
        told(name)
        table, q = _odds(changes, absorb)
        p = np.array(table.probabilities)
        rng = np.random.default_rng([seed, place])
        bound = stats.chi2.isf(_ALPHA, len(p) - 1)
        n = chi_square_draws(p, q, _ALPHA, _POWER)
        theory = pearson_power(p, q, n, _ALPHA)
        textbook = noncentral_draws(p, q, _ALPHA, _POWER)
        tallies = rng.multinomial(n, q, size=tables)
        kinds: tuple[tuple[Kind, str], ...] = (("pearson", "Pearson"), ("g", "G"))
        for kind, label in kinds:
            seen = float((statistics(tallies, p, kind) >= bound).mean())
            rows.append((name, label, f"{n:,}", f"{theory:.3f}", f"{seen:.3f}", seen - theory))
        tallies = rng.multinomial(textbook, q, size=tables)
        seen = float((statistics(tallies, p, "pearson") >= bound).mean())
        rows.append((name, "Pearson, textbooks' size", f"{textbook:,}", "0.900", f"{seen:.3f}",
                     seen - 0.9))  # fmt: skip
        best, how = most_powerful_draws(p, q, _ALPHA, _POWER)
        tallies = rng.multinomial(best, q, size=tables)
        seen = float(np.mean([(likelihood_ratio(one, p, q).p_value or 0) <= _ALPHA
                              for one in tallies]))  # fmt: skip
        theory = most_powerful_theory(p, q, best)
        rows.append((name, f"most powerful ({how.split(', ')[1]})", f"{best:,}", f"{theory:.3f}",
                     f"{seen:.3f}", seen - theory))  # fmt: skip
    shown = []
    for *cells, away in rows:
        asked = cells[1] != "G" and "textbooks" not in str(cells[1])
        ok = abs(float(away)) <= slack
        passed &= ok or not asked
        told_ok = ("yes" if ok else "**NO**") if asked else ""
        shown.append((*cells, f"{float(away):+.3f}", told_ok))
    text = f"""## Odds: power at the planned number of draws

{tables:,} tables drawn at the shifted odds, alpha {_ALPHA}, planned for power {_POWER}; asked of
Pearson and of the most powerful test: within {_POINTS:.0%} points of theory (Pearson: quadratic
form by four moments; most powerful: exact binomial where one tier changes against the rest, else
the normal limit). For comparison, with nothing asked: G at Pearson's number of draws, and Pearson
at the textbooks' number (noncentral chi-square), which is up to five points off. Seed {seed}.

{markdown_table(("shift", "test", "draws", "theory", "seen", "difference", "within"), shown)}
"""
    return Part(text, passed)


def most_powerful_theory(p: NDArray[np.float64], q: NDArray[np.float64], n: int) -> float:
    """Power of the most powerful test of n draws at the level."""
    ratio = np.log(q / p)
    groups = np.unique(np.round(ratio, 12))
    if len(groups) == 2:
        high = np.round(ratio, 12) == groups[1]
        critical = stats.binom.isf(_ALPHA, n, p[high].sum())
        return float(stats.binom.sf(critical, n, q[high].sum()))
    means, deviations = [], []
    for odds in (p, q):
        mean = float(odds @ ratio)
        means.append(n * mean)
        deviations.append(math.sqrt(n * (odds @ ratio**2 - mean**2)))
    critical = means[0] + stats.norm.isf(_ALPHA) * deviations[0]
    return float(stats.norm.sf((critical - means[1]) / deviations[1]))


def stopping(seed: int, scale: float, told: Callable[[str], None]) -> Part:
    """Draws until the monitor fails a shifted table, and how often it wrongly says it holds."""
    paths = max(50, round(_PATHS * scale))
    rows, passed = [], True
    for place, (name, changes, absorb) in enumerate(SHIFTS):
        table, q = _odds(changes, absorb)
        p = np.array(table.probabilities)
        wald = math.log(1 / _ALPHA) / kullback_leibler(q, p)
        strict = (
            _POWER * math.log(_POWER / _ALPHA) + 0.1 * math.log(0.1 / (1 - _ALPHA))
        ) / kullback_leibler(q, p)
        watch = Watch(table, _ALPHA, epsilons(table, 0.01), tuple(map(float, q)))
        told(f"{name}, {paths} paths")
        rng = np.random.default_rng([seed, place])
        times = stopping_draws(watch.bettors(), q, _ALPHA, paths, math.ceil(15 * wald), rng)
        ratio, mean = times.mean() / wald, times.mean()
        ok = bool(ratio <= _WALD_TIMES)
        passed &= ok
        fixed = chi_square_draws(p, q, _ALPHA, _POWER)
        rows.append((name, f"{fixed:,}", f"{wald:,.0f}", f"{mean:,.0f}", f"{ratio:.2f}",
                     f"{mean / strict:.2f}", f"{np.quantile(times, 0.9):,.0f}",
                     "yes" if ok else "**NO**"))  # fmt: skip
    held, held_paths = _held(seed, scale, told)
    high = int(stats.binom(held_paths, _ALPHA).ppf(0.9995))
    passed &= held <= high
    head = ("shift", "fixed design, Pearson", "Wald's bound", "mean draws", "mean / bound",
            "mean / bound with power", "90 % stop by", "at most 1.5")  # fmt: skip
    text = f"""## Odds: expected stopping time

{paths:,} paths at the shifted odds with the monitor planned for them, alpha {_ALPHA}, a look after
every draw. Wald's bound: log(1/alpha) over the Kullback-Leibler divergence, for tests that always
end at the shift; "with power": for tests that may miss it with 0.1. Seed {seed}.

{markdown_table(head, rows)}

Wrongly "holds within epsilon": {held} of {held_paths:,} paths of 60,000 draws whose Common tier is
exactly epsilon (0.01) away; asked: at most {high} (alpha {_ALPHA}).
"""
    return Part(text, passed)


def _held(seed: int, scale: float, told: Callable[[str], None]) -> tuple[int, int]:
    """Paths just outside epsilon that the monitor says hold; it looks at every hundredth draw."""
    table = guide_table()
    paths = max(20, round(_HELD_PATHS * scale))
    q = np.array(table.shifted({"common": "0.51"}).probabilities)
    p, epsilon = np.array(table.probabilities), np.full(5, 0.01)
    game = Watch(table, _ALPHA, tuple(epsilon)).bettors()
    rng = np.random.default_rng([seed, 99])
    held = 0
    for path in range(paths):
        told(f"holds wrongly: path {path} of {paths}")
        tallies = rng.multinomial(100, q, size=600).cumsum(axis=0)
        held += any(game.within(one, _ALPHA, p - epsilon, p + epsilon) for one in tallies)
    return held, paths
