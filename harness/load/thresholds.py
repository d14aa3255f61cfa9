"""Thresholds: what must hold under load, written as a person would say it.

    p95 reveal < 800 ms            p50, p90, p95, p99, mean or max of one name, or of everything
    p99 < 2 s in spike             only in one stage
    errors < 0.1 %                 share of failed requests; shed ones (429, 503) are not failures
    shed reveal < 5 %              share of requests that were turned away with Retry-After
    dropped arrivals = 0           arrivals that found no free place in the generator's pool
    rate sell > 10 /s              completed a second
    recovery < 5 s after spike     until the p95 of a second is back under twice the worst before

Stages that are marked as warm-up never count.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass

from harness.errors import UsageError

_UNITS = {"ms": 0.001, "s": 1.0, "%": 0.01, "/s": 1.0, "": 1.0}
_RELATIONS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
    ">": operator.gt,
    ">=": operator.ge,
}
_FORM = re.compile(
    r"^(?P<measure>p50|p90|p95|p99|mean|max|errors|shed|rate|recovery|dropped arrivals)"
    r"(?: (?P<name>[a-z]+))?"
    r" (?P<relation><=|>=|<|>|=) (?P<number>\d+(?:\.\d+)?) ?(?P<unit>ms|s|%|/s|)"
    r"(?: (?:in|after) (?P<stage>.+))?$"
)
_UNITS_OF = {"errors": ("%",), "shed": ("%",), "rate": ("/s",), "dropped arrivals": ("",)}


@dataclass(frozen=True)
class Threshold:
    """One parsed threshold. `limit` is in seconds, a share, or a count, by the measure."""

    text: str
    measure: str
    name: str | None
    relation: str
    limit: float
    stage: str | None

    def holds(self, value: float) -> bool:
        return _RELATIONS[self.relation](value, self.limit)

    @property
    def is_upper(self) -> bool:
        """Whether more is worse; only such a threshold can become hopeless early."""
        return self.relation in ("<", "<=", "=")


def parse_threshold(text: str) -> Threshold:
    """Parse one threshold. Raises UsageError saying what is not understood."""
    found = _FORM.match(" ".join(text.split()))
    if found is None:
        raise UsageError(
            f"threshold {text!r}: not understood; write it as 'p95 reveal < 800 ms', "
            "'errors < 0.1 %' or 'dropped arrivals = 0'"
        )
    measure, unit = found["measure"], found["unit"]
    allowed = _UNITS_OF.get(measure, ("ms", "s"))
    if unit not in allowed:
        raise UsageError(
            f"threshold {text!r}: {measure} is given in {' or '.join(map(repr, allowed))}, "
            f"not in {unit!r}"
        )
    if measure == "recovery" and found["stage"] is None:
        raise UsageError(f"threshold {text!r}: say after which stage, as in 'after spike'")
    return Threshold(
        text=text,
        measure=measure,
        name=found["name"],
        relation=found["relation"],
        limit=float(found["number"]) * _UNITS[unit],
        stage=found["stage"],
    )
