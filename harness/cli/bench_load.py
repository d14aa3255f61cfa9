"""`harness bench-load`: what the reference backend bears, as figures for the README."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from harness.seeds import DEFAULT_SEED


def bench_load(
    minutes: Annotated[
        float, typer.Option(min=0.1, max=60, help="How long the soak at 80 % of the knee lasts.")
    ] = 1.0,
    seed: Annotated[str, typer.Option(help="Repeats the same arrivals.")] = DEFAULT_SEED,
    runs: Annotated[Path, typer.Option(help="Folder for the results of runs.")] = Path("runs"),
) -> None:
    """Find the knee of reveals and sell-backs, soak, overload, and compare with a full database.

    Every part is judged; a load that is fast and wrong ends with exit code 1. Needs a quiet
    machine: generator, ledger, Postgres and backend share it.

        harness bench-load
        harness bench-load --minutes 10
    """
    from harness.bench.load import measure_load
    from harness.run.folder import new_run_folder, write_json

    folder = new_run_folder(runs, datetime.now(UTC))
    console = Console(highlight=False)
    with Console(stderr=True, highlight=False).status("starting ...") as status:

        def tell(what: str, done: int, of: int) -> None:
            if done % 20 == 0 or done == of:
                status.update(f"{what}: {done} of {of}")

        figures = measure_load(minutes, folder / "load", seed, tell)
    write_json(folder / "bench-load.json", dataclasses.asdict(figures))
    for name, value in figures.rows():
        console.print(f"{name:48} {value:>8}", markup=False, soft_wrap=True)
