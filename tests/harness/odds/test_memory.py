"""Memory of an audit grows with its rows by their columns, not by copies of them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from harness.validity.odds_speed import MEASURE, write_draws

#: Above the million up to which the mints' texts are kept.
_ROWS = 2_600_000
#: A row's columns are 23 bytes: time and mint 8 each, wallet 4, box, tier and skin 1 each. The rest
#: is a batch, the first million mints and names; 65 were measured, a copy of the columns adds 23.
_BYTES_A_ROW_MAX = 80


@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's VmHWM")
def test_an_audit_holds_no_second_copy_of_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "draws.parquet"
    write_draws(path, _ROWS, seed=1)
    command = [sys.executable, "-c", MEASURE, str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=600)
    found = json.loads(done.stdout)
    assert found["loaded"] == [], "libraries that an audit does not need"
    assert (found["peak_mb"] - found["before_mb"]) * 1e6 / _ROWS <= _BYTES_A_ROW_MAX
