"""What the backend counted itself, from its Prometheus page, before and after the crowd."""

from __future__ import annotations

from dataclasses import dataclass

import httpx
from prometheus_client.parser import text_string_to_metric_families

_TIMEOUT_SECONDS = 5.0
_LEFT_OUT = ("_bucket", "_created")
_ROWS_MAX = 80


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
        if before.get(name) != value and not name.startswith(("python_", "process_"))
    ][:_ROWS_MAX]
