"""`harness load`, for real: ledger, Postgres, backend workers and Locust, a few seconds of each."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from harness.checks import JUDGES

HARNESS = str(Path(sys.executable).with_name("harness"))
PROFILE = """
about = "a few seconds"
arrival = "{arrival}"
workers = {workers}
backend_workers = {workers}
thresholds = [{thresholds}]

[mix]
status = 1
reveal = 3
look = 2
sell = 2
journey = 1
abuse = 2

[[stages]]
name = "only"
seconds = 5
rate = {rate}
"""


def load(tmp_path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [HARNESS, "load", *words, "--runs", str(tmp_path / "runs")],
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip


def profile(tmp_path: Path, **values: object) -> str:
    path = tmp_path / "mine.toml"
    filled = {"arrival": "poisson", "workers": 1, "rate": 4, "thresholds": '"errors < 1 %"'}
    path.write_text(PROFILE.format(**{**filled, **values}))
    return str(path)


def figures(tmp_path: Path) -> dict[str, object]:
    (found,) = tmp_path.glob("runs/*/load.json")
    content = json.loads(found.read_text())
    assert isinstance(content, dict)
    return content


def test_distributed_over_processes_judged_and_reported(tmp_path: Path) -> None:
    done = load(tmp_path, profile(tmp_path, workers=2))
    assert done.returncode == 0, done.stdout + done.stderr
    found = figures(tmp_path)
    judged = found["judgements"]
    assert isinstance(judged, list)
    assert len(judged) == len(JUDGES) + 2  # and rate limits, and resources
    assert all(one["passed"] for one in judged)
    rows = found["rows"]
    assert isinstance(rows, list)
    ok = {row["name"]: row["ok"] for row in rows if row["stage"] == "all"}
    assert {"status", "reveal", "look", "sell", "request", "confirm"} <= set(ok)
    (folder,) = tmp_path.glob("runs/*")
    names = {path.name for path in folder.iterdir()}
    assert {"load.html", "requests.csv", "locust_stats.csv", "locust.html"} <= names
    assert "stock.txt" not in names  # it held private keys
    assert len((folder / "requests.csv").read_text().splitlines()) - 1 == sum(
        row["arrivals"] for row in rows if row["stage"] == "all"
    )


def test_a_closed_crowd_and_a_crossed_threshold(tmp_path: Path) -> None:
    done = load(tmp_path, profile(tmp_path, arrival="closed", thresholds='"p50 < 1 ms"'))
    assert done.returncode == 99, done.stdout + done.stderr
    assert "p50 < 1 ms" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("noon",), "profile 'noon' is unknown"),
        (("none.toml",), "cannot be read"),
        (("smoke", "--compare", "."), "holds no load.json"),
        (("smoke", "--host", "http://127.0.0.1:1"), "also needs --ledger"),
        (("smoke", "--wallet", "key.json"), "--wallet: goes with --host"),
    ],
)
def test_wrong_usage_is_said_before_anything_starts(
    tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    done = load(tmp_path, *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "runs").exists()


FAULTS = """
sign_in = true
thresholds = ["errors < 5 %"]

[mix]
reveal = 3
look = 1
sell = 2

[[stages]]
seconds = 16
rate = 3

[[faults]]
kind = "rpc-429"
at_s = 2
for_s = 3
share = 0.1

[[faults]]
kind = "ledger-stall"
at_s = 7
for_s = 2

[[faults]]
kind = "database-failover"
at_s = 11
for_s = 2
"""


def test_faults_happen_and_the_judges_find_nothing_wrong_after_them(tmp_path: Path) -> None:
    path = tmp_path / "faults.toml"
    path.write_text(FAULTS)
    done = load(tmp_path, str(path))
    found = figures(tmp_path)
    judged, faults, rows = found["judgements"], found["faults"], found["rows"]
    assert isinstance(judged, list)
    assert isinstance(faults, list)
    assert isinstance(rows, list)
    assert all(one["passed"] for one in judged), done.stdout
    assert [one["name"] for one in faults] == ["rpc-429", "ledger-stall", "database-failover"]
    counted = {row["name"]: row for row in rows if row["stage"] == "all"}
    assert counted["token"]["ok"] > 0, "wallets signed in"
    # Turned away, not lost: a database that is away is told with Retry-After.
    assert sum(row["shed"] for row in counted.values()) > 0
    (folder,) = tmp_path.glob("runs/*")
    assert "requests_under_way" in (folder / "server_metrics.csv").read_text()
    assert "backend" in (folder / "processes.csv").read_text()
