"""The roll: which tier a mystery box turns out to be.

One uniform draw against cumulative thresholds, as in the guide's `rollRarity`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol, TypeVar

T = TypeVar("T")


class Randomness(Protocol):
    """Where draws come from: the operating system, unless a testbed passes its own."""

    def random(self) -> float:
        """Uniform in [0, 1)."""
        ...

    def randrange(self, stop: int, /) -> int:
        """Uniform in 0 .. stop-1."""
        ...


@dataclass(frozen=True)
class Odds:
    """Tiers with their probabilities, which add up to one."""

    tiers: tuple[tuple[str, Decimal], ...]

    def __post_init__(self) -> None:
        total = sum(share for _, share in self.tiers)
        if total != 1 or any(share <= 0 for _, share in self.tiers):
            raise ValueError(f"odds must be positive and add up to 1, they add up to {total}")

    def roll(self, randomness: Randomness) -> str:
        """Draw a tier."""
        draw, reached = Decimal(randomness.random()), Decimal(0)
        for tier, share in self.tiers:
            reached += share
            if draw < reached:
                return tier
        return self.tiers[-1][0]


GUIDE_ODDS = Odds(
    (
        ("Common", Decimal("0.50")),
        ("Uncommon", Decimal("0.25")),
        ("Rare", Decimal("0.15")),
        ("Epic", Decimal("0.07")),
        ("Legendary", Decimal("0.03")),
    )
)


def pick(choices: Sequence[T], randomness: Randomness, weights: Sequence[int] | None = None) -> T:
    """One of several, each as likely as its weight says; without weights as the others.

    Raises ValueError if there is nothing to choose from, or a weight is not positive.
    """
    weights = [1] * len(choices) if weights is None else weights
    if not choices or len(weights) != len(choices) or min(weights) <= 0:
        raise ValueError(f"{len(choices)} choices need as many positive weights, not {weights}")
    left = randomness.randrange(sum(weights))
    for choice, weight in zip(choices, weights, strict=True):
        if left < weight:
            return choice
        left -= weight
    raise AssertionError("randrange gave more than the sum of the weights")
