"""How many draws does it take? Planning before the first box is bought.

Like asking how often a coin must be thrown before a cheat shows: it depends on how big the cheat
is, how sure one wants to be, and whether one may stop early.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from harness.errors import UsageError
from harness.odds.eprocess import Bettors
from harness.odds.monitor import Watch
from harness.odds.table import RarityTable
from harness.odds.tails import normal_quantile_above

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_SIMULATED_DRAWS_MAX = 60_000_000
_PATHS_MAX, _PATHS_MIN = 2_000, 100
_SIZES_TRIED = 50_000
_CAP_OF_BOUND = 12  # a path is followed for so many times its bound
_LAMPORTS_PER_SOL = 1_000_000_000

# Rent of the four accounts of an NFT, (128 + bytes) x 6,960 lamports: mint 82, token 165,
# metadata 679, master edition 282 bytes (Token Metadata 1.11); fees: 2 signatures to mint, 1 to
# reveal, 5,000 lamports each.
_RENT_LAMPORTS = sum((128 + size) * 6_960 for size in (82, 165, 679, 282))
_FEES_LAMPORTS = 15_000


@dataclass(frozen=True)
class LedgerCost:
    """What draws cost on one kind of ledger. `real`: whether the SOL is worth money."""

    ledger: str
    real: bool
    draws_a_second: float
    assumption: str


#: Rates are assumptions to plan with; measure yours and give `--draws-a-second`.
LEDGERS = (
    LedgerCost("embedded", False, 15.0, "measured by `make bench` on two shared cores, 12 s waits "
               "pass on the virtual clock"),
    LedgerCost("validator", False, 0.7, "ten wallets side by side, 12 s of propagation and 2 s to "
               "confirm each"),
    LedgerCost("devnet", False, 2.0, "40 sends in 10 s at a public RPC, two a draw"),
    LedgerCost("mainnet", True, 2.0, "40 sends in 10 s at a public RPC, two a draw"),
)  # fmt: skip
#: What is said of a rate where the user gave one.
OWN_RATE = "as given"


@dataclass(frozen=True)
class Design:
    """One way of testing: draws needed (fixed), or expected under shift and promise (sequential).

    `draws`: fixed sample size, or the expected number at the shift. `draws_max`: where the
    sequential design may give up with the power asked for. `how`: where the number comes from.
    """

    name: str
    draws: int
    draws_max: int
    how: str


@dataclass(frozen=True)
class Plan:
    """Sample sizes to tell `shifted` from the promise. `wald_draws`: Wald's lower bound for the
    expected draws of any test of this level that always ends at the shift; `wald_power_draws`: of
    any with this power (Wald 1945, Annals of Mathematical Statistics 16, 117-186)."""

    table: RarityTable
    shifted: RarityTable
    alpha: float
    power: float
    designs: tuple[Design, ...]
    wald_draws: float
    wald_power_draws: float
    mint_price_lamports: int

    def frame(self) -> pd.DataFrame:
        """A row for each design with its costs on each ledger."""
        import pandas as pd

        return pd.DataFrame([asdict(one) for one in self.designs]).merge(
            pd.DataFrame(self.costs()), on="name"
        )

    def plot(self) -> Figure:
        """Draws of each design beside Wald's bound: a bar up to the mean, a line on to the most."""
        from harness.odds.picture import Picture

        figure = Picture(figsize=(7, 2.4), layout="constrained")
        axes = figure.subplots()
        names = [one.name for one in self.designs]
        axes.barh(names, [one.draws for one in self.designs], height=0.5)
        axes.hlines(names, [one.draws for one in self.designs],
                    [one.draws_max for one in self.designs], color="0.3")  # fmt: skip
        axes.axvline(self.wald_draws, color="0.5", linestyle="--")
        axes.set_xlabel("draws; dashed: Wald's bound")
        axes.set_title(f"{self.table.box}: alpha {self.alpha:g}, power {self.power:g}", loc="left")
        return figure

    def costs(self, draws_a_second: float | None = None) -> list[dict[str, Any]]:
        """SOL and minutes of each design on each ledger; rent and fees included."""
        each = self.mint_price_lamports + _RENT_LAMPORTS + _FEES_LAMPORTS
        return [
            {
                "name": design.name,
                "ledger": ledger.ledger,
                "sol": design.draws * each / _LAMPORTS_PER_SOL,
                "real": ledger.real,
                "minutes": design.draws / (draws_a_second or ledger.draws_a_second) / 60,
            }
            for design in self.designs
            for ledger in LEDGERS
        ]

    def as_dict(self, draws_a_second: float | None = None) -> dict[str, Any]:
        """JSON values; costs at `draws_a_second`, or at the assumed rates."""
        return {
            "box": self.table.box,
            "tiers": list(self.table.tiers),
            "promised": self.table.probabilities,
            "shifted": self.shifted.probabilities,
            "alpha": self.alpha,
            "power": self.power,
            "wald_draws": self.wald_draws,
            "wald_power_draws": self.wald_power_draws,
            "designs": [asdict(one) for one in self.designs],
            "costs": self.costs(draws_a_second),
            "assumptions": {
                one.ledger: one.assumption if draws_a_second is None else OWN_RATE
                for one in LEDGERS
            },
        }


def plan(
    table: RarityTable,
    shifted: RarityTable,
    *,
    alpha: float,
    power: float,
    mint_price_lamports: int,
    rng: np.random.Generator,
) -> Plan:
    """Plan for telling `shifted` from `table` at level `alpha` with power `power`.

    Raises UsageError for levels that cannot be and for a shift that is none.
    """
    if not 0 < alpha < 0.5 or not 0.5 <= power < 1:
        raise UsageError(
            f"alpha must be above 0 and below 0.5, power from 0.5 and below 1; they are {alpha} "
            f"and {power}"
        )
    p, q = np.array(table.probabilities), np.array(shifted.probabilities)
    if np.allclose(p, q, rtol=1e-9):
        raise UsageError("the shifted odds are the promised ones: there is nothing to find")
    wald = math.log(1 / alpha) / kullback_leibler(q, p)
    beta = 1 - power
    wald_power = (
        power * math.log(power / alpha) + beta * math.log(beta / (1 - alpha))
    ) / kullback_leibler(q, p)
    omnibus = chi_square_draws(p, q, alpha, power)
    textbook = noncentral_draws(p, q, alpha, power)
    best, how = most_powerful_draws(p, q, alpha, power)
    return Plan(
        table,
        shifted,
        alpha,
        power,
        (
            Design("fixed, any shift", omnibus, omnibus, f"Pearson (textbooks: {textbook:,})"),
            Design("fixed, this shift", best, best, how),
            sequential(table, q, alpha, power, wald, rng),
        ),
        wald,
        wald_power,
        mint_price_lamports,
    )


def kullback_leibler(q: NDArray[np.float64], p: NDArray[np.float64]) -> float:
    """Evidence a draw from `q` brings against `p` on average, in natural units."""
    return float(q @ np.log(q / p))


def chi_square_draws(
    p: NDArray[np.float64], q: NDArray[np.float64], alpha: float, power: float
) -> int:
    """Draws at which Pearson's test at level `alpha` finds `q` with the power."""
    from scipy import optimize

    rough = noncentral_draws(p, q, alpha, power)
    low, high = rough / 4, rough * 4.0
    if pearson_power(p, q, low, alpha) > power or pearson_power(p, q, high, alpha) < power:
        return rough
    return math.ceil(
        optimize.brentq(lambda n: pearson_power(p, q, n, alpha) - power, low, high, xtol=0.25)
    )


def noncentral_draws(
    p: NDArray[np.float64], q: NDArray[np.float64], alpha: float, power: float
) -> int:
    """The same by the textbooks' noncentral chi-square with k-1 degrees of freedom and
    n sum (q-p)^2/p (Cohen 1988, Statistical Power Analysis, chapter 7). It takes the counts'
    variances from the promise, which misses by several points of power where a rare tier's odds
    change by half; `pearson_power` does not."""
    from scipy import optimize

    effect = float(((q - p) ** 2 / p).sum())
    df = len(p) - 1
    bound = special.chdtri(df, alpha)
    needed = optimize.brentq(
        lambda noncentrality: special.chndtr(bound, df, noncentrality) - (1 - power), 1e-9, 1e4
    )
    return math.ceil(needed / effect)


def pearson_power(p: NDArray[np.float64], q: NDArray[np.float64], n: float, alpha: float) -> float:
    """Power of Pearson's test of p when n draws come from q.

    The statistic is a quadratic form in counts that are nearly normal with q's variances; its
    distribution by four moments: Liu, Tang and Zhang 2009, Computational Statistics and Data
    Analysis 53, 853-856.
    """
    bound = special.chdtri(len(p) - 1, alpha)
    root = 1 / np.sqrt(p)
    weights, vectors = np.linalg.eigh(root[:, np.newaxis] * (np.diag(q) - np.outer(q, q)) * root)
    kept = weights > 1e-12 * weights.max()
    shifts = (vectors.T @ (math.sqrt(n) * (q - p) * root))[kept] ** 2
    weights = weights[kept]
    shifts = shifts / weights
    c1, c2, c3, c4 = (
        float((weights**k).sum() + k * (weights**k * shifts).sum()) for k in (1, 2, 3, 4)
    )
    s1, s2 = c3 / c2**1.5, c4 / c2**2
    if s1**2 > s2:
        a = 1 / (s1 - math.sqrt(s1**2 - s2))
        noncentrality = s1 * a**3 - a**2
        df = a**2 - 2 * noncentrality
    else:
        a, noncentrality = 1 / s1, 0.0
        df = 1 / s1**2
    at = (bound - c1) / math.sqrt(2 * c2) * math.sqrt(2) * a + df + noncentrality
    return 1 - float(special.chndtr(max(at, 0.0), df, noncentrality))


def smallest_found(share: float, n: int, tiers: int, alpha: float, power: float = 0.9) -> float:
    """The least increase of a tier's odds, absorbed by the others in proportion, that Pearson's
    test of n draws finds with `power`; all that is left, 1 - share, if none would be found.

    Halved by hand: every audit asks this, and scipy's solvers are 10 MB."""
    p = np.append(np.full(tiers - 1, (1 - share) / (tiers - 1)), share)

    def missing(increase: float) -> float:
        q = np.append(p[:-1] * (1 - share - increase) / (1 - share), share + increase)
        return pearson_power(p, q, n, alpha) - power

    low, high = 1e-9, (1 - share) * 0.999
    if missing(high) < 0:
        return 1 - share
    while high - low > 1e-9 * high:  # at most thirty times
        middle = (low + high) / 2
        low, high = (middle, high) if missing(middle) < 0 else (low, middle)
    return high


def most_powerful_draws(
    p: NDArray[np.float64], q: NDArray[np.float64], alpha: float, power: float
) -> tuple[int, str]:
    """Draws at which the most powerful test of p against q has the power, and how it is known.

    Where only one tier (or one group) changes against the rest the test counts it and the number
    is exact: from it on the binomial test has the power at once and keeps it for the next hundred
    (above 50,000, of sizes that far apart). The normal limit would be a tenth too small where the
    rare tier comes twenty times, however many draws that takes.
    """
    from scipy import stats

    ratio = np.log(q / p)
    z_alpha, z_power = normal_quantile_above(alpha), normal_quantile_above(1 - power)
    deviations = [math.sqrt(w @ ratio**2 - (w @ ratio) ** 2) for w in (p, q)]
    away = q @ ratio - p @ ratio
    rough = ((z_alpha * deviations[0] + z_power * deviations[1]) / away) ** 2
    groups = np.unique(np.round(ratio, 12))
    if len(groups) != 2:
        return math.ceil(rough), "likelihood ratio, normal limit"
    high = np.round(ratio, 12) == groups[1]
    low_share, high_share = float(p[high].sum()), float(q[high].sum())

    def has_power(n: NDArray[np.int64]) -> NDArray[np.bool_]:
        # the least count that rejects: isf gives the greatest c with P(X > c) at most alpha
        critical = stats.binom.isf(alpha, n, low_share)
        return np.asarray(stats.binom.sf(critical, n, high_share) >= power)

    start, step = max(1, int(rough * 0.7)), max(1, int(rough) // _SIZES_TRIED)
    tried = np.arange(start, int(rough * 1.5) + 400 * step, step)
    enough = has_power(tried)
    runs = np.convolve(enough, np.ones(100, dtype=int), mode="valid") == 100
    if not runs.any():
        return math.ceil(rough), "likelihood ratio, normal limit"
    return int(tried[int(runs.argmax())]), "likelihood ratio, exact binomial"


def sequential(
    table: RarityTable,
    q: NDArray[np.float64],
    alpha: float,
    power: float,
    wald: float,
    rng: np.random.Generator,
) -> Design:
    """The monitor planned for `q`: mean draws to `fails`, and by when it fails with the power, from
    simulated paths; for shifts too small to simulate from Wald's bound and the plan's stake."""
    watch = Watch(table, alpha, (0.01,) * len(q), tuple(map(float, q)))
    game = watch.bettors()
    paths = int(min(_PATHS_MAX, _SIMULATED_DRAWS_MAX / (wald * 1.2)))
    if paths < _PATHS_MIN:
        # The plan's bettor needs 1/alpha over its stake; what comes in late is the normal limit's.
        mean = wald * (1 - math.log(0.75) / math.log(1 / alpha))
        ratio = np.log(q / np.array(table.probabilities))
        spread = math.sqrt(q @ ratio**2 - (q @ ratio) ** 2) / (q @ ratio)
        late = mean + normal_quantile_above(1 - power) * spread * math.sqrt(mean)
        return Design("sequential", math.ceil(mean), math.ceil(late), "Wald's approximation")
    times = stopping_draws(game, q, alpha, paths, math.ceil(_CAP_OF_BOUND * wald), rng)
    return Design(
        "sequential",
        math.ceil(times.mean()),
        math.ceil(np.quantile(times, power)),
        f"{paths:,} simulated paths",
    )


def stopping_draws(
    game: Bettors,
    q: NDArray[np.float64],
    alpha: float,
    paths: int,
    draws_max: int,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Draws until the evidence reaches 1/alpha when draws come from `q`; at most draws_max."""
    bound, edges = math.log(1 / alpha), np.cumsum(q)[:-1]
    found = np.empty(paths, dtype=np.int64)
    chunk = max(1_000, draws_max // 6)
    for path in range(paths):
        counts, done = np.zeros(len(q), dtype=np.int64), 0
        found[path] = draws_max
        while done < draws_max:
            drawn = rng.random(min(chunk, draws_max - done))
            tiers = np.zeros(len(drawn), dtype=np.int8)
            for edge in edges:  # faster than a search among a handful
                tiers += drawn >= edge
            crossed = game.feed_until(counts, tiers, bound)
            if crossed >= 0:
                found[path] = done + crossed + 1
                break
            done += len(tiers)
    return found
