"""Open arrival: people come when they come, whatever the answers are.

A closed crowd waits for its answers, so that a server which stalls is asked less and its stall
hides (coordinated omission). Here a timetable is drawn up before the start and kept: each arrival
has an intended start, and its latency counts from there. Whoever finds no place among those under
way is dropped and counted, not delayed.
"""

from __future__ import annotations

import random

import gevent
from gevent.pool import Pool

from harness.load.profile import Profile
from loadtests.actions import Actions
from loadtests.recorder import Recorder
from loadtests.timetable import timetable

_DRAIN_SECONDS_MAX = 35.0  # longer than a request may take


class Arrivals:
    """Keeps one generator's timetable."""

    def __init__(
        self,
        profile: Profile,
        actions: Actions,
        recorder: Recorder,
        index: int,
        generators: int,
        randomness: random.Random,
    ) -> None:
        self._profile = profile
        self._actions = actions
        self._recorder = recorder
        self._index, self._generators = index, generators
        self._random = randomness
        self._pool = Pool(profile.in_flight_max)
        self._names = list(profile.mix)
        self._weights = list(profile.mix.values())

    def run(self) -> None:
        """Play the whole timetable, then wait for what is still under way."""
        self._recorder.begin()
        for intended_s, stage in timetable(
            self._profile, self._index, self._generators, self._random
        ):
            (action,) = self._random.choices(self._names, self._weights)
            wait_s = intended_s - self._recorder.now()
            if wait_s > 0:
                gevent.sleep(wait_s)
            if self._pool.free_count() == 0:
                self._actions.dropped(action, stage, intended_s, "too many under way")
                continue
            self._pool.spawn(self._actions.play, action, stage, intended_s)
        self._pool.join(timeout=_DRAIN_SECONDS_MAX)
        self._recorder.flush()
