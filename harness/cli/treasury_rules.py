"""`harness treasury stress`, `reserve`, `frontier` and `sensitivity`: many scenarios against each
other, to find the rules that keep the treasury alive."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from harness.cli.runs_folder import Runs
from harness.cli.treasury_options import (
    Dask,
    Paths,
    ScenarioFile,
    Seed,
    Workers,
    changed,
    choices_of,
    crew_and_progress,
    keep,
    leave_if_interrupted,
    plain,
    print_rows,
    scenario_of,
    study_of,
    table_of,
)
from harness.errors import UsageError


def stress(
    scenario: ScenarioFile = None,
    paths: Paths = 500,
    seed: Seed = 0,
    workers: Workers = 1,
    dask: Dask = None,
    runs: Runs = Path("runs"),
) -> None:
    """Play the nightmares: crashes, oracle faults, a bank run, people who do the arithmetic.

    For example:

    ```
    harness treasury stress
    harness treasury stress treasury.toml --paths 2000
    ```
    """
    from harness.treasury.stress import stress_table

    question = scenario_of(scenario)
    with crew_and_progress(workers, dask, "nightmares") as (crew, progress):
        rows = stress_table(question, paths=paths, seed=seed, crew=crew, progress=progress)
    table = table_of("nightmare", "ruin", "day", "lowest SOL", "mean loss SOL", "to arbitrage SOL")
    for row in rows:
        table.add_row(
            row.name, f"{row.ruin.value:.1%}",
            "-" if row.days_to_ruin is None else f"{row.days_to_ruin:.1f}",
            f"{row.lowest_sol:,.0f}", f"{row.loss_sol_mean:,.0f}", f"{row.arbitrage_paid_sol:,.1f}",
        )  # fmt: skip
    Console(highlight=False).print(table)
    keep(runs, {"stress": [plain(row) for row in rows], "seed": seed, "paths": paths,
                "interrupted": rows.interrupted})  # fmt: skip
    leave_if_interrupted(rows.interrupted, f"the {len(rows)} nightmares that were played are kept")


def reserve(
    scenario: ScenarioFile = None,
    survive: Annotated[
        float | None, typer.Option(help="Probability that the minimum holds. Default: 0.995.")
    ] = None,
    ruin_max: Annotated[
        float | None, typer.Option(help="Ruin accepted for the best rates. Default: 0.005.")
    ] = None,
    paths: Paths = 10_000,
    seed: Seed = 0,
    workers: Workers = 1,
    dask: Dask = None,
    runs: Runs = Path("runs"),
) -> None:
    """The opening balance that lasts, the break-even rate and prices, the best rates.

    For example:

    ```
    harness treasury reserve
    harness treasury reserve treasury.toml --survive 0.999
    ```
    """
    from harness.treasury.model import LAMPORTS_PER_SOL
    from harness.treasury.reserve import (
        best_dynamic_rate,
        best_static_rate,
        break_even,
        required_reserve,
    )

    study = study_of(scenario)
    question = study.scenario
    goal = changed(study.reserve, survive=survive, ruin_max=ruin_max)
    even, few = break_even(question), max(1_000, paths // 5)
    rows = [
        ("break-even rate, with those who keep theirs", f"{even.rate:.3f}"),
        ("break-even rate if everybody sells", f"{even.rate_all_sell:.3f}"),
        ("SOL price below which a box loses if everybody sells, USD",
         f"{even.sol_usd_all_sell:.2f}"),
        ("SOL price below which minting to sell pays, USD", f"{even.sol_usd_arbitrage:.2f}"),
    ]  # fmt: skip
    told: dict[str, Any] = {"break_even": plain(even)}
    interrupted = False
    try:
        with crew_and_progress(workers, dask, "rounds") as (crew, progress):
            found = required_reserve(
                question, goal.survive, paths=paths, seed=seed, crew=crew, progress=progress
            )
            need, told["reserve"] = found.lamports, plain(found)
            rows.insert(0, (
                f"opening balance that lasts with {goal.survive:.2%}, SOL",
                f"{need.value / LAMPORTS_PER_SOL:,.0f} ({need.low / LAMPORTS_PER_SOL:,.0f} to "
                f"{need.high / LAMPORTS_PER_SOL:,.0f})",
            ))  # fmt: skip
            interrupted = found.interrupted
            for name, search in (("fixed", best_static_rate), ("falling", best_dynamic_rate)):
                if interrupted:
                    break
                try:
                    best = search(
                        question, goal.ruin_max, paths=few, seed=seed, crew=crew, progress=progress
                    )
                except UsageError as error:
                    rows.append((f"best {name} rate", str(error)))
                    continue
                low = "" if best.rate_low is None else f" down to {best.rate_low}"
                rows.append((
                    f"best {name} rate with ruin within {goal.ruin_max:g}",
                    f"{best.rate}{low}: {best.paid_usd_box:.2f} USD a box, ruin "
                    f"{best.ruin.value:.4f}",
                ))  # fmt: skip
                told[f"best_{name}_rate"] = plain(best)
                interrupted = best.interrupted
    except KeyboardInterrupt:
        interrupted = True
    print_rows(rows)
    keep(runs, {**told, "interrupted": interrupted})
    leave_if_interrupted(
        interrupted, "what is above is kept; the last search was stopped at its best so far"
    )


def frontier(
    scenario: ScenarioFile = None,
    vary: Annotated[
        list[str] | None,
        typer.Option(help="name=value,value,...; several span a grid. Default: rules.rate."),
    ] = None,
    paths: Paths = 2_000,
    seed: Seed = 0,
    workers: Workers = 1,
    dask: Dask = None,
    runs: Runs = Path("runs"),
) -> None:
    """What players get against what the house risks; marks the rules that no other beats.

    For example:

    ```
    harness treasury frontier
    harness treasury frontier --vary rules.rate=0.7,0.8 --vary demand.mints_day=20,40
    ```
    """
    from harness.treasury.frontier import frontier as search

    question = scenario_of(scenario)
    choices = choices_of(vary or ["rules.rate=0.5,0.6,0.7,0.75,0.8,0.85,0.9,0.95,1"])
    with crew_and_progress(workers, dask, "rules") as (crew, progress):
        rows = search(question, choices, paths=paths, seed=seed, crew=crew, progress=progress)
    table = table_of(*choices, "paid a box USD", "ruin", "shortfall 95 % SOL", "efficient")
    for row in rows:
        table.add_row(
            *(f"{value:g}" for _, value in row.values), f"{row.paid_usd_box:.2f}",
            f"{row.ruin.value:.4f}", f"{row.expected_shortfall_lamports / 1e9:,.1f}",
            "yes" if row.efficient else "",
        )  # fmt: skip
    Console(highlight=False).print(table)
    keep(runs, {"frontier": [plain(row) for row in rows], "interrupted": rows.interrupted})
    leave_if_interrupted(
        rows.interrupted,
        f"the {len(rows)} rules that were played are kept, marked among themselves",
    )


def sensitivity(
    scenario: ScenarioFile = None,
    vary: Annotated[
        list[str] | None, typer.Option(help="name=low,high; several. Default: five usual ones.")
    ] = None,
    output: Annotated[str, typer.Option(help="ruin, shortfall_sol or loss_sol.")] = "shortfall_sol",
    sets: Annotated[int, typer.Option(help="A power of two; plays sets x (numbers + 2).")] = 64,
    paths: Paths = 1_000,
    seed: Seed = 0,
    workers: Workers = 1,
    dask: Dask = None,
    runs: Runs = Path("runs"),
) -> None:
    """Which number matters most: Sobol's and PAWN's indices.

    For example:

    ```
    harness treasury sensitivity
    harness treasury sensitivity --vary rules.rate=0.7,0.9 --vary price.volatility_year=0.4,1.2
    ```
    """
    from harness.treasury.sensitivity import sensitivity as analyse

    bounds = None
    if vary:
        bounds = {}
        for name, values in choices_of(vary).items():
            if len(values) != 2:
                raise UsageError(f"--vary {name}: needs low,high; has {len(values)} values")
            bounds[name] = (values[0], values[1])
    with crew_and_progress(workers, dask, "scenarios") as (crew, progress):
        rows = analyse(
            scenario_of(scenario), bounds, output=output, sets=sets, paths=paths, seed=seed,
            crew=crew, progress=progress,
        )  # fmt: skip
    table = table_of("number", "Sobol first", "Sobol total", "PAWN median")
    for row in sorted(rows, key=lambda one: -one.total):
        table.add_row(
            row.name, f"{row.first:.2f} ± {row.first_half:.2f}",
            f"{row.total:.2f} ± {row.total_half:.2f}", f"{row.pawn:.2f}",
        )  # fmt: skip
    Console(highlight=False).print(table)
    keep(runs, {"sensitivity": [plain(row) for row in rows], "output": output,
                "interrupted": rows.interrupted})  # fmt: skip
    leave_if_interrupted(rows.interrupted, "the indices are of the whole sets that were played")
