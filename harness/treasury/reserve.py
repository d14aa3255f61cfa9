"""How much must be in the treasury at the start so that it lasts, and which rates it can bear."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from harness.errors import UsageError
from harness.treasury.intervals import Estimate
from harness.treasury.model import LAMPORTS_PER_SOL, NEVER_RUINED_LAMPORTS, DynamicRate
from harness.treasury.result import quantile
from harness.treasury.scenario import Scenario
from harness.treasury.simulation import simulate

_HALVINGS = 18
_SOL_MAX = 2**52 // LAMPORTS_PER_SOL


@dataclass(frozen=True)
class Goal:
    """What is wanted: a reserve that lasts over the horizon with probability `survive`; the best
    rates with a probability of ruin of at most `ruin_max`."""

    survive: float = 0.995
    ruin_max: float = 0.005

    def __post_init__(self) -> None:
        if not 0 < self.survive < 1:
            raise UsageError(f"survive: must be above 0 and below 1, is {self.survive}")
        if not 0 <= self.ruin_max < 1:
            raise UsageError(f"ruin_max: must be from 0 and below 1, is {self.ruin_max}")


@dataclass(frozen=True)
class Reserve:
    """Opening balance in lamports that survives with the wanted probability; the interval is of
    the simulation, not of the model."""

    survive: float
    lamports: Estimate


def required_reserve(
    scenario: Scenario, survive: float = 0.995, *, paths: int = 20_000, seed: int = 0,
    workers: int = 1,
) -> Reserve:  # fmt: skip
    """The opening balance with which the minimum holds over the horizon.

    A base scenario is played once with a treasury that cannot run dry: what it would have needed is
    a quantile. Any other, where people react to the balance, is halved towards the answer with the
    same random numbers. Raises UsageError if no balance suffices.
    """
    if not 0 < survive < 1:
        raise UsageError(f"survive: must be above 0 and below 1, is {survive}")
    if scenario.is_base:
        rich = scenario.change("rules.treasury_lamports", NEVER_RUINED_LAMPORTS)
        result = simulate(rich, paths=paths, seed=seed, workers=workers)
        need = quantile(result.summary.need, survive)
        minimum = scenario.rules.treasury_lamports_min
        return Reserve(
            survive,
            Estimate(need.value + minimum, need.low + minimum, need.high + minimum, need.level),
        )

    def ruin(sol: float) -> Estimate:
        opening = max(round(sol * LAMPORTS_PER_SOL), scenario.rules.treasury_lamports_min)
        changed = scenario.change("rules.treasury_lamports", opening)
        return simulate(changed, paths=paths, seed=seed, workers=workers).ruin()

    target = 1 - survive
    low, high = scenario.rules.treasury_lamports_min / LAMPORTS_PER_SOL, float(_SOL_MAX)
    if ruin(high).value > target:
        raise UsageError(
            f"no opening balance up to {high:.0f} SOL survives with {survive:g}; a cap or a pause "
            "refuses sales whatever is in the treasury"
        )
    surely_too_low, surely_enough = low, high
    # Lengths matter in proportion: halve the logarithm.
    for _ in range(_HALVINGS):
        middle = (max(low, 1e-3) * high) ** 0.5
        seen = ruin(middle)
        if seen.value > target:
            low = middle
        else:
            high = middle
        if seen.low > target:
            surely_too_low = max(surely_too_low, middle)
        if seen.high <= target:
            surely_enough = min(surely_enough, middle)
        if high / max(low, 1e-3) < 1.005:
            break
    return Reserve(
        survive,
        Estimate(
            high * LAMPORTS_PER_SOL, surely_too_low * LAMPORTS_PER_SOL,
            surely_enough * LAMPORTS_PER_SOL,
        ),
    )  # fmt: skip


@dataclass(frozen=True)
class BreakEven:
    """Where the house neither wins nor loses on average; closed forms, exact at the opening price.

    `rate`: buyback rate at which revenue equals expected payouts, for the share that sells;
    `rate_all_sell`: the same if everybody sells; `sol_usd_all_sell`: the SOL price below which
    the house loses on each box if everybody sells; `sol_usd_arbitrage`: the SOL price below which
    minting only to sell pays, all costs of the player included.
    """

    rate: float
    rate_all_sell: float
    sol_usd_all_sell: float
    sol_usd_arbitrage: float


def break_even(scenario: Scenario) -> BreakEven:
    """See `BreakEven`. Raises UsageError if no box is worth anything."""
    economy, sol_usd = scenario.economy, scenario.price.sol_usd
    box = economy.box_usd
    if box == 0:
        raise UsageError("every price is 0: no rate breaks even")
    revenue = economy.mint_revenue_lamports / LAMPORTS_PER_SOL
    cost = (
        economy.mint_price_lamports + economy.mint_overhead_lamports - economy.sale_refund_lamports
    ) / LAMPORTS_PER_SOL
    sold = sum(group.share for group in scenario.behaviour.holders if group.hazard_day > 0)
    rate = float(scenario.rules.rate)
    return BreakEven(
        rate=revenue * sol_usd / (box * sold) if sold else float("inf"),
        rate_all_sell=revenue * sol_usd / box,
        sol_usd_all_sell=rate * box / revenue if revenue else float("inf"),
        sol_usd_arbitrage=rate * box / cost,
    )


@dataclass(frozen=True)
class BestRate:
    """The highest rate that keeps ruin at or below the limit, and the ruin there."""

    rate: Decimal
    rate_low: Decimal | None
    ruin: Estimate
    #: Dollars that players are paid a box, at market prices.
    paid_usd_box: float


def best_static_rate(
    scenario: Scenario, ruin_max: float, *, paths: int = 5_000, seed: int = 0, workers: int = 1
) -> BestRate:
    """The highest fixed rate, to a thousandth, at which ruin stays within `ruin_max`.

    The same random numbers are used for every rate, so that the answer does not wobble. Raises
    UsageError if even a rate of 0.001 is too much.
    """
    fixed = scenario.change("rules.dynamic_rate", None)
    low, high = 0, 1000
    while high - low > 1:
        middle = (low + high) // 2
        result = simulate(_at(fixed, middle), paths=paths, seed=seed, workers=workers)
        low, high = (middle, high) if result.ruin().value <= ruin_max else (low, middle)
    full = simulate(_at(fixed, 1000), paths=paths, seed=seed, workers=workers).ruin()
    best = 1000 if full.value <= ruin_max else low
    if best == 0:
        raise UsageError(f"no rate keeps ruin within {ruin_max:g}: the treasury is too small")
    result = simulate(_at(fixed, best), paths=paths, seed=seed, workers=workers)
    return BestRate(Decimal(best) / 1000, None, result.ruin(), result.paid_usd_box())


def best_dynamic_rate(
    scenario: Scenario, ruin_max: float, *, paths: int = 2_000, seed: int = 0, workers: int = 1,
    rates: int = 6,
) -> BestRate:  # fmt: skip
    """The falling rate (`DynamicRate` between one and three times the minimum) that pays players
    most while ruin stays within `ruin_max`, over a grid of `rates` by `rates`.

    Raises UsageError if none does.
    """
    best: BestRate | None = None
    for high in range(1, rates + 1):
        for low in range(high + 1):
            upper, lower = Decimal(high) / rates, Decimal(low) / rates
            upper, lower = round(upper, 3), round(lower, 3)
            changed = _at(scenario, int(upper * 1000)).change(
                "rules.dynamic_rate", DynamicRate(lower, 1.0, 3.0)
            )
            result = simulate(changed, paths=paths, seed=seed, workers=workers)
            found = BestRate(upper, lower, result.ruin(), result.paid_usd_box())
            if found.ruin.value <= ruin_max and (
                best is None or found.paid_usd_box > best.paid_usd_box
            ):
                best = found
    if best is None:
        raise UsageError(f"no falling rate keeps ruin within {ruin_max:g}")
    return best


def _at(scenario: Scenario, thousandths: int) -> Scenario:
    return scenario.change("rules.rate", Decimal(thousandths) / 1000)
