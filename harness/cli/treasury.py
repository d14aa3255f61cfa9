"""`harness treasury`: will it run dry, and which rules keep it alive?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from harness.cli.treasury_options import (
    Dask,
    Paths,
    Runs,
    ScenarioFile,
    Seed,
    Workers,
    changed,
    choices_of,
    crew_and_progress,
    figure,
    keep,
    leave_if_interrupted,
    plain,
    print_rows,
    progress_bar,
    scenario_of,
    share_and_interval,
    study_of,
)
from harness.errors import EXIT_FAILED, EXIT_THRESHOLD, UsageError

app = typer.Typer(
    help=(
        "The economic model: simulate the treasury, find the reserve and rates that keep it "
        "alive, and fail a build whose rules risk too much.\n\n"
        "A scenario is a `treasury.toml`; without one the guide's numbers are used. "
        "`harness treasury schema` prints its JSON Schema, docs/treasury-model.md the formulas."
    ),
    no_args_is_help=True,
    rich_markup_mode="markdown",
)


@app.command()
def simulate(
    scenario: ScenarioFile = None,
    paths: Paths = 10_000,
    seed: Seed = 0,
    workers: Workers = 1,
    dask: Dask = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="Written while it runs; the same command goes on from it.")
    ] = None,
    antithetic: Annotated[bool, typer.Option(help="Play each price path mirrored too.")] = False,
    runs: Runs = Path("runs"),
) -> None:
    """Play many paths: ruin, drawdown, value at risk. Writes `runs/<time>/treasury.json`.

    For example:

        harness treasury simulate
        harness treasury simulate treasury.toml --paths 1000000 --workers 2 --checkpoint run.npz
    """
    from harness.treasury.model import LAMPORTS_PER_SOL
    from harness.treasury.simulation import simulate as play

    question = scenario_of(scenario)
    with progress_bar("paths") as progress:
        result = play(
            question, paths=paths, seed=seed, workers=workers, dask=dask, antithetic=antithetic,
            checkpoint=checkpoint, progress=progress,
        )  # fmt: skip
    ruin, risk = result.ruin(), result.value_at_risk(0.99)
    half = result.time_to_ruin()
    sol = LAMPORTS_PER_SOL
    rows = [
        ("paths played", f"{result.paths:,}"),
        ("probability of a refused sale", share_and_interval(ruin)),
        ("median day of the first, if any", "-" if half is None else f"{half:g}"),
        ("balance at the end, 5 % / 50 % / 95 %, SOL", " / ".join(
            f"{float(result.balance(q)[-1]) / sol:,.0f}" for q in (0.05, 0.5, 0.95))),
        ("deepest fall, 50 % / 95 % / 99 %, SOL", " / ".join(
            f"{float(result.drawdown(q)[-1]) / sol:,.0f}" for q in (0.5, 0.95, 0.99))),
        ("value at risk 99 %, SOL", f"{risk.value / sol:,.1f}"),
        ("expected shortfall 99 %, SOL", f"{result.expected_shortfall(0.99) / sol:,.1f}"),
        ("paid to players a box, USD", f"{result.paid_usd_box():.2f}"),
    ]  # fmt: skip
    print_rows(rows)
    keep(runs, result.as_json())
    leave_if_interrupted(
        result.interrupted, f"the figures are those of {result.paths:,} of {paths:,} paths"
    )


@app.command()
def rare(
    scenario: ScenarioFile = None,
    method: Annotated[
        str, typer.Option(help="importance, splitting, plain; auto takes what suits the scenario.")
    ] = "auto",
    relative_error: Annotated[
        float, typer.Option(help="Standard error over probability at which it stops.")
    ] = 0.1,
    paths_max: Annotated[
        int, typer.Option(help="Paths after which it stops, however sure it is; exits 1 then.")
    ] = 4_000_000,
    seed: Seed = 0,
    workers: Workers = 1,
    dask: Dask = None,
    runs: Runs = Path("runs"),
) -> None:
    """Ruin that plain simulation would hardly see, such as 1 in 10,000.

    For example:

        harness treasury rare
        harness treasury rare treasury.toml --relative-error 0.05 --workers 2
    """
    from harness.treasury.rare import rare_ruin
    from harness.treasury.ruin import Wish

    question, wish = scenario_of(scenario), Wish(relative_error, paths_max)
    with crew_and_progress(workers, dask, "paths") as (crew, progress):
        found = rare_ruin(
            question, method=method, seed=seed, wish=wish, crew=crew, progress=progress
        )
    ruin = found.ruin
    rows = [
        ("method", found.method),
        ("probability of a refused sale", f"{ruin.value:.3g} ({ruin.low:.3g} to {ruin.high:.3g})"),
        ("standard error over probability", f"{found.relative_error:.3g}"),
        ("paths played", f"{found.played:,}"),
        ("paths that plain simulation would need", f"{found.plain_paths:,.0f}"),
    ]
    if not found.reached and not found.interrupted:
        rows.append((
            "not as sure as asked",
            f"the limit of {paths_max:,} paths came before a relative error of {relative_error:g}; "
            "give more with --paths-max",
        ))  # fmt: skip
    print_rows(rows)
    keep(runs, {"seed": seed, "rare": plain(found)})
    leave_if_interrupted(
        found.interrupted, f"the figures are those of {found.played:,} paths, less sure than asked"
    )
    if not found.reached:
        raise typer.Exit(EXIT_FAILED)


@app.command()
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

        harness treasury stress
        harness treasury stress treasury.toml --paths 2000
    """
    from harness.treasury.stress import stress_table

    question = scenario_of(scenario)
    with crew_and_progress(workers, dask, "nightmares") as (crew, progress):
        rows = stress_table(question, paths=paths, seed=seed, crew=crew, progress=progress)
    table = Table("nightmare", "ruin", "day", "lowest SOL", "mean loss SOL", "to arbitrage SOL")
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


@app.command()
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

        harness treasury reserve
        harness treasury reserve treasury.toml --survive 0.999
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


@app.command()
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

        harness treasury frontier
        harness treasury frontier --vary rules.rate=0.7,0.8 --vary demand.mints_day=20,40
    """
    from harness.treasury.frontier import frontier as search

    question = scenario_of(scenario)
    choices = choices_of(vary or ["rules.rate=0.5,0.6,0.7,0.75,0.8,0.85,0.9,0.95,1"])
    with crew_and_progress(workers, dask, "rules") as (crew, progress):
        rows = search(question, choices, paths=paths, seed=seed, crew=crew, progress=progress)
    table = Table(*choices, "paid a box USD", "ruin", "shortfall 95 % SOL", "efficient")
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


@app.command()
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

        harness treasury sensitivity
        harness treasury sensitivity --vary rules.rate=0.7,0.9 --vary price.volatility_year=0.4,1.2
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
    table = Table("number", "Sobol first", "Sobol total", "PAWN median")
    for row in sorted(rows, key=lambda one: -one.total):
        table.add_row(
            row.name, f"{row.first:.2f} ± {row.first_half:.2f}",
            f"{row.total:.2f} ± {row.total_half:.2f}", f"{row.pawn:.2f}",
        )  # fmt: skip
    Console(highlight=False).print(table)
    keep(runs, {"sensitivity": [plain(row) for row in rows], "output": output,
                "interrupted": rows.interrupted})  # fmt: skip
    leave_if_interrupted(rows.interrupted, "the indices are of the whole sets that were played")


@app.command()
def fit(
    history: Annotated[Path, typer.Argument(help="CSV or Parquet: a time and a price column.")],
    seed: Seed = 0,
    runs: Runs = Path("runs"),
) -> None:
    """Fit every price law to a history and say how well each does, best by BIC first.

    For example:

        harness treasury fit sol-usd.csv
    """
    import numpy as np

    from harness.treasury.fit import fit_all
    from harness.treasury.history import read_history
    from harness.treasury.scenario import describe

    prices = read_history(history)
    fits = fit_all(prices, np.random.Generator(np.random.PCG64(seed)))
    table = Table("law", "log-likelihood", "BIC", "KS p", "Ljung-Box p", "1 % loss: law", "history")
    for one in fits:
        table.add_row(
            one.name, figure(one.log_likelihood, ".1f"), figure(one.bic, ".1f"),
            figure(one.ks_p, ".3f"), figure(one.ljung_box_p, ".3f"), f"{one.loss_99_law:.1%}",
            f"{one.loss_99_history:.1%}",
        )  # fmt: skip
    Console(highlight=False).print(table)
    for one in fits:
        if one.limits:
            Console(highlight=False).print(f"{one.name}: {one.limits}", soft_wrap=True)
    keep(runs, {
        "history": history.name, "seed": seed, "prices": len(prices.prices),
        "step_days": prices.step_days,
        "fits": [{**plain(one), "process": {
            key: value for key, value in describe(one.process).items() if key != "returns"
        }} for one in fits],
    })  # fmt: skip


@app.command()
def gate(
    policy: Annotated[Path, typer.Argument(help="A policy.toml: a scenario and its limits.")],
    workers: Workers = 1,
    dask: Dask = None,
    runs: Runs = Path("runs"),
) -> None:
    """For CI: exits 99 when a risk limit is crossed.

    For example:

        harness treasury gate policy.toml
    """
    from harness.treasury.gate import judge, read_policy

    question, scenario = read_policy(policy)
    with progress_bar("paths") as progress:
        findings, result = judge(question, scenario, workers=workers, dask=dask, progress=progress)
    table = Table("limit", "allowed", "found", "compared", "")
    for one in findings:
        table.add_row(
            one.name, f"{one.limit:g}", f"{one.value:.6g}", f"{one.compared:.6g}",
            "passed" if one.passed else "CROSSED",
        )  # fmt: skip
    Console(highlight=False).print(table)
    keep(runs, {"findings": [plain(one) for one in findings], "result": result.as_json()})
    leave_if_interrupted(
        result.interrupted, f"{result.paths:,} of {question.paths:,} paths; this is no verdict"
    )
    if not all(one.passed for one in findings):
        raise typer.Exit(EXIT_THRESHOLD)


@app.command()
def schema() -> None:
    """Print the JSON Schema (draft-07) of treasury.toml, for editors.

    For example:

        harness treasury schema > treasury.schema.json
    """
    from harness.treasury.scenario_file import json_schema

    typer.echo(json.dumps(json_schema(), indent=2))
