"""Whole runs in containers: real waiting, two side by side, and ends that are none of their own.

Minutes each, so that `make test-docker` plays them and `make test` counts them as skipped.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.containers import require_engine
from harness.containers.reaper import RUN_LABEL

pytestmark = [
    pytest.mark.usefixtures("docker"),
    pytest.mark.skipif(
        os.environ.get("DOCKER_LONG") != "1",
        reason="takes minutes in containers; make test-docker plays it",
    ),
]

_RUN_SECONDS_MAX = 1800
_UP_SECONDS_MAX = 180
_GONE_SECONDS_MAX = 60
_CONTAINERS = ("--ledger", "validator", "--database", "container", "--redis", "container")


def _start(runs: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "harness.cli", "run", *arguments, *_CONTAINERS, "--runs", str(runs)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **environment},
    )


def _labels() -> set[str]:
    """The runs that have containers now."""
    found = require_engine().containers.list(all=True, filters={"label": RUN_LABEL})
    return {container.labels[RUN_LABEL] for container in found}


def _await(condition, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.2)
    return False


def test_real_waits(tmp_path: Path) -> None:
    """Commitment, the 12 s, expiry by slots, lost bytes, a listener, power cuts of validator and
    Postgres: all of the suite, with Redis, nothing skipped."""
    run = _start(tmp_path, "waits")
    told, _ = run.communicate(timeout=_RUN_SECONDS_MAX)
    assert run.returncode == 0, told
    summary = json.loads(next(tmp_path.glob("*/summary.json")).read_text())
    assert {one["outcome"] for one in summary["scenarios"]} == {"passed"}
    logs = {path.name for path in next(tmp_path.glob("*/logs")).iterdir()}
    assert {"postgres-main.log", "redis-main.log"} <= logs


def test_two_runs_side_by_side(tmp_path: Path) -> None:
    before = _labels()
    runs = [_start(tmp_path / name, "flow", "-k", "one_life") for name in ("one", "other")]
    for run in runs:
        told, _ = run.communicate(timeout=_RUN_SECONDS_MAX)
        assert run.returncode == 0, told
    assert _await(lambda: _labels() <= before, _GONE_SECONDS_MAX)


@pytest.mark.parametrize(
    ("ending", "code"), [("SIGINT", 130), ("SIGTERM", None), ("SIGKILL", -signal.SIGKILL)]
)
def test_an_end_amid_a_scenario_leaves_nothing(
    ending: str, code: int | None, tmp_path: Path
) -> None:
    before = _labels()
    run = _start(tmp_path, "flow", "-k", "one_life")
    validators = list[object]()

    def up() -> bool:
        found = require_engine().containers.list(filters={"label": RUN_LABEL})
        validators[:] = [
            one
            for one in found
            if one.labels[RUN_LABEL] not in before and "solana-test-validator" in str(one.attrs)
        ]
        return bool(validators)

    try:
        assert _await(up, _UP_SECONDS_MAX)
        run.send_signal(signal.Signals[ending])
        run.communicate(timeout=_GONE_SECONDS_MAX * 2)
        assert run.returncode == code if code is not None else run.returncode != 0
        assert _await(lambda: _labels() <= before, _GONE_SECONDS_MAX)
    finally:
        run.kill()
