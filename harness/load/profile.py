"""A load profile: who arrives, how often, for how long, and what must hold.

A profile is a TOML file, like a timetable for a crowd. `arrival` says how the crowd behaves:
`constant` and `poisson` are open (people come whatever the answers are, and latency counts from the
moment each meant to start), `closed` is Locust's own (so many people, each waiting for the answer).

    arrival = "poisson"
    thresholds = ["p95 reveal < 800 ms", "errors < 0.1 %", "dropped arrivals = 0"]

    [mix]
    reveal = 6
    look = 3
    sell = 1

    [[stages]]
    name = "warm-up"
    seconds = 5
    rate = 5
    warm_up = true

    [[stages]]
    name = "steady"
    seconds = 30
    rate = 20
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.load.fault import Fault, faults_from
from harness.load.history import NFTS_MAX
from harness.load.number import number_from, whole_number_from
from harness.load.thresholds import Threshold, parse_threshold

ARRIVALS = ("constant", "poisson", "closed")

#: Stands for all stages together in tables.
ALL = "all"

#: What one arrival can be, and the requests that it makes.
ACTIONS: dict[str, tuple[str, ...]] = {
    "status": (),
    "reveal": (),
    "look": (),
    "quote": (),
    "sell": ("request", "confirm"),
    "journey": ("mint", "reveal", "look", "request", "confirm"),
    "bot": (),
    "abuse": (),
    "signin": ("challenge", "token"),
    "session": ("challenge", "token", "refresh", "signout"),
    "inventory": (),
    "fairness": (),
    "proof": (),
}
#: Who acts with a wallet that holds no NFT of the stock, and who asks for somebody's open NFT.
_WITH_WALLET = ("journey", "signin", "session")
_WITH_REVEALED = ("look", "bot", "inventory", "proof")
#: How many NFTs an arrival uses up: still sealed, or revealed beforehand.
SEALED_USED = {"reveal": 1}
REVEALED_USED = {"sell": 1, "quote": 1}

SECONDS_MAX = 4 * 3600
ARRIVALS_MAX = 1_000_000
IN_FLIGHT_MAX = 2_000
STAGES_MAX = 200


@dataclass(frozen=True)
class Stage:
    """A stretch of time with one rate. `rate` is arrivals a second, or people when closed;
    with `ramp` it is reached evenly from the stage before."""

    name: str
    seconds: float
    rate: float
    ramp: bool = False
    warm_up: bool = False


@dataclass(frozen=True)
class Profile:
    """A profile as read from its file. `steps_until_broken` makes it a capacity search."""

    name: str
    about: str
    arrival: str
    mix: Mapping[str, float]
    stages: tuple[Stage, ...]
    thresholds: tuple[Threshold, ...]
    seed: int = 1
    in_flight_max: int = 200
    workers: int = 1
    backend_workers: int = 1
    rate_limits: bool = False
    #: NFTs that lie in the database, revealed and sold before the load.
    nfts_sold_before: int = 0
    #: Whether wallets sign in and act with their token, as production demands.
    sign_in: bool = False
    steps_until_broken: bool = False
    faults: tuple[Fault, ...] = ()

    @property
    def is_open(self) -> bool:
        return self.arrival != "closed"

    @property
    def seconds(self) -> float:
        return sum(stage.seconds for stage in self.stages)

    def arrivals_expected(self) -> float:
        """How many will come if nothing stops the run; for a closed profile an upper guess of one
        action a second for each person."""
        total, before = 0.0, 0.0
        for stage in self.stages:
            mean = (before + stage.rate) / 2 if stage.ramp else stage.rate
            total += mean * stage.seconds
            before = stage.rate
        return total

    def stages_over(self, seconds: float) -> int:
        """How many stages have been played to their end after so many seconds."""
        end = 0.0
        for number, stage in enumerate(self.stages):
            end += stage.seconds
            if seconds < end:
                return number
        return len(self.stages)

    def window(self, name: str) -> tuple[float, float]:
        """From and until of a stage or a fault, in seconds since the crowd came."""
        for fault in self.faults:
            if fault.name == name:
                return fault.at_s, fault.until_s
        end = 0.0
        for stage in self.stages:
            begin, end = end, end + stage.seconds
            if stage.name == name:
                return begin, end
        raise KeyError(name)

    def cut(self, seconds: float) -> Profile:
        """What was played of it in so many seconds; stages that were not reached last none."""
        stages, end = [], 0.0
        for stage in self.stages:
            begin, end = end, end + stage.seconds
            stages.append(replace(stage, seconds=min(max(seconds - begin, 0.0), stage.seconds)))
        return replace(self, stages=tuple(stages))

    def calm_before(self, name: str) -> tuple[float, float]:
        """The time before a stage or fault that it is compared with: of a stage the one before
        it, of a fault what lies between it and the one before, warm-up left out."""
        begin, _ = self.window(name)
        if name in {fault.name for fault in self.faults}:
            restless = [fault.name for fault in self.faults]
            restless += [stage.name for stage in self.stages if stage.warm_up]
            ends = [end for _, end in map(self.window, restless) if end <= begin]
            return max(ends, default=0.0), begin
        stage = self.stages[max(0, self.stages_over(begin) - 1)]
        return self.window(stage.name)[0], begin

    @property
    def needs_wallets(self) -> bool:
        """Whether somebody acts without an NFT of the stock: mints one, or just signs in."""
        return any(self.mix.get(action) for action in _WITH_WALLET)

    def share(self, action: str) -> float:
        return self.mix.get(action, 0.0) / sum(self.mix.values())

    def stock_needed(self) -> tuple[int, int]:
        """NFTs that must be there before the start: (sealed, revealed).

        Four standard deviations above what Poisson arrivals use up on average, so that a run
        does not end for want of NFTs; at least one revealed where anybody looks.
        """
        expected = self.arrivals_expected()
        sealed = sum(expected * self.share(a) * n for a, n in SEALED_USED.items())
        revealed = sum(expected * self.share(a) * n for a, n in REVEALED_USED.items())
        looks = 1 if any(self.mix.get(action) for action in _WITH_REVEALED) else 0
        return _with_slack(sealed), max(_with_slack(revealed), looks)


def _with_slack(mean: float) -> int:
    return math.ceil(mean + 4 * math.sqrt(mean)) if mean else 0


def request_names(mix: Mapping[str, float], *, sign_in: bool = False) -> set[str]:
    """Every name under which measurements of this mix appear."""
    names: set[str] = set()
    for action in mix:
        names |= {action, *ACTIONS[action]}
    if sign_in:
        names |= {"signin", *ACTIONS["signin"]}
    return names


def profiles_beside(folder: Path) -> dict[str, Path]:
    """The profiles that come with the project, by name."""
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def find_profile(written: str, known: Mapping[str, Path]) -> Path:
    """The file behind what a person wrote: a name or a path. Raises UsageError for neither."""
    if written in known:
        return known[written]
    if written.endswith(".toml"):
        return Path(written)
    raise UsageError(f"profile {written!r} is unknown; known: {', '.join(known)}, or a .toml file")


def read_profile(path: Path) -> Profile:
    """Read and check a profile. Raises UsageError naming file, key and value."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path.name}: is not TOML: {error}") from None
    return profile_from(values, path.stem)


def profile_from(values: dict[str, Any], name: str) -> Profile:
    """A profile from the values of its file; `name` stands in its messages."""
    known = {
        "about", "arrival", "mix", "stages", "steps", "thresholds", "seed", "in_flight_max",
        "workers", "backend_workers", "rate_limits", "sign_in", "faults",
        "nfts_sold_before",
    }  # fmt: skip
    if unknown := sorted(set(values) - known):
        raise UsageError(f"{name}: {unknown[0]}: unknown key; known: {', '.join(sorted(known))}")
    arrival = values.get("arrival", "poisson")
    if arrival not in ARRIVALS:
        raise UsageError(f"{name}: arrival: must be one of {', '.join(ARRIVALS)}, is {arrival!r}")
    mix = _mix(values.get("mix"), name)
    if ("stages" in values) == ("steps" in values):
        raise UsageError(f"{name}: give either [[stages]] or [steps]")
    stages = _steps(values["steps"], name) if "steps" in values else _stages(values["stages"], name)
    faults = faults_from(values.get("faults", []), name, sum(stage.seconds for stage in stages))
    windows = [stage.name for stage in stages] + [fault.name for fault in faults]
    if len(set(windows)) != len(windows) or ALL in windows:
        raise UsageError(
            f"{name}: two stages or faults have the same name, or one is called {ALL!r}"
        )
    sign_in = bool(values.get("sign_in", False))
    profile = Profile(
        name=name,
        about=str(values.get("about", "")),
        arrival=arrival,
        mix=mix,
        stages=stages,
        thresholds=_thresholds(values.get("thresholds", []), mix, windows, sign_in, name),
        seed=whole_number_from(values.get("seed", 1), "seed", name, 0, 2**63 - 1),
        in_flight_max=whole_number_from(
            values.get("in_flight_max", 200), "in_flight_max", name, 1, IN_FLIGHT_MAX
        ),
        workers=whole_number_from(values.get("workers", 1), "workers", name, 1, 64),
        backend_workers=whole_number_from(
            values.get("backend_workers", 1), "backend_workers", name, 1, 64
        ),
        rate_limits=bool(values.get("rate_limits", False)),
        sign_in=sign_in,
        nfts_sold_before=whole_number_from(
            values.get("nfts_sold_before", 0), "nfts_sold_before", name, 0, NFTS_MAX
        ),
        steps_until_broken="steps" in values,
        faults=faults,
    )
    if profile.seconds > SECONDS_MAX or profile.arrivals_expected() > ARRIVALS_MAX:
        raise UsageError(
            f"{name}: {profile.seconds:.0f} s and {profile.arrivals_expected():.0f} arrivals; at "
            f"most {SECONDS_MAX} s and {ARRIVALS_MAX} arrivals are allowed"
        )
    if profile.steps_until_broken and not profile.thresholds:
        raise UsageError(f"{name}: a capacity search needs thresholds: they say what broken means")
    return profile


def _mix(value: object, name: str) -> dict[str, float]:
    if not isinstance(value, dict) or not value:
        raise UsageError(f"{name}: mix: name at least one of {', '.join(ACTIONS)}")
    for action, weight in value.items():
        if action not in ACTIONS:
            raise UsageError(f"{name}: mix.{action}: unknown; known: {', '.join(ACTIONS)}")
        number_from(weight, f"mix.{action}", name, 0, 1e6)
    if sum(value.values()) <= 0:
        raise UsageError(f"{name}: mix: all weights are 0")
    return {action: float(weight) for action, weight in value.items() if weight}


def _stages(value: object, name: str) -> tuple[Stage, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= STAGES_MAX:
        raise UsageError(f"{name}: stages: give 1 to {STAGES_MAX} [[stages]]")
    stages = []
    for number, entry in enumerate(value, start=1):
        where = f"stages {number}"
        if unknown := sorted(set(entry) - {"name", "seconds", "rate", "ramp", "warm_up"}):
            raise UsageError(f"{name}: {where}: {unknown[0]}: unknown key")
        for key in ("seconds", "rate"):
            if key not in entry:
                raise UsageError(f"{name}: {where}: {key} is missing")
        stages.append(
            Stage(
                name=str(entry.get("name", f"stage-{number}")),
                seconds=number_from(entry["seconds"], f"{where}.seconds", name, 0.1, SECONDS_MAX),
                rate=number_from(entry["rate"], f"{where}.rate", name, 0, 10_000),
                ramp=bool(entry.get("ramp", False)),
                warm_up=bool(entry.get("warm_up", False)),
            )
        )
    return tuple(stages)


def _steps(value: dict[str, Any], name: str) -> tuple[Stage, ...]:
    """Rates that grow by `factor` from `first` to `last`, after a warm-up at the first."""
    if unknown := sorted(set(value) - {"first", "last", "factor", "seconds"}):
        raise UsageError(f"{name}: steps: {unknown[0]}: unknown key")
    first = number_from(value.get("first", 5), "steps.first", name, 0.1, 10_000)
    last = number_from(value.get("last", 500), "steps.last", name, first, 10_000)
    factor = number_from(value.get("factor", 1.25), "steps.factor", name, 1.01, 10)
    seconds = number_from(value.get("seconds", 10), "steps.seconds", name, 0.1, 3600)
    stages = [Stage("warm-up", seconds, first, warm_up=True)]
    rate = first
    while rate <= last * (1 + 1e-9) and len(stages) < STAGES_MAX:
        stages.append(Stage(f"{rate:.4g} a second", seconds, rate))
        rate *= factor
    return tuple(stages)


def _thresholds(
    value: object, mix: Mapping[str, float], windows: list[str], sign_in: bool, name: str
) -> tuple[Threshold, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise UsageError(f'{name}: thresholds: must be a list such as ["p95 reveal < 800 ms"]')
    found, measured_names = [], request_names(mix, sign_in=sign_in)
    for text in value:
        threshold = parse_threshold(text)
        if threshold.name is not None and threshold.name not in measured_names:
            raise UsageError(
                f"{name}: threshold {text!r}: {threshold.name!r} is not measured by this mix; "
                f"measured: {', '.join(sorted(measured_names))}"
            )
        if threshold.stage is not None and threshold.stage not in windows:
            raise UsageError(
                f"{name}: threshold {text!r}: there is no stage or fault {threshold.stage!r}; "
                f"there are: {', '.join(windows)}"
            )
        found.append(threshold)
    return tuple(found)
