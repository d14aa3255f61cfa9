"""Runs Locust: one process, or a master and workers as Locust itself has them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

from harness.errors import StartError, UsageError
from harness.load.plan import ENVIRONMENT
from harness.ports import free_port

_STOP_SECONDS_MAX = 45.0
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


@contextmanager
def run_locust(
    *, plan: Path, folder: Path, host: str, generators: int, web_port: int | None
) -> Iterator[LocustProcess]:
    """Start Locust with the plan; files in `folder` carry the names that Locust gives them.

    Headless unless `web_port` is given, which then listens on loopback. Ends what it started.
    """
    if find_spec("locust") is None:  # importing it would turn this process's threads into greenlets
        raise UsageError("load needs the packages of requirements/all.txt: make setup")
    plan, folder = plan.resolve(), folder.resolve()  # it runs in another working directory
    base = [
        sys.executable, "-m", "locust", "-f", str(loadtests_folder() / "locustfile.py"),
        "--host", host, "--loglevel", "WARNING",
    ]  # fmt: skip
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
    environment = {**os.environ, ENVIRONMENT: str(plan)}
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
            port = str(free_port())
            start(
                [
                    *front, *files, "--master", "--expect-workers", str(generators),
                    "--master-bind-host", "127.0.0.1", "--master-bind-port", port,
                ],
                "locust-master.log",
            )  # fmt: skip
            for number in range(generators):
                start(
                    ["--worker", "--master-host", "127.0.0.1", "--master-port", port],
                    f"locust-worker-{number}.log",
                )
        yield LocustProcess(started)
    finally:
        LocustProcess(started).end()
