"""`harness treasury replay`, `calibrate` and `adversary`: the model against what is real."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from harness.cli.runs_folder import Runs
from harness.cli.treasury_options import (
    ScenarioFile,
    Seed,
    changed,
    keep,
    leave_if_interrupted,
    plain,
    print_rows,
    progress_bar,
    scenario_of,
    study_of,
    table_of,
)
from harness.errors import EXIT_FAILED, EXIT_THRESHOLD, UsageError

if TYPE_CHECKING:
    from harness.treasury.records import Records
    from harness.treasury.replay import Replay

_REPLAY_PATHS_MAX = 100


def replay(
    scenario: ScenarioFile = None,
    days: Annotated[float, typer.Option(min=0.01, max=366, help="Days of each path.")] = 7.0,
    paths: Annotated[int, typer.Option(min=1, max=_REPLAY_PATHS_MAX, help="Paths to play.")] = 1,
    seed: Seed = 0,
    runs: Runs = Path("runs"),
) -> None:
    """Play sampled paths with real wallets, programs and backend; compare to the lamport.

    Exits 1 at the first step after which the treasury on the ledger is not that of the books.

    For example:

    ```
    harness treasury replay --days 7
    harness treasury replay treasury.toml --paths 3 --seed 5
    ```
    """
    from harness.run.folder import new_run_folder, write_json
    from harness.treasury.model import Shortfall
    from harness.treasury.replay import check_replayable, events_of
    from harness.treasury.replay import replay as play
    from harness.treasury.sweep import keep_done
    from harness.treasury.tape import record

    question = scenario_of(scenario).change("days", days)
    if question.rules.on_shortfall is Shortfall.STOP:
        question = question.change("rules.on_shortfall", Shortfall.REFUSE)
    tapes = record(question, seed, paths)
    check_replayable(question, sum(events_of(tape) for tape in tapes))
    folder = new_run_folder(runs, datetime.now(UTC))
    table = table_of("path", "steps", "minted", "paid", "refused", "treasury, lamports", "")
    agree, told = True, []

    def replays() -> Iterator[Replay]:
        for tape in tapes:
            with progress_bar(f"path {tape.path}") as progress:
                yield play(tape, folder, progress)

    done = keep_done(replays(), paths)
    for tape, found in zip(tapes, done, strict=False):  # shorter after Ctrl-C
        agree &= found.agrees
        different = found.first_difference
        verdict = "agrees"
        if different is not None:
            verdict = f"DIFFERS at step {different.step}: the books say {different.books_lamports}"
        elif found.findings:
            verdict = f"the judges: {found.findings[0]}"
        table.add_row(
            str(tape.path), str(len(found.steps)), str(sum(one.minted for one in found.steps)),
            str(sum(one.paid for one in found.steps)), str(sum(one.refused for one in found.steps)),
            f"{found.steps[-1].ledger_lamports:,}", verdict,
        )  # fmt: skip
        told.append({"path": tape.path, "agrees": found.agrees, "findings": list(found.findings),
                     "steps": [plain(one) for one in found.steps]})  # fmt: skip
    Console(highlight=False).print(table)
    write_json(
        folder / "replay.json", {"seed": seed, "interrupted": done.interrupted, "paths": told}
    )
    Console(highlight=False).print(f"results: {folder / 'replay.json'}", soft_wrap=True)
    leave_if_interrupted(done.interrupted, f"the {len(done)} paths that were replayed are kept")
    if not agree:
        raise typer.Exit(EXIT_FAILED)


def calibrate(
    records: Annotated[
        str, typer.Argument(help="A journal.jsonl, a CSV file, or a URL of the backend's Postgres.")
    ],
    scenario: Annotated[
        Path | None, typer.Option(help="A treasury.toml; its [calibration] is used.")
    ] = None,
    split: Annotated[
        float | None, typer.Option(help="Share of the time that the back-test fits. Default: 0.7.")
    ] = None,
    runs: Runs = Path("runs"),
) -> None:
    """Fit demand and holding to what happened, and test a forecast against the rest of it.

    Exits 99 when the back-test does not hold: the crowd has changed, do not plan by this fit.

    For example:

    ```
    harness treasury calibrate boxes.csv
    harness treasury calibrate runs/2026-01-02T101500Z/journal.jsonl
    ```
    """
    from harness.treasury.calibrate import back_test
    from harness.treasury.calibrate import calibrate as fit

    found = _records(records)
    fitting = changed(study_of(scenario).calibration, split=split)
    fitted, test = fit(found, fitting), back_test(found, fitting)

    def interval(one: object, form: str = ".2f") -> str:
        value, low, high = (getattr(one, name) for name in ("value", "low", "high"))
        return f"{value:{form}} ({low:{form}} to {high:{form}})"

    print_rows(
        [
            ("boxes, and days watched", f"{fitted.boxes:,}, {fitted.days:.1f}"),
            ("boxes a day", interval(fitted.mints_day)),
            ("days scatter as Poisson ones, p", f"{fitted.dispersion_p:.3f}"),
            (f"sold within {fitting.at_once_days:g} days, share", interval(fitted.sold_at_once)),
            ("sold later, share", f"{fitted.seller_share:.2f}"),
            ("at a hazard a day of", f"{fitted.hazard_day:.4f}"),
            (f"boxes after day {test.split_day:.1f}: seen {test.mints}, forecast",
             interval(test.mints_forecast, ".0f")),
            (f"sales after day {test.split_day:.1f}: seen {test.sales}, forecast",
             interval(test.sales_forecast, ".0f")),
            ("back-test", "holds" if test.holds else "DOES NOT HOLD"),
        ]
    )  # fmt: skip
    keep(runs, {"calibration": plain(fitted), "back_test": plain(test), "holds": test.holds})
    if not test.holds:
        raise typer.Exit(EXIT_THRESHOLD)


def adversary(
    scenario: ScenarioFile = None,
    days: Annotated[
        float | None, typer.Option(help="Days that are looked at. Default: 10.")
    ] = None,
    step_seconds: Annotated[
        float | None, typer.Option(help="How often they can act. Default: 300.")
    ] = None,
    mints_day: Annotated[
        float | None, typer.Option(help="Boxes they can buy a day. Default: 100.")
    ] = None,
    paths: Annotated[
        int | None, typer.Option(help="Paths to search on and to judge by. Default: 200.")
    ] = None,
    seed: Seed = 0,
    runs: Runs = Path("runs"),
) -> None:
    """Search the most profitable strategy against a rule set, and what it earns a day.

    For example:

    ```
    harness treasury adversary
    harness treasury adversary treasury.toml --step-seconds 60
    ```
    """
    from harness.treasury.adversary import best_response

    study = study_of(scenario)
    search = changed(
        study.adversary, days=days, step_seconds=step_seconds, mints_day_max=mints_day, paths=paths
    )
    with progress_bar("strategies") as progress:
        found = best_response(study.scenario, search, seed=seed, progress=progress)
    gain = found.profit_usd_day
    print_rows(
        [
            ("a mint is worth its cost below, USD a SOL", f"{found.break_even_sol_usd:.2f}"),
            (f"best of {found.tried} strategies", str(found.strategy)),
            ("profit, USD a day", f"{gain.value:,.2f} ({gain.low:,.2f} to {gain.high:,.2f})"),
            ("boxes a day", f"{found.mints_day:,.1f}"),
            ("profitable beyond doubt", "yes" if found.profitable else "no"),
        ]
    )
    keep(runs, {**plain(found), "strategy": str(found.strategy)})
    leave_if_interrupted(
        found.interrupted, f"the best of the {found.tried} strategies that were tried is kept"
    )


def _records(written: str) -> Records:
    from harness.treasury.records import from_csv, from_database, from_journal

    if "://" in written:
        from sqlalchemy import create_engine
        from sqlalchemy.exc import SQLAlchemyError

        try:
            return from_database(create_engine(written))
        except SQLAlchemyError as error:
            reason = type(error).__name__
            raise UsageError(f"calibrate: the database cannot be read ({reason})") from None
    path = Path(written)
    return from_journal(path) if path.suffix == ".jsonl" else from_csv(path)
