"""`harness up`: keep a testbed running for a person, a browser or another backend."""

from __future__ import annotations

import json
import os
import shlex
import signal
import threading
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from harness.seeds import DEFAULT_SEED

if TYPE_CHECKING:
    from harness.run.session import RunSession
    from harness.testbed import Testbed

_WALLETS_MAX = 100
_WAKE_SECONDS = 0.5


def up(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one line of JSON when ready, and nothing else.")
    ] = False,
    seed: Annotated[str, typer.Option(help="Gives the same wallets and addresses.")] = DEFAULT_SEED,
    config: Annotated[
        Path | None, typer.Option(help="A sugar config.json. Default: the guide's own.")
    ] = None,
    testbed: Annotated[
        Path | None, typer.Option(help="A testbed.toml with treasury, rate and prices.")
    ] = None,
    programs: Annotated[
        str, typer.Option(help="Which ELFs run: `committed`, `fetched` or a folder with ELFs.")
    ] = "committed",
    wallets: Annotated[
        int, typer.Option(min=0, max=_WALLETS_MAX, help="Funded wallets to make.")
    ] = 5,
    rpc_port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any free port.")] = 0,
    backend_port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any free port.")] = 0,
    runs: Annotated[Path, typer.Option(help="Folder for key files, journal and logs.")] = Path(
        "runs"
    ),
) -> None:
    """Start ledger, database, backend and a deployed machine, and keep them until a signal.

    Listens on 127.0.0.1 only. Wallets' key files are in the form that Solana's own tools read.
    `backend_folder` has the `.env` of one more backend for the same machine, with tables of its
    own in the same Postgres: `PORT=4001 python -m backend` in that folder starts it.

        harness up
        harness up --json --rpc-port 8899 --backend-port 4000
    """
    from harness.candy_config import DEFAULT_PATH
    from harness.run.folder import new_run_folder
    from harness.run.session import RunOptions, RunSession

    console = Console(highlight=False, stderr=as_json)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    folder = new_run_folder(runs, datetime.now(UTC))
    options = RunOptions(seed, folder, config or DEFAULT_PATH, testbed, programs)
    with ExitStack() as stack:
        with console.status("starting ..."):
            session = RunSession(options)
            stack.callback(session.close)
            bed = stack.enter_context(
                session.testbed(
                    "up", title="a testbed that was kept running", rpc_port=rpc_port,
                    backend_port=backend_port,
                )
            )  # fmt: skip
            players = [bed.player() for _ in range(wallets)]
        facts = {
            "rpc_url": bed.ledger.rpc_url,
            "ws_url": bed.ledger.ws_url,
            "backend_url": bed.backend.url,
            "candy_machine": str(bed.deployment.candy_machine),
            "candy_guard": str(bed.deployment.candy_guard),
            "collection_mint": str(bed.deployment.collection_mint),
            "buyback_program": str(bed.deployment.buyback_program),
            "buyback_config": str(bed.deployment.buyback_config),
            "treasury": str(bed.deployment.treasury),
            "box_id": bed.box_id,
            "backend_folder": str(_write_environment(folder, session, bed)),
            "wallets": [
                {
                    "pubkey": str(player.pubkey),
                    "key_file": str(_write_key(folder, player.name, bytes(player.keypair))),
                }
                for player in players
            ],
        }
        _announce(console, facts, as_json)
        while not stop.wait(_WAKE_SECONDS):
            pass


def _write_key(folder: Path, name: str, key: bytes) -> Path:
    """A key file as `solana-keygen` writes it."""
    return _write_secret(folder / "keys" / f"{name}.json", json.dumps(list(key)))


def _write_environment(folder: Path, session: RunSession, bed: Testbed) -> Path:
    """The folder with the `.env` of a backend that somebody starts by hand: the keys and
    addresses of this economy, an empty database, and no limits, as all players call from here."""
    from harness.backend_process import backend_environment

    variables = backend_environment(
        deployment=bed.deployment,
        authority=bed.authority_key,
        treasury=bed.treasury_key,
        database_url=session.database_server().create_database("started_by_hand"),
        rpc_url=bed.ledger.rpc_url,
        box_id=bed.box_id,
        placeholder_uri=bed.config.hidden.uri,
    )
    variables |= {
        "BUYBACK_CONFIG_VERSION": str(bed.deployment.buyback_config_version),
        "BUYBACK_RATE": str(bed.settings.buyback_rate),
        "SOL_PRICE_USD": str(bed.settings.sol_usd),
        "RATE_LIMIT_MAX_REQUESTS": "0",
        "REVEAL_LIMIT_MAX_REQUESTS": "0",
    }
    lines = [f"{name}={shlex.quote(value)}\n" for name, value in variables.items()]
    return _write_secret(folder / "backend" / ".env", "".join(lines)).parent


def _write_secret(path: Path, text: str) -> Path:
    """A file that only its owner can read, in a folder that only its owner can enter."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(text)
    return path.resolve()


def _announce(console: Console, facts: dict[str, Any], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(facts))
        return
    for name, value in facts.items():
        if name != "wallets":
            console.print(f"{name:16} {value}", soft_wrap=True)
    for wallet in facts["wallets"]:
        console.print(f"wallet           {wallet['pubkey']}  {wallet['key_file']}", soft_wrap=True)
    console.print("ready; Ctrl-C stops it")
