"""The monitor: watches draws as they come and says when enough is known, either way.

A scale that is read after every grain: it says `fails` once the evidence against the promise is
beyond doubt, `holds within epsilon` once every tier's odds are pinned down close to the promise
(which is more than not having found anything), and until then how many draws may still be needed.
Its state is one JSON file; it knows which promise and which draws it belongs to.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numba
import numpy as np
from numpy.typing import NDArray

from harness.errors import UsageError
from harness.odds.draws import BoxDraws, draws_in_words
from harness.odds.eprocess import Bettors, bettors
from harness.odds.table import RarityTable
from harness.run.folder import write_json

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

Decision = Literal["fails", "holds", "undecided"]
_FORMAT = "odds-monitor-1"
_PATH_POINTS_MAX = 1000
_DRAWS_MAX = 10**10
_GROWTH = 1.01


@dataclass(frozen=True)
class Watch:
    """What is watched, fixed before the first draw.

    `epsilon`: for each tier how far its odds may be from the promise and still hold, absolute.
    `alternative`: odds that the monitor should notice fastest, None for none in particular.
    """

    table: RarityTable
    alpha: float
    epsilon: tuple[float, ...]
    alternative: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 0.5:
            raise UsageError(f"alpha must be above 0 and below 0.5, is {self.alpha}")
        if not all(0 < one < 1 for one in self.epsilon):
            raise UsageError(f"epsilon must be above 0 and below 1, is {min(self.epsilon)}")
        if self.table.from_stock:
            raise UsageError(
                f"box {self.table.box}: is drawn without replacement; audit it, the monitor "
                "watches odds that stay"
            )

    @property
    def fingerprint(self) -> str:
        """SHA-256 of promise and settings."""
        told = [
            self.table.box,
            [[tier, str(share)] for tier, share in self.table.odds],
            self.alpha,
            self.epsilon,
            self.alternative,
        ]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()

    def bettors(self) -> Bettors:
        """Their learner's prior is as firm as suits the draws that epsilon will take."""
        p = np.array(self.table.probabilities)
        other = None if self.alternative is None else np.array(self.alternative)
        needed = float(np.max(20 * p * (1 - p) / np.square(self.epsilon)))
        return bettors(p, other, concentration=max(50.0, needed))


def epsilons(table: RarityTable, given: float | Mapping[str, float]) -> tuple[float, ...]:
    """One epsilon for all tiers, or by tier, as Watch takes them. Raises UsageError for unknown
    and missing tiers."""
    if not isinstance(given, Mapping):
        return (float(given),) * len(table.tiers)
    found: list[float] = [math.nan] * len(table.tiers)
    for tier, value in given.items():
        found[table.index(tier)] = float(value)
    for tier, one in zip(table.tiers, found, strict=True):
        if math.isnan(one):
            raise UsageError(f"epsilon of {tier} is missing; give one for each tier, or one number")
    return tuple(found)


@dataclass(frozen=True)
class Verdict:
    """What the monitor says now. `decided_at`: the draw that decided. `e_value`: the evidence
    against the promise now, `e_value_max` the most it ever was; `low`, `high`: a confidence
    sequence by tier. `more_if_kept`, `more_if_as_seen`: draws that may still be needed if the odds
    are as promised, or as seen so far; None if such odds would not decide."""

    decision: Decision
    n: int
    decided_at: int | None
    log_e: float
    log_e_max: float
    low: tuple[float, ...]
    high: tuple[float, ...]
    more_if_kept: int | None = None
    more_if_as_seen: int | None = None

    @property
    def e_value(self) -> float:
        return math.exp(min(self.log_e, 700.0))

    @property
    def more(self) -> int | None:
        """The fewer of the two."""
        known = [one for one in (self.more_if_kept, self.more_if_as_seen) if one is not None]
        return min(known) if known else None

    def __str__(self) -> str:
        if self.decision == "undecided":
            if self.more is None:
                return "undecided, unknown many more draws expected"
            return f"undecided, {draws_in_words(self.more, 'more ')} expected"
        return {"fails": "fails", "holds": "holds within epsilon"}[self.decision]


@dataclass
class Monitor:
    """Evidence so far. `path`: (draws, log of evidence) at up to a thousand points."""

    watch: Watch
    counts: NDArray[Any] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    log_e: float = 0.0
    log_e_max: float = 0.0
    failed_at: int | None = None
    held_at: int | None = None
    mark: int = 0
    path: list[tuple[int, float]] = field(default_factory=lambda: [(0, 0.0)])

    def __post_init__(self) -> None:
        if not len(self.counts):
            self.counts = np.zeros(len(self.watch.table.tiers), dtype=np.int64)
        self._bettors = self.watch.bettors()

    @property
    def n(self) -> int:
        return int(self.counts.sum())

    def update(self, tiers: NDArray[Any]) -> None:
        """Feed new draws (places in the table's tiers), oldest first."""
        if len(tiers) and not 0 <= int(tiers.min()) <= int(tiers.max()) < len(self.counts):
            raise UsageError(f"a tier is numbered outside 0..{len(self.counts) - 1}")
        self.mark = (self.mark + int(_mark(tiers, self.n))) % 2**64
        log_bound, start = math.log(1 / self.watch.alpha), 0
        while start < len(tiers):
            # The box is looked at ever more seldom: each look is valid, none is needed.
            size = max(10, int(self.n * (_GROWTH - 1)))
            part, before = tiers[start : start + size], self.n
            steps, crossed = self._bettors.update(self.counts, part, log_bound)
            self.log_e, self.log_e_max = float(steps[-1]), max(self.log_e_max, float(steps.max()))
            if self.failed_at is None and crossed >= 0:
                self.failed_at = before + crossed + 1
            if self.held_at is None and self._inside():
                self.held_at = self.n
            self.path.append((self.n, self.log_e))
            start += len(part)
        if len(self.path) > _PATH_POINTS_MAX:
            kept = np.unique(np.linspace(0, len(self.path) - 1, _PATH_POINTS_MAX // 2, dtype=int))
            self.path = [self.path[one] for one in kept]

    def follow(self, box: BoxDraws) -> int:
        """Feed what a source has beyond the draws already seen; returns how many were new.

        Raises UsageError if the source does not begin with the draws already seen.
        """
        if len(box) < self.n or int(_mark(box.tier[: self.n], 0)) != self.mark:
            raise UsageError(
                f"box {box.table.box}: the state has seen {self.n} draws that this source does not "
                "begin with; give the source it was made from, or a new --state file"
            )
        new = box.tier[self.n :]
        self.update(new)
        return len(new)

    def _inside(self, counts: NDArray[Any] | None = None) -> bool:
        p, epsilon = np.array(self.watch.table.probabilities), np.array(self.watch.epsilon)
        seen = self.counts if counts is None else counts
        return self._bettors.within(seen, self.watch.alpha, p - epsilon, p + epsilon)

    def verdict(self) -> Verdict:
        """What is known now. A failure stands, whatever comes later."""
        low, high = self._bettors.confidence_box(self.counts, self.watch.alpha)
        decision: Decision = "undecided"
        decided = None
        if self.failed_at is not None:
            decision, decided = "fails", self.failed_at
        elif self.held_at is not None:
            decision, decided = "holds", self.held_at
        kept = seen = None
        if decision == "undecided":
            p = np.array(self.watch.table.probabilities)
            kept = self._more(p, holds=True)
            seen = self._more(self.counts / self.n, holds=False) if self.n else None
        return Verdict(
            decision, self.n, decided, self.log_e, self.log_e_max,
            tuple(map(float, low)), tuple(map(float, high)), kept, seen,
        )  # fmt: skip

    def _more(self, odds: NDArray[np.float64], *, holds: bool) -> int | None:
        """Further draws until a decision if they came exactly at these odds."""

        def decided(more: int) -> bool:
            counts = self.counts + more * odds
            if holds:
                return self._inside(counts)
            return float(self._bettors.log_e(counts)) >= math.log(1 / self.watch.alpha)

        high = 1
        while not decided(high):
            high *= 2
            if high > _DRAWS_MAX:
                return None
        low = high // 2
        while high - low > max(1, high // 200):
            middle = (low + high) // 2
            low, high = (low, middle) if decided(middle) else (middle, high)
        return high

    def frame(self) -> pd.DataFrame:
        """The path of the evidence: draws and log of the e-value."""
        import pandas as pd

        return pd.DataFrame(self.path, columns=["draws", "log_e"])

    def tiers(self) -> pd.DataFrame:
        """A row for each tier: promised, seen, and the confidence sequence now."""
        import pandas as pd

        verdict, table = self.verdict(), self.watch.table
        return pd.DataFrame(
            {
                "tier": table.tiers,
                "promised": table.probabilities,
                "seen": self.counts,
                "low": verdict.low,
                "high": verdict.high,
                "epsilon": self.watch.epsilon,
            }
        )

    def plot(self) -> Figure:
        """The evidence after each draw with the line at which the promise fails, and beside it
        each tier's confidence sequence relative to the promise with epsilon."""
        from harness.odds.picture import Picture

        verdict, table = self.verdict(), self.watch.table
        figure = Picture(figsize=(9, 3.2), layout="constrained")
        left, right = figure.subplots(1, 2)
        ten = math.log(10)
        left.plot([n for n, _ in self.path], [log_e / ten for _, log_e in self.path])
        left.axhline(math.log10(1 / self.watch.alpha), color="0.5", linestyle="--")
        left.set(xlabel="draws", ylabel="evidence against the promise, log10")
        left.set_title(f"{table.box}: {verdict}", loc="left")
        p = np.array(table.probabilities)
        low, high, epsilon = (np.array(v) / p for v in (verdict.low, verdict.high,
                                                        self.watch.epsilon))  # fmt: skip
        places = np.arange(len(p))
        right.barh(places, 2 * epsilon, left=1 - epsilon, height=0.5, color="0.88")
        right.hlines(places, low, high)
        right.plot(self.counts / max(self.n, 1) / p, places, "o")
        right.axvline(1, color="0.5", linestyle="--")
        right.set_yticks(places, table.tiers)
        right.set_xlim(left=max(right.get_xlim()[0], 0))  # epsilon may be above a rare tier's odds
        right.set_xlabel("odds / promised; grey: within epsilon")
        return figure

    # -- the state -------------------------------------------------------------------------------

    def save(self, path: Path) -> None:
        """Write the state, whole or not at all. Raises UsageError if that cannot be done."""
        state = {
            "format": _FORMAT,
            "watch_sha256": self.watch.fingerprint,
            "box": self.watch.table.box,
            "tiers": list(self.watch.table.tiers),
            "promised": [str(one) for one in self.watch.table.shares],
            "alpha": self.watch.alpha,
            "epsilon": list(self.watch.epsilon),
            "alternative": self.watch.alternative,
            "counts": [int(one) for one in self.counts],
            "log_e": self.log_e,
            "log_e_max": self.log_e_max,
            "failed_at": self.failed_at,
            "held_at": self.held_at,
            "draws_mark": f"{self.mark:016x}",
            "path": [[n, round(log_e, 6)] for n, log_e in self.path],
        }
        try:
            write_json(path, state)
        except OSError as error:
            raise UsageError(f"{path}: cannot be written ({error.strerror})") from None

    @classmethod
    def load(cls, path: Path, watch: Watch) -> Monitor:
        """Go on from a state. Raises UsageError for what is none or is another promise's."""
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if content["format"] != _FORMAT:
                raise ValueError(f"its format is {content['format']!r}")
            if content["watch_sha256"] != watch.fingerprint:
                raise UsageError(
                    f"{path}: belongs to another promise or other settings (box {content['box']}, "
                    f"promised {content['promised']}, alpha {content['alpha']}, epsilon "
                    f"{content['epsilon']}, alternative {content['alternative']}); these are fixed "
                    "before the first draw: give them again, or a new --state file"
                )
            return cls(
                watch,
                np.array(content["counts"], dtype=np.int64),
                content["log_e"],
                content["log_e_max"],
                content["failed_at"],
                content["held_at"],
                int(content["draws_mark"], 16),
                [(n, log_e) for n, log_e in content["path"]],
            )
        except OSError as error:
            raise UsageError(f"{path}: cannot be read ({error.strerror})") from None
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(
                f"{path}: is no state of a monitor ({type(error).__name__}: {error})"
            ) from None


@numba.njit(cache=True)
def _mark(tiers: NDArray[Any], start: int) -> np.uint64:
    """A sum over draws of a mixture of place and tier: tells sequences apart, grows by parts."""
    total = np.uint64(0)
    for place in range(len(tiers)):
        mixed = np.uint64((start + place) * 256 + tiers[place] + 1) * np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        total += mixed ^ (mixed >> np.uint64(27))
    return total
