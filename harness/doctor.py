"""What this machine can run, and why not.

Like a check-up before a long walk: each examination starts the real thing and stops it again, and
none of them changes anything. A patient who cannot be examined is told so; nothing raises.
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

from harness.errors import StartError

_COMMAND_SECONDS_MAX = 10
_PYTHON_MIN = (3, 11)
_DISK_BYTES_MIN = 500 * 2**20
_MEMORY_BYTES_MIN = 512 * 2**20
_IMAGES_NAMED_MAX = 6
_CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")
_MEMORY_LIMIT = Path("/sys/fs/cgroup/memory.max")  # of a container
_MEMORY_USED = Path("/sys/fs/cgroup/memory.current")
_MEMORY_TABLE = Path("/proc/meminfo")


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
        python(),
        starts("embedded ledger", _ledger),
        starts("embedded Postgres", _postgres),
        loopback(),
        disk(),
        memory(),
        allocator(),
        processors(),
        docker(),
        tool(("cargo",), "Rust", "rebuild the on-chain programs", "install Rust's toolchain"),
        tool(_CHROMIUMS, "Chromium", "take pictures of reports", "install Chromium"),
    ]


def able(findings: list[Finding]) -> bool:
    """Whether the embedded default can run."""
    return all(finding.ok for finding in findings if finding.needed)


def python(version: tuple[int, int, int] = sys.version_info[:3]) -> Finding:
    """Whether the interpreter is new enough."""
    least = ".".join(map(str, _PYTHON_MIN))
    remedy = f"make the environment anew with Python {least} or newer: make clean run PYTHON=..."
    written = ".".join(map(str, version))
    return Finding("Python", version[:2] >= _PYTHON_MIN, True, written, remedy)


def starts(name: str, probe: Callable[[], None]) -> Finding:
    """Whether a part that the default needs comes up, by starting it."""
    started = time.perf_counter()
    try:
        probe()
    except Exception as error:  # whatever it is belongs into the list, not into a traceback
        lines = error.log_lines[-3:] if isinstance(error, StartError) else []
        what = str(error) if isinstance(error, StartError) else f"{type(error).__name__}: {error}"
        remedy = "reinstall with `make clean run`; if it stays, this line is what to ask about"
        return Finding(name, False, True, " / ".join([what, *lines]), remedy)
    return Finding(name, True, True, f"starts, in {time.perf_counter() - started:.1f} s")


def _ledger() -> None:
    from harness.ledger.embedded import EmbeddedLedger

    with EmbeddedLedger.start() as ledger:
        ledger.client().get_slot()


def _postgres() -> None:
    from harness.database import EmbeddedPostgres

    with tempfile.TemporaryDirectory() as folder:
        EmbeddedPostgres.start(Path(folder) / "postgres.log").close()


def loopback() -> Finding:
    """Whether a program here may listen on 127.0.0.1 and reach itself there."""
    try:
        with socket.socket() as server:
            server.bind(("127.0.0.1", 0))
            server.listen()
            with socket.create_connection(server.getsockname(), timeout=5):
                server.accept()[0].close()
    except OSError as error:
        remedy = "allow programs to listen on and connect to 127.0.0.1"
        return Finding("loopback", False, True, error.strerror or str(error), remedy)
    return Finding("loopback", True, True, "listens and connects on 127.0.0.1")


def disk(least: int = _DISK_BYTES_MIN) -> Finding:
    """Whether there is room where databases live if they do not fit into memory."""
    from harness.database.cache import find_cache
    from harness.database.place import data_parent_on_disk

    folder = data_parent_on_disk(find_cache())
    free = shutil.disk_usage(folder).free
    remedy = f"free {_size(least)} there"
    return Finding("disk", free >= least, True, f"{_size(free)} free in {folder}", remedy)


def memory(least: int = _MEMORY_BYTES_MIN) -> Finding:
    """Whether there is memory for ledger, backend and Postgres together."""
    free = _memory_free()
    if free is None:
        return Finding("memory", True, False, "cannot be read here")
    remedy = f"close other programs, or give the container {_size(least)} more"
    return Finding("memory", free >= least, False, f"{_size(free)} free", remedy)


def _memory_free() -> int | None:
    """Bytes that programs could still have; a container's limit counts."""
    free = None
    try:
        table = dict(line.split(":", 1) for line in _MEMORY_TABLE.read_text().splitlines())
        free = int(table["MemAvailable"].split()[0]) * 1024
        left = int(_MEMORY_LIMIT.read_text()) - int(_MEMORY_USED.read_text())
        return min(free, left)
    except (OSError, KeyError, ValueError):  # not Linux, or no limit ("max")
        return free


def allocator() -> Finding:
    """Whether glibc's allocator can be told to keep freed memory, for the virtual machine."""
    from harness.ledger.embedded.allocator import keep_freed_memory

    if keep_freed_memory():
        return Finding("memory allocator", True, False, "glibc's, tuned for the virtual machine")
    detail = "not glibc's: life cycles take about four times as long"
    return Finding("memory allocator", False, False, detail, "on Linux, use a glibc distribution")


def processors() -> Finding:
    """How many this process may use."""
    usable = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    return Finding("processors", True, False, f"{usable}")


def docker() -> Finding:
    """Whether an engine answers, and which images it has."""
    remedy = "the embedded default does not need it; containers do: install it or start its service"
    version = _answer("docker", "version", "--format", "{{.Server.Version}}")
    if version is None:
        here = shutil.which("docker") is not None
        detail = "its engine does not answer" if here else "no docker command"
        return Finding("Docker", False, False, detail, remedy)
    listed = _answer("docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}") or ""
    images = sorted(set(listed.split()))
    named = ", ".join(images[:_IMAGES_NAMED_MAX]) or "none"
    more = f" and {len(images) - _IMAGES_NAMED_MAX} more" if len(images) > _IMAGES_NAMED_MAX else ""
    return Finding("Docker", True, False, f"engine {version}; images: {named}{more}")


def tool(commands: tuple[str, ...], name: str, purpose: str, remedy: str) -> Finding:
    """Whether one of the commands is here; none of them is needed to play scenarios."""
    version = next(filter(None, (_answer(one, "--version") for one in commands)), None)
    if version is None:
        return Finding(name, False, False, f"not here: cannot {purpose}", remedy)
    return Finding(name, True, False, f"{version.splitlines()[0]}: can {purpose}")


def _answer(*command: str) -> str | None:
    """What a command says, or None if it is not here, fails or takes too long."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_COMMAND_SECONDS_MAX, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _size(count: int) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"
