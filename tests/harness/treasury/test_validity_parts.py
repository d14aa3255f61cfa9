"""The validity page's parts at a small size: each runs, and each can fail."""

from __future__ import annotations

import pytest

from harness.treasury import intervals
from harness.treasury.intervals import Estimate
from harness.validity import treasury


@pytest.mark.parametrize("name", ["first-passage", "outflow-moments", "coverage", "ruin-table"])
def test_a_part_is_within_its_bounds(name: str) -> None:
    part = treasury.PARTS[name](3, 0.02, lambda words: None)
    assert part.passed, part.text
    assert "OUTSIDE" not in part.text


def test_a_wrong_interval_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intervals, "share", lambda hits, n, level=0.95: Estimate(0.5, 0.49, 0.51))
    part = treasury.PARTS["coverage"](3, 0.02, lambda words: None)
    assert not part.passed
    assert "OUTSIDE" in part.text
