"""Turns: one scenario played several times, with other seeds or again with the same.

A soak run is a long evening at the same table: every story is told once for each seed of a range,
or several times over with one seed, to see whether any telling ends differently.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.errors import UsageError

TURNS_MAX = 10_000


@dataclass(frozen=True)
class Turn:
    """One telling: with which seed, and the how-manieth with it (from 1)."""

    seed: str
    number: int = 1

    def __str__(self) -> str:
        again = "" if self.number == 1 else f"#{self.number}"
        return f"seed={self.seed}{again}"


def turns(seed: str, seeds: str | None, repeat: int) -> list[Turn]:
    """Every turn that `--seed`, `--seeds A..B` and `--repeat N` ask for.

    Raises UsageError for a range that is none, or for more turns than anybody would wait for.
    """
    if repeat < 1:
        raise UsageError(f"--repeat {repeat}: must be at least 1")
    chosen = [seed] if seeds is None else _range(seeds)
    if len(chosen) * repeat > TURNS_MAX:
        raise UsageError(
            f"{len(chosen)} seeds, {repeat} times each: more than {TURNS_MAX} turns; ask for fewer"
        )
    return [Turn(one, number) for one in chosen for number in range(1, repeat + 1)]


def _range(written: str) -> list[str]:
    found = re.fullmatch(r"(\d{1,9})\.\.(\d{1,9})", written)
    if found is None or int(found[1]) > int(found[2]):
        raise UsageError(f"--seeds {written}: must be two whole numbers such as 1..200, low first")
    first, last = int(found[1]), int(found[2])
    if last - first >= TURNS_MAX:
        raise UsageError(f"--seeds {written}: at most {TURNS_MAX} seeds at once")
    return [str(number) for number in range(first, last + 1)]


def without_turn(name: str, turn: Turn) -> str:
    """A test's name without the turn that was added to its parameters: the scenario's own."""
    for written in (f"[{turn}]", f"-{turn}"):
        name = name.replace(written, "")
    return name.replace(f"[{turn}-", "[")
