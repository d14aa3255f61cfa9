"""The parts of a cycle's time are all there, and add up to it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from harness.bench.breakdown import measure_breakdown
from harness.ledger.embedded.bank import Bank


def test_parts_add_up_and_the_stopwatches_are_gone_afterwards(tmp_path: Path) -> None:
    before = Bank.simulate
    found = measure_breakdown(5, tmp_path, "1")
    assert Bank.simulate is before
    parts = dataclasses.asdict(found)
    whole = parts.pop("cycle_ms")
    assert sum(parts.values()) == pytest.approx(whole)
    assert all(value > 0 for value in parts.values()), parts
    assert len(found.rows()) == len(parts) + 1
