"""How much must be in the treasury at the start so that it lasts, and which rates it can bear."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal

from harness.errors import UsageError
from harness.treasury.intervals import Estimate
from harness.treasury.model import LAMPORTS_PER_SOL, NEVER_RUINED_LAMPORTS, DynamicRate
from harness.treasury.result import quantile
from harness.treasury.scenario import Scenario
from harness.treasury.sweep import Progress, keep_done, results_of
from harness.treasury.workers import Crew

_HALVINGS = 18
_RATE_HALVINGS = 11  # 1, then 1000 thousandths
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
    the simulation, not of the model. `interrupted`: the search was stopped, the balance suffices
    but a smaller one may too."""

    survive: float
    lamports: Estimate
    interrupted: bool = False


def required_reserve(
    scenario: Scenario,
    survive: float = 0.995,
    *,
    paths: int = 20_000,
    seed: int = 0,
    crew: Crew | None = None,
    progress: Progress = lambda done, wanted: None,
) -> Reserve:
    """The opening balance with which the minimum holds over the horizon.

    A base scenario is played once with a treasury that cannot run dry: what it would have needed is
    a quantile. Any other, where people react to the balance, is halved towards the answer with the
    same random numbers; Ctrl-C keeps the best answer so far. Raises UsageError if no balance
    suffices.
    """
    if not 0 < survive < 1:
        raise UsageError(f"survive: must be above 0 and below 1, is {survive}")
    crew = crew or Crew()
    if scenario.is_base:
        rich = scenario.change("rules.treasury_lamports", NEVER_RUINED_LAMPORTS)
        (result,) = results_of([rich], paths=paths, seed=seed, crew=crew)
        need = quantile(result.summary.need, survive)
        minimum = scenario.rules.treasury_lamports_min
        return Reserve(
            survive,
            Estimate(need.value + minimum, need.low + minimum, need.high + minimum, need.level),
        )

    def ruin(sol: float) -> Estimate:
        opening = max(round(sol * LAMPORTS_PER_SOL), scenario.rules.treasury_lamports_min)
        changed = scenario.change("rules.treasury_lamports", opening)
        (result,) = results_of([changed], paths=paths, seed=seed, crew=crew)
        return result.ruin()

    least = scenario.rules.treasury_lamports_min / LAMPORTS_PER_SOL
    answers = keep_done(_brackets(ruin, least, survive), _HALVINGS + 1, progress)
    return replace(answers[-1], interrupted=answers.interrupted)


def _brackets(ruin: Callable[[float], Estimate], low: float, survive: float) -> Iterator[Reserve]:
    """Ever smaller balances in SOL that suffice, by halving from the largest there is."""
    target, high = 1 - survive, float(_SOL_MAX)
    surely_too_low, surely_enough = low, high
    if ruin(high).value > target:
        raise UsageError(
            f"no opening balance up to {high:.0f} SOL survives with {survive:g}; a cap or a pause "
            "refuses sales whatever is in the treasury"
        )
    # Lengths matter in proportion: halve the logarithm.
    for _ in range(_HALVINGS):
        ends = (high, surely_too_low, surely_enough)
        yield Reserve(survive, Estimate(*(sol * LAMPORTS_PER_SOL for sol in ends)))
        if high / max(low, 1e-3) < 1.005:
            return
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
    yield Reserve(
        survive,
        Estimate(*(sol * LAMPORTS_PER_SOL for sol in (high, surely_too_low, surely_enough))),
    )


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
    """The highest rate that keeps ruin at or below the limit, and the ruin there. `interrupted`:
    the search was stopped, a better rate may be allowed."""

    rate: Decimal
    rate_low: Decimal | None
    ruin: Estimate
    #: Dollars that players are paid a box, at market prices.
    paid_usd_box: float
    interrupted: bool = False


def best_static_rate(
    scenario: Scenario,
    ruin_max: float,
    *,
    paths: int = 5_000,
    seed: int = 0,
    crew: Crew | None = None,
    progress: Progress = lambda done, wanted: None,
) -> BestRate:
    """The highest fixed rate, to a thousandth, at which ruin stays within `ruin_max`.

    The same random numbers are used for every rate, so that the answer does not wobble. Ctrl-C
    keeps the highest so far. Raises UsageError if even a rate of 0.001 is too much.
    """
    fixed = scenario.change("rules.dynamic_rate", None)
    crew = crew or Crew()

    def rates() -> Iterator[BestRate | None]:
        low, high, best = 0, 1001, None
        while high - low > 1:
            # All of it first: where that is allowed, there is nothing to search.
            middle = 1000 if high == 1001 else (low + high) // 2
            (result,) = results_of([_at(fixed, middle)], paths=paths, seed=seed, crew=crew)
            if result.ruin().value <= ruin_max:
                low = middle
                rate = Decimal(middle) / 1000
                best = BestRate(rate, None, result.ruin(), result.paid_usd_box())
            else:
                high = middle
            yield best

    return _allowed(rates(), _RATE_HALVINGS, ruin_max, progress)


def best_dynamic_rate(
    scenario: Scenario,
    ruin_max: float,
    *,
    paths: int = 2_000,
    seed: int = 0,
    crew: Crew | None = None,
    rates: int = 6,
    progress: Progress = lambda done, wanted: None,
) -> BestRate:
    """The falling rate (`DynamicRate` between one and three times the minimum) that pays players
    most while ruin stays within `ruin_max`, over a grid of `rates` by `rates`.

    Ctrl-C keeps the best so far. Raises UsageError if none does.
    """
    grid = [
        (round(Decimal(high) / rates, 3), round(Decimal(low) / rates, 3))
        for high in range(1, rates + 1)
        for low in range(high + 1)
    ]
    cases = [
        _at(scenario, int(upper * 1000)).change(
            "rules.dynamic_rate", DynamicRate(lower, 1.0, 3.0)
        )
        for upper, lower in grid
    ]  # fmt: skip
    results = results_of(cases, paths=paths, seed=seed, crew=crew or Crew())

    def bests() -> Iterator[BestRate | None]:
        best: BestRate | None = None
        for (upper, lower), result in zip(grid, results, strict=True):
            found = BestRate(upper, lower, result.ruin(), result.paid_usd_box())
            if found.ruin.value <= ruin_max and (
                best is None or found.paid_usd_box > best.paid_usd_box
            ):
                best = found
            yield best

    return _allowed(bests(), len(cases), ruin_max, progress)


def _allowed(
    bests: Iterator[BestRate | None], wanted: int, ruin_max: float, progress: Progress
) -> BestRate:
    """The last of ever better rates; None is where none was allowed yet."""
    done = keep_done(bests, wanted, progress)
    best = done[-1]
    if best is None and done.interrupted:
        raise KeyboardInterrupt
    if best is None:
        raise UsageError(f"no rate keeps ruin within {ruin_max:g}: the treasury is too small")
    return replace(best, interrupted=done.interrupted)


def _at(scenario: Scenario, thousandths: int) -> Scenario:
    return scenario.change("rules.rate", Decimal(thousandths) / 1000)
