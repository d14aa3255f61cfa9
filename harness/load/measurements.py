"""From records to figures: percentiles, rates, thresholds and the knee of a capacity search."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.load.profile import ALL, Profile
from harness.load.records import DROPPED, FAILED, OK, SHED, Records
from harness.load.thresholds import Threshold

PERCENTILES = (50, 90, 95, 99)
_MEASURED_AT_LEAST = 20  # requests in a stage before an early end can be judged
_SHARES = {"errors": FAILED, "shed": SHED}
_UNDER_WAY_SECONDS = 1.0
_CALM = 2.0  # recovered: the p95 of a second is back under twice that of the worst one before


@dataclass(frozen=True)
class Row:
    """Figures of one name in one stage, or over all of them. Times in seconds."""

    stage: str
    name: str
    arrivals: int
    ok: int
    shed: int
    failed: int
    dropped: int
    ok_a_second: float
    percentiles_s: tuple[float, ...]
    max_s: float


@dataclass(frozen=True)
class Verdict:
    """A threshold and what was measured; `value` is None where nothing could be measured."""

    threshold: Threshold
    value: float | None

    @property
    def holds(self) -> bool:
        return self.value is not None and self.threshold.holds(self.value)


def measured(records: Records, profile: Profile) -> Records:
    """The records that count: all but those of warm-up stages."""
    warm = [number for number, stage in enumerate(profile.stages) if stage.warm_up]
    return records.where(~np.isin(records.stage, warm))


def table(records: Records, profile: Profile) -> list[Row]:
    """A row for each stage and name, then one for each name over all that counts."""
    rows = []
    for number, stage in enumerate(profile.stages):
        part = records.where(records.stage == number)
        rows += [
            _row(stage.name, name, part, stage.seconds) for name in sorted(set(part.name.tolist()))
        ]
    counted = measured(records, profile)
    seconds = sum(stage.seconds for stage in profile.stages if not stage.warm_up)
    rows += [_row(ALL, name, counted, seconds) for name in sorted(set(counted.name.tolist()))]
    return rows


def _row(stage: str, name: str, records: Records, seconds: float) -> Row:
    part = records.where(records.name == name)
    done = part.latency_s[part.outcome == OK]
    empty = len(done) == 0
    percentiles = (
        (float("nan"),) * len(PERCENTILES)
        if empty
        else tuple(float(p) for p in np.percentile(done, PERCENTILES))
    )
    count = {
        outcome: int((part.outcome == outcome).sum()) for outcome in (OK, SHED, FAILED, DROPPED)
    }
    return Row(
        stage=stage,
        name=name,
        arrivals=len(part),
        ok=count[OK],
        shed=count[SHED],
        failed=count[FAILED],
        dropped=count[DROPPED],
        ok_a_second=count[OK] / seconds if seconds else 0.0,
        percentiles_s=percentiles,
        max_s=float("nan") if empty else float(done.max()),
    )


def verdicts(records: Records, profile: Profile) -> list[Verdict]:
    """Every threshold with its value."""
    return [Verdict(one, value_of(one, records, profile)) for one in profile.thresholds]


def value_of(threshold: Threshold, records: Records, profile: Profile) -> float | None:
    """What a threshold measures; None if there is nothing to measure it by."""
    if threshold.measure == "recovery":
        return recovery_s(records, profile, str(threshold.stage), threshold.name)
    part = measured(records, profile)
    seconds = sum(stage.seconds for stage in profile.stages if not stage.warm_up)
    if threshold.stage is not None:
        begin, end = profile.window(threshold.stage)
        part = _between(records, begin, end)
        seconds = end - begin
    if threshold.name is not None:
        part = part.where(part.name == threshold.name)
    return _value(threshold.measure, part, seconds)


def _value(measure: str, part: Records, seconds: float) -> float | None:
    if measure == "dropped arrivals":
        return float((part.outcome == DROPPED).sum())
    if len(part) == 0:
        return None
    if measure in _SHARES:
        return float((part.outcome == _SHARES[measure]).mean())
    done = part.latency_s[part.outcome == OK]
    if measure == "rate":
        return len(done) / seconds
    return _latency(measure, done) if len(done) else None


def _latency(measure: str, seconds: NDArray[np.float64]) -> float:
    if measure == "max":
        return float(seconds.max())
    if measure == "mean":
        return float(seconds.mean())
    return float(np.percentile(seconds, int(measure[1:])))


def _between(records: Records, begin: float, end: float) -> Records:
    """What was meant to start within a window."""
    return records.where((records.intended_s >= begin) & (records.intended_s < end))


def recovery_s(
    records: Records, profile: Profile, window: str, name: str | None = None
) -> float | None:
    """Seconds from the end of a stage or fault to the first second that is calm and stays so,
    until a second before the next fault, which strikes who is under way then, or until the end.

    Calm: nothing failed or was turned away among what was meant to start in that second, and its
    p95 is at most twice that of the worst second before the disturbance: seconds are held against
    seconds, as the p95 of some tens of requests jumps where nothing is wrong.
    """
    _, end = profile.window(window)
    before = _between(records, *profile.calm_before(window))
    before = before.where(before.outcome == OK)
    next_fault = min((one.at_s for one in profile.faults if one.at_s >= end), default=math.inf)
    after = _between(records, end, next_fault - _UNDER_WAY_SECONDS)
    if name is not None:
        before = before.where(before.name == name)
        after = after.where(after.name == name)
    if len(before) == 0 or len(after) == 0:
        return None
    seconds_before = before.intended_s.astype(int)
    calm_s = _CALM * max(
        float(np.percentile(before.latency_s[seconds_before == one], 95))
        for one in np.unique(seconds_before)
    )
    second = (after.intended_s - end).astype(int)
    last_restless = -1
    for one in range(int(second.max()) + 1):
        part = after.where(second == one)
        if len(part) == 0:
            continue
        restless = (part.outcome != OK).any() or np.percentile(part.latency_s, 95) > calm_s
        if restless:
            last_restless = one
    return float("inf") if last_restless == int(second.max()) else float(last_restless + 1)


def hopeless(records: Records, profile: Profile) -> Verdict | None:
    """The first upper threshold that is broken by so much that the rest of the run cannot mend it.

    Only counted over the whole run: shares and percentiles whose broken part already exceeds what
    all arrivals still to come could outweigh.
    """
    expected = profile.arrivals_expected()
    for verdict in verdicts(records, profile):
        one = verdict.threshold
        if not one.is_upper or one.stage is not None or verdict.value is None or verdict.holds:
            continue
        part = measured(records, profile)
        if one.name is not None:
            part = part.where(part.name == one.name)
        if one.measure == "dropped arrivals":
            return verdict
        share = profile.share(one.name) if one.name is not None and one.name in profile.mix else 1.0
        at_the_end = max(expected * share, len(part), 1.0)
        if one.measure in _SHARES:
            if (part.outcome == _SHARES[one.measure]).sum() / at_the_end > one.limit:
                return verdict
        elif one.measure.startswith("p"):
            slow = (part.latency_s > one.limit).sum()
            if slow / at_the_end > 1 - int(one.measure[1:]) / 100:
                return verdict
    return None


def broken_stage(records: Records, profile: Profile, number: int) -> list[Verdict]:
    """Thresholds that did not hold in one stage of a capacity search."""
    part = records.where(records.stage == number)
    if len(part) < min(_MEASURED_AT_LEAST, profile.stages[number].seconds):
        return []
    broken = []
    for one in profile.thresholds:
        named = part if one.name is None else part.where(part.name == one.name)
        verdict = Verdict(one, _value(one.measure, named, profile.stages[number].seconds))
        if verdict.value is not None and not verdict.holds:
            broken.append(verdict)
    return broken


@dataclass(frozen=True)
class Knee:
    """The highest rate at which every threshold held, and what broke first above it."""

    rate: float | None
    broken_at: float | None
    broken: tuple[Verdict, ...]


def knee(records: Records, profile: Profile, stages_done: int) -> Knee:
    """Where a capacity search found its limit, of the stages that were played to their end."""
    held: float | None = None
    for number, stage in enumerate(profile.stages[:stages_done]):
        if stage.warm_up:
            continue
        broken = broken_stage(records, profile, number)
        if broken:
            return Knee(held, stage.rate, tuple(broken))
        held = stage.rate
    return Knee(held, None, ())
