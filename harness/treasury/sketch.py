"""Many numbers kept as few: a histogram whose bins grow with the number, as on a slide rule.

Each power of two is cut into 512 bins, so that a value is known to 0.1 % whatever its size, and
the memory does not grow with how many there are. The bin is read off the bits of the float. Two
sketches add up to the sketch of both, in any order.
"""

from __future__ import annotations

import numpy as np

_SHIFT = 52 - 9
_OFFSET = 1023 << 9  # the bin of 1.0
_BINS = 54 << 9  # 1 .. 2^54 lamports
_ZERO = _BINS


class Sketch:
    """Counts of signed values; those below 1 in size count as 0."""

    def __init__(self) -> None:
        #: int64[2 x bins + 1]: from the most negative bin over zero to the most positive.
        self.counts = np.zeros(2 * _BINS + 1, np.int64)
        # Bins outside this range are empty, and it is narrow: nobody need look at all of them.
        self._first, self._end = len(self.counts), 0

    def add(self, values: np.ndarray) -> None:
        """Count values, any shape. Raises ValueError for one that is not finite or above 2^54."""
        floats = np.ascontiguousarray(values, np.float64).ravel()
        size = np.abs(floats)
        if not (size < 2.0**54).all():  # also for NaN
            raise ValueError("a sketch takes finite values below 2^54")
        bins = (size.view(np.int64) >> _SHIFT) - _OFFSET + 1
        places = np.where(size < 1, 0, np.where(floats < 0, -bins, bins)) + _ZERO
        if not len(places):
            return
        first = int(places.min())
        added = np.bincount(places - first)
        self._count(first, added)

    def _count(self, first: int, added: np.ndarray) -> None:
        end = first + len(added)
        self.counts[first:end] += added
        self._first, self._end = min(self._first, first), max(self._end, end)

    def merge(self, other: Sketch) -> None:
        if other._end:
            self._count(other._first, other.counts[other._first : other._end])

    def sparse(self) -> tuple[np.ndarray, np.ndarray]:
        """Places and counts of the bins that hold something, in as few bytes as hold them."""
        held = self.counts[self._first : self._end]
        inside = np.flatnonzero(held)
        counts = held[inside]
        small = counts.max(initial=0) < 2**31
        return (inside + self._first).astype(np.int32), counts.astype(
            np.int32 if small else np.int64
        )

    @classmethod
    def from_sparse(cls, places: np.ndarray, counts: np.ndarray) -> Sketch:
        sketch = cls()
        if len(places):
            sketch.counts[places] = counts
            sketch._first, sketch._end = int(places[0]), int(places[-1]) + 1
        return sketch

    @property
    def total(self) -> int:
        return int(self.counts.sum())

    def quantile(self, share: float) -> float:
        """The value that `share` of all lie at or below. Raises ValueError if there are none."""
        return self.at_rank(max(1, int(np.ceil(share * self.total))))

    def at_rank(self, rank: int) -> float:
        """The `rank`-th smallest value, from 1; ranks outside are moved to the nearest."""
        total = self.total
        if total == 0:
            raise ValueError("an empty sketch has no quantiles")
        place = int(np.searchsorted(np.cumsum(self.counts), min(max(rank, 1), total)))
        return float(_MIDDLES[place])

    def mean_above(self, share: float) -> float:
        """Mean of the largest 1 - `share` of all: the expected shortfall of a loss."""
        total = self.total
        if total == 0:
            raise ValueError("an empty sketch has no mean")
        tail = max((1 - share) * total, 1e-9)
        down = self.counts[::-1]
        taken = np.clip(tail - (np.cumsum(down) - down), 0, down)
        return float((taken * _MIDDLES[::-1]).sum() / taken.sum())

    def deviation_above(self, share: float) -> float:
        """Standard deviation of the largest 1 - `share` of all."""
        total = self.total
        tail = max((1 - share) * total, 1e-9)
        down = self.counts[::-1]
        taken = np.clip(tail - (np.cumsum(down) - down), 0, down)
        away = (_MIDDLES[::-1] - self.mean_above(share)) ** 2
        return float(np.sqrt((taken * away).sum() / taken.sum()))

    def mean(self) -> float:
        return float((self.counts * _MIDDLES).sum() / self.total)

    def share_above(self, value: float) -> float:
        """Share of values in bins whose middle is above `value`."""
        return float(self.counts[value < _MIDDLES].sum() / self.total)


def _middles() -> np.ndarray:
    bits = (np.arange(_BINS + 1, dtype=np.int64) + _OFFSET) << _SHIFT
    edges = bits.view(np.float64)
    middles = (edges[:-1] + edges[1:]) / 2
    return np.concatenate([-middles[::-1], [0.0], middles])


_MIDDLES = _middles()
