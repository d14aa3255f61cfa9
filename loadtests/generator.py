"""One process of the load generator: its stock, its random numbers, its line to the backend."""

from __future__ import annotations

import random
import time

import gevent
import numpy as np
from locust.env import Environment
from locust.runners import WorkerRunner

from harness.load.plan import STOCK_FILE, Plan, read_stock
from harness.load.profile import Profile
from loadtests.actions import Actions
from loadtests.arrivals import DRAIN_SECONDS_MAX, Arrivals
from loadtests.desk import Desk
from loadtests.recorder import Recorder
from loadtests.stock import Stock

_LOOK_SECONDS = 0.05


class Generator:
    """What the users of one process share. The same profile and seed draw the same arrivals."""

    def __init__(self, plan: Plan, profile: Profile, environment: Environment) -> None:
        runner = environment.runner
        self.index = runner.worker_index if isinstance(runner, WorkerRunner) else 0
        self.recorder = Recorder(environment, plan.folder)
        seeds = np.random.SeedSequence(profile.seed).spawn(plan.generators)
        self.random = random.Random(int(seeds[self.index].generate_state(1, np.uint64)[0]))
        items = read_stock(plan.folder / STOCK_FILE, self.index, plan.generators)
        self.desk = Desk(
            environment.host or plan.backend_url,
            plan.api_prefix,
            self.recorder,
            profile.in_flight_max,
        )
        self.actions = Actions(
            plan, self.desk, self.recorder, Stock(items, self.index, self.random), self.random
        )
        self.arrivals = Arrivals(
            profile, self.actions, self.recorder, self.index, plan.generators, self.random
        )
        self._closed = False
        self._under_way = 0

    def act(self, action: str, stage: int) -> None:
        """One action of a closed user, unless it is over."""
        if self._closed:
            return
        self._under_way += 1
        try:
            self.actions.play(action, stage, self.recorder.now())
        finally:
            self._under_way -= 1

    def close(self) -> None:
        """Nobody else comes or acts."""
        self._closed = True
        self.arrivals.close()

    def wait_until_served(self) -> None:
        """Until no closed user waits for an answer any more, a while at most."""
        deadline = time.monotonic() + DRAIN_SECONDS_MAX
        while self._under_way and time.monotonic() < deadline:
            gevent.sleep(_LOOK_SECONDS)
