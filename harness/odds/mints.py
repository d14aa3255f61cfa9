"""Mints: does each stand once, and which were they, in 64 bits each.

A box is drawn once, so that a mint that stands twice is a wrong row. To see that, all mints must be
held at once: 80 MB for ten million. An audit asks nothing more of them, so that their digest can
take their place before the other columns are read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numba
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from harness.odds.column import Column, any_twice


def texts_of(column: pa.Array) -> pa.Array:
    """A column as an array of strings, whatever its type; pandas' NaN is a missing text."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_floating(column.type):
        column = pa.array(column.to_numpy(zero_copy_only=False), from_pandas=True)
    return column.cast(pa.string())


def hashes_of(texts: pa.Array) -> NDArray[np.uint64]:
    """64 bits of each text: FNV-1a, mixed. That of a missing text is an empty one's."""
    content = texts.buffers()[2]
    held = np.frombuffer(content, dtype=np.uint8) if content else np.empty(0, dtype=np.uint8)
    return _fnv1a(held, _places(texts))


def digest_of(hashes: NDArray[np.uint64]) -> str:
    """SHA-256 of mints' hashes in the rows' order."""
    return hashlib.sha256(np.ascontiguousarray(hashes).data).hexdigest()


@dataclass(frozen=True)
class SingleMints:
    """A source's mints, each of which stands once: how many, and their digest."""

    rows: int
    digest: str


def single_mints(columns: Iterable[pa.Array]) -> SingleMints | None:
    """The mints of a source, in parts; None if one is missing or stands twice (or there is none),
    so that the rows have to be looked at with their mints."""
    held: Column | None = None
    for column in columns:
        texts = texts_of(column)
        if texts.null_count or _any_empty(texts):
            return None
        hashes = hashes_of(texts)
        if held is None:
            held = Column(hashes)
        else:
            held.add(hashes)
    if held is None:
        return None
    hashes = held.whole()
    return None if any_twice(hashes) else SingleMints(len(hashes), digest_of(hashes))


def _any_empty(texts: pa.Array) -> bool:
    places = _places(texts)
    return bool(np.any(places[1:] == places[:-1]))


def _places(texts: pa.Array) -> NDArray[np.int32]:
    """Where each text begins in Arrow's bytes, and where the last one ends."""
    offsets = np.frombuffer(texts.buffers()[1], dtype=np.int32)
    return offsets[texts.offset : texts.offset + len(texts) + 1]


@numba.njit(cache=True)
def _fnv1a(content: NDArray[np.uint8], places: NDArray[np.int32]) -> NDArray[np.uint64]:
    hashes = np.empty(len(places) - 1, dtype=np.uint64)
    for row in range(len(hashes)):
        mixed = np.uint64(14695981039346656037)
        for place in range(places[row], places[row + 1]):
            mixed = (mixed ^ np.uint64(content[place])) * np.uint64(1099511628211)
        mixed = (mixed ^ (mixed >> np.uint64(32))) * np.uint64(0x9E3779B97F4A7C15)
        hashes[row] = mixed ^ (mixed >> np.uint64(29))
    return hashes
