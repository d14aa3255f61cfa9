"""A rarity table: what a box promises.

The notice on the slot machine: tiers with their chances, and where it matters which skins a tier
holds, how they are weighted, and how many of each were put in at the start.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.settings import PROMISED_ODDS

#: The box that the guide sells.
GUIDE_BOX = "mystery-box"
_TIERS_MAX = 50
_KEYS = frozenset({"odds", "skins", "stock"})


@dataclass(frozen=True)
class RarityTable:
    """What one box type promises.

    `odds`: tier and probability, commonest first by custom; they add up to exactly 1.
    `skins`: for each tier the skins with their weights (any positive numbers); empty if the
    promise says nothing about skins.
    `stock`: for each tier the skins with the whole number put in at the start, for boxes drawn
    without replacement; empty for boxes that never run out.
    `from_stock`: the odds are the stock's own shares, so that tiers run out as well.

    Raises UsageError naming box and tier for what cannot be a promise.
    """

    box: str
    odds: tuple[tuple[str, Fraction], ...]
    skins: Mapping[str, Mapping[str, Decimal]]
    stock: Mapping[str, Mapping[str, int]]
    from_stock: bool = False

    def __init__(
        self,
        box: str,
        odds: Mapping[str, object] | None = None,
        skins: Mapping[str, Mapping[str, object]] | None = None,
        stock: Mapping[str, Mapping[str, object]] | None = None,
    ) -> None:
        set_ = object.__setattr__
        set_(self, "box", box)
        set_(self, "stock", _checked_stock(box, stock or {}))
        set_(self, "from_stock", odds is None)
        if odds is None and not self.stock:
            raise UsageError(f"box {box}: has neither odds nor stock; promise one of them")
        set_(
            self,
            "odds",
            _checked_odds(box, odds) if odds is not None else (),
        )
        set_(self, "skins", _checked_skins(box, skins or {}))
        if odds is not None:
            for what, listed in (("skins", self.skins), ("stock", self.stock)):
                if unknown := sorted(set(listed) - set(dict(self.odds))):
                    raise UsageError(f"box {box}: {what} of {unknown[0]!r}: no such tier in odds")

    @property
    def tiers(self) -> tuple[str, ...]:
        """The tiers' names, in the table's order."""
        return tuple(self.stock) if self.from_stock else tuple(tier for tier, _ in self.odds)

    @property
    def shares(self) -> tuple[Fraction, ...]:
        """The tiers' probabilities at the first draw, exact, in the table's order."""
        if not self.from_stock:
            return tuple(share for _, share in self.odds)
        sizes = [sum(skins.values()) for skins in self.stock.values()]
        return tuple(Fraction(size, sum(sizes)) for size in sizes)

    @property
    def probabilities(self) -> list[float]:
        """`shares` as floats, for statistics."""
        return [float(share) for share in self.shares]

    def index(self, tier: str) -> int:
        """A tier's place. Raises UsageError for one that the table does not know."""
        for place, name in enumerate(self.tiers):
            if name.casefold() == tier.casefold():
                return place
        raise UsageError(f"box {self.box}: unknown tier {tier!r}; known: {', '.join(self.tiers)}")

    def shifted(self, changes: Mapping[str, object], absorb: str | None = None) -> RarityTable:
        """The same box with some tiers' odds changed.

        What the changed tiers give or take is taken by the tier `absorb`, or without it by all
        unchanged tiers in proportion to their odds.
        Raises UsageError for unknown tiers and for shifts that leave nothing to a tier.
        """
        new = {self.index(tier): share_of(f"shift {tier}", one) for tier, one in changes.items()}
        shares = list(self.shares)
        rest = [place for place in range(len(self.tiers)) if place not in new]
        if absorb is not None:
            rest = [self.index(absorb)]
            if rest[0] in new:
                raise UsageError(f"{absorb} cannot both be shifted and absorb the shift")
        before = sum((shares[place] for place in rest), Fraction(0))
        for place, share in new.items():
            shares[place] = share
        kept = (share for place, share in enumerate(shares) if place not in rest)
        free = 1 - sum(kept, Fraction(0))
        if rest and (free <= 0 or before <= 0):
            raise UsageError("the shift leaves nothing to the other tiers")
        if not rest and free != 0:
            raise UsageError(f"the shifted odds add up to {_shown(1 - free)}, not 1")
        for place in rest:
            shares[place] *= free / before
        return RarityTable(self.box, dict(zip(self.tiers, shares, strict=True)))

    @classmethod
    def parse(cls, text: str, box: str = GUIDE_BOX) -> RarityTable:
        """A table from one line: `Common=0.5,Uncommon=25%,...`. Raises UsageError."""
        return cls(box, dict(parse_shares(text)))


def guide_table() -> RarityTable:
    """What the guide promises: 50/25/15/7/3 over five tiers."""
    return RarityTable(GUIDE_BOX, PROMISED_ODDS)


def parse_shares(text: str) -> list[tuple[str, Fraction]]:
    """`legendary=0.02,epic=8%` as pairs. Raises UsageError naming the part that is wrong."""
    pairs = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        tier, equals, number = part.partition("=")
        if not equals or not tier.strip():
            raise UsageError(f"{part!r}: write tier=probability, such as legendary=0.02")
        pairs.append((tier.strip(), share_of(tier.strip(), number.strip())))
    if not pairs:
        raise UsageError("no odds given; write tier=probability, such as legendary=0.02")
    if len({tier.casefold() for tier, _ in pairs}) < len(pairs):
        raise UsageError(f"{text!r}: a tier is named twice")
    return pairs


def share_of(where: str, value: object) -> Fraction:
    """A probability above 0 and at most 1, exact, from 0.02, "0.02", "2%" or "1/50".

    Raises UsageError.
    """
    text = str(value).strip()
    try:
        number = Fraction(text[:-1]) / 100 if text.endswith("%") else Fraction(text)
    except (ValueError, ZeroDivisionError):  # NaN and infinity are no fractions either
        number = Fraction(0)
    if isinstance(value, bool) or not 0 < number <= 1:
        raise UsageError(f"{where}: must be a probability above 0 and at most 1, is {value!r}")
    return number


def read_tables(path: Path) -> dict[str, RarityTable]:
    """Every box type of a TOML or JSON file, by name.

        [mystery-box.odds]
        Common = "0.5"
        Legendary = "0.5"
        [mystery-box.skins.Common]      # optional: weights within the tier
        "AK-47 | Redline" = 1
        [mystery-box.stock.Legendary]   # optional: how many there are, for boxes that run out
        "AWP | Fade" = 3

    Raises UsageError naming file, box and key.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from None
    try:
        if path.suffix == ".json":
            content = json.loads(text, parse_float=Decimal)
        else:
            content = tomllib.loads(text, parse_float=Decimal)
    except ValueError as error:
        raise UsageError(f"{path.name}: is neither TOML nor JSON: {error}") from None
    if not isinstance(content, dict) or not content:
        raise UsageError(f"{path.name}: names no box; write [box-name.odds]")
    return {box: _read_table(path.name, box, table) for box, table in content.items()}


def _read_table(source: str, box: str, content: Any) -> RarityTable:
    if not isinstance(content, dict):
        raise UsageError(f"{source}: {box}: must be a table with odds, skins or stock")
    if unknown := sorted(set(content) - _KEYS):
        raise UsageError(f"{source}: {box}.{unknown[0]}: unknown key; known: {sorted(_KEYS)}")
    for key, part in content.items():
        nested = key in ("skins", "stock")
        if not isinstance(part, dict) or (
            nested and not all(isinstance(one, dict) for one in part.values())
        ):
            raise UsageError(f"{source}: {box}.{key}: must be a table")
    return RarityTable(box, content.get("odds"), content.get("skins"), content.get("stock"))


def _checked_odds(box: str, odds: Mapping[str, object]) -> tuple[tuple[str, Fraction], ...]:
    checked = tuple((tier, share_of(f"box {box}: {tier}", one)) for tier, one in odds.items())
    if not 2 <= len(checked) <= _TIERS_MAX:
        raise UsageError(f"box {box}: has {len(checked)} tiers, must have 2 to {_TIERS_MAX}")
    if len({tier.casefold() for tier in odds}) < len(checked):
        raise UsageError(f"box {box}: two tiers differ in upper and lower case only")
    if (total := sum(share for _, share in checked)) != 1:
        raise UsageError(f"box {box}: the odds add up to {_shown(total)}, not 1")
    return checked


def _checked_skins(
    box: str, skins: Mapping[str, Mapping[str, object]]
) -> dict[str, dict[str, Decimal]]:
    checked: dict[str, dict[str, Decimal]] = {}
    for tier, weights in skins.items():
        if not weights:
            raise UsageError(f"box {box}: {tier} has no skins")
        checked[tier] = {}
        for skin, weight in weights.items():
            try:
                number = Decimal(str(weight))
            except InvalidOperation:
                number = Decimal("NaN")
            if isinstance(weight, bool) or not number.is_finite() or number <= 0:
                raise UsageError(
                    f"box {box}: {tier}: {skin}: weight must be above 0, is {weight!r}"
                )
            checked[tier][skin] = number
    return checked


def _checked_stock(
    box: str, stock: Mapping[str, Mapping[str, object]]
) -> dict[str, dict[str, int]]:
    checked: dict[str, dict[str, int]] = {}
    for tier, skins in stock.items():
        checked[tier] = {}
        for skin, count in skins.items():
            if isinstance(count, bool) or not isinstance(count, int) or count < 0:
                raise UsageError(
                    f"box {box}: {tier}: {skin}: stock must be a whole number from 0, is {count!r}"
                )
            checked[tier][skin] = count
        if not sum(checked[tier].values()):
            raise UsageError(f"box {box}: {tier}: the stock is empty")
    return checked


def _shown(number: int | Fraction) -> str:
    """A short decimal, never one that rounds to 1 by being shortened."""
    return str(float(number))
