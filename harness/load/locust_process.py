"""Runs Locust: one process, or a master and workers as Locust itself has them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from harness.errors import StartError, UsageError
from harness.load.plan import ENVIRONMENT, FILE, STOCK_FILE, read_plan
from harness.ports import free_port

_STOP_SECONDS_MAX = 45.0
_WORKER_SECONDS_MAX = 5 * 3600.0  # longer than any profile
_PAGE_STAYS_SECONDS = "10"  # after the end: workers report every three seconds


def loadtests_folder() -> Path:
    """Where the user classes and profiles lie."""
    spec = find_spec("loadtests")
    if spec is None or spec.origin is None:
        raise StartError("the folder loadtests is not installed beside the harness")
    return Path(spec.origin).parent


def profile_text(name: str) -> str:
    """A profile that comes with the project."""
    return (loadtests_folder() / "profiles" / f"{name}.toml").read_text(encoding="utf-8")


class LocustProcess:
    """A running generator. `pid` is that of the single process or of the master's group."""

    def __init__(self, processes: list[subprocess.Popen[bytes]]) -> None:
        self._processes = processes
        self.pids = [process.pid for process in processes]

    def running(self) -> bool:
        return self._processes[0].poll() is None

    @property
    def exit_code(self) -> int | None:
        return self._processes[0].poll()

    def interrupt(self) -> None:
        """Ask it to stop, write its files and end."""
        if self.running():
            self._processes[0].send_signal(signal.SIGINT)

    def end(self) -> None:
        for process in self._processes:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
        for process in self._processes:
            try:
                process.wait(_STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                with suppress(ProcessLookupError):
                    process.kill()
                process.wait(5)


@dataclass(frozen=True)
class Elsewhere:
    """Workers on other machines, and where the master listens for them."""

    workers: int
    address: str
    port: int
    announce: Callable[[str], None] = lambda line: None

    def command(self, folder: Path) -> str:
        """What a person does on the other machines."""
        return (
            f"copy {folder} to the other machines and start {self.workers} there, one a process: "
            f"harness load-worker {folder.name} --master {self.address}:{self.port}"
        )


def address_of(written: str, option: str) -> tuple[str, int]:
    """Address and port. Raises UsageError naming the option."""
    address, _, port = written.rpartition(":")
    if not address or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise UsageError(f"{option}: must be ADDRESS:PORT, is {written!r}")
    return address, int(port)


def run_worker(folder: Path, master: str) -> int:
    """Be a worker of the master at ADDRESS:PORT until it is over; the exit code.

    Raises UsageError for a folder that holds no plan.
    """
    require_locust()
    address, port = address_of(master, "--master")
    try:
        plan = read_plan(folder.resolve() / FILE)
    except (OSError, ValueError, TypeError):
        raise UsageError(f"{folder}: holds no plan of a load that waits for workers") from None
    words = [*_locust(plan.backend_url), "--worker", "--master-host", address,
             "--master-port", str(port)]  # fmt: skip
    environment = _environment(plan.folder)
    try:
        return subprocess.run(
            words, env=environment, cwd=plan.folder, check=False, stdin=subprocess.DEVNULL,
            timeout=_WORKER_SECONDS_MAX,
        ).returncode  # fmt: skip
    finally:
        (plan.folder / STOCK_FILE).unlink(missing_ok=True)


def require_locust() -> None:
    """Raises ModuleNotFoundError if it is not installed."""
    if find_spec("locust") is None:  # importing it would turn this process's threads into greenlets
        raise ModuleNotFoundError("No module named 'locust'", name="locust")


def _environment(folder: Path) -> dict[str, str]:
    """This process's own, with the place of the plan, and without what Locust would take for
    options of ours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LOCUST_")}
    return {**kept, ENVIRONMENT: str(folder / FILE)}


def _locust(host: str) -> list[str]:
    return [
        sys.executable, "-m", "locust", "-f", str(loadtests_folder() / "locustfile.py"),
        "--host", host, "--loglevel", "WARNING",
    ]  # fmt: skip


@contextmanager
def run_locust(
    *,
    folder: Path,
    host: str,
    generators: int,
    web_port: int | None,
    elsewhere: Elsewhere | None = None,
) -> Iterator[LocustProcess]:
    """Start Locust with the folder's plan; its files there carry the names that Locust gives them.

    Headless unless `web_port` is given, which then listens on loopback, as the master does unless
    workers come from elsewhere. Ends what it started.
    """
    folder = folder.resolve()  # it runs in another working directory
    base = _locust(host)
    front = (
        ["--headless", "--only-summary"]
        if web_port is None
        else [
            "--web-host",
            "127.0.0.1",
            "--web-port",
            str(web_port),
            "--autostart",
            "--autoquit",
            _PAGE_STAYS_SECONDS,
        ]
    )
    files = [
        "--csv", str(folder / "locust"), "--csv-full-history",
        "--html", str(folder / "locust.html"), "--exit-code-on-error", "0",
        "--stop-timeout", "35",
    ]  # fmt: skip
    environment = _environment(folder)
    started: list[subprocess.Popen[bytes]] = []

    def start(arguments: list[str], log: str) -> None:
        with (folder / "logs" / log).open("wb") as out:
            started.append(
                subprocess.Popen(
                    [*base, *arguments], env=environment, cwd=folder, stdin=subprocess.DEVNULL,
                    stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
                )
            )  # fmt: skip

    try:
        if generators == 1:
            start([*front, *files], "locust.log")
        else:
            others = 0 if elsewhere is None else elsewhere.workers
            address = "127.0.0.1" if elsewhere is None else elsewhere.address
            port = str(free_port() if elsewhere is None else elsewhere.port)
            start(
                [
                    *front, *files, "--master", "--expect-workers", str(generators),
                    "--master-bind-host", address, "--master-bind-port", port,
                ],
                "locust-master.log",
            )  # fmt: skip
            for number in range(generators - others):
                start(
                    ["--worker", "--master-host", address, "--master-port", port],
                    f"locust-worker-{number}.log",
                )
        yield LocustProcess(started)
    finally:
        LocustProcess(started).end()
