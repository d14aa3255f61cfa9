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
    mints: Annotated[
        int, typer.Option(min=300, max=100_000, help="Mints that are kept, to see growth.")
    ] = 1000,
    reads: Annotated[
        int, typer.Option(min=1000, max=1_000_000, help="RPC reads over HTTP.")
    ] = 10_000,
    treasury_paths: Annotated[
        int, typer.Option(min=0, help="Paths of the treasury's memory figure; 0 leaves it out.")
    ] = 1_000_000,
    audit_draws: Annotated[
        int, typer.Option(min=0, help="Draws of the audit's memory figure; 0 leaves it out.")
    ] = 10_000_000,
    radcad: Annotated[
        bool, typer.Option(help="Install radCAD in an environment of its own and compare.")
    ] = True,
    seed: Annotated[str, typer.Option(help="Repeats the same cycles.")] = DEFAULT_SEED,
    runs: Annotated[Path, typer.Option(help="Folder for the results of runs.")] = Path("runs"),
) -> None:
    """Measure whole life cycles, the ledger's reads and growth, an audit's memory and the treasury
    model.

    Cycles go over HTTP with Postgres and are compared with the raw virtual machine, reads with
    the same reads without a socket, late mints with early ones. Only the ratios are comparable
    between machines; the rates beside them are this machine's.

        harness bench
        harness bench --mints 10000
    """
    from harness.bench.breakdown import measure_breakdown
    from harness.bench.cycles import EARLY_CYCLE, measure_cycles
    from harness.bench.growth import measure_growth
    from harness.bench.reads import measure_reads
    from harness.ledger.embedded import EmbeddedLedger
    from harness.run.folder import new_run_folder, write_json

    folder = new_run_folder(runs, datetime.now(UTC))
    console = Console(highlight=False)
    with EmbeddedLedger.start() as ledger:
        read = measure_reads(ledger, reads)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("life cycles", total=cycles)
        figures = measure_cycles(
            cycles, folder, seed, lambda done: progress.update(task, completed=done)
        )
        growing = progress.add_task("mints", total=mints)
        growth = measure_growth(
            mints, folder, seed, lambda done: progress.update(growing, completed=done)
        )
        parts = measure_breakdown(max(cycles // 5, 100), folder, seed)
    lines: list[tuple[str, str]] = []
    audit = None
    if audit_draws:
        from harness.validity.odds_speed import audit_memory

        with console.status("audit of draws"):
            audit = audit_memory(audit_draws, seed=1)
        lines.append((f"peak memory, audit of {audit.rows:,} draws, MB", f"{audit.peak_mb:.0f}"))
    model = None
    if treasury_paths:
        from harness.bench.treasury import measure_treasury

        with console.status("treasury model") as status:
            model = measure_treasury(
                large_paths=treasury_paths, with_radcad=radcad,
                on_part=lambda part: status.update(f"treasury: {part}"),
            )  # fmt: skip
        lines += model.rows()
    measured = {
        **dataclasses.asdict(figures),
        "breakdown": dataclasses.asdict(parts),
        "reads": dataclasses.asdict(read),
        "growth": dataclasses.asdict(growth),
        "audit": None if audit is None else dataclasses.asdict(audit),
        "treasury": None if model is None else dataclasses.asdict(model),
    }
    write_json(folder / "bench.json", measured)
    rows = (
        ("whole life cycles a second, HTTP and Postgres", f"{figures.over_http_a_second:.1f}"),
        ("the same transactions straight into LiteSVM", f"{figures.raw_a_second:.1f}"),
        ("ratio", f"{figures.ratio:.2f}"),
        (f"a cycle at {EARLY_CYCLE} mints, ms", f"{figures.early_ms:.1f}"),
        (f"a cycle at {cycles} mints, ms", f"{figures.late_ms:.1f}"),
        ("ratio", f"{figures.cost_ratio:.2f}"),
        *parts.rows(),
        ("RPC reads a second over HTTP, one client", f"{read.calls_a_second:.0f}"),
        ("p50, ms", f"{read.p50_ms:.2f}"),
        ("reads a second of the server's processor time", f"{read.server_calls_a_second:.0f}"),
        ("the same reads without a socket", f"{read.in_process_calls_a_second:.0f}"),
        ("ratio", f"{read.ratio:.2f}"),
        ("one of the first hundred mints, ms", f"{growth.early_ms:.1f}"),
        (f"one of the last quarter of {mints}, ms", f"{growth.late_ms:.1f}"),
        ("ratio", f"{growth.cost_ratio:.2f}"),
        ("memory that a kept mint leaves, KiB", f"{growth.kib_a_mint:.1f}"),
    )
    for name, value in (*rows, *lines):
        console.print(f"{name:48} {value:>8}")
    console.print("the backend under load, some ten minutes more: harness bench-load")
