"""Lets the crowd in and follows it: reads the records as they grow, ends early where the rest can
no longer change the verdict, and always keeps what was measured."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.errors import StartError
from harness.load.locust_process import Elsewhere, LocustProcess, run_locust
from harness.load.measurements import broken_stage, hopeless
from harness.load.plan import Plan
from harness.load.profile import Profile
from harness.load.records import FILE, STOPPED, Records, read_records, records_of

_LOOK_SECONDS = 1.0
_OVERTIME_SECONDS = 60.0  # over the profile's length, for the last answers
_START_SECONDS_MAX = 60.0
_OTHERS_SECONDS_MAX = 900.0  # until somebody has started the workers on the other machines
_START_LOOK_SECONDS = 0.05
_LAST_LINES = 8


@dataclass(frozen=True)
class Outcome:
    """What the crowd left. `stages_done` were played to their end, all of it for `played_s`."""

    records: Records
    stages_done: int
    played_s: float
    ended_early: str | None
    interrupted: bool
    #: When the crowd came, of the monotonic clock: second 0 of the records.
    began: float


def let_in(
    plan: Plan,
    profile: Profile,
    folder: Path,
    *,
    web_port: int | None,
    elsewhere: Elsewhere | None = None,
    on_start: Callable[[LocustProcess], None],
    on_begin: Callable[[float], None],
    on_look: Callable[[float, int], None],
) -> Outcome:
    """Run the generator to the profile's end, or until there is no point in going on.

    `on_begin(began)` is called when the crowd comes, `on_look(seconds, requests)` every second
    from then on. Ctrl-C, and the stop button of Locust's page, end the crowd and keep what was
    measured. Raises StartError if the generator does not come up or breaks down.
    """
    records = records_of([])
    ended_early: str | None = None
    interrupted = False
    path = folder / FILE
    offset = 0
    began: float | None = None
    with run_locust(
        folder=folder, host=plan.backend_url, generators=plan.generators, web_port=web_port,
        elsewhere=elsewhere,
    ) as locust:  # fmt: skip
        on_start(locust)
        launched = time.monotonic()
        if elsewhere is not None:
            elsewhere.announce(elsewhere.command(folder))
        start_s_max = _START_SECONDS_MAX if elsewhere is None else _OTHERS_SECONDS_MAX
        try:
            while locust.running():
                now = time.monotonic()
                if began is None:
                    if path.exists():  # the generator makes it as it begins
                        began = now
                        on_begin(began)
                    elif now - launched > start_s_max:
                        break
                    time.sleep(_START_LOOK_SECONDS)
                    continue
                time.sleep(_LOOK_SECONDS)
                new, offset = read_records(path, offset)
                records += new
                now = time.monotonic()
                on_look(now - began, len(records))
                ended_early = _reason_to_end(records, profile, now - began)
                if ended_early is not None:
                    locust.interrupt()
                    break
        except KeyboardInterrupt:
            interrupted = True
            ended_early = "interrupted"
            locust.interrupt()
        seconds = 0.0 if began is None else time.monotonic() - began
        broken_down = locust.exit_code not in (None, 0)
    if began is not None and broken_down and not interrupted:
        raise StartError(
            f"the generator broke down after {seconds:.0f} s; its last lines follow",
            _log_of(folder),
        )
    if path.exists():
        records += read_records(path, offset)[0]
    if not len(records) and not interrupted:
        raise StartError("the generator did not come up; its last lines follow", _log_of(folder))
    played_s = min(seconds, profile.seconds)
    if ended_early is None and (stopped_s := _stopped_s(folder)) is not None:
        played_s = min(stopped_s, profile.seconds)
        ended_early = f"stopped after {played_s:.0f} of {profile.seconds:.0f} s"
    done = profile.stages_over(played_s) if ended_early else len(profile.stages)
    return Outcome(records, done, played_s, ended_early, interrupted, began or launched)


def _stopped_s(folder: Path) -> float | None:
    """When somebody stopped it on Locust's page, which the generator writes down."""
    path = folder / STOPPED
    return float(path.read_text(encoding="utf-8")) if path.exists() else None


def _reason_to_end(records: Records, profile: Profile, seconds: float) -> str | None:
    if seconds > profile.seconds + _OVERTIME_SECONDS:
        return f"not over {_OVERTIME_SECONDS:.0f} s after its end"
    if profile.steps_until_broken:
        done = profile.stages_over(seconds)
        for number in range(done):
            stage = profile.stages[number]
            if not stage.warm_up and (broken := broken_stage(records, profile, number)):
                return f"{broken[0].threshold.text} was broken at {stage.rate:.4g} a second"
        return None
    verdict = hopeless(records, profile)
    return None if verdict is None else f"{verdict.threshold.text} can no longer be kept"


def _log_of(folder: Path) -> list[str]:
    lines: list[str] = []
    for path in sorted((folder / "logs").glob("locust*.log")):
        lines += path.read_text(encoding="utf-8", errors="replace").splitlines()
    return lines[-_LAST_LINES:]
