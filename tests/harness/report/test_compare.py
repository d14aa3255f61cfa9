"""Two runs compared: what is new is told, and only new failures count."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.errors import UsageError
from harness.report.compare import compare, read_summary


def run(seconds: float, units: int, **outcomes: str) -> dict[str, Any]:
    return {
        "run": {"seconds": dict.fromkeys(outcomes, seconds)},
        "scenarios": [{"name": name, "outcome": outcome} for name, outcome in outcomes.items()],
        "compute_units": [{"action": "mint", "greatest": units}],
    }


def test_nothing_changed() -> None:
    same = run(1.0, 1000, a="passed", b="failed")
    found = compare(same, same)
    assert found.passed
    assert (found.new_failures, found.slower, found.dearer, found.gone) == ((), (), (), ())


def test_what_is_new_is_told() -> None:
    found = compare(
        run(1.0, 1000, a="passed", b="failed", c="passed"),
        run(2.0, 1100, a="failed", b="passed", d="failed"),
    )
    assert not found.passed
    assert found.new_failures == ("a (passed before)", "d (not played before)")
    assert found.mended == ("b",)
    assert found.gone == ("c",)
    assert found.slower == ("a: 1.0 s, now 2.0 s", "b: 1.0 s, now 2.0 s")
    assert found.dearer == ("mint: 1000 compute units, now 1100",)


def test_a_folder_that_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not the folder of a run"):
        read_summary(tmp_path)
