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

    Safe to run again: what is there stays. Writes deployment.json (addresses) and backend.env. The
    ledger has Metaplex's programs and the bank, or SOL was sent to the bank's address.

        harness ledger --programs committed --authority 6v... --account my-economy/bank.account.json
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


@app.command("stock")
def stock(
    load: Annotated[Path, typer.Option(help="Where plan, wallets and results of the load lie.")],
    backend: Annotated[str, typer.Option(help="The backend, without the API's prefix.")],
    ledger: Annotated[str, typer.Option(help="RPC URL of the ledger.")] = "http://127.0.0.1:8899",
    folder: Annotated[Path, _FOLDER] = Path("runs/provision"),
    profile: Annotated[
        str, typer.Option(help="A profile of the project or a TOML file.")
    ] = "smoke",
    generators: Annotated[int, typer.Option(min=1, max=16, help="Locust's workers.")] = 2,
) -> None:
    """Mint and reveal the NFTs that a load profile uses, and write the plan that Locust reads.

    After `deploy`, with the backend running and its rate limits off.

        harness provision stock --folder my-economy --load my-load --backend http://127.0.0.1:4000
    """
    from harness.load.locust_process import loadtests_folder
    from harness.load.profile import find_profile, profiles_beside
    from harness.provision.keys import KeyFolder
    from harness.provision.stock import StockJob

    console = Console(highlight=False)

    def tell(what: str, done: int, of: int) -> None:
        if done % 20 == 0 or done == of:
            console.print(f"provision: {what} {done} of {of}")

    load.mkdir(parents=True, exist_ok=True)
    path = find_profile(profile, profiles_beside(loadtests_folder() / "profiles"))
    job = StockJob(KeyFolder(folder), load.resolve(), ledger, backend)
    number = job.run(path, generators, tell)
    console.print(f"provision: {number} NFTs in stock; plan in {load / 'plan.json'}")
