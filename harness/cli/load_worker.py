"""`harness load-worker`: lend this machine to a load that another one runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def load_worker(
    folder: Annotated[
        Path, typer.Argument(help="A copy of the run's folder, made while it waits for workers.")
    ],
    master: Annotated[
        str, typer.Option(help="ADDRESS:PORT where the other machine's `harness load` listens.")
    ],
) -> None:
    """Generate a part of somebody's load until it is over; what is measured goes to the master.

    `harness load --elsewhere` says the whole command. The keys of the players' wallets lie in the
    folder and are deleted at the end.

        harness load-worker 2026-01-02T101500Z --master 192.0.2.1:5557
    """
    from harness.load.locust_process import run_worker

    raise typer.Exit(run_worker(folder, master))
