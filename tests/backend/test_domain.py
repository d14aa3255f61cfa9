"""The rules: odds and payouts, without any I/O."""

from __future__ import annotations

import random
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.payout import to_lamports, to_sol
from backend.domain.rarity import GUIDE_ODDS, Odds, pick


class Fixed:
    """A generator that always draws the same."""

    def __init__(self, value: float) -> None:
        self.value = value

    def random(self) -> float:
        return self.value

    def randrange(self, stop: int, /) -> int:
        return int(self.value * stop)


@pytest.mark.parametrize(
    ("draw", "tier"),
    [
        (0.0, "Common"), (0.4999999, "Common"), (0.5, "Uncommon"), (0.7499999, "Uncommon"),
        (0.75, "Rare"), (0.8999999, "Rare"), (0.9000001, "Epic"), (0.9699999, "Epic"),
        (0.9700001, "Legendary"), (1 - 2**-53, "Legendary"),
    ],
)  # fmt: skip
def test_the_guides_thresholds(draw: float, tier: str) -> None:
    assert GUIDE_ODDS.roll(Fixed(draw)) == tier


def test_a_thousand_rolls_come_near_the_odds() -> None:
    generator = random.Random(5)
    rolls = [GUIDE_ODDS.roll(generator) for _ in range(20_000)]
    for tier, share in GUIDE_ODDS.tiers:
        expected = float(share)
        five_sigma = 5 * (expected * (1 - expected) / 20_000) ** 0.5
        assert abs(rolls.count(tier) / 20_000 - expected) < five_sigma


@pytest.mark.parametrize("shares", [("0.5", "0.4"), ("1.5", "-0.5"), ("0.5", "0.6")])
def test_odds_that_are_none_are_refused(shares: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match="add up to 1"):
        Odds(tuple((str(n), Decimal(share)) for n, share in enumerate(shares)))


def test_each_choice_is_picked() -> None:
    assert [pick("abc", Fixed(draw)) for draw in (0.0, 0.34, 0.99)] == ["a", "b", "c"]


def test_weights_share_the_range() -> None:
    picks = [pick("abc", Fixed(n / 6), [1, 2, 3]) for n in range(6)]
    assert picks == ["a", "b", "b", "c", "c", "c"]
    for weights in ([], [1, 2], [1, 0, 1]):
        with pytest.raises(ValueError, match="positive weights"):
            pick("abc", Fixed(0.5), weights)


def test_the_guides_example() -> None:
    assert to_lamports(Decimal("12.5"), Decimal(200)) == 62_500_000
    assert to_lamports(Decimal("12.5"), Decimal(200), Decimal("0.85")) == 53_125_000
    assert to_sol(53_125_000) == 0.053125


@given(
    st.decimals("0", "1000000", places=4),
    st.decimals("0.0001", "10000", places=8),
    st.decimals("0", "1", places=4),
)
def test_payouts_are_exact_and_rounded_down_once(
    price: Decimal, sol: Decimal, rate: Decimal
) -> None:
    exact = Fraction(price) / Fraction(sol) * Fraction(rate) * 10**9
    assert to_lamports(price, sol, rate) == exact.numerator // exact.denominator


@pytest.mark.parametrize(
    ("price", "sol", "rate"), [("-1", "1", "1"), ("1", "0", "1"), ("1", "1", "2")]
)
def test_no_payout_for_nonsense(price: str, sol: str, rate: str) -> None:
    with pytest.raises(ValueError, match="no payout for"):
        to_lamports(Decimal(price), Decimal(sol), Decimal(rate))
