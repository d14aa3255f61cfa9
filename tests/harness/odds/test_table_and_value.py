"""The promise and what it is worth."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from itertools import product
from pathlib import Path

import pytest

from harness.backend_server import reference_prices
from harness.errors import UsageError
from harness.odds.table import RarityTable, guide_table, read_tables
from harness.odds.value import BoxValue, box_value, chance_without_streak, read_prices

GUIDE = {"mint_price_lamports": 200_000_000, "sol_usd": Decimal(200)}


def guide_value() -> BoxValue:
    return box_value(
        guide_table(),
        reference_prices(),
        mint_price_lamports=200_000_000,
        sol_usd=Decimal(200),
        buyback_rate=Decimal("0.85"),
    )


@pytest.mark.parametrize(
    ("odds", "told"),
    [
        ({"A": "0.5", "B": "0.4"}, "box b: the odds add up to 0.9, not 1"),
        ({"A": "1.5", "B": "-0.5"}, "A: must be a probability above 0 and at most 1, is '1.5'"),
        ({"A": "0.5", "B": float("nan")}, "B: must be a probability above 0"),
        ({"A": "0.5", "B": True}, "B: must be a probability"),
        ({"A": "0.5", "a": "0.5"}, "two tiers differ in upper and lower case only"),
        ({"A": "1"}, "has 1 tiers, must have 2"),
    ],
)
def test_what_cannot_be_a_promise_is_refused(odds: dict[str, object], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        RarityTable("b", odds)


def test_a_shift_is_absorbed_in_proportion_or_by_one_tier() -> None:
    proportional = guide_table().shifted({"legendary": "0.02"})
    assert sum(proportional.shares) == 1
    assert proportional.probabilities[0] == pytest.approx(0.5 * 0.98 / 0.97)
    by_common = guide_table().shifted({"legendary": "2%"}, absorb="Common")
    assert by_common.probabilities == pytest.approx([0.51, 0.25, 0.15, 0.07, 0.02])
    with pytest.raises(UsageError, match="unknown tier 'mythic'"):
        guide_table().shifted({"mythic": "0.1"})
    with pytest.raises(UsageError, match="leaves nothing"):
        guide_table().shifted({"legendary": "1"})


def test_tables_are_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "boxes.toml"
    path.write_text(
        '[gold.odds]\nA = "0.5"\nB = 0.5\n[gold.skins.A]\nx = 1\ny = 3\n'
        "[pool.stock.A]\nx = 3\n[pool.stock.B]\ny = 1\n"
    )
    tables = read_tables(path)
    assert tables["gold"].skins["A"] == {"x": 1, "y": 3}
    assert tables["pool"].shares == (Fraction(3, 4), Fraction(1, 4))
    path.write_text('[gold.odds]\nA = "0.5"\nB = 0.5\n[gold.odd]\nA = 1\n')
    with pytest.raises(UsageError, match=r"gold\.odd: unknown key"):
        read_tables(path)


def test_the_guides_box_is_worth_what_the_catalogue_says() -> None:
    value = guide_value()
    assert float(value.expected_price_usd) == pytest.approx(44.32, abs=0.005)
    assert float(value.expected_payout_lamports) * 200e-9 == pytest.approx(37.67, abs=0.005)
    assert sum(one.chance for one in value.prizes) == 1
    assert value.house_edge == 1 - value.expected_payout_lamports / 200_000_000
    assert float(value.house_edge) == pytest.approx(1 - 37.67 / 40, abs=1e-3)
    assert float(value.break_even_sol_usd) == pytest.approx(37.67 / 0.2, abs=0.1)
    assert value.none_in(["Epic", "Legendary"], 20) == pytest.approx(0.9**20)
    assert value.payout_quantile_lamports(Fraction(1, 2)) == 59_925_000  # the dearest Common
    assert value.payout_quantile_lamports(1) == max(one.payout_lamports for one in value.prizes)


def test_variance_and_quantiles_agree_with_counting_equal_cases() -> None:
    table = RarityTable("b", {"A": "0.75", "B": "0.25"})
    prices = {"A": {"x": Decimal(1)}, "B": {"y": Decimal(5)}}
    value = box_value(table, prices, mint_price_lamports=2 * 10**9, sol_usd=Decimal(1),
                      buyback_rate=Decimal(1))  # fmt: skip
    cases = [10**9] * 3 + [5 * 10**9]
    mean = Fraction(sum(cases), 4)
    assert value.expected_payout_lamports == mean
    assert value.payout_variance_lamports2 == sum((one - mean) ** 2 for one in cases) / 4
    assert value.payout_quantile_lamports(Fraction(3, 4)) == 10**9
    assert value.payout_quantile_lamports(Fraction(4, 5)) == 5 * 10**9
    assert value.losing_chance == Fraction(3, 4)


def test_streaks_agree_with_counting_every_sequence() -> None:
    loss, boxes = 0.7, 9
    for length in range(1, boxes + 2):
        counted = sum(
            loss ** sum(case) * (1 - loss) ** (boxes - sum(case))
            for case in product((0, 1), repeat=boxes)
            if "1" * length not in "".join(map(str, case))
        )
        assert chance_without_streak(boxes, length, loss) == pytest.approx(counted)
    value = guide_value()
    streak = value.losing_streak(100, 0.95)
    loss = float(value.losing_chance)
    assert chance_without_streak(100, streak + 1, loss) >= 0.95
    assert chance_without_streak(100, streak, loss) < 0.95


def test_a_box_that_pays_nothing_has_a_picture() -> None:
    value = box_value(guide_table(), reference_prices(), buyback_rate=Decimal(0), **GUIDE)
    (axes,) = value.plot().axes
    assert axes.get_xscale() == "linear"


def test_prices_are_read_and_checked(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_text("tier,skin,price_usd\nA,x,1.50\nB,y,2\n")
    assert read_prices(path) == {"A": {"x": Decimal("1.50")}, "B": {"y": Decimal(2)}}
    path.write_text("tier,skin,price_usd\nA,x,1.50\nA,z,-2\n")
    with pytest.raises(UsageError, match=r"row 2: z: price '-2' is no amount"):
        read_prices(path)
    path.write_text("\ufefftier;skin;price_usd\nA;x, y;1,50\nB;y;2\n", encoding="utf-8")
    assert read_prices(path) == {"A": {"x, y": Decimal("1.50")}, "B": {"y": Decimal(2)}}
    path.write_text("tier;skin;price_usd\nA;x;1.234,50\n")
    with pytest.raises(UsageError, match=r"row 1: x: price '1\.234,50' is no amount"):
        read_prices(path)
    with pytest.raises(UsageError, match=r"Legendary: no skin has a price"):
        box_value(guide_table(), {"Common": {"x": Decimal(1)}, "Uncommon": {"x": Decimal(1)},
                                  "Rare": {"x": Decimal(1)}, "Epic": {"x": Decimal(1)}},
                  buyback_rate=Decimal(1), **GUIDE)  # fmt: skip


def test_a_price_list_may_write_tiers_in_another_case() -> None:
    prices = reference_prices()
    shouted = {tier.upper(): skins for tier, skins in prices.items()}
    value = box_value(guide_table(), shouted, buyback_rate=Decimal("0.85"), **GUIDE)
    assert value == guide_value()
    twice = {"EPIC": prices["Epic"], **{t: s for t, s in shouted.items() if t != "EPIC"}}
    twice["epic"] = {"x": Decimal(1)}
    with pytest.raises(UsageError, match="Epic: the prices have EPIC and epic; write it in one"):
        box_value(guide_table(), twice, buyback_rate=Decimal(1), **GUIDE)
    both = {**prices, "EPIC": {"x": Decimal(1)}}  # as the table writes it goes first
    assert box_value(guide_table(), both, buyback_rate=Decimal("0.85"), **GUIDE) == guide_value()
