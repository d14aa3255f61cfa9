"""Agreement with published figures and with other implementations."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable

import numpy as np
from scipy import stats

from harness.odds.compare import compare
from harness.odds.exact import tail_probability
from harness.odds.goodness import goodness_of_fit
from harness.odds.result import TestResult, false_discovery, holm
from harness.report.charts import clopper_pearson
from harness.validity.parts import Part, markdown_table

_R = """
peas <- c(315, 101, 108, 32); law <- c(9, 3, 3, 1) / 16
p <- c(0.001, 0.04, 0.03, 0.2, 0.0101, 0.5)
a <- c(500, 260, 140, 70, 30); b <- c(980, 500, 310, 150, 60)
cat(sprintf("%.10g", c(
  chisq.test(peas, p = law)$statistic, chisq.test(peas, p = law)$p.value,
  binom.test(682, 925, p = 0.75)$p.value, binom.test(682, 925)$conf.int,
  fisher.test(matrix(c(3, 1, 1, 3), 2))$p.value,
  chisq.test(rbind(a, b))$statistic, chisq.test(rbind(a, b))$p.value,
  p.adjust(p, "BY"), p.adjust(p, "BH"), p.adjust(p, "holm"))), sep = "\\n")
"""
#: What R 4.2.2 printed for the script above, for machines without R.
_RECORDED = """
0.4700239808
0.9254258951
0.3824915596
0.7076682641
0.7654065582
0.4857142857
1.625565757
0.8041900058
0.0147
0.147
0.147
0.588
0.074235
1
0.006
0.06
0.06
0.24
0.0303
0.5
0.006
0.12
0.12
0.4
0.0505
0.5
"""
_P = np.array([0.001, 0.04, 0.03, 0.2, 0.0101, 0.5])


def agreement(seed: int, scale: float, told: Callable[[str], None]) -> Part:
    """Figures of textbooks, R, scipy and statsmodels beside ours."""
    told("reference values")
    rng = np.random.default_rng(seed)
    peas, law = np.array([315, 101, 108, 32]), np.array([9, 3, 3, 1]) / 16
    a, b = np.array([500, 260, 140, 70, 30]), np.array([980, 500, 310, 150, 60])
    pearson = goodness_of_fit(peas, law, "pearson", rng, reference="limit")
    g = goodness_of_fit(peas, law, "g", rng, reference="limit")
    both = compare(a, b, tuple("abcde"), alpha=0.05, rng=rng)
    tea = compare(np.array([3, 1]), np.array([1, 3]), ("a", "b"), alpha=0.05, rng=rng)
    scipy_g = stats.power_divergence(peas, law * 556, lambda_="log-likelihood")
    r, version = _r_values()
    giants = np.array([243, 682])
    ours_r = [
        pearson.statistic, pearson.p_value,
        tail_probability(giants, np.array([0.25, 0.75]), "probability"),
        *clopper_pearson(682, 925), tea.test.p_value, both.test.statistic, both.test.p_value,
        *false_discovery(_P), *false_discovery(_P, any_dependence=False),
        *[one.p_adjusted for one in holm(
            [TestResult("f", "t", 1, None, float(one), "") for one in _P], 0.05)],
    ]  # fmt: skip
    names = [
        "Mendel's peas 315:101:108:32 against 9:3:3:1 (Mendel 1866), Pearson", "its p-value",
        "Mendel's giants 682 of 925 against 3/4, exact (Conover 1971, p. 97)",
        "its Clopper-Pearson interval, lower end", "upper end",
        "Fisher's tea, 3 of 4 (Fisher 1935), 99,999 tables drawn",
        "two samples of five tiers, statistic", "its p-value",
        *[f"Benjamini-Yekutieli, p-value {one}" for one in range(1, 7)],
        *[f"Benjamini-Hochberg, p-value {one}" for one in range(1, 7)],
        *[f"Holm, p-value {one}" for one in range(1, 7)],
    ]  # fmt: skip
    lines = [
        (name, f"R {version}", other, float(mine or 0.0), 5 * tea.test.p_error if "tea" in name
         else 1e-6 * abs(other))
        for name, other, mine in zip(names, r, ours_r, strict=True)
    ]  # fmt: skip
    lines += [
        ("Mendel's peas, G", "scipy", float(scipy_g.statistic), float(g.statistic or 0), 1e-9),
        ("its p-value", "scipy", float(scipy_g.pvalue), float(g.p_value or 0), 1e-9),
        ("textbooks' statistic of the peas", "print", 0.470, float(pearson.statistic or 0), 5e-4),
        ("textbooks' p-value of the peas", "print", 0.925, float(pearson.p_value or 0), 5e-4),
    ]
    lines += _statsmodels()
    rows, passed = [], True
    for name, source, other, mine, near in lines:
        ok = abs(other - mine) <= near
        passed &= ok
        rows.append((name, source, f"{other:.8g}", f"{mine:.8g}", "yes" if ok else "**NO**"))
    text = f"""## Odds: agreement with reference values

The tests under `tests/harness/odds` compare with more of scipy and statsmodels, and with brute
force over every sequence.

{markdown_table(("example", "from", "theirs", "ours", "agree"), rows)}
"""
    return Part(text, passed)


def _r_values() -> tuple[list[float], str]:
    program = shutil.which("Rscript")
    if program is None:
        return [float(line) for line in _RECORDED.split()], "4.2.2, recorded"
    done = subprocess.run(
        [program, "--vanilla", "-e", _R, "-e", 'cat("\\n", as.character(getRversion()), sep = "")'],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    *values, version = done.stdout.split()
    return [float(one) for one in values], version


def _statsmodels() -> list[tuple[str, str, float, float, float]]:
    """statsmodels comes with the analysis packages."""
    from statsmodels.stats.gof import chisquare_effectsize
    from statsmodels.stats.power import GofChisquarePower

    from harness.odds.plan import noncentral_draws

    p = np.array([0.5, 0.25, 0.15, 0.07, 0.03])
    q = np.array([0.51, 0.25, 0.15, 0.07, 0.02])
    effect = float(chisquare_effectsize(p, q))
    theirs = float(
        GofChisquarePower().solve_power(effect_size=effect, n_bins=5, alpha=0.01, power=0.9)
    )
    return [
        ("draws to find Legendary 3 to 2 %, Common absorbs, alpha 0.01, power 0.9", "statsmodels",
         theirs, float(noncentral_draws(p, q, 0.01, 0.9)), 1.0)
    ]  # fmt: skip
