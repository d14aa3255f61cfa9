"""What Locust loads; `harness load` prepares wallets and NFTs, writes the plan and starts it.

Open profiles have one user a process, which keeps the timetable of arrivals. Closed ones have
Locust's own users, a class for each kind of person, weighted by the profile's mix.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import gevent
from locust import LoadTestShape, User, constant_pacing, events, task
from locust.env import Environment
from locust.rpc import Message
from locust.runners import MasterRunner, Runner, WorkerRunner

from harness.load.plan import ENVIRONMENT, PROFILE_FILE, read_plan
from harness.load.profile import read_profile
from harness.load.records import STOPPED
from loadtests.arrivals import DRAIN_SECONDS_MAX
from loadtests.generator import Generator
from loadtests.recorder import Recorder
from loadtests.timetable import people_at, stage_at

_PLAN = read_plan(Path(os.environ[ENVIRONMENT]))
_PROFILE = read_profile(_PLAN.folder / PROFILE_FILE)
_PACE_SECONDS = 1.0  # a closed user acts once a second, or as often as the answers let it
#: What a process says when its crowd is gone, with what it has not told yet; and what the master
#: says before the end, so that nothing which was measured is left behind.
_DONE, _CLOSE = "crowd-done", "crowd-close"
_EARLY_SECONDS = 0.5
_LOOK_SECONDS = 0.05
_SPAWN_RATE_MAX = 100.0  # Locust warns above it

_here: list[
    Generator
] = []  # this process's generator: Locust makes users itself, without arguments
_recorders: list[Recorder] = []
_done: list[str] = []  # who is done
_closing: list[bool] = []


@events.init.add_listener
def _listen(environment: Environment, **_: object) -> None:
    if environment.runner is not None:
        # In greenlets of their own: meanwhile other messages are heard.
        environment.runner.register_message(_DONE, _count, concurrent=True)
        environment.runner.register_message(_CLOSE, _hand_over, concurrent=True)


def _count(environment: Environment, msg: Message, **_: object) -> None:
    """The last one that is done ends the run, unless somebody is ending it already."""
    if isinstance(environment.runner, MasterRunner):
        _recorders[-1].unpack(msg.node_id, msg.data)
    _done.append(msg.node_id)
    if len(_done) == _PLAN.generators and not _closing and environment.runner is not None:
        environment.runner.quit()


def _say_done(environment: Environment) -> None:
    runner = environment.runner
    assert isinstance(runner, Runner)
    runner.send_message(_DONE, _here[-1].recorder.pack() if _here[-1].recorder.travels else None)


def _hand_over(environment: Environment, **_: object) -> None:
    """A worker is told that it is over."""
    for generator in _here:
        generator.close()
        if not _PROFILE.is_open:  # an open crowd says itself when it is done
            generator.wait_until_served()
            _say_done(environment)


@events.test_start.add_listener
def _begin(environment: Environment, **_: object) -> None:
    _done.clear()
    _closing.clear()
    if isinstance(environment.runner, MasterRunner):
        _recorders.append(Recorder(environment, _PLAN.folder))
    else:
        _here.append(Generator(_PLAN, _PROFILE, environment))
        _recorders.append(_here[-1].recorder)
    _recorders[-1].begin()


@events.test_stopping.add_listener
def _close(environment: Environment, **_: object) -> None:
    """At the end, or before it on Locust's page or by the harness: nobody else comes."""
    for generator in _here:
        generator.close()
    if isinstance(environment.runner, WorkerRunner) or not _recorders or _closing:
        return
    _closing.append(True)
    played_s = _recorders[-1].now()
    if played_s < _PROFILE.seconds - _EARLY_SECONDS:
        (_PLAN.folder / STOPPED).write_text(f"{played_s:.3f}\n", encoding="utf-8")
    if isinstance(environment.runner, MasterRunner):
        environment.runner.send_message(_CLOSE)
        deadline = time.monotonic() + DRAIN_SECONDS_MAX
        while len(_done) < _PLAN.generators and time.monotonic() < deadline:
            gevent.sleep(_LOOK_SECONDS)


@events.test_stop.add_listener
def _end(**_: object) -> None:
    for generator in _here:
        generator.recorder.flush()


class OpenCrowd(User):
    """Keeps the timetable of arrivals; one in each process."""

    abstract = not _PROFILE.is_open

    @task
    def arrive(self) -> None:
        _here[-1].arrivals.run()
        _say_done(self.environment)
        self.stop()


class Person(User):
    """A closed user: one kind of action, again and again."""

    abstract = True
    action = ""
    wait_time = constant_pacing(_PACE_SECONDS)

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        cls.weight = _PROFILE.mix.get(cls.action, 0)
        cls.abstract = _PROFILE.is_open or not cls.weight

    @task
    def act(self) -> None:
        one = _here[-1]
        one.act(self.action, stage_at(_PROFILE, one.recorder.now()))


class StatusReader(Person):
    """Asks whether buybacks are on."""

    action = "status"


class Revealer(Person):
    """Opens one box after another."""

    action = "reveal"


class Looker(Person):
    """Looks at what a skin would bring."""

    action = "look"


class Quoter(Person):
    """Asks for a transaction to sign and never comes back: holds a reservation until it expires."""

    action = "quote"


class Seller(Person):
    """Sells one skin after another."""

    action = "sell"


class Newcomer(Person):
    """Mints, reveals, looks and sells."""

    action = "journey"


class Bot(Person):
    """Asks for the same reveal again and again."""

    action = "bot"


class Abuser(Person):
    """Sends what must be refused."""

    action = "abuse"


class Visitor(Person):
    """Signs in again and again."""

    action = "signin"


class Regular(Person):
    """Signs in, renews the token and signs out."""

    action = "session"


class Collector(Person):
    """Reads what a wallet holds."""

    action = "inventory"


class Auditor(Person):
    """Reads what the next rolls are bound to."""

    action = "fairness"


class Doubter(Person):
    """Asks for what it takes to repeat a roll."""

    action = "proof"


class Course(LoadTestShape):
    """The profile's stages: how many people there are at each moment, and when it is over."""

    def tick(self) -> tuple[int, float] | None:
        seconds = self.get_run_time()
        if _PROFILE.is_open:  # the crowds say themselves when they are done
            return _PLAN.generators, _SPAWN_RATE_MAX
        if seconds >= _PROFILE.seconds:
            return None
        return people_at(_PROFILE, seconds), _SPAWN_RATE_MAX
