"""What this machine can run, and why not.

Each examination starts the real thing and stops it again; none of them changes anything.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.errors import HarnessError, StartError

_COMMAND_SECONDS_MAX = 10
_DISK_BYTES_MIN = 500 * 2**20


@dataclass(frozen=True)
class Finding:
    """One thing examined. `needed` for the embedded default; `remedy` says what to do."""

    name: str
    ok: bool
    needed: bool
    detail: str
    remedy: str = ""


def examine() -> list[Finding]:
    """Examine the machine; takes a few seconds."""
    return [
        _python(),
        _try("embedded ledger", _ledger, "reinstall with `make clean run`"),
        _try("embedded Postgres", _postgres, "see the lines above; `make clean run` reinstalls"),
        _try("loopback ports", _loopback, "allow listening on 127.0.0.1"),
        _disk(),
        _allocator(),
        _docker(),
        _tool("cargo", "rebuilding the on-chain programs"),
        _tool("chromium", "pictures of reports for the docs"),
        Finding("processors", True, False, f"{os.cpu_count()}"),
    ]


def able(findings: list[Finding]) -> bool:
    """Whether the embedded default can run."""
    return all(finding.ok for finding in findings if finding.needed)


def _python() -> Finding:
    version = sys.version.split()[0]
    return Finding("Python", sys.version_info >= (3, 11), True, version, "needs 3.11 or newer")


def _try(name: str, probe: Callable[[], None], remedy: str) -> Finding:
    started = time.perf_counter()
    try:
        probe()
    except (HarnessError, OSError) as error:
        lines = error.log_lines if isinstance(error, StartError) else []
        return Finding(name, False, True, " / ".join([str(error), *lines[-3:]]), remedy)
    return Finding(name, True, True, f"starts in {time.perf_counter() - started:.2f} s")


def _ledger() -> None:
    from harness.ledger.embedded import EmbeddedLedger

    with EmbeddedLedger.start() as ledger:
        ledger.client().get_slot()


def _postgres() -> None:
    from harness.database import EmbeddedPostgres

    with tempfile.TemporaryDirectory() as folder:
        EmbeddedPostgres.start(Path(folder) / "postgres.log").close()


def _loopback() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()


def _disk() -> Finding:
    free = shutil.disk_usage(tempfile.gettempdir()).free
    detail = f"{free / 2**30:.1f} GiB free in the temporary folder"
    return Finding("disk", free >= _DISK_BYTES_MIN, True, detail, "free 500 MiB there")


def _allocator() -> Finding:
    from harness.ledger.embedded.allocator import keep_freed_memory

    tuned = keep_freed_memory()
    detail = "glibc, tuned for the virtual machine" if tuned else "not glibc: about 4 times slower"
    return Finding("memory allocator", tuned, False, detail)


def _docker() -> Finding:
    remedy = "only for --ledger validator; install Docker or start its service"
    if shutil.which("docker") is None:
        return Finding("Docker", False, False, "no docker command", remedy)
    command = ["docker", "version", "--format", "{{.Server.Version}}"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_COMMAND_SECONDS_MAX, check=False
        )
    except subprocess.TimeoutExpired:
        return Finding("Docker", False, False, "the engine does not answer", remedy)
    if done.returncode:
        return Finding("Docker", False, False, "the engine does not answer", remedy)
    return Finding("Docker", True, False, f"engine {done.stdout.strip()}")


def _tool(name: str, purpose: str) -> Finding:
    found = shutil.which(name) is not None
    detail = f"here, for {purpose}" if found else f"not here: no {purpose}"
    return Finding(name, found, False, detail)
