"""Columns grow, are counted and numbered anew a stretch at a time, as if it were done at once."""

from __future__ import annotations

import numpy as np
import pytest

from harness.odds import column
from harness.odds.column import Column, any_descent, any_twice, relabelled, tally
from harness.odds.dependence import _ten_parts


def test_parts_are_joined_in_order_and_a_wider_part_widens_the_column() -> None:
    first = np.array([1, 2], dtype=np.int8)
    grown = Column(first)
    parts = [first, *(np.full(size, 300 + size, dtype=np.int16) for size in range(40))]
    for part in parts[1:]:
        grown.add(part)
    assert np.array_equal(grown.whole(), np.concatenate(parts))
    assert grown.whole().dtype == np.int16
    assert list(first) == [1, 2]
    assert Column(first).whole() is first


def test_stretches_give_what_the_whole_would(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(column, "_STRETCH", 7)
    codes = np.random.default_rng(1).integers(-1, 5, 100).astype(np.int8)
    assert list(tally(codes, 6)) == list(np.bincount(codes[codes >= 0], minlength=6))
    lookup = np.array([4, 3, 2, 1, 0, -1], dtype=np.int8)
    wanted = lookup[codes]
    assert np.array_equal(relabelled(codes, lookup), wanted)
    assert relabelled(codes, lookup, codes) is codes
    assert np.array_equal(codes, wanted)


def test_a_value_that_stands_twice_is_found_in_every_part_of_the_range() -> None:
    values = np.random.default_rng(2).integers(0, 2**64, 1_000, dtype=np.uint64)
    assert not any_twice(values)
    assert not any_twice(values[:0])
    for place in np.argsort(values)[::31]:
        assert any_twice(np.append(values, values[place]))


@pytest.mark.parametrize("n", [1, 9, 10, 11, 99, 1_000])
def test_ten_parts_are_as_the_places_times_ten_over_their_number(n: int) -> None:
    assert list(_ten_parts(n)) == [place * 10 // n for place in range(n)]


def test_a_descent_is_seen_wherever_it_is() -> None:
    values = np.arange(3 * (1 << 18) + 5)
    assert not any_descent(values)
    assert not any_descent(values[:0])
    for place in (1, 1 << 18, (1 << 18) + 1, len(values) - 1):
        fallen = values.copy()
        fallen[place] = fallen[place - 1] - 1
        assert any_descent(fallen[: place + 1])
