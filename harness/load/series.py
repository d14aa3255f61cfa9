"""Records and samples as series over time, a point a second, for the report's pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from harness.load.records import DROPPED, FAILED, OK, SHED, Records
from harness.load.server_metrics import MetricsOverTime
from harness.load.watch import Sample

_POINTS_MAX = 240
_METRIC = "mystery_box_"
_ITS_OWN = "route=/metrics"  # asked for by the harness, every second


@dataclass(frozen=True)
class Series:
    """One line of a chart. `colour` is a class of the page's style sheet."""

    name: str
    points: list[tuple[float, float]]
    colour: str


def _bins(records: Records, seconds: float) -> tuple[np.ndarray, float]:
    width = max(1.0, seconds / _POINTS_MAX)
    return (records.intended_s / width).astype(int), width


def arrivals_and_answers(records: Records, seconds: float) -> list[Series]:
    """Requests that were meant to start, and what came of them, a second."""
    found = []
    place, width = _bins(records, seconds)
    ended = (records.finished_s / width).astype(int)
    for name, where, mask, colour in (
        ("meant to start", place, np.ones(len(records), bool), "a"),
        ("answered", ended, records.outcome == OK, "b"),
        ("turned away", ended, records.outcome == SHED, "c"),
        ("failed or dropped", ended, np.isin(records.outcome, (FAILED, DROPPED)), "d"),
    ):
        if not mask.any():
            continue
        counts = np.bincount(where[mask])
        found.append(
            Series(name, [(n * width, count / width) for n, count in enumerate(counts)], colour)
        )
    return found


def latency(
    records: Records, seconds: float, percentiles: Sequence[int] = (50, 95, 99)
) -> list[Series]:
    """Percentiles of the latency in milliseconds, by when requests were meant to start."""
    done = records.where(records.outcome == OK)
    place, width = _bins(done, seconds)
    milliseconds = done.latency_s * 1000
    found = []
    for percentile, colour in zip((50, 95, 99), "abc", strict=True):
        points = [
            (float(n) * width, float(np.percentile(milliseconds[place == n], percentile)))
            for n in np.unique(place)
        ]
        found.append(Series(f"p{percentile}", points, colour))
    return found


def backend_mean(over_time: MetricsOverTime, began: float) -> list[Series]:
    """How long the backend itself took for an answer on average, in milliseconds."""
    seconds, answers = (
        dict(over_time.rate(f"{_METRIC}http_request_seconds_{kind}{{", began, _ITS_OWN))
        for kind in ("sum", "count")
    )
    points = [(at, seconds[at] / many * 1000) for at, many in answers.items() if many > 0]
    return _named_in("d", "in backend", points)


def processor(samples: Sequence[Sample], began: float) -> list[Series]:
    """Processor time of each group of processes, in per cent of one processor."""
    return _by_group(samples, began, lambda one: one.cpu_share_all * 100)


def memory(samples: Sequence[Sample], began: float) -> list[Series]:
    """Resident memory of each group of processes, in MB."""
    return _by_group(samples, began, lambda one: one.rss_bytes / 1e6)


def open_files(samples: Sequence[Sample], began: float) -> list[Series]:
    """Files and sockets that each group of processes has open."""
    return _by_group(samples, began, lambda one: float(one.open_files))


def served(over_time: MetricsOverTime, began: float) -> list[Series]:
    """What the backend counted itself, a second: answers, reveals, sales, calls to the ledger."""
    return _named(
        ("answers", over_time.rate(f"{_METRIC}http_request_seconds_count", began, _ITS_OWN)),
        ("reveals", over_time.rate(f"{_METRIC}reveals_total{{code=, outcome=revealed", began)),
        ("paid", over_time.rate(f"{_METRIC}buybacks_total{{code=, outcome=paid", began)),
        ("RPC calls", over_time.rate(f"{_METRIC}rpc_requests_total", began)),
    )


def queues(over_time: MetricsOverTime, began: float) -> list[Series]:
    """What was under way in the backend, and how much of its pool of connections was in use."""
    return _named(
        ("under way", over_time.gauge(f"{_METRIC}requests_under_way", began)),
        ("DB in use", over_time.gauge(f"{_METRIC}database_connections_in_use", began)),
    )


def _named_in(colour: str, name: str, points: list[tuple[float, float]]) -> list[Series]:
    return [Series(name, points, colour)] if points else []


def _named(*lines: tuple[str, list[tuple[float, float]]]) -> list[Series]:
    return [
        Series(name, points[:: max(1, len(points) // _POINTS_MAX)], colour)
        for (name, points), colour in zip(lines, "abcd", strict=False)
        if points
    ]


def _by_group(
    samples: Sequence[Sample], began: float, value: Callable[[Sample], float]
) -> list[Series]:
    groups = dict.fromkeys(sample.group for sample in samples)
    return _named(
        *(
            (group, [(one.at_s - began, value(one)) for one in samples
                     if one.group == group and one.at_s >= began])
            for group in groups
        )
    )  # fmt: skip
