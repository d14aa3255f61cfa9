"""What a shell or a CI job has in its environment for another project does not change a run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

HARNESS = str(Path(sys.executable).with_name("harness"))
#: As after `set -a; . .env` in the folder of another backend.
SHELL = {
    "NODE_ENV": "production",
    "PORT": "1",
    "JWT_SECRET": "short",
    "SIGNING_ORDER": "user-first",
    "PROVABLY_FAIR": "true",
    "QUOTE_SECONDS": "1",
    "REDIS_HOST": "127.0.0.9",
    "LOG_FORMAT": "pretty",
}


def journal(folder: Path, stories: str, **environment: str) -> bytes:
    """What the scenarios wrote; all must have passed."""
    folder.mkdir()
    done = subprocess.run(
        [HARNESS, "run", "all", "-k", stories], env={**os.environ, **environment},
        cwd=folder, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:] + done.stdout
    (path,) = folder.glob("runs/*/journal.jsonl")
    return path.read_bytes()


def test_another_backends_variables_are_not_for_ours(tmp_path: Path) -> None:
    told = journal(tmp_path / "bare", "life_cycle")
    assert journal(tmp_path / "full", "life_cycle", **SHELL) == told


def test_nor_for_a_backend_in_a_process_of_its_own(tmp_path: Path) -> None:
    assert b'"passed"' in journal(tmp_path / "killed", "killed_while_paying", **SHELL)


@pytest.mark.parametrize(
    "options", ["--color=yes", "-k nothing", "--deselect test_flow.py -p nowhere"]
)
def test_options_for_other_tests_are_not_for_scenarios(tmp_path: Path, options: str) -> None:
    theirs = {"PYTEST_ADDOPTS": options, "PYTEST_PLUGINS": "nowhere"}
    assert b'"passed"' in journal(tmp_path / "run", "life_cycle", **theirs)
    listed = subprocess.run(
        [HARNESS, "scenarios", "flow"], env={**os.environ, **theirs}, cwd=tmp_path,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert "test_flow::test_one_life_cycle" in listed.stdout, listed.stderr


@pytest.mark.parametrize("command", [("--matrix",), ("--matrix", "--json"), ()])
def test_a_log_without_arrows_is_written_all_the_same(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    done = subprocess.run(
        [HARNESS, "scenarios", *command], cwd=tmp_path, capture_output=True, timeout=60,
        check=False, env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "--json" not in command or len(json.loads(done.stdout)) == 47


def test_closed_streams_cost_nobody_the_database(tmp_path: Path) -> None:
    closed = ["sh", "-c", 'exec "$0" "$@" <&- >&- 2>&-', HARNESS]
    process = subprocess.Popen([*closed, "up", "--json"], cwd=tmp_path)
    try:
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob("runs/*/keys/player-5.json")):
            assert process.poll() is None, process.returncode
            assert time.monotonic() < deadline
            time.sleep(0.1)
        # The next run clears up after runs that left their data behind.
        told = subprocess.run([*closed, "run", "-k", "life_cycle"], cwd=tmp_path, check=False)
        assert told.returncode == 0
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
