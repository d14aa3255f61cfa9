"""`harness provision`: the one-shot jobs of docker-compose.yml; also good for a devnet economy."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

app = typer.Typer(
    help="Make the keys of an economy that stays, and set it up on a ledger.",
    no_args_is_help=True,
)
_FOLDER = typer.Option(help="Where keys and settings are kept, readable by their owner only.")


@app.command("keys")
def keys(folder: Annotated[Path, _FOLDER] = Path("runs/provision")) -> None:
    """Make the keys that are missing; keep those that are there.

    harness provision keys --folder my-economy
    """
    from harness.provision.keys import NAMES, KeyFolder

    made = KeyFolder(folder).make()
    Console(highlight=False).print(f"keys: {made} made, {len(NAMES) - made} kept, in {folder}")


@app.command("deploy")
def deploy(
    ledger: Annotated[str, typer.Option(help="RPC URL of the ledger.")] = "http://127.0.0.1:8899",
    folder: Annotated[Path, _FOLDER] = Path("runs/provision"),
    config: Annotated[
        Path | None, typer.Option(help="A sugar config.json. Default: the guide's own.")
    ] = None,
    testbed: Annotated[
        Path | None, typer.Option(help="A testbed.toml with treasury, rate and prices.")
    ] = None,
    fill_database: Annotated[
        bool,
        typer.Option(
            "--fill-database",
            help="Make tables and skins where DB_HOST, DB_PORT, "
            "DB_USERNAME, DB_PASSWORD and DB_DATABASE say.",
        ),
    ] = False,
) -> None:
    """Fund wallets from the bank, deploy programs, initialise the buyback, create the machine.

    Safe to run again: what is there stays. Writes deployment.json (addresses) and backend.env.

        harness provision deploy --folder my-economy --ledger http://127.0.0.1:8899
    """
    from harness.candy_config import DEFAULT_PATH, read_candy_config
    from harness.provision.job import Job, database_url
    from harness.provision.keys import KeyFolder
    from harness.settings import read_settings

    database = database_url(os.environ) if fill_database else None
    job = Job(
        KeyFolder(folder), ledger, read_candy_config(config or DEFAULT_PATH), read_settings(testbed)
    )
    console = Console(highlight=False)
    console.print("provision: setting the economy up ...")
    job.run(database)
    console.print(f"provision: done; addresses in {folder / 'deployment.json'}")
