"""A backend that can die: `python -m backend` in a process of its own, killed and started again.

It gets nothing but environment variables and keeps its own time. Each life writes to the same log
and listens on the same port, as a supervised service does.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from harness.backend_process import BackendProcess, run_backend


class MortalBackend:
    """A backend in its own process. `secrets` are what must not stand in its logs."""

    def __init__(self, environment: Mapping[str, str], log: Path, secrets: tuple[str, ...]) -> None:
        self.secrets = secrets
        self._environment = dict(environment)
        self._log = log
        self._life: AbstractContextManager[BackendProcess] | None = None
        self._process: BackendProcess | None = None
        self._port = 0
        self.url = self.base_url = ""
        self.start()

    def start(self) -> None:
        """Start it and wait until it answers. Raises StartError with its last log lines."""
        self._life = run_backend(self._environment, self._log, port=self._port)
        self._process = self._life.__enter__()
        self.url, self.base_url = self._process.url, self._process.base_url
        self._port = int(self.url.rpartition(":")[2])  # the same again in the next life

    def kill(self) -> None:
        """kill -9: no goodbye, no clean-up."""
        if self._process is not None:
            self._process.kill()
        self.stop()

    def stop(self) -> None:
        """SIGTERM, as an operator stops it."""
        if self._life is not None:
            self._life.__exit__(None, None, None)
        self._life = self._process = None

    def restart(self, **changes: str) -> None:
        """Stop it, change environment variables (names in lower case), start it again."""
        self.stop()
        self._environment.update({name.upper(): value for name, value in changes.items()})
        self.start()

    def tick(self) -> None:
        """Its worker makes its rounds by itself."""

    def refresh_price(self) -> None:
        """Its price feed asks by itself."""

    def log_text(self) -> str:
        """All that it has written, in all its lives."""
        return self._log.read_text(encoding="utf-8", errors="replace") if self._log.exists() else ""
