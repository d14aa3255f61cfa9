"""Days that a treasurer dreams of: one table, one row a nightmare.

Each row changes the scenario it is given in one respect. Where a fault lasts minutes, the row is
played in steps of minutes over the days around it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from harness.treasury.behaviour import Arbitrage, Panic, QuoteHunters, Whales
from harness.treasury.intervals import Estimate
from harness.treasury.model import LAMPORTS_PER_SOL
from harness.treasury.oracle import Oracle, OracleKind
from harness.treasury.prices import SkinIndex, Stress
from harness.treasury.result import Result
from harness.treasury.scenario import SECONDS_DAY, Scenario
from harness.treasury.sweep import Done, Progress, keep_done, results_of
from harness.treasury.workers import Crew

_ARBITRAGE = Arbitrage(mints_day=100.0)


@dataclass(frozen=True)
class StressRow:
    """What a nightmare does. Lowest balance and arbitrage are medians and means over paths."""

    name: str
    days: float
    ruin: Estimate
    days_to_ruin: float | None
    lowest_sol: float
    loss_sol_mean: float
    arbitrage_paid_sol: float


def stress_table(
    scenario: Scenario,
    *,
    paths: int = 1_000,
    seed: int = 0,
    crew: Crew | None = None,
    progress: Progress = lambda done, wanted: None,
) -> Done[StressRow]:
    """Play every nightmare. On Ctrl-C the rows that are done are kept."""
    names, cases = zip(*nightmares(scenario), strict=True)
    results = results_of(cases, paths=paths, seed=seed, crew=crew or Crew())
    return keep_done(map(_row, names, results), len(cases), progress)


def _row(name: str, result: Result) -> StressRow:
    paid = result.totals().get("arbitrage_paid_lamports", 0.0)
    return StressRow(
        name=name,
        days=result.scenario.days,
        ruin=result.ruin(),
        days_to_ruin=result.time_to_ruin(),
        lowest_sol=result.summary.low.quantile(0.5) / LAMPORTS_PER_SOL,
        loss_sol_mean=result.summary.loss.mean() / LAMPORTS_PER_SOL,
        arbitrage_paid_sol=paid / LAMPORTS_PER_SOL,
    )


def nightmares(scenario: Scenario) -> Iterator[tuple[str, Scenario]]:
    """(name, scenario) of every row."""
    sol = scenario.price.sol_usd
    calm = dataclasses.replace(
        scenario,
        price=Stress("flat", sol),
        skin_index=SkinIndex(),
        oracle=Oracle(),
        days=min(scenario.days, 180.0),
    )
    yield "nothing happens", calm

    def price(shape: str, depth: float, days: float = 1.0, day: float = 30.0) -> Scenario:
        return dataclasses.replace(calm, price=Stress(shape, sol, depth, day, days))

    def clever(case: Scenario, **changes: Any) -> Scenario:
        behaviour = dataclasses.replace(case.behaviour, arbitrage=_ARBITRAGE)
        return dataclasses.replace(case, behaviour=behaviour, **changes)

    for depth in (0.3, 0.6, 0.9):
        yield f"SOL falls by {depth:.0%} on day 30", price("crash", depth)
    yield "SOL falls by 60 %, people do the arithmetic", clever(price("crash", 0.6))
    yield "SOL falls by 70 % for a day and is back", clever(price("flash_crash", 0.7))
    yield "SOL bleeds 80 % over 120 days", clever(price("slow_bleed", 0.8, 120.0, 0.0))
    yield (
        "the oracle is hard-coded at the opening price, SOL falls by 60 %",
        clever(
            price("crash", 0.6), oracle=Oracle(OracleKind.HARDCODED, value_usd=sol)
        ),
    )  # fmt: skip
    yield (
        "the oracle froze after a fall of 60 %, SOL recovers",
        clever(
            price("flash_crash", 0.6, 3.0), oracle=Oracle(OracleKind.FROZEN, from_day=31.0)
        ),
    )  # fmt: skip
    yield (
        "the oracle alone sees a wick of -70 % for a day",
        clever(
            calm, oracle=Oracle(OracleKind.WICK, factor=0.3, from_day=30.0, to_day=31.0)
        ),
    )  # fmt: skip
    fine = _by_the_minute(price("flash_crash", 0.7, 1 / 24, 0.5), 2.0)
    for minutes in (5, 10):
        yield (
            f"SOL falls by 70 % for an hour, the oracle lags {minutes} minutes",
            clever(fine, oracle=Oracle(OracleKind.LAG, lag_seconds=60.0 * minutes)),
        )
    hunting = dataclasses.replace(fine.behaviour, quote_hunters=QuoteHunters(1.0))
    yield "the same hour, everybody keeps open quotes", dataclasses.replace(fine, behaviour=hunting)
    run = dataclasses.replace(calm.behaviour, panic=Panic(1.5, 50.0), whales=Whales(1 / 30, 0.25))
    yield "a bank run, and whales", dataclasses.replace(price("crash", 0.3), behaviour=run)


def _by_the_minute(scenario: Scenario, days: float) -> Scenario:
    return dataclasses.replace(scenario, days=days, step_seconds=SECONDS_DAY / 1440)
