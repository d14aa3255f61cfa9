"""What the backend counts itself, from its Prometheus page: before, each second, and after."""

from __future__ import annotations

import csv
import itertools
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

_TIMEOUT_SECONDS = 5.0
_LEFT_OUT = ("_bucket", "_created")
_ROWS_MAX = 80
_ITS_OWN = ("python_", "process_")
_EVERY_SECONDS = 1.0
_LOOKS_MAX = 20_000
FILE = "server_metrics.csv"


@dataclass(frozen=True)
class ServerMetric:
    """One metric with its labels, before and after; None where it was not there yet."""

    name: str
    before: float | None
    after: float


def read_metrics(url: str) -> dict[str, float]:
    """Every sample of the page by name and labels, histograms' buckets left out.

    Empty where the backend has no such page: a foreign one need not.
    """
    try:
        answer = httpx.get(url, timeout=_TIMEOUT_SECONDS, verify=False)
    except httpx.HTTPError:
        return {}
    if answer.is_error:
        return {}
    found = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            if sample.name.endswith(_LEFT_OUT):
                continue
            labels = ", ".join(f"{key}={value}" for key, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def changed(before: dict[str, float], after: dict[str, float]) -> list[ServerMetric]:
    """The metrics that moved, in the order of their names."""
    return [
        ServerMetric(name, before.get(name), value)
        for name, value in sorted(after.items())
        if before.get(name) != value and not name.startswith(_ITS_OWN)
    ][:_ROWS_MAX]


@dataclass
class MetricsOverTime:
    """Reads the page every second in a thread of its own, until it is stopped."""

    url: str
    #: (monotonic time, metrics); a look that got no answer is left out.
    looks: list[tuple[float, dict[str, float]]] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="server metrics", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(_TIMEOUT_SECONDS * 2)

    def _run(self) -> None:
        while not self._stop.is_set() and len(self.looks) < _LOOKS_MAX:
            at = time.monotonic()
            if found := read_metrics(self.url):
                self.looks.append((at, found))
            self._stop.wait(max(0.0, at + _EVERY_SECONDS - time.monotonic()))

    def gauge(self, name: str, began: float) -> list[tuple[float, float]]:
        """Its value over the seconds since the crowd came."""
        return [(at - began, found[name]) for at, found in self.looks
                if name in found and at >= began]  # fmt: skip

    def rate(
        self, prefix: str, began: float, without: str | None = None
    ) -> list[tuple[float, float]]:
        """What all counters with this prefix grew by, a second; those named by `without` left
        out."""

        def counts(name: str) -> bool:
            return name.startswith(prefix) and (without is None or without not in name)

        sums = [(at - began, sum(v for k, v in found.items() if counts(k)))
                for at, found in self.looks if at >= began]  # fmt: skip
        return [
            (at, (now - then) / (at - before))
            for (before, then), (at, now) in itertools.pairwise(sums)
            if at > before
        ]

    def write(self, path: Path, began: float) -> None:
        """One row a look, one column a metric; interpreters' own metrics left out."""
        names = sorted({name for _, found in self.looks for name in found
                        if not name.startswith(_ITS_OWN)})  # fmt: skip
        with path.open("w", newline="", encoding="utf-8") as file:
            out = csv.writer(file)
            out.writerow(["at_s", *names])
            out.writerows(
                [f"{at - began:.3f}", *(found.get(name, "") for name in names)]
                for at, found in self.looks
            )
