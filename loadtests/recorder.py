"""Writes each request down, and tells Locust of it with the latency from the intended start.

In a distributed run the workers' records travel to the master with Locust's own reports, so that
one file on the master holds them all, wherever the workers are; so do the NFTs that they minted,
and how busy they were.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner

from harness.load.records import DROPPED, FILE, GENERATORS_FILE, HEADER, OK, SHED, Record

_WAITING_MAX = 500_000
_FLUSH_EVERY = 200
_FLUSH_SECONDS = 0.5


class Recorder:
    """One for each process of the generator."""

    def __init__(self, environment: Environment, folder: Path) -> None:
        self._environment = environment
        self._waiting: list[str] = []
        self._start: float | None = None
        self._flushed_s = 0.0
        self.travels = isinstance(environment.runner, WorkerRunner)
        self._path = folder / FILE
        self._mints: list[str] = []
        self._mints_path = folder / f"minted-{os.getpid()}.txt"
        self._loads_path = folder / GENERATORS_FILE
        if not self.travels:
            self._path.write_text(HEADER + "\n", encoding="utf-8")
        if self.travels:
            environment.events.report_to_master.add_listener(self._tell)
        if isinstance(environment.runner, MasterRunner):
            environment.events.worker_report.add_listener(self._hear)

    def begin(self) -> None:
        """The load starts now: times are counted from here."""
        if self._start is None:
            self._start = time.perf_counter()

    def now(self) -> float:
        """Seconds since the load began."""
        assert self._start is not None, "the load has not begun"
        return time.perf_counter() - self._start

    def write(self, record: Record) -> None:
        """Write one request down. One that never started is not among Locust's own figures."""
        if len(self._waiting) < _WAITING_MAX:
            self._waiting.append(record.line())
        due = record.finished_s - self._flushed_s >= _FLUSH_SECONDS
        if not self.travels and (due or len(self._waiting) >= _FLUSH_EVERY):
            self._flushed_s = record.finished_s
            self.flush()
        if record.outcome == DROPPED:
            return
        good = record.outcome in (OK, SHED)
        self._environment.events.request.fire(
            request_type="SHED" if record.outcome == SHED else "CALL",
            name=record.name,
            response_time=(record.finished_s - record.intended_s) * 1000,
            response_length=0,
            exception=None if good else RequestFailed(f"{record.status} {record.code}"),
            context={},
        )

    def write_mint(self, address: str) -> None:
        """An NFT that is about to be minted; the judges must know of it."""
        with self._mints_path.open("a", encoding="utf-8") as out:
            out.write(f"{address}\n")
        if self.travels:
            self._mints.append(address)

    def flush(self) -> None:
        if self._waiting and not self.travels:
            with self._path.open("a", encoding="utf-8") as file:
                file.writelines(line + "\n" for line in self._waiting)
            self._waiting.clear()

    def pack(self) -> dict[str, Any]:
        """What a worker's master has not been told yet."""
        runner = self._environment.runner
        records, self._waiting = self._waiting, []
        mints, self._mints = self._mints, []
        share = 0.0 if runner is None else runner.current_cpu_usage / 100
        return {"records": records, "mints": mints, "cpu_share": share}

    def unpack(self, worker: str, data: dict[str, Any]) -> None:
        """Write down what a worker tells."""
        self._waiting += data["records"]
        self.flush()
        if data["mints"]:
            with self._mints_path.open("a", encoding="utf-8") as out:
                out.writelines(f"{address}\n" for address in data["mints"])
        with self._loads_path.open("a", encoding="utf-8") as out:
            out.write(f"{self.now():.1f},{worker},{data['cpu_share']:.3f}\n")

    def _tell(self, client_id: str, data: dict[str, Any]) -> None:
        data["crowd"] = self.pack()

    def _hear(self, client_id: str, data: dict[str, Any]) -> None:
        if self._start is not None and "crowd" in data:
            self.unpack(client_id, data["crowd"])


class RequestFailed(Exception):
    """What Locust lists as the reason of a failure: status and the backend's stable code."""
