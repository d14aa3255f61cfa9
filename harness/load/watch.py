"""Watches the processes of a load: processor time, memory, open files, and the generator's own
lateness. If the generator was the limit, what was measured says nothing about the backend."""

from __future__ import annotations

import csv
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil

from harness.load.records import DROPPED, GENERATORS_FILE, Records

FILE = "processes.csv"
_INTERVAL_SECONDS = 0.5
_SAMPLES_MAX = 100_000
#: The harness's own process, with the embedded ledger in it; its children are other groups.
OWN_GROUP = "ledger"
#: Above this share of one processor, over this many seconds on end, a process has no room left.
CPU_SHARE_MAX = 0.92
CPU_SECONDS = 3.0
#: A generator that starts this late, at the 99th percentile, measures itself.
LATENESS_P99_S_MAX = 0.1


@dataclass(frozen=True)
class Sample:
    """One look at one group of processes, at a time of the monotonic clock. `cpu_share` of one
    processor of the busiest process."""

    at_s: float
    group: str
    cpu_share: float
    cpu_share_all: float
    rss_bytes: int
    open_files: int


@dataclass
class Watch:
    """Samples groups of processes by pid, children included, in a thread of its own."""

    groups: dict[str, list[int]]
    samples: list[Sample] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _known: dict[int, psutil.Process] = field(default_factory=dict)

    def start(self, group: str, pids: list[int]) -> None:
        """Begin, with one more group."""
        self.groups[group] = pids
        self._thread = threading.Thread(target=self._run, name="load watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(5)

    def _run(self) -> None:
        while not self._stop.wait(_INTERVAL_SECONDS) and len(self.samples) < _SAMPLES_MAX:
            for group, pids in self.groups.items():
                sample = self._look(group, pids)
                if sample is not None:
                    self.samples.append(sample)

    def _look(self, group: str, pids: list[int]) -> Sample | None:
        shares, rss, files = [], 0, 0
        for pid in self._family(pids) if group != OWN_GROUP else pids:
            try:
                process = self._process(pid)
                shares.append(process.cpu_percent() / 100)
                rss += process.memory_info().rss
                files += process.num_fds()
            except psutil.Error:
                continue  # ended between being listed and being looked at
        if not shares:
            return None
        return Sample(time.monotonic(), group, max(shares, default=0.0), sum(shares), rss, files)

    def _family(self, pids: list[int]) -> list[int]:
        """The processes and all their children."""
        found = list(pids)
        for pid in pids:
            try:
                found += [child.pid for child in self._process(pid).children(recursive=True)]
            except psutil.Error:
                continue
        return found

    def _process(self, pid: int) -> psutil.Process:
        """The same object each time: it remembers when it last looked at the processor time."""
        if pid not in self._known:
            self._known[pid] = psutil.Process(pid)
        return self._known[pid]

    def write(self, path: Path, began: float) -> None:
        """One row a look at a group, in seconds since the crowd came."""
        with path.open("w", newline="", encoding="utf-8") as file:
            out = csv.writer(file)
            out.writerow(["at_s", "group", "cpu_share", "rss_bytes", "open_files"])
            out.writerows(
                [f"{one.at_s - began:.3f}", one.group, f"{one.cpu_share_all:.3f}", one.rss_bytes,
                 one.open_files]
                for one in self.samples
            )  # fmt: skip

    def of(self, group: str) -> list[Sample]:
        return [sample for sample in self.samples if sample.group == group]


def workers_told(folder: Path) -> dict[str, list[Sample]]:
    """What the workers of a distributed run, wherever they are, told of their processor time."""
    found: dict[str, list[Sample]] = {}
    path = folder / GENERATORS_FILE
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        at, worker, share = line.split(",")
        sample = Sample(float(at), worker, float(share), float(share), 0, 0)
        found.setdefault(worker, []).append(sample)
    return found


def saturation(samples: list[Sample], records: Records) -> str | None:
    """Why the generator was the limit, or None if it was not.

    `samples` are the generator's. Dropped arrivals count for lateness as they never started.
    """
    run = 0.0
    before = None
    for sample in samples:
        step = 0.0 if before is None else sample.at_s - before
        run = run + step if sample.cpu_share >= CPU_SHARE_MAX else 0.0
        before = sample.at_s
        if run >= CPU_SECONDS:
            return (
                f"the generator used {sample.cpu_share:.0%} of a processor for {run:.1f} s; give "
                "it more processes (workers in the profile) or another machine"
            )
    started = records.where(records.outcome != DROPPED)
    if len(started):
        late = float(np.percentile(started.lateness_s, 99))
        if late > LATENESS_P99_S_MAX:
            return (
                f"the generator started requests {late * 1000:.0f} ms late at the 99th "
                f"percentile, {LATENESS_P99_S_MAX * 1000:.0f} ms are allowed"
            )
    return None
