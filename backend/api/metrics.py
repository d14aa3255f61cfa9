"""What Prometheus reads: how many, how long, how they ended, and what the house has left.

Counters are counted at the gate, by the route's template and the answer's code; treasury, price
and pool are looked at when Prometheus comes. No label ever holds an address: of suspicious
wallets only their number is told.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_WALLETS_MAX = 10_000
_NAMESPACE = "mystery_box"
#: What a good answer to each step of a buyback means.
_STEPS = {"calculate": "quoted", "request": "issued", "confirm": "paid"}
_RPC_OUTCOMES = {200: "ok", 429: "rate_limited"}
#: Refusals that an honest player does not meet, and how many make a wallet suspicious.
SUSPICIOUS = frozenset(
    {"TRANSACTION_MISMATCH", "NOT_THE_HOLDER", "WRONG_WALLET", "FOREIGN_NFT", "RATE_LIMITED"}
)
_SUSPICIOUS_FROM = 5

#: Name to description and value, as read when Prometheus comes.
Gauges = Mapping[str, tuple[str, float]]


class Metrics:
    """All metrics of one application."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        self._registry = registry

        def counter(name: str, description: str, *labels: str) -> Counter:
            return Counter(name, description, labels, namespace=_NAMESPACE, registry=registry)

        self._seconds = Histogram(
            "http_request_seconds", "Time to answer", ["method", "route", "status"],
            namespace=_NAMESPACE, buckets=_BUCKETS, registry=registry,
        )  # fmt: skip
        self._reveals = counter("reveals", "Answers to reveals", "outcome", "code")
        self._buybacks = counter("buybacks", "Answers to buyback calls", "outcome", "code")
        self._limited = counter("rate_limited", "Requests refused by a limit", "limit")
        self._rpc = counter("rpc_requests", "Answers of the RPC", "outcome")
        self._price_failed = counter("price_source_failed", "Price sources without one", "source")
        self._odd = counter("suspicious_refusals", "Refusals honest players do not meet", "code")
        self._odd_counts: OrderedDict[str, int] = OrderedDict()
        #: Of the API's requests, in this process, as the gate counts them.
        self.under_way = 0

    def request(
        self, method: str, route: str, status: int, code: str, seconds: float, caller: object
    ) -> None:
        """Count an answered request. `caller` is the signed-in wallet, if any."""
        self._seconds.labels(method, route, str(status)).observe(seconds)
        refused = "failed" if status >= 500 else "refused"
        if "/reveal/" in route:
            self._reveals.labels("revealed" if status == 200 else refused, code).inc()
        elif (step := _STEPS.get(route.rpartition("/buyback/")[2].partition("/")[0])) is not None:
            self._buybacks.labels(step if status == 200 else refused, code).inc()
        if code in SUSPICIOUS and code != "RATE_LIMITED":
            self._suspect(code, caller)

    def rate_limited(self, limit: str, caller: str) -> None:
        self._limited.labels(limit).inc()
        self._suspect("RATE_LIMITED", caller)

    def overloaded(self) -> None:
        self._limited.labels("in_flight").inc()

    def rpc_answered(self, status: int) -> None:
        self._rpc.labels(_RPC_OUTCOMES.get(status, "failed")).inc()

    def price_source_failed(self, source: str) -> None:
        self._price_failed.labels(source).inc()

    def _suspect(self, code: str, caller: object) -> None:
        self._odd.labels(code).inc()
        if caller is None:
            return
        key = str(caller)
        self._odd_counts[key] = self._odd_counts.pop(key, 0) + 1
        if len(self._odd_counts) > _WALLETS_MAX:
            self._odd_counts.popitem(last=False)

    def suspicious_callers(self) -> int:
        """Wallets, or addresses of who did not sign in, that met such refusals often."""
        return sum(count >= _SUSPICIOUS_FROM for count in list(self._odd_counts.values()))

    def text(self, gauges: Gauges) -> bytes:
        """In Prometheus' format, with gauges of now; of all processes if there are several."""
        callers = float(self.suspicious_callers())
        read = {
            **gauges,
            "requests_under_way": ("Of the API, in this process", float(self.under_way)),
            "suspicious_callers": ("With many suspicious refusals, of this process", callers),
        }
        metrics: list[Metric] = [
            GaugeMetricFamily(f"{_NAMESPACE}_{name}", description, value=value)
            for name, (description, value) in read.items()
        ]
        shown = CollectorRegistry()
        if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
            MultiProcessCollector(shown)
        else:
            metrics += self._registry.collect()
        shown.register(_Read(metrics))
        return generate_latest(shown)


@dataclass(eq=False)
class _Read(Collector):
    """Metrics that were read before."""

    metrics: list[Metric]

    def collect(self) -> list[Metric]:
        return self.metrics
