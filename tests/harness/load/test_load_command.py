"""`harness load`, for real: ledger, Postgres, backend workers and Locust, a few seconds of each."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from harness.checks import JUDGES
from harness.ports import free_port

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


def test_distributed_over_processes_judged_and_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCUST_TAGS", "somebody-elses")
    monkeypatch.setenv("LOCUST_RUN_TIME", "1s")
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


def test_a_closed_crowd_and_a_crossed_threshold_beside_an_earlier_run(tmp_path: Path) -> None:
    earlier = {"thresholds": [{"text": "p50 < 1 ms", "value": 0.777, "holds": False}]}
    (tmp_path / "load.json").write_text(json.dumps(earlier))
    path = profile(tmp_path, arrival="closed", thresholds='"p50 < 1 ms"')
    done = load(tmp_path, path, "--compare", str(tmp_path))
    assert done.returncode == 99, done.stdout + done.stderr
    assert "p50 < 1 ms" in done.stdout
    (page,) = tmp_path.glob("runs/*/load.html")
    told = page.read_text()
    assert "closed crowd" in told
    assert "while the backend stalls it asks less" in told
    assert "777 ms" in told, "what it was in the earlier run"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("noon",), "profile 'noon' is unknown"),
        (("none.toml",), "cannot be read"),
        (("smoke", "--compare", "."), "holds no load.json"),
        (("smoke", "--host", "http://127.0.0.1:1"), "also needs --ledger"),
        (("smoke", "--wallet", "key.json"), "--wallet: goes with --host"),
        (("smoke", "--ledger", "http://127.0.0.1:1"), "must be embedded or validator; a URL goes"),
        (("smoke", "--database", "mysql"), "--database: must be embedded or container"),
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


@pytest.mark.parametrize(
    ("threshold", "said"),
    [
        ("p95 bot < 1 s", "'bot' is not measured by this mix"),
        ("p95 reveal < 1 s in the evening", "there is no stage or fault 'the evening'"),
        ("throughput > 5 /s", "not understood"),
    ],
)
def test_a_threshold_on_something_that_is_not_measured(
    tmp_path: Path, threshold: str, said: str
) -> None:
    done = load(tmp_path, profile(tmp_path, thresholds=f'"{threshold}"'))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert said in done.stderr
    assert not (tmp_path / "runs").exists()


STALLING = """
arrival = "constant"

[mix]
status = 1

[[stages]]
seconds = 12
rate = 10
"""


def test_a_generator_that_is_the_limit_makes_the_run_void(tmp_path: Path) -> None:
    """Its process gets no processor for a second and a half and starts requests late. How many
    arrivals a second are too many for it would depend on the machine."""
    with _with_a_page(tmp_path, STALLING) as (running, _):
        children = psutil.Process(running.pid).children()
        (generator,) = [one for one in children if "locust" in one.cmdline()]
        generator.suspend()
        time.sleep(1.5)
        generator.resume()
        said, _ = running.communicate(timeout=90)
    assert running.returncode == 3, said
    assert "VOID: the generator was the limit, not the backend" in said
    assert str(figures(tmp_path)["void"]).startswith("the generator started requests ")
    (page,) = tmp_path.glob("runs/*/load.html")
    assert "VOID: the generator was the limit" in page.read_text()


LONG = """
workers = 2
thresholds = ["errors < 1 %"]

[mix]
status = 5
reveal = 1

[[stages]]
seconds = 120
rate = 6
"""


def test_stopping_on_locusts_page_ends_the_run_which_is_judged_and_reported(
    tmp_path: Path,
) -> None:
    with _with_a_page(tmp_path, LONG) as (running, page):
        asked = time.monotonic()
        assert httpx.post(f"{page}/stop", timeout=60).json()["success"]
        said, _ = running.communicate(timeout=90)
    assert running.returncode == 0, said
    assert time.monotonic() - asked < 60
    assert "ended early: stopped after" in said
    found = figures(tmp_path)
    judged = found["judgements"]
    assert isinstance(judged, list)
    assert all(one["passed"] for one in judged)
    assert "stopped after" in str(found["ended_early"])


@contextmanager
def _with_a_page(tmp_path: Path, text: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A load that is under way, and Locust's page of it."""
    path, port = tmp_path / "mine.toml", free_port()
    path.write_text(text)
    with subprocess.Popen(
        [HARNESS, "load", str(path), "--web", str(port), "--runs", str(tmp_path / "runs")],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as running:  # fmt: skip
        try:
            page = f"http://127.0.0.1:{port}"
            _wait_for_requests(page)
            yield running, page
        finally:
            running.kill()


def _wait_for_requests(page: str) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        try:
            stats = httpx.get(f"{page}/stats/requests", timeout=5).json()["stats"]
        except (httpx.TransportError, ValueError):
            stats = []
        if sum(one["num_requests"] for one in stats) > 20:
            return
        time.sleep(0.5)
    raise TimeoutError("no request was counted on Locust's page")


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
