"""What a box is worth: price table times odds, in exact arithmetic.

The arithmetic on the back of an envelope that every player and every house does, done to the
lamport: what a box pays on average and at its worst, what the house keeps, and how long bad luck
lasts. Nothing here draws a random number and nothing is rounded before it is shown; payouts follow
the guide's rule, floor(skin USD / SOL USD x rate x 10^9) lamports.

    value = box_value(guide_table(), prices, mint_price_lamports=200_000_000,
                      sol_usd=Decimal(200), buyback_rate=Decimal("0.85"))
    value.house_edge, value.payout_quantile_lamports(Fraction(1, 2)), value.none_in(["Epic"], 20)
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from harness.checks.buybacks import payout_lamports
from harness.errors import UsageError
from harness.odds.heading import separator_of
from harness.odds.table import RarityTable

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

#: Prices in US dollars: tier to skin to price.
PriceTable = Mapping[str, Mapping[str, Decimal]]
_BOXES_MAX = 1_000_000


@dataclass(frozen=True)
class Prize:
    """One skin of a box: its chance a box (exact), its price and what selling it back pays."""

    tier: str
    skin: str
    chance: Fraction
    price_usd: Decimal
    payout_lamports: int


@dataclass(frozen=True)
class BoxValue:
    """The distribution of what one box pays. Prizes in the table's order; chances add up to 1."""

    box: str
    prizes: tuple[Prize, ...]
    mint_price_lamports: int
    sol_usd: Decimal
    buyback_rate: Decimal

    @property
    def expected_price_usd(self) -> Fraction:
        """Mean price of a skin, US dollars."""
        return sum((one.chance * Fraction(one.price_usd) for one in self.prizes), Fraction(0))

    @property
    def expected_payout_lamports(self) -> Fraction:
        """Mean payout of a box that is sold back at once, lamports."""
        return sum((one.chance * one.payout_lamports for one in self.prizes), Fraction(0))

    @property
    def payout_variance_lamports2(self) -> Fraction:
        """Variance of a box's payout, square lamports."""
        mean = self.expected_payout_lamports
        squares = (one.chance * one.payout_lamports**2 for one in self.prizes)
        return sum(squares, Fraction(0)) - mean**2

    @property
    def payout_deviation_lamports(self) -> float:
        """Standard deviation of a box's payout, lamports."""
        return math.sqrt(self.payout_variance_lamports2)

    @property
    def house_edge(self) -> Fraction:
        """What the house keeps of the mint price if every box is sold back; below 0 it loses."""
        return 1 - self.expected_payout_lamports / self.mint_price_lamports

    @property
    def break_even_sol_usd(self) -> Fraction:
        """The SOL price at which payouts cost what mints bring, but for rounding down: below it
        anybody earns by minting to sell back."""
        return (
            self.expected_price_usd
            * Fraction(self.buyback_rate)
            / Fraction(self.mint_price_lamports, 10**9)
        )

    @property
    def losing_chance(self) -> Fraction:
        """Chance that a box pays less than the mint cost."""
        return self.chance(
            one for one in self.prizes if one.payout_lamports < self.mint_price_lamports
        )

    @staticmethod
    def chance(prizes: Iterable[Prize]) -> Fraction:
        """Chance a box of any of some prizes."""
        return sum((one.chance for one in prizes), Fraction(0))

    def payout_quantile_lamports(self, level: Fraction | float) -> int:
        """The least payout that is not exceeded with probability `level`, in (0, 1]."""
        if not 0 < level <= 1:
            raise UsageError(f"a quantile's level is above 0 and at most 1, not {level}")
        reached = Fraction(0)
        ordered = sorted(self.prizes, key=lambda one: one.payout_lamports)
        for one in ordered:
            reached += one.chance
            if reached >= level:
                return one.payout_lamports
        return ordered[-1].payout_lamports

    def none_in(self, tiers: Iterable[str], boxes: int) -> float:
        """Chance that `boxes` boxes bring nothing of `tiers`."""
        wanted = {tier.casefold() for tier in tiers}
        known = {one.tier.casefold() for one in self.prizes}
        if unknown := sorted(wanted - known):
            raise UsageError(f"box {self.box}: unknown tier {unknown[0]!r}")
        _check_boxes(boxes)
        hit = self.chance(one for one in self.prizes if one.tier.casefold() in wanted)
        return float(1 - hit) ** boxes

    def losing_streak(self, boxes: int, level: float = 0.5) -> int:
        """The longest row of losing boxes that is not exceeded with probability `level` in
        `boxes` boxes."""
        _check_boxes(boxes)
        if not 0 < level < 1:
            raise UsageError(f"a streak's level is between 0 and 1, not {level}")
        loss = float(self.losing_chance)
        low, high = 0, boxes
        while low < high:  # the chance of no longer streak grows with the streak's length
            middle = (low + high) // 2
            if chance_without_streak(boxes, middle + 1, loss) >= level:
                high = middle
            else:
                low = middle + 1
        return low

    def frame(self) -> pd.DataFrame:
        """A row for each prize."""
        import pandas as pd

        return pd.DataFrame(
            {
                "tier": [one.tier for one in self.prizes],
                "skin": [one.skin for one in self.prizes],
                "chance": [float(one.chance) for one in self.prizes],
                "price_usd": [one.price_usd for one in self.prizes],
                "payout_lamports": [one.payout_lamports for one in self.prizes],
            }
        )

    def plot(self) -> Figure:
        """Chance that a box pays at most so many SOL, with mint price and mean payout."""
        from harness.odds.picture import Picture

        ordered = sorted(self.prizes, key=lambda one: one.payout_lamports)
        reached, chances = Fraction(0), [0.0]
        for one in ordered:
            reached += one.chance
            chances.append(float(reached))
        sol = [one.payout_lamports / 1e9 for one in ordered]
        figure = Picture(figsize=(7, 3), layout="constrained")
        axes = figure.subplots()
        axes.stairs(chances, [sol[0] / 2, *sol, sol[-1] * 2], baseline=None)
        if sol[0] > 0:  # else a logarithm has no place for the worthless
            axes.set_xscale("log")
        axes.axvline(
            self.mint_price_lamports / 1e9, color="0.5", linestyle="--", label="mint price"
        )
        axes.axvline(float(self.expected_payout_lamports) / 1e9, linestyle=":", label="mean payout")
        axes.legend(frameon=False)
        axes.set(xlabel="SOL", ylabel="chance to be paid at most")
        axes.set_title(f"{self.box}: house edge {float(self.house_edge):.1%}", loc="left")
        return figure


def chance_without_streak(boxes: int, length: int, loss: float) -> float:
    """Chance that `boxes` boxes, each losing with probability `loss`, have no `length` losses in a
    row. Feller 1968, An Introduction to Probability Theory, vol. 1, XIII.7: the first such row
    ends at box m if it is preceded by a win and nothing before it was one."""
    if length <= 0:
        return 0.0
    if length > boxes:
        return 1.0
    ends = loss**length
    without = [1.0] * length + [1.0 - ends]
    for box in range(length + 1, boxes + 1):
        without.append(without[box - 1] - (1 - loss) * ends * without[box - length - 1])
    return max(without[boxes], 0.0)


def box_value(
    table: RarityTable,
    prices: PriceTable,
    *,
    mint_price_lamports: int,
    sol_usd: Decimal,
    buyback_rate: Decimal,
) -> BoxValue:
    """The value of a box. Within a tier skins weigh as the table says, or all the same.

    Raises UsageError for a tier or skin without a price and for prices that cannot be.
    """
    if mint_price_lamports <= 0 or sol_usd <= 0 or not 0 <= buyback_rate <= 1:
        raise UsageError(
            f"no value at a mint price of {mint_price_lamports} lamports, {sol_usd} USD a SOL and "
            f"a rate of {buyback_rate}: the first two must be above 0, the rate in 0..1"
        )
    prizes = []
    for tier, share in zip(table.tiers, table.shares, strict=True):
        listed = _listed(prices, tier)
        if not listed:
            raise UsageError(f"box {table.box}: {tier}: no skin has a price")
        weights = {skin: Fraction(w) for skin, w in table.skins.get(tier, {}).items()}
        if not weights:
            stock = table.stock.get(tier, {})
            weights = {skin: Fraction(n) for skin, n in stock.items() if n} or dict.fromkeys(
                listed, Fraction(1)
            )
        total = sum(weights.values())
        for skin, weight in weights.items():
            if skin not in listed:
                raise UsageError(f"box {table.box}: {tier}: {skin}: no price")
            price = listed[skin]
            if not price.is_finite() or price < 0:
                raise UsageError(f"box {table.box}: {tier}: {skin}: price {price} USD")
            payout = payout_lamports(price, buyback_rate, sol_usd)
            prizes.append(Prize(tier, skin, share * weight / total, price, payout))
    return BoxValue(table.box, tuple(prizes), mint_price_lamports, sol_usd, buyback_rate)


def _listed(prices: PriceTable, tier: str) -> Mapping[str, Decimal] | None:
    """A tier's prices; a list may write it in another case. Raises UsageError if two may be it."""
    if tier in prices:
        return prices[tier]
    alike = [one for one in prices if one.strip().casefold() == tier.casefold()]
    if len(alike) > 1:
        raise UsageError(f"{tier}: the prices have {' and '.join(alike)}; write it in one way")
    return prices[alike[0]] if alike else None


def read_prices(path: Path) -> dict[str, dict[str, Decimal]]:
    """A price table: CSV with the columns tier, skin, price_usd, or JSON, tier to skin to price.
    A CSV parted by semicolons or tabs may have decimal commas, as spreadsheets in half of Europe
    write.

    Raises UsageError naming the row.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        rows: Iterable[tuple[str, str, object]]
        if path.suffix == ".json":
            content = json.loads(text, parse_float=Decimal)
            rows = [(tier, skin, p) for tier, skins in content.items() for skin, p in skins.items()]
        else:
            rows = list(_csv_rows(text))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, AttributeError, KeyError) as error:
        raise UsageError(
            f"{path.name}: needs columns tier, skin, price_usd, or JSON tier to skin to price "
            f"({type(error).__name__}: {error})"
        ) from None
    prices: dict[str, dict[str, Decimal]] = {}
    for number, (tier, skin, price) in enumerate(rows, start=1):
        try:
            value = Decimal(str(price))
        except InvalidOperation:
            value = Decimal("NaN")
        if not value.is_finite() or value < 0:
            raise UsageError(f"{path.name}: row {number}: {skin}: price {price!r} is no amount")
        if skin in prices.setdefault(tier, {}):
            raise UsageError(f"{path.name}: row {number}: {skin} stands twice in {tier}")
        prices[tier][skin] = value
    if not prices:
        raise UsageError(f"{path.name}: has no prices")
    return prices


def _csv_rows(text: str) -> Iterator[tuple[str, str, object]]:
    separator = separator_of(text.partition("\n")[0])
    for row in csv.DictReader(text.split("\n"), delimiter=separator):
        price = row["price_usd"] or ""
        if separator != "," and "." not in price:
            price = price.replace(",", ".")
        yield row["tier"], row["skin"], price


def _check_boxes(boxes: int) -> None:
    if not 0 <= boxes <= _BOXES_MAX:
        raise UsageError(f"boxes must be 0 to {_BOXES_MAX}, is {boxes}")
