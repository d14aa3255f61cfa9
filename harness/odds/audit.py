"""The audit: all tests of a set of draws against its promise, and one verdict.

A court that has fixed its rules before the hearing: which witnesses are heard, how many of them may
be wrong by chance, and that "not refuted" is something else than "proved".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from harness.errors import UsageError
from harness.odds.dependence import SuspectWallet, box_tests, dependence_tests, suspect_wallets
from harness.odds.draws import BoxDraws, Draws, draws_in_words
from harness.odds.eprocess import Bettors, bettors
from harness.odds.goodness import (
    TierInterval,
    directed,
    goodness_of_fit,
    omnibus,
    skins_within_tiers,
    tier_intervals,
)
from harness.odds.order import order_tests
from harness.odds.plan import smallest_found
from harness.odds.result import Adjusted, TestResult, holm
from harness.odds.table import RarityTable

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

Outcome = Literal["refuted", "holds within epsilon", "not refuted"]
_PATH_POINTS = 400
SCHEMA = "odds-audit-1"


@dataclass(frozen=True)
class BoxAudit:
    """One box type. `confirmatory`: the tests that the verdict counts, Holm-adjusted over all
    boxes; `described`: further views of the same data, which decide nothing. `path`: draws and
    log of the evidence; `smallest_shift`: for each tier the least change that as many draws would
    show with a chance of 0.9, upwards."""

    table: RarityTable
    n: int
    counts: tuple[int, ...]
    intervals: tuple[TierInterval, ...]
    confirmatory: tuple[Adjusted, ...]
    described: tuple[TestResult, ...]
    suspects: tuple[SuspectWallet, ...]
    path: tuple[tuple[int, float], ...]
    sequence_low: tuple[float, ...]
    sequence_high: tuple[float, ...]
    smallest_shift: tuple[float, ...]
    outcome: Outcome

    @property
    def rejected(self) -> tuple[Adjusted, ...]:
        return tuple(one for one in self.confirmatory if one.rejected)


@dataclass(frozen=True)
class Audit:
    """Every box of a source. `alpha`: the chance that anything honest is called refuted.
    `between_boxes`: boxes of one promise against each other; counted as the boxes' tests are."""

    source: str
    fingerprint: str
    rows_in: int
    rejected_rows: Mapping[str, int]
    reject_examples: tuple[str, ...]
    alpha: float
    epsilon: float | None
    seed: int
    boxes: tuple[BoxAudit, ...]
    between_boxes: tuple[Adjusted, ...] = ()

    @property
    def refuted(self) -> bool:
        return any(box.outcome == "refuted" for box in self.boxes) or bool(self.differing)

    @property
    def differing(self) -> tuple[Adjusted, ...]:
        """Of `between_boxes` those that found boxes of one promise to give different odds."""
        return tuple(one for one in self.between_boxes if one.rejected)

    def frame(self) -> pd.DataFrame:
        """A row for each test of each box."""
        import pandas as pd

        rows = []
        for box in self.boxes:
            for one in box.confirmatory:
                rows.append({"box": box.table.box, **one.as_dict(), "counts": True})
            for test in box.described:
                rows.append({"box": box.table.box, **test.as_dict(), "counts": False})
        for one in self.between_boxes:
            rows.append({"box": None, **one.as_dict(), "counts": True})
        return pd.DataFrame(rows)

    def tiers(self) -> pd.DataFrame:
        """A row for each tier of each box: promised, seen, interval."""
        import pandas as pd

        return pd.DataFrame(
            [{"box": box.table.box, **asdict(one)} for box in self.boxes for one in box.intervals]
        )

    def plot(self) -> Figure:
        """Observed shares with simultaneous intervals against the promise, box by box."""
        from harness.odds.picture import Picture

        figure = Picture(figsize=(7, 2.6 * len(self.boxes)), layout="constrained")
        for axes, box in zip(
            np.atleast_1d(figure.subplots(len(self.boxes), 1)), self.boxes, strict=True
        ):
            ratio = [one.share / one.promised for one in box.intervals]
            low = [one.low / one.promised for one in box.intervals]
            high = [one.high / one.promised for one in box.intervals]
            axes.errorbar(
                ratio, box.table.tiers, fmt="o",
                xerr=[np.subtract(ratio, low), np.subtract(high, ratio)],
            )  # fmt: skip
            axes.axvline(1, color="0.5", linestyle="--")
            axes.margins(y=0.15)  # the outer tiers lay on the frame
            axes.set_xlabel("observed / promised")
            axes.set_title(f"{box.table.box}: {draws_in_words(box.n)}, {box.outcome}", loc="left")
        return figure

    def save_json(self, path: Path) -> None:
        """Write everything as JSON, whole or not at all."""
        from harness.run.folder import write_json

        write_json(path, self.as_dict())

    def as_dict(self) -> dict[str, Any]:
        """JSON values; harness/odds/audit.schema.json describes them."""
        return {
            "schema": SCHEMA,
            "verdict": "refuted" if self.refuted else "not refuted",
            "source": self.source,
            "data_sha256": self.fingerprint,
            "rows_in": self.rows_in,
            "rows_rejected": dict(self.rejected_rows),
            "reject_examples": list(self.reject_examples),
            "alpha": self.alpha,
            "epsilon": self.epsilon,
            "seed": self.seed,
            "boxes": [_box_as_dict(box) for box in self.boxes],
            "between_boxes": [one.as_dict() for one in self.between_boxes],
        }


def _box_as_dict(box: BoxAudit) -> dict[str, Any]:
    return {
        "box": box.table.box,
        "outcome": box.outcome,
        "draws": box.n,
        "tiers": [
            {
                **asdict(one),
                "sequence_low": box.sequence_low[place],
                "sequence_high": box.sequence_high[place],
                "smallest_shift": box.smallest_shift[place],
            }
            for place, one in enumerate(box.intervals)
        ],
        "tests": [one.as_dict() for one in box.confirmatory],
        "described": [one.as_dict() for one in box.described],
        "suspect_wallets": [asdict(one) for one in box.suspects],
        "evidence": [[n, round(log_e, 6)] for n, log_e in box.path],
    }


def audit(
    draws: Draws,
    tables: Mapping[str, RarityTable] | RarityTable,
    *,
    alpha: float = 0.01,
    epsilon: float | None = None,
    alternative: Mapping[str, RarityTable] | None = None,
    seed: int = 1,
) -> Audit:
    """Audit draws against the promises of their boxes.

    All confirmatory tests of all boxes share `alpha` by Holm's rule. A box that is not refuted
    `holds within epsilon` if each tier's simultaneous interval lies within epsilon of the promise.
    `alternative`: shifted tables by box, to report the most powerful test against them as well.
    `seed` repeats the Monte Carlo p-values. Raises UsageError for what cannot be audited.
    """
    if not 0 < alpha < 0.5:
        raise UsageError(f"alpha must be above 0 and below 0.5, is {alpha}")
    if epsilon is not None and not 0 < epsilon < 1:
        raise UsageError(f"epsilon must be above 0 and below 1, is {epsilon}")
    known = {tables.box: tables} if isinstance(tables, RarityTable) else tables
    present = [box for box in known if box in draws.box.names]
    parts: list[tuple[BoxDraws, list[TestResult], list[TestResult]]] = []
    for number, name in enumerate(present):
        rng = np.random.default_rng([seed, number])
        box = draws.of(known[name])
        shifted = (alternative or {}).get(name)
        parts.append((box, _confirmatory(box, rng), _described(box, shifted, rng)))
    between = box_tests([box for box, _, _ in parts], np.random.default_rng([seed, len(parts)]))
    judged = iter(holm([test for _, tests, _ in parts for test in tests] + between, alpha))
    boxes = []
    for box, tests, described in parts:
        mine = tuple(next(judged) for _ in tests)
        boxes.append(_box_audit(box, mine, tuple(described), alpha, epsilon))
    return Audit(
        draws.source,
        draws.fingerprint,
        draws.rows_in,
        draws.rejects.counted,
        draws.rejects.examples,
        alpha,
        epsilon,
        seed,
        tuple(boxes),
        tuple(judged),
    )


def _confirmatory(box: BoxDraws, rng: np.random.Generator) -> list[TestResult]:
    """What the verdict counts: one test of the odds, one of the skins, order and dependence."""
    skins = skins_within_tiers(box, rng)
    tests = [omnibus(box, rng), *([] if skins is None else [skins])]
    if box.table.from_stock:  # draws without replacement do know of one another
        return tests
    return [*tests, *order_tests(box, rng), *dependence_tests(box, rng)]


def _described(
    box: BoxDraws, shifted: RarityTable | None, rng: np.random.Generator
) -> list[TestResult]:
    if box.table.from_stock:
        return []
    p = np.array(box.table.probabilities)
    tests = [goodness_of_fit(box.counts, p, kind, rng) for kind in ("probability", "pearson", "g")]
    if shifted is not None:
        tests.append(directed(box, np.array(shifted.probabilities)))
    return tests


def _box_audit(
    box: BoxDraws,
    tests: tuple[Adjusted, ...],
    described: tuple[TestResult, ...],
    alpha: float,
    epsilon: float | None,
) -> BoxAudit:
    intervals = tier_intervals(box, alpha)
    outcome: Outcome = "not refuted"
    if any(one.rejected for one in tests):
        outcome = "refuted"
    elif epsilon is not None and all(
        one.low >= one.promised - epsilon and one.high <= one.promised + epsilon
        for one in intervals
    ):
        outcome = "holds within epsilon"
    p = np.array(box.table.probabilities)
    game = bettors(p)
    low, high = game.confidence_box(box.counts, alpha)
    return BoxAudit(
        box.table,
        len(box),
        tuple(int(one) for one in box.counts),
        intervals,
        tests,
        described,
        suspect_wallets(box, alpha),
        evidence_path(game, box.tier),
        tuple(map(float, low)),
        tuple(map(float, high)),
        tuple(smallest_found(float(one), len(box), len(p), alpha) for one in p),
        outcome,
    )


def evidence_path(game: Bettors, tiers: NDArray[Any]) -> tuple[tuple[int, float], ...]:
    """Draws and log of the evidence at up to four hundred evenly spaced draws."""
    n = len(tiers)
    ends = np.unique(np.linspace(1, n, min(n, _PATH_POINTS), dtype=np.int64))
    counts, before, tallies = np.zeros(len(game.p), dtype=np.int64), 0, []
    for end in ends:
        counts = counts + np.bincount(tiers[before:end], minlength=len(counts))
        tallies.append(counts)
        before = end
    logs = game.log_e(np.array(tallies))
    return ((0, 0.0), *((int(n), float(one)) for n, one in zip(ends, logs, strict=True)))
