"""Thresholds as people write them."""

from __future__ import annotations

import pytest

from harness.errors import UsageError
from harness.load.thresholds import parse_threshold


@pytest.mark.parametrize(
    ("text", "measure", "name", "limit", "stage"),
    [
        ("p95 reveal < 800 ms", "p95", "reveal", 0.8, None),
        ("p99 < 2 s in spike", "p99", None, 2.0, "spike"),
        ("errors < 0.1 %", "errors", None, 0.001, None),
        ("shed reveal <= 5%", "shed", "reveal", 0.05, None),
        ("dropped arrivals = 0", "dropped arrivals", None, 0.0, None),
        ("rate sell > 10 /s in 12.5 a second", "rate", "sell", 10.0, "12.5 a second"),
        ("recovery < 5 s after spike", "recovery", None, 5.0, "spike"),
        ("max  look  <  1500 ms", "max", "look", 1.5, None),
    ],
)
def test_parsed(text: str, measure: str, name: str | None, limit: float, stage: str | None) -> None:
    found = parse_threshold(text)
    assert (found.measure, found.name, found.stage) == (measure, name, stage)
    assert found.limit == pytest.approx(limit)


@pytest.mark.parametrize(
    "text",
    [
        "", "fast", "p95 reveal 800 ms", "p95 reveal < 800", "errors < 1 ms", "p42 < 1 s",
        "dropped arrivals = 0 %", "recovery < 5 s", "rate > 5 %", "p95 reveal < -1 s",
    ],
)  # fmt: skip
def test_not_understood(text: str) -> None:
    with pytest.raises(UsageError, match="threshold"):
        parse_threshold(text)


def test_relations_hold_as_written() -> None:
    assert parse_threshold("dropped arrivals = 0").holds(0)
    assert not parse_threshold("dropped arrivals = 0").holds(1)
    assert not parse_threshold("p95 < 1 s").holds(1.0)
    assert parse_threshold("p95 <= 1 s").holds(1.0)
    assert parse_threshold("rate > 5 /s").holds(5.1)
    assert not parse_threshold("rate > 5 /s").is_upper
