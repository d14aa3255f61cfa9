"""The reference backend in processes of its own: `python -m backend`, as production runs it.

Unlike the one that the testbed serves in process, it has the system's clock and the operating
system's randomness, can have several workers, and can be killed.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
from solders.keypair import Keypair

from backend.settings import Settings
from harness.deployment import Deployment
from harness.errors import StartError
from harness.ports import free_port

API_PREFIX = "/api/v1"
_START_SECONDS_MAX = 60.0
_STOP_SECONDS_MAX = 20.0
_LAST_LINES = 12


def backend_environment(
    *,
    deployment: Deployment,
    authority: Keypair,
    treasury: Keypair,
    database_url: str,
    rpc_url: str,
    box_id: str,
    placeholder_uri: str,
) -> dict[str, str]:
    """What the guide's environment variables are for a deployed economy."""
    return {
        "NODE_ENV": "test",
        "API_PREFIX": API_PREFIX,
        "DATABASE_URL": database_url,
        "SOLANA_RPC_URL": rpc_url,
        "BUYBACK_PROGRAM_ID": str(deployment.buyback_program),
        "COLLECTION_MINT": str(deployment.collection_mint),
        "CANDY_MACHINE_ID": str(deployment.candy_machine),
        "ADMIN_WALLET_PRIVATE_KEY": json.dumps(list(bytes(treasury))),
        "ADMIN_PRIVATE_KEY": str(authority),
        "BOX_ID": box_id,
        "PLACEHOLDER_URI": placeholder_uri,
    }


class BackendProcess:
    """A running backend. `pid` is that of its first process; workers are its children."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self._process = process
        self._log = log
        self.pid = process.pid
        self.url = f"http://127.0.0.1:{port}"
        self.base_url = self.url + API_PREFIX

    def log_text(self) -> str:
        """All that the backend has written so far."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def alive(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        """End it and its workers at once, as kill -9 does."""
        self._signal(signal.SIGKILL)
        self._process.wait(_STOP_SECONDS_MAX)

    def stop(self) -> int:
        """Ask it to finish what it is doing and end; its exit code. Kills it if it will not."""
        if self.alive():
            self._process.terminate()
        try:
            return self._process.wait(_STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.kill()
            return -signal.SIGKILL

    def _signal(self, number: int) -> None:
        """To the whole group: it was started as the leader of one."""
        with suppress(ProcessLookupError):  # gone already
            os.killpg(self.pid, number)

    def wait_until_ready(self) -> None:
        """Raises StartError with the last lines of its log if it does not come up."""
        deadline = time.monotonic() + _START_SECONDS_MAX
        with httpx.Client(base_url=self.base_url, timeout=5, verify=False) as http:
            while time.monotonic() < deadline:
                if not self.alive():
                    break
                try:
                    http.get("/buyback/status")
                except httpx.TransportError:
                    time.sleep(0.05)
                else:
                    return
        raise StartError(
            "the backend did not come up; its last lines follow",
            self.log_text().splitlines()[-_LAST_LINES:],
        )


def _shell() -> dict[str, str]:
    """This process's environment without a backend's variables: what a shell has from another
    project's `.env` must not decide which backend is tested."""
    theirs = {name.upper() for name in Settings.model_fields}
    return {name: value for name, value in os.environ.items() if name.upper() not in theirs}


@contextmanager
def run_backend(
    environment: Mapping[str, str], log: Path, *, port: int = 0, workers: int = 1
) -> Iterator[BackendProcess]:
    """Run `python -m backend` until the context is left; waits until it answers.

    `environment` is added to this process's own, of which nothing that a backend reads is left.
    Raises StartError if it does not come up.
    """
    port = port or free_port()
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "backend"],
            env={
                **_shell(),
                **environment,
                "HOST": "127.0.0.1",
                "PORT": str(port),
                "WORKERS": str(workers),
            },
            cwd=log.parent,  # no .env of somebody's checkout
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    backend = BackendProcess(process, port, log)
    try:
        backend.wait_until_ready()
        yield backend
    finally:
        backend.stop()
        backend._signal(signal.SIGKILL)  # workers that outlived their parent
