"""Betting against the promise: evidence that may be looked at after every draw.

A gambler starts with 1 and bets on each draw at the promised odds. If the promise holds the game is
fair, so that the fortune exceeds 1/alpha ever, at whatever moment one looks, with a chance of at
most alpha (Ville 1939). If the promise is broken a good bettor grows rich: the fortune is the
evidence. Several bettors share the stake here; the average of fair games is a fair game:

- one on the alternative that was planned for (three quarters, if there is a plan),
- bettors on single tiers made rarer or commoner by fixed factors, the others keeping their
  proportions, weighted towards rare tiers: small shifts of rare tiers,
- one that learns the odds as it goes: the Dirichlet mixture of Lindon and Malek 2022
  (Anytime-Valid Inference for Multinomial Count Data, NeurIPS 35, arXiv 2011.03567), whose
  confidence sequence holds at every draw at once as well.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, logsumexp

#: Shares of the stake: the plan, the tilts, the learner. Without a plan its share goes to both.
_STAKES = (0.75, 0.15, 0.10)
_FACTORS = (0.5, 0.65, 0.8, 1.25, 1.5, 2.0)
#: Draws after which the running products are taken anew from the counts, against rounding.
_RENEWED_EVERY = 4096
_HALVINGS = 60


@dataclass(frozen=True)
class Bettors:
    """The bettors for one rarity table (k tiers).

    `p`: promised probabilities. `alternatives`: (m, k) odds that simple bettors bet on;
    `log_stakes`: (m + 1) logs of their shares, the learner's last. `concentration`: how many draws
    the learner's prior, centred on the promise, counts for.
    """

    p: NDArray[np.float64]
    alternatives: NDArray[np.float64]
    log_stakes: NDArray[np.float64]
    concentration: float

    def log_e(self, counts: NDArray[Any]) -> NDArray[np.float64]:
        """Log of the fortune after tallies `counts` (..., k); fractional counts are allowed."""
        counts = np.asarray(counts, dtype=np.float64)
        simple = counts @ np.log(self.alternatives / self.p).T
        learner = self.log_mixture(counts) - counts @ np.log(self.p)
        both = np.concatenate([simple, learner[..., np.newaxis]], axis=-1)
        return np.asarray(logsumexp(both + self.log_stakes, axis=-1))

    def log_mixture(self, counts: NDArray[np.float64]) -> NDArray[np.float64]:
        """Log probability of a sequence with these counts under the learner's Dirichlet mixture:
        Gamma(A)/Gamma(A+n) prod Gamma(a_i+x_i)/Gamma(a_i), a = concentration x p."""
        prior = self.concentration * self.p
        n = counts.sum(axis=-1)
        return np.asarray(
            gammaln(self.concentration)
            - gammaln(self.concentration + n)
            + (gammaln(prior + counts) - gammaln(prior)).sum(axis=-1)
        )

    def update(
        self, counts: NDArray[Any], tiers: NDArray[Any], log_bound: float
    ) -> tuple[NDArray[np.float64], int]:
        """Feed draws one by one after a tally of `counts`, which is brought up to date in place.

        Returns the log fortune after each draw (n), and the place of the first at or above
        `log_bound`, -1 if none is.
        """
        path = np.empty(len(tiers))
        return path, self._feed(counts, tiers, log_bound, path, False)

    def feed_until(self, counts: NDArray[Any], tiers: NDArray[Any], log_bound: float) -> int:
        """As `update`, but stops at the first draw at or above the bound: its place, or -1."""
        return self._feed(counts, tiers, log_bound, np.empty(0), True)

    def _feed(
        self,
        counts: NDArray[Any],
        tiers: NDArray[Any],
        log_bound: float,
        path: NDArray[np.float64],
        stop: bool,
    ) -> int:
        ratios = self.alternatives / self.p
        arguments = (self.p, ratios, self.log_stakes, self.concentration, log_bound, path, stop)
        return int(_feed(counts, tiers, *arguments))

    def confidence_box(
        self, counts: NDArray[Any], alpha: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Lower and upper ends (k each) for the tiers' true odds, valid for all tiers and all
        draws at once with confidence 1 - alpha: the projections of Lindon and Malek's set, all
        theta whose likelihood is above alpha times the mixture's. Exact, by halving."""
        profile = _Profile(self, np.asarray(counts, dtype=np.float64), alpha)
        ends = []
        for outer in (np.zeros(len(self.p)), np.ones(len(self.p))):
            bad, good = outer.copy(), profile.share.copy()
            for _ in range(_HALVINGS):
                middle = (bad + good) / 2
                is_in = profile.inside(middle)
                good, bad = np.where(is_in, middle, good), np.where(is_in, bad, middle)
            ends.append(np.where(profile.inside(outer), outer, bad))
        return ends[0], ends[1]

    def within(
        self, counts: NDArray[Any], alpha: float, low: NDArray[Any], high: NDArray[Any]
    ) -> bool:
        """Whether the confidence box lies between `low` and `high` (k each), without finding it:
        the set is convex, so that it does if it holds the observed shares and not the walls."""
        profile = _Profile(self, np.asarray(counts, dtype=np.float64), alpha)
        if np.any(profile.share < low) or np.any(profile.share > high):
            return False
        walls = ((low <= 0) | ~profile.inside(low)) & ((high >= 1) | ~profile.inside(high))
        return bool(walls.all())


class _Profile:
    """The confidence set seen from each tier: with tier i's odds fixed at t, the other tiers are
    likeliest in proportion to their counts, and t is in if that is likely enough."""

    def __init__(self, game: Bettors, x: NDArray[np.float64], alpha: float) -> None:
        self.n = x.sum()
        self.x, self.rest = x, self.n - x
        self.share = x / self.n if self.n else game.p
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = np.where(x > 0, x * np.log(self.share), 0.0)
            others = np.where(self.rest > 0, self.rest * np.log(self.rest / self.n), 0.0)
        self.own = logs.sum() - logs - others
        self.least = float(game.log_mixture(x)) + math.log(alpha)

    def inside(self, t: NDArray[np.float64]) -> NDArray[np.bool_]:
        if self.n == 0:
            return np.ones(len(t), dtype=np.bool_)
        with np.errstate(divide="ignore", invalid="ignore"):
            likely = np.where(self.x > 0, self.x * np.log(t), 0.0)
            likely += np.where(self.rest > 0, self.rest * np.log1p(-t), 0.0)
        return likely + self.own > self.least


def bettors(
    p: NDArray[np.float64],
    alternative: NDArray[np.float64] | None = None,
    *,
    concentration: float = 200.0,
) -> Bettors:
    """The bettors for promised odds `p` (k), with one on a planned `alternative` (k) if given."""
    k = len(p)
    plan, tilt, learn = _STAKES
    chosen, stakes = [], []
    if alternative is not None:
        chosen.append(alternative)
        stakes.append(plan)
        scale = 1.0
    else:
        scale = 1 / (tilt + learn)
    rarity: NDArray[np.float64] = 1 / np.sqrt(p)
    for tier in range(k):
        tilts = [factor for factor in _FACTORS if factor * p[tier] < 0.95]
        for factor in tilts:
            shifted = p * (1 - factor * p[tier]) / (1 - p[tier])
            shifted[tier] = factor * p[tier]
            chosen.append(shifted)
            stakes.append(scale * tilt * rarity[tier] / rarity.sum() / len(tilts))
    stakes.append(1 - sum(stakes))
    return Bettors(p, np.array(chosen), np.log(stakes), concentration)


@numba.njit(cache=True)
def _feed(
    counts: NDArray[Any],
    tiers: NDArray[Any],
    p: NDArray[np.float64],
    ratios: NDArray[np.float64],
    log_stakes: NDArray[np.float64],
    concentration: float,
    log_bound: float,
    path: NDArray[np.float64],
    stop: bool,
) -> int:
    """Multiply each bettor's fortune by what the draw paid. Products are kept relative to a scale
    and taken anew from the counts every few thousand draws."""
    m, k = ratios.shape
    by_tier = np.ascontiguousarray(ratios.T)
    logs = np.log(ratios)
    fortunes = np.empty(m + 1)
    scale = 0.0
    limit = 0.0  # the bound relative to the scale: a logarithm a draw would be half the time
    total = int(counts.sum())
    crossed = -1
    for place in range(len(tiers)):
        if place % _RENEWED_EVERY == 0:
            learner = math.lgamma(concentration) - math.lgamma(concentration + total)
            for drawn in range(k):
                prior = concentration * p[drawn]
                learner += math.lgamma(prior + counts[drawn]) - math.lgamma(prior)
                learner -= counts[drawn] * math.log(p[drawn])
            fortunes[m] = log_stakes[m] + learner
            for one in range(m):
                fortunes[one] = log_stakes[one]
                for drawn in range(k):
                    fortunes[one] += counts[drawn] * logs[one, drawn]
            scale = float(fortunes.max())
            fortunes[:] = np.exp(fortunes - scale)
            limit = math.exp(min(log_bound - scale, 700.0))
        tier = tiers[place]
        paid = by_tier[tier]
        fortune = 0.0
        for one in range(m):
            fortunes[one] *= paid[one]
            fortune += fortunes[one]
        fortunes[m] *= (concentration * p[tier] + counts[tier]) / (
            (concentration + total) * p[tier]
        )
        fortune += float(fortunes[m])
        counts[tier] += 1
        total += 1
        if fortune > 1e100 or fortune < 1e-100:
            largest = fortunes.max()
            scale += math.log(largest)
            for one in range(m + 1):
                fortunes[one] /= largest
            fortune /= largest
            limit = math.exp(min(log_bound - scale, 700.0))
        if len(path) > 0:
            path[place] = scale + math.log(fortune)
        if crossed < 0 and fortune >= limit:
            crossed = place
            if stop:
                break
    return crossed
