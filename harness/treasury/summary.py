"""What is kept of paths that have been played: counts and sketches, never the paths themselves.

A summary of a block is as small as one of ten million paths. Summaries are merged in the order of
blocks, so that also the sums of floats do not depend on who computed which.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.treasury.engine import Played, play_block, recorded_steps
from harness.treasury.kernels.full import TOTALS
from harness.treasury.scenario import Scenario
from harness.treasury.sketch import Sketch

#: Columns of `block_rows`.
BLOCK_ROW = ("paths", "paused", "balance_mean", "drawdown_mean")


@dataclass
class Summary:
    """Mergeable results. Money in lamports; recorded steps as `engine.recorded_steps`."""

    paths: int
    #: Paths whose first refused sale was in each step: int64[steps].
    paused_at: np.ndarray
    #: A sketch per recorded step.
    balance: list[Sketch]
    drawdown: list[Sketch]
    #: The lowest balance of each path.
    low: Sketch
    #: Opening balance and top-ups less the last balance.
    loss: Sketch
    #: From the base kernel: the most that outflow exceeded inflow before the path's end.
    need: Sketch
    #: Sum over paths of each of `kernels.full.TOTALS`; zeros from the base kernel.
    totals: np.ndarray
    #: Items still held at the end by template, summed over paths.
    outstanding: np.ndarray
    block_rows: np.ndarray

    @classmethod
    def empty(cls, scenario: Scenario) -> Summary:
        recorded = len(recorded_steps(scenario.steps))
        return cls(
            paths=0,
            paused_at=np.zeros(scenario.steps, np.int64),
            balance=[Sketch() for _ in range(recorded)],
            drawdown=[Sketch() for _ in range(recorded)],
            low=Sketch(),
            loss=Sketch(),
            need=Sketch(),
            totals=np.zeros(len(TOTALS)),
            outstanding=np.zeros(len(scenario.economy.templates)),
            block_rows=np.zeros((0, len(BLOCK_ROW))),
        )

    def add(self, scenario: Scenario, played: Played) -> None:
        """Count a block."""
        number = len(played.pause_step)
        self.paths += number
        paused = played.pause_step[played.pause_step < scenario.steps]
        self.paused_at += np.bincount(paused, minlength=scenario.steps)
        for place in range(played.balances.shape[1]):
            self.balance[place].add(played.balances[:, place])
            self.drawdown[place].add(played.drawdowns[:, place])
        self.low.add(played.lows[:, -1])
        loss = scenario.rules.treasury_lamports - played.balances[:, -1].astype(np.float64)
        if played.totals is not None:
            loss += played.totals[:, TOTALS.index("top_up_lamports")]
            self.totals += played.totals.sum(axis=0, dtype=np.float64)
        self.loss.add(loss)
        if played.needs is not None:
            self.need.add(played.needs)
        if played.outstanding is not None:
            self.outstanding += played.outstanding.sum(axis=0, dtype=np.float64)
        row = [number, len(paused), played.balances[:, -1].mean(), played.drawdowns[:, -1].mean()]
        self.block_rows = np.vstack([self.block_rows, row])

    def merge(self, other: Summary) -> None:
        """Add another's counts; `other` comes after this one in the order of blocks."""
        self.paths += other.paths
        self.paused_at += other.paused_at
        for mine, theirs in zip(self._sketches(), other._sketches(), strict=True):
            mine.merge(theirs)
        self.totals += other.totals
        self.outstanding += other.outstanding
        self.block_rows = np.vstack([self.block_rows, other.block_rows])

    def _sketches(self) -> list[Sketch]:
        return [*self.balance, *self.drawdown, self.low, self.loss, self.need]

    def arrays(self) -> dict[str, np.ndarray]:
        """All of it as arrays without empty bins: small to send and to store."""
        told = {
            "paths": np.array(self.paths),
            "paused_at": self.paused_at,
            "totals": self.totals,
            "outstanding": self.outstanding,
            "block_rows": self.block_rows,
        }
        for number, sketch in enumerate(self._sketches()):
            told[f"places_{number}"], told[f"counts_{number}"] = sketch.sparse()
        return told

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> Summary:
        number = sum(name.startswith("places_") for name in arrays)
        sketches = [
            Sketch.from_sparse(arrays[f"places_{index}"], arrays[f"counts_{index}"])
            for index in range(number)
        ]
        recorded = (number - 3) // 2
        return cls(
            paths=int(arrays["paths"]),
            paused_at=arrays["paused_at"],
            balance=sketches[:recorded],
            drawdown=sketches[recorded : 2 * recorded],
            low=sketches[-3],
            loss=sketches[-2],
            need=sketches[-1],
            totals=arrays["totals"],
            outstanding=arrays["outstanding"],
            block_rows=arrays["block_rows"],
        )

    def __getstate__(self) -> dict[str, Any]:
        return self.arrays()

    def __setstate__(self, arrays: dict[str, np.ndarray]) -> None:
        self.__dict__.update(Summary.from_arrays(arrays).__dict__)


def summarise_block(
    scenario: Scenario, seed: int, block: int, paths: int, antithetic: bool
) -> Summary:
    """Play a block and keep its summary: the unit of work of every worker."""
    summary = Summary.empty(scenario)
    summary.add(scenario, play_block(scenario, seed, block, paths, antithetic=antithetic))
    return summary


def save(summary: Summary, path: Path, **notes: str) -> None:
    """Write a summary whole or not at all."""
    told = summary.arrays() | {f"note_{key}": np.array(note) for key, note in notes.items()}
    part = path.with_name(path.name + ".part")
    with part.open("wb") as out:
        np.savez_compressed(out, allow_pickle=False, **told)
    part.replace(path)


def load(path: Path) -> tuple[Summary, dict[str, str]]:
    """A saved summary and its notes. Raises OSError or ValueError."""
    with np.load(path, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    notes = {
        name.removeprefix("note_"): str(arrays.pop(name))
        for name in list(arrays)
        if name.startswith("note_")
    }
    return Summary.from_arrays(arrays), notes
