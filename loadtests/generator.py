"""One process of the load generator: its stock, its random numbers, its line to the backend."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
from locust.env import Environment
from locust.runners import WorkerRunner

from harness.load.plan import Plan, read_stock
from harness.load.profile import Profile
from loadtests.actions import Actions
from loadtests.arrivals import Arrivals
from loadtests.desk import Desk
from loadtests.recorder import Recorder
from loadtests.stock import Stock


class Generator:
    """What the users of one process share. The same profile and seed draw the same arrivals."""

    def __init__(self, plan: Plan, profile: Profile, environment: Environment) -> None:
        runner = environment.runner
        self.index = runner.worker_index if isinstance(runner, WorkerRunner) else 0
        self.recorder = Recorder(environment, Path(plan.folder))
        seeds = np.random.SeedSequence(profile.seed).spawn(plan.generators)
        self.random = random.Random(int(seeds[self.index].generate_state(1, np.uint64)[0]))
        items = read_stock(Path(plan.stock), self.index, plan.generators)
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
