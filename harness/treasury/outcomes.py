"""What one step may bring, as tables: how many boxes, how many cents to pay, how likely.

Boxes are minted at Poisson times; each is of some template and is sold at once or kept. By
Poisson splitting every such kind is an independent Poisson count. Kinds are gathered into groups
whose joint law of (boxes, cents) is small enough to stand in an alias table (Walker 1977, Vose
1991): one look draws a whole group. What is left out of a table is below 2^-53 in all; a look
resolves probabilities to 2^-48 or better.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np

from harness.errors import UsageError
from harness.treasury.kernels.base import UNIT_BITS
from harness.treasury.model import Economy

_LEFT_OUT = 2.0**-53
#: Largest table: together they fit into a core's second cache.
STATES_MAX = 1024
_MEAN_MAX = 40.0  # of one Poisson kind; more is split into equal independent parts
_KINDS_MAX = 4096


@dataclass(frozen=True)
class Kind:
    """A Poisson count a step of boxes that cost `cents` each (0: kept, nothing to pay)."""

    mean: float
    cents: int


@dataclass(frozen=True)
class Outcomes:
    """All tables of a step. Table g has rows `starts[g]` to `starts[g + 1]`, a power of two.

    The low bits of a word pick a row; if the word is below `limits[row]`, the low half of
    `pairs[row]` is the outcome, otherwise the high half. An outcome is boxes << UNIT_BITS | units.
    """

    limits: np.ndarray
    pairs: np.ndarray
    starts: np.ndarray
    #: Prices are multiples of this.
    unit_cents: int
    #: log of the mean of e^(tilt x cents): 0 without a tilt.
    cumulant: float


def kinds_of(
    economy: Economy, mints_day: float, sold_share: float, step_days: float
) -> tuple[Kind, ...]:
    """Sold boxes by template, and kept ones. Raises UsageError for prices of part of a cent."""
    mints = mints_day * step_days
    kinds: dict[int, float] = {0: mints * (1 - sold_share)}
    for template in economy.templates:
        cents, rest = divmod(template.price_microusd, 10_000)
        if rest:
            raise UsageError(f"price of {template.tier}: the base model needs whole cents")
        kinds[cents] = kinds.get(cents, 0.0) + mints * sold_share * float(template.chance)
    return tuple(Kind(mean, cents) for cents, mean in kinds.items() if mean > 0)


@functools.lru_cache(maxsize=64)
def tabulate(kinds: tuple[Kind, ...], tilt_per_cent: float = 0.0) -> Outcomes:
    """The tables of a step; with a tilt, of the law whose density is e^(tilt x cents) times more.

    Raises UsageError if there would be too many tables: take a smaller step.
    """
    cumulant = sum(kind.mean * math.expm1(tilt_per_cent * kind.cents) for kind in kinds)
    parts: list[Kind] = []
    for kind in kinds:
        mean = kind.mean * math.exp(tilt_per_cent * kind.cents)
        pieces = max(1, math.ceil(mean / _MEAN_MAX))
        parts += [Kind(mean / pieces, kind.cents)] * pieces
        if len(parts) > _KINDS_MAX:
            raise UsageError(
                f"demand: a step brings {sum(k.mean for k in kinds):.0f} boxes; make step_seconds "
                "smaller"
            )
    unit = math.gcd(*(kind.cents for kind in kinds)) or 1
    groups: list[dict[int, float]] = []
    law: dict[int, float] = {0: 1.0}
    for kind in sorted(parts, key=lambda part: part.mean):
        own = {
            (count << UNIT_BITS) + count * (kind.cents // unit): share
            for count, share in _poisson_law(kind.mean)
        }
        joined = _joined(law, own)
        if len(joined) > STATES_MAX and len(law) > 1:
            groups.append(law)
            joined = own
        law = joined
    groups.append(law)
    return _stack(groups, unit, cumulant)


def _poisson_law(mean: float) -> list[tuple[int, float]]:
    """Counts that are likelier than what may be left out, with their probabilities."""
    last = math.ceil(mean + 12 * math.sqrt(mean) + 25)
    law = [
        (count, math.exp(count * math.log(mean) - mean - math.lgamma(count + 1)))
        for count in range(last)
    ]
    return [(count, share) for count, share in law if share > _LEFT_OUT / last]


def _joined(one: dict[int, float], other: dict[int, float]) -> dict[int, float]:
    """The law of the sum of two independent outcomes, without what is too rare to be drawn."""
    keys = np.add.outer(np.array(list(one)), np.array(list(other))).ravel()
    shares = np.multiply.outer(np.array(list(one.values())), np.array(list(other.values()))).ravel()
    outcomes, places = np.unique(keys, return_inverse=True)
    summed = np.bincount(places, weights=shares)
    order = np.argsort(summed)
    rare = order[: np.searchsorted(np.cumsum(summed[order]), _LEFT_OUT / 64)]
    keep = np.ones(len(outcomes), bool)
    keep[rare] = False
    return dict(zip(outcomes[keep].tolist(), summed[keep].tolist(), strict=True))


def _stack(groups: list[dict[int, float]], unit_cents: int, cumulant: float) -> Outcomes:
    most = sum(max(outcome & ((1 << UNIT_BITS) - 1) for outcome in law) for law in groups)
    if most >= 1 << UNIT_BITS:
        raise UsageError(
            f"prices: a step may have to pay {most * unit_cents / 100:.0f} USD, more than the base "
            "model can count; make step_seconds smaller"
        )
    tables = [_alias(law) for law in groups]
    sizes = [len(limits) for limits, _ in tables]
    return Outcomes(
        limits=np.concatenate([limits for limits, _ in tables]),
        pairs=np.concatenate([pairs for _, pairs in tables]),
        starts=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        unit_cents=unit_cents,
        cumulant=cumulant,
    )


def _alias(law: dict[int, float]) -> tuple[np.ndarray, np.ndarray]:
    """Vose's table in 2^n rows: limits and pairs, see `Outcomes`."""
    bits = max(1, (len(law) - 1).bit_length())
    size = 1 << bits
    outcomes = np.zeros(size, np.uint64)
    outcomes[: len(law)] = np.fromiter(law, np.uint64, len(law))
    shares = np.zeros(size)
    shares[: len(law)] = np.fromiter(law.values(), np.float64, len(law))
    scaled = (shares * (size / math.fsum(shares))).tolist()
    other = list(range(size))
    keep = [1.0] * size
    small = [index for index in range(size) if scaled[index] < 1]
    large = [index for index in range(size) if scaled[index] >= 1]
    while small and large:
        poor, rich = small.pop(), large.pop()
        keep[poor], other[poor] = scaled[poor], rich
        scaled[rich] -= 1 - scaled[poor]
        (small if scaled[rich] < 1 else large).append(rich)
    whole = 1 << (64 - bits)
    limits = [min(int(share * whole), whole) << bits for share in keep]
    return (
        np.array([min(limit, 2**64 - 1) for limit in limits], np.uint64),
        outcomes | (outcomes[other] << np.uint64(32)),
    )
