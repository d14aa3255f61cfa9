"""docker-compose.yml for real: up from nothing, healthy, played against, under load, and away."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
_SECONDS_MAX = 1200
_BACKEND, _RPC = free_port(), free_port()

pytestmark = pytest.mark.skipif(
    os.environ.get("DOCKER_LONG") != "1",
    reason="takes minutes in containers; make test-docker plays it",
)


def _tool() -> list[str]:
    """Compose 2 where it is, else docker-compose 1.29; skips where neither is."""
    if shutil.which("docker"):
        asked = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
        if asked.returncode == 0:
            return ["docker", "compose"]
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    pytest.skip("neither docker compose nor docker-compose is installed")


@pytest.fixture(scope="module")
def compose() -> Iterator[Callable[..., str]]:
    """Runs compose in a project of its own, which is taken away with all volumes afterwards."""
    tool = [*_tool(), "--project-name", f"mystery-box-test-{os.getpid()}"]
    made = not (ROOT / ".env").exists()
    subprocess.run([ROOT / "deploy/make-env"], check=True, timeout=30, capture_output=True)
    environment = {
        **os.environ, "BACKEND_PORT": str(_BACKEND), "RPC_PORT": str(_RPC),
        "WS_PORT": str(free_port()), "RATE_LIMIT_MAX_REQUESTS": "0",
        "REVEAL_LIMIT_MAX_REQUESTS": "0",
    }  # fmt: skip

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [*tool, *arguments], cwd=ROOT, env=environment, text=True, timeout=_SECONDS_MAX,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-3000:]
        return done.stdout

    try:
        yield run
    finally:
        run("--profile", "load", "down", "-v")
        if made:
            (ROOT / ".env").unlink()


@pytest.mark.usefixtures("docker_images")
def test_up_ends_healthy_and_the_gate_passes_against_it(
    compose: Callable[..., str], tmp_path: Path
) -> None:
    """Twice up: the second finds all of it there and changes nothing."""
    for _ in range(2):
        compose("up", "-d", "--build", "backend")
        setup = compose("ps", "-aq", "setup").split()[-1]
        subprocess.run(
            ["docker", "cp", f"{setup}:/run/testbed/deployment.json", tmp_path / "up.json"],
            check=True, timeout=60, capture_output=True,
        )  # fmt: skip
        gate = subprocess.run(
            [
                sys.executable, "-m", "harness.cli", "run", "flow", "-k", "one_life",
                "--backend", f"http://127.0.0.1:{_BACKEND}", "--ledger", f"http://127.0.0.1:{_RPC}",
                "--deployment", tmp_path / "up.json", "--runs", tmp_path / "runs",
            ],
            text=True, capture_output=True, timeout=_SECONDS_MAX, check=False,
        )  # fmt: skip
        assert gate.returncode == 0, gate.stdout + gate.stderr
        assert "passed: 1 scenario" in gate.stdout


@pytest.mark.usefixtures("docker_images")
def test_locust_plays_with_wallets_and_nfts_of_the_stock(compose: Callable[..., str]) -> None:
    """Master and two workers play the profile to its end, and no request fails."""
    compose("--profile", "load", "up", "-d", "--build")
    master = compose("--profile", "load", "ps", "-aq", "locust-master").split()[-1]
    waited = subprocess.run(
        ["docker", "wait", master], text=True, capture_output=True, timeout=_SECONDS_MAX, check=True
    )
    told = compose("--profile", "load", "logs", "locust-master")
    assert waited.stdout.strip() == "0", told[-3000:]
    assert re.search(r"CALL\s+/?reveal\s+[1-9]", told), told[-3000:]
