"""`harness treasury`: will it run dry, and which rules keep it alive?"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from harness.errors import EXIT_INTERRUPTED, EXIT_THRESHOLD, UsageError

if TYPE_CHECKING:
    from harness.treasury.scenario import Scenario

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

ScenarioFile = Annotated[
    Path | None, typer.Argument(help="A treasury.toml. Default: the guide's numbers.")
]
Paths = Annotated[int, typer.Option(help="Paths to play.")]
Seed = Annotated[int, typer.Option(min=0, help="Repeats the same draws.")]
Workers = Annotated[int, typer.Option(min=1, max=256, help="Processes of this machine.")]
Runs = Annotated[Path, typer.Option(help="Folder for the results of runs.")]


@app.command()
def simulate(
    scenario: ScenarioFile = None,
    paths: Paths = 10_000,
    seed: Seed = 0,
    workers: Workers = 1,
    dask: Annotated[
        str | None, typer.Option(help="A Dask scheduler, such as tcp://127.0.0.1:8786.")
    ] = None,
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
    from harness.treasury.simulate import simulate as play

    question = _read(scenario)
    with _progress("paths") as progress:
        result = play(
            question, paths=paths, seed=seed, workers=workers, dask=dask, antithetic=antithetic,
            checkpoint=checkpoint, progress=progress,
        )  # fmt: skip
    ruin, risk = result.ruin(), result.value_at_risk(0.99)
    half = result.time_to_ruin()
    sol = LAMPORTS_PER_SOL
    rows = [
        ("paths played", f"{result.paths:,}"),
        ("probability of a refused sale", _share(ruin)),
        ("median day of the first, if any", "-" if half is None else f"{half:g}"),
        ("balance at the end, 5 % / 50 % / 95 %, SOL", " / ".join(
            f"{float(result.balance(q)[-1]) / sol:,.0f}" for q in (0.05, 0.5, 0.95))),
        ("deepest fall, 50 % / 95 % / 99 %, SOL", " / ".join(
            f"{float(result.drawdown(q)[-1]) / sol:,.0f}" for q in (0.5, 0.95, 0.99))),
        ("value at risk 99 %, SOL", f"{risk.value / sol:,.1f}"),
        ("expected shortfall 99 %, SOL", f"{result.expected_shortfall(0.99) / sol:,.1f}"),
        ("paid to players a box, USD", f"{result.paid_usd_box():.2f}"),
    ]  # fmt: skip
    _print(rows)
    _keep(runs, result.as_json())
    if result.interrupted:
        raise typer.Exit(EXIT_INTERRUPTED)


@app.command()
def stress(
    scenario: ScenarioFile = None, paths: Paths = 500, seed: Seed = 0, workers: Workers = 1,
    runs: Runs = Path("runs"),
) -> None:  # fmt: skip
    """Play the nightmares: crashes, oracle faults, a bank run, people who do the arithmetic.

    For example:

        harness treasury stress
        harness treasury stress treasury.toml --paths 2000
    """
    from harness.treasury.stress import stress_table

    question = _read(scenario)
    with _progress("nightmares") as progress:
        rows = stress_table(question, paths=paths, seed=seed, workers=workers, progress=progress)
    table = Table("nightmare", "ruin", "day", "lowest SOL", "mean loss SOL", "to arbitrage SOL")
    for row in rows:
        table.add_row(
            row.name, f"{row.ruin.value:.1%}",
            "-" if row.days_to_ruin is None else f"{row.days_to_ruin:.1f}",
            f"{row.lowest_sol:,.0f}", f"{row.loss_sol_mean:,.0f}", f"{row.arbitrage_paid_sol:,.1f}",
        )  # fmt: skip
    Console(highlight=False).print(table)
    _keep(runs, {"stress": [_plain(row) for row in rows], "seed": seed, "paths": paths})


@app.command()
def reserve(
    scenario: ScenarioFile = None,
    survive: Annotated[
        float, typer.Option(help="Probability with which the minimum must hold.")
    ] = 0.995,
    ruin_max: Annotated[
        float, typer.Option(help="For the best rate: ruin that is accepted.")
    ] = 0.005,
    paths: Paths = 10_000,
    seed: Seed = 0,
    workers: Workers = 1,
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

    question = _read(scenario)
    found = required_reserve(question, survive, paths=paths, seed=seed, workers=workers)
    even = break_even(question)
    need = found.lamports
    few = max(1_000, paths // 5)
    rows = [
        (f"opening balance that lasts with {survive:.2%}, SOL",
         f"{need.value / LAMPORTS_PER_SOL:,.0f} ({need.low / LAMPORTS_PER_SOL:,.0f} to "
         f"{need.high / LAMPORTS_PER_SOL:,.0f})"),
        ("break-even rate, with those who keep theirs", f"{even.rate:.3f}"),
        ("break-even rate if everybody sells", f"{even.rate_all_sell:.3f}"),
        ("SOL price below which a box loses if everybody sells, USD",
         f"{even.sol_usd_all_sell:.2f}"),
        ("SOL price below which minting to sell pays, USD", f"{even.sol_usd_arbitrage:.2f}"),
    ]  # fmt: skip
    told: dict[str, Any] = {"reserve": _plain(found), "break_even": _plain(even)}
    for name, search in (("fixed", best_static_rate), ("falling", best_dynamic_rate)):
        try:
            best = search(question, ruin_max, paths=few, seed=seed, workers=workers)
        except UsageError as error:
            rows.append((f"best {name} rate", str(error)))
            continue
        low = "" if best.rate_low is None else f" down to {best.rate_low}"
        rows.append((
            f"best {name} rate with ruin within {ruin_max:g}",
            f"{best.rate}{low}: {best.paid_usd_box:.2f} USD a box, ruin {best.ruin.value:.4f}",
        ))  # fmt: skip
        told[f"best_{name}_rate"] = _plain(best)
    _print(rows)
    _keep(runs, told)


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
    runs: Runs = Path("runs"),
) -> None:
    """What players get against what the house risks; marks the rules that no other beats.

    For example:

        harness treasury frontier
        harness treasury frontier --vary rules.rate=0.7,0.8 --vary demand.mints_day=20,40
    """
    from harness.treasury.frontier import frontier as search

    question = _read(scenario)
    choices = _choices(vary or ["rules.rate=0.5,0.6,0.7,0.75,0.8,0.85,0.9,0.95,1"])
    with _progress("rules") as progress:
        rows = search(question, choices, paths=paths, seed=seed, workers=workers, progress=progress)
    table = Table(*choices, "paid a box USD", "ruin", "shortfall 95 % SOL", "efficient")
    for row in rows:
        table.add_row(
            *(f"{value:g}" for _, value in row.values), f"{row.paid_usd_box:.2f}",
            f"{row.ruin.value:.4f}", f"{row.expected_shortfall_lamports / 1e9:,.1f}",
            "yes" if row.efficient else "",
        )  # fmt: skip
    Console(highlight=False).print(table)
    _keep(runs, {"frontier": [_plain(row) for row in rows]})


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
        for name, values in _choices(vary).items():
            if len(values) != 2:
                raise UsageError(f"--vary {name}: needs low,high; has {len(values)} values")
            bounds[name] = (values[0], values[1])
    with _progress("scenarios") as progress:
        rows = analyse(
            _read(scenario), bounds, output=output, sets=sets, paths=paths, seed=seed,
            workers=workers, progress=progress,
        )  # fmt: skip
    table = Table("number", "Sobol first", "Sobol total", "PAWN median")
    for row in sorted(rows, key=lambda one: -one.total):
        table.add_row(
            row.name, f"{row.first:.2f} ± {row.first_half:.2f}",
            f"{row.total:.2f} ± {row.total_half:.2f}", f"{row.pawn:.2f}",
        )  # fmt: skip
    Console(highlight=False).print(table)
    _keep(runs, {"sensitivity": [_plain(row) for row in rows], "output": output})


@app.command()
def fit(
    history: Annotated[Path, typer.Argument(help="CSV or Parquet: a time and a price column.")],
    runs: Runs = Path("runs"),
) -> None:
    """Fit every price law to a history and say how well each does, best by BIC first.

    For example:

        harness treasury fit sol-usd.csv
    """
    from harness.treasury.fit import fit_all
    from harness.treasury.history import read_history
    from harness.treasury.scenario import describe

    prices = read_history(history)
    fits = fit_all(prices)
    table = Table("law", "log-likelihood", "BIC", "KS p", "Ljung-Box p", "1 % loss: law", "history")
    for one in fits:
        table.add_row(
            one.name, _number(one.log_likelihood, ".1f"), _number(one.bic, ".1f"),
            _number(one.ks_p, ".3f"), _number(one.ljung_box_p, ".3f"), f"{one.loss_99_law:.1%}",
            f"{one.loss_99_history:.1%}",
        )  # fmt: skip
    Console(highlight=False).print(table)
    _keep(runs, {
        "history": history.name, "prices": len(prices.prices), "step_days": prices.step_days,
        "fits": [{**_plain(one), "process": {
            key: value for key, value in describe(one.process).items() if key != "returns"
        }} for one in fits],
    })  # fmt: skip


@app.command()
def gate(
    policy: Annotated[Path, typer.Argument(help="A policy.toml: a scenario and its limits.")],
    workers: Workers = 1,
    runs: Runs = Path("runs"),
) -> None:
    """For CI: exits 99 when a risk limit is crossed.

    For example:

        harness treasury gate policy.toml
    """
    from harness.treasury.gate import judge, read_policy

    question, scenario = read_policy(policy)
    with _progress("paths") as progress:
        findings, result = judge(question, scenario, workers=workers, progress=progress)
    table = Table("limit", "allowed", "found", "compared", "")
    for one in findings:
        table.add_row(
            one.name, f"{one.limit:g}", f"{one.value:.6g}", f"{one.compared:.6g}",
            "passed" if one.passed else "CROSSED",
        )  # fmt: skip
    Console(highlight=False).print(table)
    _keep(runs, {"findings": [_plain(one) for one in findings], "result": result.as_json()})
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


def _read(path: Path | None) -> Scenario:
    from harness.treasury.scenario import Scenario
    from harness.treasury.scenario_file import read_scenario

    return Scenario() if path is None else read_scenario(path)


def _choices(written: list[str]) -> dict[str, list[float]]:
    choices: dict[str, list[float]] = {}
    for one in written:
        name, _, values = one.partition("=")
        try:
            choices[name] = [float(value) for value in values.split(",")]
        except ValueError:
            raise UsageError(f"--vary {one!r}: must be name=number,number,...") from None
    return choices


@contextmanager
def _progress(what: str) -> Iterator[Any]:
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, wanted: bar.update(task, completed=done, total=wanted)


def _print(rows: list[tuple[str, str]]) -> None:
    console = Console(highlight=False)
    for name, value in rows:
        console.print(f"{name:58} {value}", soft_wrap=True)


def _keep(runs: Path, content: dict[str, Any]) -> None:
    from harness.run.folder import new_run_folder, write_json

    folder = new_run_folder(runs, datetime.now(UTC))
    write_json(folder / "treasury.json", content)
    Console(highlight=False).print(f"results: {folder / 'treasury.json'}", soft_wrap=True)


def _plain(row: Any) -> Any:
    from harness.treasury.scenario import describe

    told = describe(row)
    return {key: value for key, value in told.items() if key != "kind"}


def _number(value: float, form: str) -> str:
    return "-" if math.isnan(value) else format(value, form)


def _share(estimate: Any) -> str:
    return f"{estimate.value:.4f} ({estimate.low:.4f} to {estimate.high:.4f})"
