"""The economy and its rules: what is sold, for how much, and what the house promises to pay back.

A shop window and a till. The window says which skins a box may hold and how likely each is; the
till says how much is in it, how much must stay in it, and what is paid over the counter for a
skin. Amounts are lamports (integers); prices, rates and odds are Decimals, as in the backend.
The defaults are the guide's. Formulas: docs/treasury-model.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from harness.errors import UsageError
from harness.settings import PROMISED_ODDS

LAMPORTS_PER_SOL = 1_000_000_000
MICRO = 1_000_000
#: Above this a float cannot hold every lamport; the whole supply of SOL is a sixteenth of it.
LAMPORTS_MAX = 2**53
#: So much that no scenario reaches its minimum, and every lamport still fits into a float.
NEVER_RUINED_LAMPORTS = 2**52

# Made-up prices in the style of a CS2 market; they are those of the reference backend's catalogue.
_PRICES_USD = {
    "Common": ("12.50", "9.80", "11.20", "14.10", "10.40", "13.60"),
    "Uncommon": ("24.00", "27.50", "30.20", "26.30", "31.00"),
    "Rare": ("58.00", "52.40", "64.50", "61.70", "63.40"),
    "Epic": ("128.00", "141.50", "136.20", "154.30"),
    "Legendary": ("392.00", "448.00", "371.50", "462.50", "426.00"),
}


@dataclass(frozen=True)
class Tier:
    """A rarity: its odds, and what its skins cost, each as likely as the others."""

    name: str
    odds: Decimal
    prices_usd: tuple[Decimal, ...]

    def __post_init__(self) -> None:
        if not 0 < self.odds <= 1:
            raise UsageError(f"tier {self.name}: odds must be above 0 and at most 1: {self.odds}")
        if not self.prices_usd:
            raise UsageError(f"tier {self.name}: has no prices; give at least one")
        for price in self.prices_usd:
            if not (price.is_finite() and 0 <= price <= 10**6):
                raise UsageError(f"tier {self.name}: a price must be 0..1000000 USD, is {price}")
            if price != round(price, 4):
                raise UsageError(f"tier {self.name}: price {price} has more than 4 decimals")


def guide_tiers() -> tuple[Tier, ...]:
    """The guide's odds over the reference catalogue's prices."""
    return tuple(
        Tier(name, odds, tuple(map(Decimal, _PRICES_USD[name])))
        for name, odds in PROMISED_ODDS.items()
    )


@dataclass(frozen=True)
class Template:
    """One skin: its tier, its price in millionths of a dollar, its chance in a box."""

    tier: str
    price_microusd: int
    chance: Fraction


@dataclass(frozen=True)
class Economy:
    """What is sold. `mint_overhead_lamports` is what a player pays on top of the price (rent, fees,
    Metaplex's share), `sale_refund_lamports` what burning gives back to them less their fees; both
    are as measured on the embedded ledger and matter to people who do the arithmetic.
    """

    mint_price_lamports: int = 200_000_000
    #: Share of the mint price that reaches the treasury: 1 where it is the guard's destination.
    treasury_share: Decimal = Decimal(1)
    supply_items: int = 10_000
    tiers: tuple[Tier, ...] = field(default_factory=guide_tiers)
    mint_overhead_lamports: int = 11_981_200
    sale_refund_lamports: int = 10_499_600

    def __post_init__(self) -> None:
        _lamports("mint_price_lamports", self.mint_price_lamports, least=1)
        _lamports("mint_overhead_lamports", self.mint_overhead_lamports)
        _lamports("sale_refund_lamports", self.sale_refund_lamports)
        _share("treasury_share", self.treasury_share)
        if not 1 <= self.supply_items <= 10**9:
            raise UsageError(f"supply_items: must be 1..10^9, is {self.supply_items}")
        total = sum(tier.odds for tier in self.tiers)
        if total != 1:
            raise UsageError(f"tiers: odds must add up to 1, they add up to {total}")
        names = [tier.name for tier in self.tiers]
        if len(set(names)) != len(names):
            raise UsageError(f"tiers: a name occurs twice in {', '.join(names)}")

    @property
    def templates(self) -> tuple[Template, ...]:
        """Every skin, tier by tier, in the order in which kernels and tapes number them."""
        return tuple(
            Template(tier.name, int(price * MICRO), Fraction(tier.odds) / len(tier.prices_usd))
            for tier in self.tiers
            for price in tier.prices_usd
        )

    @property
    def mint_revenue_lamports(self) -> int:
        """What the treasury gets of one mint."""
        return int(self.mint_price_lamports * self.treasury_share)

    @property
    def box_usd(self) -> float:
        """Expected value of a box at the price table."""
        return float(sum(t.chance * t.price_microusd for t in self.templates)) / MICRO


class Shortfall(StrEnum):
    """What follows when the minimum would be crossed."""

    #: That sale is refused, others are tried: what program and backend do.
    REFUSE = "refuse"
    #: The operator switches buybacks off until the treasury is back at `resume_lamports`.
    PAUSE = "pause"
    #: The path ends: for first-passage questions.
    STOP = "stop"


@dataclass(frozen=True)
class DynamicRate:
    """A rate that falls with the treasury: linear between two levels of treasury / minimum.

    `rate_low` at or below `level_low`, the rule's own rate at or above `level_high`.
    """

    rate_low: Decimal
    level_low: float = 1.0
    level_high: float = 2.0

    def __post_init__(self) -> None:
        _share("dynamic_rate.rate_low", self.rate_low)
        if not 0 <= self.level_low < self.level_high:
            raise UsageError(
                f"dynamic_rate: level_low {self.level_low} must be from 0 and below level_high "
                f"{self.level_high}"
            )


@dataclass(frozen=True)
class TopUp:
    """The owner's own money: below `below_lamports` the treasury is filled to `to_lamports` after
    `delay_days`, as long as `budget_lamports` last."""

    below_lamports: int
    to_lamports: int
    budget_lamports: int
    delay_days: float = 1.0

    def __post_init__(self) -> None:
        for name in ("below_lamports", "to_lamports", "budget_lamports"):
            _lamports(f"top_up.{name}", getattr(self, name))
        if self.to_lamports < self.below_lamports:
            raise UsageError("top_up: to_lamports must be at least below_lamports")
        if not 0 <= self.delay_days <= 365:
            raise UsageError(f"top_up.delay_days: must be 0..365, is {self.delay_days}")


@dataclass(frozen=True)
class Rules:
    """How the house pays. None in a cap means that there is none, as in the reference backend."""

    rate: Decimal = Decimal("0.85")
    treasury_lamports: int = 500_000_000_000
    treasury_lamports_min: int = 100_000_000_000
    on_shortfall: Shortfall = Shortfall.REFUSE
    #: Only with `pause`: buybacks resume at this balance.
    resume_lamports: int = 150_000_000_000
    #: How long a signed quote can be used; a blockhash dies after 60 to 90 seconds.
    quote_life_seconds: int = 60
    payout_lamports_max_day: int | None = None
    sales_max_day: int | None = None
    dynamic_rate: DynamicRate | None = None
    top_up: TopUp | None = None
    #: Fees that leave the treasury per reveal and per buyback. On the guide's system the authority
    #: pays reveals and the seller pays the sale; 5,000 a signature where the treasury does.
    reveal_fee_lamports: int = 0
    buyback_fee_lamports: int = 0

    def __post_init__(self) -> None:
        _share("rate", self.rate)
        if self.rate != round(self.rate, 6):
            raise UsageError(f"rate: at most 6 decimals, is {self.rate}")
        for name in (
            "treasury_lamports", "treasury_lamports_min", "resume_lamports",
            "reveal_fee_lamports", "buyback_fee_lamports",
        ):  # fmt: skip
            _lamports(name, getattr(self, name))
        if self.treasury_lamports < self.treasury_lamports_min:
            raise UsageError(
                f"treasury_lamports {self.treasury_lamports} starts below treasury_lamports_min "
                f"{self.treasury_lamports_min}"
            )
        if not 0 <= self.quote_life_seconds <= 86_400:
            raise UsageError(f"quote_life_seconds: must be 0..86400, is {self.quote_life_seconds}")
        for name in ("payout_lamports_max_day", "sales_max_day"):
            cap = getattr(self, name)
            if cap is not None and cap < 0:
                raise UsageError(f"{name}: must be from 0, is {cap}; leave it out for no cap")
        if self.dynamic_rate and self.dynamic_rate.rate_low > self.rate:
            raise UsageError(
                f"dynamic_rate.rate_low {self.dynamic_rate.rate_low} is above rate {self.rate}"
            )


def payout_lamports(price_microusd: int, rate_ppm: int, oracle_microusd: int) -> int:
    """floor(price / SOL price x rate x 10^9), all in whole millionths: the backend's rule.

    Raises ValueError unless price and rate are at least 0 and the SOL price above 0.
    """
    if price_microusd < 0 or rate_ppm < 0 or oracle_microusd <= 0:
        raise ValueError(f"no payout for {price_microusd}, {rate_ppm}, {oracle_microusd}")
    return price_microusd * rate_ppm * LAMPORTS_PER_SOL // (oracle_microusd * MICRO)


def _lamports(name: str, value: int, least: int = 0) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise UsageError(f"{name}: must be a whole number of lamports, is {value!r}")
    if not least <= value <= LAMPORTS_MAX:
        raise UsageError(f"{name}: must be {least}..{LAMPORTS_MAX} lamports, is {value}")


def _share(name: str, value: Decimal) -> None:
    if not (value.is_finite() and 0 <= value <= 1):
        raise UsageError(f"{name}: must be within 0..1, is {value}")
