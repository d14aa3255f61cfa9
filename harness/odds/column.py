"""A column: many values of one kind in a row, grown and counted without a second copy.

A tape that gets longer at its end. Ten million values are tens of megabytes: whoever joins parts,
numbers them anew or counts them does it a stretch at a time, so that the work needs no such tape
of its own.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

_STRETCH = 1 << 18
_PARTS_BITS = 4
#: What a growing column reserves at least. So much comes from the system directly and is given back
#: to it; pages that nothing was written to take no memory.
_RESERVED_BYTES = 1 << 27


class Column:
    """Values that come in parts. The first part is kept as it is; from the second on they are
    moved to memory that is reserved ahead and grows in place (an array's `resize` is the system's
    `realloc`, which moves pages and copies nothing)."""

    def __init__(self, first: NDArray[Any]) -> None:
        self._held = first
        self._rows = len(first)
        self._own = False

    def add(self, values: NDArray[Any]) -> None:
        """Put a part at the end; a wider type widens the column."""
        kind = np.promote_types(self._held.dtype, values.dtype)
        if not self._own or kind != self._held.dtype:
            room = max(self._rows, _RESERVED_BYTES // kind.itemsize)
            before, self._held = self._held, np.empty(room, dtype=kind)
            self._held[: self._rows] = before[: self._rows]
            self._own = True
        rows = self._rows + len(values)
        if rows > len(self._held):
            # by little: what `resize` adds it writes zeros to
            self._held.resize(max(rows, len(self._held) * 65 // 64), refcheck=False)
        self._held[self._rows : rows] = values
        self._rows = rows

    def whole(self) -> NDArray[Any]:
        """All values. The column takes no more after this."""
        if self._own and self._rows < len(self._held):
            self._held.resize(self._rows, refcheck=False)
        return self._held


def tally(codes: NDArray[Any], size: int) -> NDArray[np.int64]:
    """How often each code of 0..size-1 stands in `codes`; negative ones are not counted."""
    counts = np.zeros(size, dtype=np.int64)
    for start in range(0, len(codes), _STRETCH):
        part = codes[start : start + _STRETCH]
        counts += np.bincount(part[part >= 0], minlength=size)
    return counts


def relabelled(
    codes: NDArray[Any], lookup: NDArray[Any], out: NDArray[Any] | None = None
) -> NDArray[Any]:
    """`lookup[codes]`, into `out` if given, which may be `codes` itself."""
    found = np.empty(len(codes), dtype=lookup.dtype) if out is None else out
    for start in range(0, len(codes), _STRETCH):
        found[start : start + _STRETCH] = lookup[codes[start : start + _STRETCH]]
    return found


def any_descent(values: NDArray[Any]) -> bool:
    """Whether a value is less than the one before it."""
    for start in range(0, len(values), _STRETCH):
        part = values[start : start + _STRETCH + 1]
        if np.any(part[1:] < part[:-1]):
            return True
    return False


def any_twice(hashes: NDArray[np.uint64]) -> bool:
    """Whether a value stands twice; sorted a sixteenth of the values' range at a time."""
    for part in range(1 << _PARTS_BITS):
        some = _of_part(hashes, np.uint64(part), np.uint64(64 - _PARTS_BITS))
        some.sort()
        if np.any(some[1:] == some[:-1]):
            return True
    return False


@numba.njit(cache=True)
def _of_part(hashes: NDArray[np.uint64], part: np.uint64, shift: np.uint64) -> NDArray[np.uint64]:
    count = 0
    for place in range(len(hashes)):
        count += (hashes[place] >> shift) == part
    found = np.empty(count, dtype=np.uint64)
    count = 0
    for place in range(len(hashes)):
        if (hashes[place] >> shift) == part:
            found[count] = hashes[place]
            count += 1
    return found
