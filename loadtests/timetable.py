"""When people come: intended starts for open arrival, how many there are for a closed crowd.

Drawn from the profile alone, before anything is sent.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from harness.load.profile import Profile


def timetable(
    profile: Profile, index: int, generators: int, randomness: random.Random
) -> Iterator[tuple[float, int]]:
    """Intended starts of one of several generators, in seconds, with the stage they fall into.

    Constant arrivals are evenly spaced over all generators together. Poisson arrivals have
    exponential gaps; on a ramp, candidates at the higher rate are thinned (Lewis and Shedler 1979).
    """
    begin, rate_before = 0.0, 0.0
    for number, stage in enumerate(profile.stages):
        first = rate_before if stage.ramp else stage.rate
        if profile.arrival == "constant":
            starts = _even(first, stage.rate, stage.seconds, index, generators)
        else:
            starts = _random(first / generators, stage.rate / generators, stage.seconds, randomness)
        for start in starts:
            yield begin + start, number
        begin += stage.seconds
        rate_before = stage.rate


def _even(
    first: float, last: float, seconds: float, index: int, generators: int
) -> Iterator[float]:
    """Where the number that has come by t, first t + (last - first) t^2 / 2 s, passes a half."""
    slope = (last - first) / seconds
    for count in range(index, int((first + last) / 2 * seconds + 0.5), generators):
        wanted = count + 0.5
        if abs(slope) < 1e-12:
            yield wanted / first
        else:
            yield (-first + max(first * first + 2 * slope * wanted, 0.0) ** 0.5) / slope


def _random(
    first: float, last: float, seconds: float, randomness: random.Random
) -> Iterator[float]:
    highest = max(first, last)
    if highest <= 0:
        return
    at = randomness.expovariate(highest)
    while at < seconds:
        rate = first + (last - first) * at / seconds
        if randomness.random() * highest < rate:
            yield at
        at += randomness.expovariate(highest)


def stage_at(profile: Profile, seconds: float) -> int:
    """The number of the stage that is on; the last one once all are over."""
    return min(profile.stages_over(seconds), len(profile.stages) - 1)


def people_at(profile: Profile, seconds: float) -> int:
    """How many closed users there should be; on a ramp, on the way from the stage before."""
    number = stage_at(profile, seconds)
    stage = profile.stages[number]
    if not stage.ramp:
        return round(stage.rate)
    begun = sum(one.seconds for one in profile.stages[:number])
    before = profile.stages[number - 1].rate if number else 0.0
    share = min((seconds - begun) / stage.seconds, 1.0)
    return round(before + (stage.rate - before) * share)
