"""`harness bench-docker`: the embedded default against real slots, as ratios."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from harness.seeds import DEFAULT_SEED


def bench_docker(
    suite: Annotated[str, typer.Argument(help="What to play on both.")] = "smoke",
    seed: Annotated[str, typer.Option(help="The same on both.")] = DEFAULT_SEED,
    runs: Annotated[Path, typer.Option(help="Folder for the results of runs.")] = Path("runs"),
) -> None:
    """Measure the core suite on the embedded ledger and on a validator in one run. Needs Docker.

    Only the ratios are comparable between machines; the figures beside them are this machine's.

    ```
    harness bench-docker
    harness bench-docker flow
    ```
    """
    from harness.bench.containers import measure_containers
    from harness.containers import require_engine
    from harness.run.folder import new_run_folder, write_json

    require_engine()
    folder = new_run_folder(runs, datetime.now(UTC))
    figures = measure_containers(suite, seed, folder)
    write_json(folder / "bench-docker.json", dataclasses.asdict(figures))
    console = Console(highlight=False)
    console.print(f"{'':34} {'embedded':>10} {'validator':>10}")
    for field in dataclasses.fields(figures.embedded):
        ours, theirs = (getattr(side, field.name) for side in (figures.embedded, figures.validator))
        name = field.name.replace("_", " ")
        console.print(f"{name:34} {ours:>10.3g} {theirs:>10.3g}")
    console.print(f"{'wall time of the suite, ratio':34} {figures.suite_ratio:>21.1f}")
    console.print(f"{'life cycles a second, ratio':34} {figures.cycles_ratio:>21.1f}")
    unwaited = figures.unwaited_cycles_ratio
    console.print(f"{'the same without the 12 s, ratio':34} {unwaited:>21.1f}")
    console.print(f"{'start-up, ratio':34} {figures.start_ratio:>21.1f}")
