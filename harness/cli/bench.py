"""`harness bench`: the figures in the README."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from harness.seeds import DEFAULT_SEED


def bench(
    cycles: Annotated[
        int, typer.Option(min=120, max=100_000, help="Whole life cycles to play.")
    ] = 1000,
    seed: Annotated[str, typer.Option(help="Repeats the same cycles.")] = DEFAULT_SEED,
    runs: Annotated[Path, typer.Option(help="Folder for the results of runs.")] = Path("runs"),
) -> None:
    """Measure whole life cycles over HTTP with Postgres against the raw virtual machine.

    Only the ratios are comparable between machines; the rates beside them are this machine's.
    """
    from harness.bench.cycles import EARLY_CYCLE, measure_cycles
    from harness.run.folder import new_run_folder, write_json

    folder = new_run_folder(runs, datetime.now(UTC))
    console = Console(highlight=False)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("life cycles", total=cycles)
        figures = measure_cycles(
            cycles, folder, seed, lambda done: progress.update(task, completed=done)
        )
    write_json(folder / "bench.json", dataclasses.asdict(figures))
    rows = (
        ("whole life cycles a second, HTTP and Postgres", f"{figures.over_http_a_second:.1f}"),
        ("the same transactions straight into LiteSVM", f"{figures.raw_a_second:.1f}"),
        ("ratio", f"{figures.ratio:.2f}"),
        (f"a cycle at {EARLY_CYCLE} mints, ms", f"{figures.early_ms:.1f}"),
        (f"a cycle at {cycles} mints, ms", f"{figures.late_ms:.1f}"),
        ("ratio", f"{figures.cost_ratio:.2f}"),
    )
    for name, value in rows:
        console.print(f"{name:48} {value:>8}")
