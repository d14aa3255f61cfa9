"""Open arrival: people come when they come, whatever the answers are.

A closed crowd waits for its answers, so that a server which stalls is asked less and its stall
hides (coordinated omission). Here a timetable is drawn up before the start and kept: each arrival
has an intended start, and its latency counts from there. Whoever finds no place among those under
way is dropped and counted, not delayed.
"""

from __future__ import annotations

import random

from gevent.event import Event
from gevent.pool import Pool

from harness.load.profile import Profile
from loadtests.actions import Actions
from loadtests.recorder import Recorder
from loadtests.timetable import timetable

DRAIN_SECONDS_MAX = 35.0  # longer than a request may take


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
        self._closed = Event()

    def close(self) -> None:
        """Nobody else comes; who is under way is served."""
        self._closed.set()

    def run(self) -> None:
        """Play the whole timetable to the profile's last second, or until it is closed, then wait
        for what is still under way."""
        self._recorder.begin()
        for intended_s, stage in timetable(
            self._profile, self._index, self._generators, self._random
        ):
            (action,) = self._random.choices(self._names, self._weights)
            if self._closed_at(intended_s):
                break
            if self._pool.free_count() == 0:
                self._actions.dropped(action, stage, intended_s, "too many under way")
                continue
            self._pool.spawn(self._actions.play, action, stage, intended_s)
        self._closed_at(self._profile.seconds)
        self._pool.join(timeout=DRAIN_SECONDS_MAX)
        self._recorder.flush()

    def _closed_at(self, seconds: float) -> bool:
        """Wait until so many seconds have passed; whether it was closed by then."""
        wait_s = seconds - self._recorder.now()
        return bool(self._closed.wait(wait_s)) if wait_s > 0 else self._closed.is_set()
