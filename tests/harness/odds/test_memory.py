"""Memory of an audit grows with its rows by their columns, not by copies of them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from harness.validity.odds_speed import MEASURE, write_draws

_ROWS = (1_000_000, 4_000_000)
#: What an audit has to hold of a row: its time 8, wallet 4, box, tier and skin 1 each.
_COLUMNS_BYTES = 15
#: Beside them: the tiers numbered as in the table and what a test makes of a column of one byte.
#: Less than the 8 that a column of mints, of times or of Python objects takes.
_BESIDE_BYTES_MAX = 7


@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's VmHWM")
def test_a_row_more_costs_an_audit_its_columns(tmp_path: Path) -> None:
    """The peaks of two files of the same kind differ by what the rows take: whatever libraries,
    names and batches take is in both."""
    peaks = []
    for rows in _ROWS:
        path = tmp_path / f"{rows}.parquet"
        write_draws(path, rows, seed=1)
        command = [sys.executable, "-c", MEASURE, str(path)]
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=600)
        found = json.loads(done.stdout)
        assert found["loaded"] == [], "libraries that an audit does not need"
        assert found["columns_mb"] * 1e6 == rows * _COLUMNS_BYTES
        peaks.append(found["peak_mb"] * 1e6)
    bytes_a_row = (peaks[1] - peaks[0]) / (_ROWS[1] - _ROWS[0])
    assert bytes_a_row <= _COLUMNS_BYTES + _BESIDE_BYTES_MAX
