"""`harness treasury`: will it run dry, and which rules keep it alive?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from harness.cli.runs_folder import Runs
from harness.cli.treasury_options import (
    Dask,
    Paths,
    ScenarioFile,
    Seed,
    Workers,
    crew_and_progress,
    figure,
    keep,
    leave_if_interrupted,
    plain,
    print_rows,
    progress_bar,
    scenario_of,
    share_and_interval,
    table_of,
)
from harness.errors import EXIT_FAILED, EXIT_THRESHOLD

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
    level: Annotated[
        float, typer.Option(min=0.5, max=0.9999, help="Of value at risk and expected shortfall.")
    ] = 0.99,
    runs: Runs = Path("runs"),
) -> None:
    """Play many paths: ruin, drawdown, value at risk. Writes `runs/<time>/treasury.json`.

    For example:

    ```
    harness treasury simulate
    harness treasury simulate treasury.toml --paths 1000000 --workers 2 --checkpoint run.npz
    harness treasury simulate --level 0.995
    ```
    """
    from harness.treasury.model import LAMPORTS_PER_SOL
    from harness.treasury.simulation import simulate as play

    question = scenario_of(scenario)
    with progress_bar("paths") as progress:
        result = play(
            question, paths=paths, seed=seed, workers=workers, dask=dask, antithetic=antithetic,
            checkpoint=checkpoint, progress=progress,
        )  # fmt: skip
    ruin, risk = result.ruin(), result.value_at_risk(level)
    shortfall = result.expected_shortfall(level)
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
        (f"value at risk {level * 100:g} %, SOL", f"{risk.value / sol:,.1f}"),
        (f"expected shortfall {level * 100:g} %, SOL", f"{shortfall / sol:,.1f}"),
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
        int,
        typer.Option(
            help="Paths after which it stops, however sure it is; exits 1 then. The round that "
            "reaches it is played to its end: 65,536 paths in the base model."
        ),
    ] = 4_000_000,
    seed: Seed = 0,
    workers: Workers = 1,
    dask: Dask = None,
    runs: Runs = Path("runs"),
) -> None:
    """Ruin that plain simulation would hardly see, such as 1 in 10,000.

    For example:

    ```
    harness treasury rare
    harness treasury rare treasury.toml --relative-error 0.05 --workers 2
    ```
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
def fit(
    history: Annotated[Path, typer.Argument(help="CSV or Parquet: a time and a price column.")],
    seed: Seed = 0,
    runs: Runs = Path("runs"),
) -> None:
    """Fit every price law to a history and say how well each does, best by BIC first.

    For example:

    ```
    harness treasury fit sol-usd.csv
    ```
    """
    import numpy as np

    from harness.treasury.fit import fit_all
    from harness.treasury.history import read_history
    from harness.treasury.scenario import describe

    prices = read_history(history)
    fits = fit_all(prices, np.random.Generator(np.random.PCG64(seed)))
    table = table_of(
        "law", "log likelihood", "BIC", "KS p", "Ljung-Box p", "1 % loss: law", "history"
    )
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

    ```
    harness treasury gate policy.toml
    ```
    """
    from harness.treasury.gate import judge, read_policy

    question, scenario = read_policy(policy)
    with progress_bar("paths") as progress:
        findings, result = judge(question, scenario, workers=workers, dask=dask, progress=progress)
    table = table_of("limit", "allowed", "found", "compared", "")
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

    ```
    harness treasury schema > treasury.schema.json
    ```
    """
    from harness.treasury.scenario_file import json_schema

    typer.echo(json.dumps(json_schema(), indent=2))
