"""Figures from records: each threshold on records whose answer is known by construction."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.load.measurements import (
    broken_stage,
    hopeless,
    knee,
    recovery_s,
    table,
    value_of,
    verdicts,
)
from harness.load.profile import Profile, profile_from
from harness.load.records import (
    DROPPED,
    FAILED,
    HEADER,
    OK,
    SHED,
    Record,
    Records,
    read_records,
    records_of,
)
from harness.load.thresholds import parse_threshold
from harness.load.watch import Sample, saturation


def profile(*thresholds: str, **changes: Any) -> Profile:
    values: dict[str, Any] = {
        "mix": {"reveal": 1, "look": 1},
        "stages": [
            {"name": "warm-up", "seconds": 10, "rate": 10, "warm_up": True},
            {"name": "calm", "seconds": 10, "rate": 10},
            {"name": "spike", "seconds": 10, "rate": 10},
            {"name": "after", "seconds": 10, "rate": 10},
        ],
        "thresholds": list(thresholds),
    }
    return profile_from({**values, **changes}, "made")


def steady(latency_s: float = 0.1, outcome: str = OK, name: str = "reveal") -> list[Record]:
    """Ten arrivals a second for forty seconds."""
    return [
        Record(at / 10, at / 10, at / 10 + latency_s, int(at / 100), name, outcome, 200, "")
        for at in range(400)
    ]


def changed(rows: list[Record], first_s: float, last_s: float, **values: Any) -> list[Record]:
    """The rows, some of them changed by their intended start; `latency_s` sets the end."""
    latency_s = values.pop("latency_s", None)
    found = []
    for row in rows:
        if first_s <= row.intended_s < last_s:
            row = row._replace(**values)  # noqa: PLW2901  # the changed one takes its place
            if latency_s is not None:
                row = row._replace(finished_s=row.intended_s + latency_s)  # noqa: PLW2901
        found.append(row)
    return found


def value(text: str, rows: list[Record]) -> float | None:
    return value_of(parse_threshold(text), records_of(rows), profile(text))


def test_the_warm_up_does_not_count() -> None:
    rows = changed(steady(), 0, 10, outcome=FAILED)
    assert value("errors < 1 %", rows) == 0
    rows = changed(steady(), 10, 20, outcome=FAILED)
    assert value("errors < 1 %", rows) == pytest.approx(1 / 3)
    assert value("errors < 1 % in calm", rows) == 1


def test_latency_counts_from_the_intended_start() -> None:
    late = [row._replace(started_s=row.intended_s + 3, finished_s=row.intended_s + 3.1)
            for row in steady()]  # fmt: skip
    assert value("p50 < 1 s", late) == pytest.approx(3.1)


def test_percentiles_are_of_what_succeeded_and_by_name() -> None:
    rows = changed(steady(0.1), 10, 12, latency_s=9.0, outcome=FAILED) + steady(0.5, name="look")
    assert value("p99 reveal < 1 s", rows) == pytest.approx(0.1)
    assert value("max look < 1 s", rows) == pytest.approx(0.5)
    assert value("rate look > 1 /s", rows) == pytest.approx(10)


def test_shed_is_not_an_error_and_dropped_is_counted() -> None:
    rows = changed(changed(steady(), 20, 23, outcome=SHED), 30, 31, outcome=DROPPED)
    assert value("errors < 1 %", rows) == 0
    assert value("shed < 1 %", rows) == pytest.approx(0.1)
    assert value("dropped arrivals = 0", rows) == 10


def test_nothing_measured_is_not_passed() -> None:
    (verdict,) = verdicts(records_of([]), profile("p95 < 1 s"))
    assert verdict.value is None
    assert not verdict.holds


def test_recovery_is_the_first_calm_second_that_lasts() -> None:
    rows = changed(steady(), 20, 33, latency_s=2.0)
    assert value("recovery < 5 s after spike", rows) == 3
    again = changed(rows, 36, 36.5, outcome=FAILED)
    assert value("recovery < 5 s after spike", again) == 7
    assert value("recovery < 5 s after spike", changed(rows, 39, 40, latency_s=3.0)) == np.inf


def test_hopeless_only_when_the_rest_cannot_mend_it() -> None:
    one = profile("errors < 10 %")
    few = records_of(changed(steady()[:200], 10, 12, outcome=FAILED))
    assert hopeless(few, one) is None  # 20 of 400 are 5 %
    many = records_of(changed(steady()[:200], 10, 16, outcome=FAILED))
    found = hopeless(many, one)
    assert found is not None
    assert found.threshold.text == "errors < 10 %"
    slow = records_of(changed(steady()[:200], 10, 20, latency_s=5.0))
    assert hopeless(slow, profile("p95 < 1 s")) is not None
    assert hopeless(slow, profile("p50 < 1 s")) is None


def test_a_file_read_as_it_grows_gives_the_records_of_the_whole(tmp_path: Path) -> None:
    path = tmp_path / "requests.csv"
    rows = changed(steady(name="look"), 10, 12, outcome=FAILED) + steady(name="a longer name")
    text = "\n".join([HEADER, *(row.line() for row in rows), ""])
    found, offset = records_of([]), 0
    for end in (100, 5_000, 5_001, len(text)):
        path.write_text(text[:end])
        piece, offset = read_records(path, offset)
        found += piece
    whole, _ = read_records(path)
    assert len(whole) == len(rows)
    for column in Records.__dataclass_fields__:
        assert getattr(found, column).tolist() == getattr(whole, column).tolist(), column


def test_the_knee_is_the_last_rate_that_held() -> None:
    search = profile_from(
        {
            "mix": {"reveal": 1},
            "steps": {"first": 10, "last": 40, "factor": 2, "seconds": 10},
            "thresholds": ["p95 < 1 s", "errors < 1 %"],
        },
        "search",
    )
    rows = changed(steady(), 30, 40, latency_s=4.0)  # the step of 40 a second
    found = knee(records_of(rows), search, 4)
    assert (found.rate, found.broken_at) == (20, 40)
    assert [verdict.threshold.text for verdict in found.broken] == ["p95 < 1 s"]
    assert knee(records_of(rows), search, 3).broken_at is None
    assert broken_stage(records_of(rows), search, 1) == []


def test_a_row_for_each_stage_and_name_and_one_for_all() -> None:
    rows = table(records_of(steady() + steady(name="look")), profile())
    assert len(rows) == 4 * 2 + 2
    whole = next(row for row in rows if (row.stage, row.name) == ("all", "look"))
    assert (whole.ok, whole.failed, whole.ok_a_second) == (300, 0, 10)
    assert whole.percentiles_s[0] == pytest.approx(0.1)


def busy(share: float) -> list[Sample]:
    return [Sample(n / 2, "generator", share, share, 0, 0) for n in range(20)]


def late(seconds: float) -> Records:
    return records_of([row._replace(started_s=row.intended_s + seconds) for row in steady()])


def test_a_saturated_generator_is_noticed() -> None:
    assert saturation(busy(0.5), late(0.001)) is None
    assert "of a processor" in str(saturation(busy(0.99), late(0.001)))
    assert "late at the 99th" in str(saturation(busy(0.5), late(0.5)))


FAULT = {"kind": "ledger-stall", "at_s": 20, "for_s": 5}


def test_a_threshold_names_a_faults_window_and_its_recovery() -> None:
    rows = changed(changed(steady(), 20, 25, outcome=FAILED), 25, 28, latency_s=0.5)
    failing = "errors < 1 % in ledger-stall"
    recovering = "recovery < 5 s after ledger-stall"
    made = profile(failing, recovering, faults=[FAULT])
    found = {one.threshold.text: one.value for one in verdicts(records_of(rows), made)}
    assert found == {failing: 1.0, recovering: 3.0}


def test_a_fault_is_compared_with_the_calm_after_the_one_before() -> None:
    made = profile(faults=[{**FAULT, "name": "first", "at_s": 12}, FAULT])
    assert made.calm_before("first") == (10, 12), "the warm-up is left out"
    assert made.calm_before("ledger-stall") == (17, 20)


def test_a_second_no_worse_than_those_before_is_calm() -> None:
    """One slow request in a second of ten is its p95, before a spike as after it."""
    slow_once = changed(steady(), 12, 12.1, latency_s=0.4)
    after = changed(slow_once, 35, 35.1, latency_s=0.7)
    assert recovery_s(records_of(after), profile(), "spike") == 0
    worse = changed(slow_once, 35, 35.1, latency_s=0.9)
    assert recovery_s(records_of(worse), profile(), "spike") == 6


def test_who_is_under_way_when_the_next_fault_begins_says_nothing_of_the_one_before() -> None:
    made = profile(faults=[{**FAULT, "name": "first", "at_s": 12}, FAULT])
    struck = changed(steady(), 19.5, 20, latency_s=5.0)
    assert recovery_s(records_of(struck), made, "first") == 0
    still_slow = changed(steady(), 17, 20, latency_s=5.0)
    assert recovery_s(records_of(still_slow), made, "first") == np.inf
