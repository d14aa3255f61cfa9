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
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from harness.containers import require_engine
from harness.containers.reaper import RUN_LABEL
from harness.ledger import validator

pytestmark = [
    pytest.mark.usefixtures("docker"),
    pytest.mark.skipif(
        os.environ.get("DOCKER_LONG") != "1",
        reason="takes minutes in containers; make test-docker plays it",
    ),
]

_RUN_SECONDS_MAX = 1800
_UP_SECONDS_MAX = 300
_GONE_SECONDS_MAX = 120
_CONTAINERS = ("--ledger", "validator", "--database", "container", "--redis", "container")


def _start(runs: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "harness.cli", "run", *arguments, *_CONTAINERS, "--runs", str(runs)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **environment},
    )


def _label(run: subprocess.Popen[str]) -> str | None:
    """The label of a run's containers, which stands on its reaper's command line."""
    with suppress(psutil.NoSuchProcess):
        for child in psutil.Process(run.pid).children(recursive=True):
            words = child.cmdline()
            if "harness.containers.reaper" in words:
                return words[-1]
    return None


def _containers(label: str) -> list[str]:
    filters = {"label": f"{RUN_LABEL}={label}"}
    found = require_engine().containers.list(all=True, ignore_removed=True, filters=filters)
    return [str(one.attrs["Config"]["Image"]) for one in found]


def _await(condition: Callable[[], object], seconds: float) -> bool:
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
    runs = [_start(tmp_path / name, "flow", "-k", "one_life") for name in ("one", "other")]
    for run in runs:
        assert _await(lambda run=run: _label(run), _UP_SECONDS_MAX)
    labels = [_label(run) for run in runs]
    assert len(set(labels)) == 2
    for run, label in zip(runs, labels, strict=True):
        told, _ = run.communicate(timeout=_RUN_SECONDS_MAX)
        assert run.returncode == 0, told
        assert label is not None
        assert _await(lambda label=label: not _containers(label), _GONE_SECONDS_MAX)


@pytest.mark.parametrize(
    ("ending", "code"), [("SIGINT", 130), ("SIGTERM", 130), ("SIGKILL", -signal.SIGKILL)]
)
def test_an_end_amid_a_scenario_leaves_nothing(ending: str, code: int, tmp_path: Path) -> None:
    run = _start(tmp_path, "flow", "-k", "one_life")
    try:
        assert _await(lambda: _label(run), _UP_SECONDS_MAX)
        label = _label(run)
        assert label is not None
        assert _await(lambda: validator.IMAGE in _containers(label), _UP_SECONDS_MAX)
        run.send_signal(signal.Signals[ending])
        run.communicate(timeout=_GONE_SECONDS_MAX)
        assert run.returncode == code
        assert _await(lambda: not _containers(label), _GONE_SECONDS_MAX)
    finally:
        run.kill()
