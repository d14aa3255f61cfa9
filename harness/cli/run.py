"""`harness run`: play a suite of scenarios and write the report."""

from __future__ import annotations

import json
import secrets
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from harness.errors import EXIT_INTERRUPTED, EXIT_PASSED
from harness.seeds import DEFAULT_SEED

_ONE = {"bot taxes": "bot tax", "verdicts of judges": "verdict of judges"}


def run(
    suite: Annotated[
        str,
        typer.Argument(
            help="What to play: `harness suites` lists them; or a file or folder of your own."
        ),
    ] = "smoke",
    seed: Annotated[
        str, typer.Option(help="Repeats a run; `random` draws a new one and prints it.")
    ] = DEFAULT_SEED,
    config: Annotated[
        Path | None, typer.Option(help="A sugar config.json. Default: the guide's own.")
    ] = None,
    testbed: Annotated[
        Path | None, typer.Option(help="A testbed.toml with treasury, rate and prices.")
    ] = None,
    ledger: Annotated[
        str, typer.Option(help="embedded, validator (a container) or an RPC URL.")
    ] = "embedded",
    wallet: Annotated[
        Path | None, typer.Option(help="Key file that pays and deploys where --ledger is a URL.")
    ] = None,
    database: Annotated[
        str, typer.Option(help="embedded, container or a URL of Postgres.")
    ] = "embedded",
    redis: Annotated[
        str | None, typer.Option(help="container or a redis:// URL. Default: none.")
    ] = None,
    backend: Annotated[
        str, typer.Option(help="reference, or the URL of a backend that somebody runs.")
    ] = "reference",
    deployment: Annotated[
        Path | None, typer.Option(help="What it was set up with: JSON as `harness up --json`.")
    ] = None,
    backend_map: Annotated[
        Path | None, typer.Option(help="TOML with its own paths and names; docs/gate.md.")
    ] = None,
    spend_real_sol: Annotated[
        bool, typer.Option("--spend-real-sol", help="The ledger may be mainnet-beta (1 of 2).")
    ] = False,
    on_mainnet_beta: Annotated[
        bool, typer.Option("--on-mainnet-beta", help="The ledger may be mainnet-beta (2 of 2).")
    ] = False,
    runs: Annotated[Path, typer.Option(help="Folder for the results of runs.")] = Path("runs"),
    keyword: Annotated[
        str | None, typer.Option("-k", help="Only scenarios whose name matches, as in pytest.")
    ] = None,
    programs: Annotated[
        str, typer.Option(help="Which ELFs run: `committed`, `fetched` or a folder with ELFs.")
    ] = "committed",
    exit_first: Annotated[bool, typer.Option("-x", help="Stop at the first failure.")] = False,
    workers: Annotated[
        int, typer.Option("--workers", "-n", min=1, max=64, help="Processes that play at once.")
    ] = 1,
    seeds: Annotated[
        str | None, typer.Option(help="A..B: everything once with each of these seeds.")
    ] = None,
    repeat: Annotated[int, typer.Option(min=1, help="Play everything this many times.")] = 1,
) -> None:
    """Play a suite: real mints, reveals and buybacks, judged independently.

    The results go to `runs/<time>/`: `report.html` to look at, `summary.md` for a pull request,
    `junit.xml` for a CI system, `journal.jsonl` for everything else.

        harness run
        harness run flow --seed 7 -k sell
        harness run --config my-machine/config.json
        harness run all --programs fetched
        harness run --ledger validator --database container
        harness run flow --backend URL --ledger URL --deployment up.json --wallet key.json
        harness run all --workers 2
        harness run all --workers 2 --seeds 1..200
        harness run my-scenarios/test_auction.py
    """
    from harness.run.runner import RunRequest, play

    console = Console(highlight=False)
    if seed == "random":
        seed = str(secrets.randbelow(10**9))
        console.print(f"seed {seed}")
    code, report = play(
        RunRequest(
            suite=suite,
            seed=seed,
            runs=runs,
            candy_config=config,
            testbed_settings=testbed,
            programs=programs,
            ledger=ledger,
            wallet=wallet,
            database=database,
            redis=redis,
            backend=backend,
            deployment=deployment,
            backend_map=backend_map,
            mainnet_asked=spend_real_sol + on_mainnet_beta,
            keyword=keyword,
            exit_first=exit_first,
            workers=workers,
            seeds=seeds,
            repeat=repeat,
        )
    )
    summary = json.loads(report.with_name("summary.json").read_text(encoding="utf-8"))
    counted = ", ".join(_number_of(*one) for one in summary["counted"].items())
    ended = {EXIT_PASSED: "passed", EXIT_INTERRUPTED: "interrupted"}.get(code, "FAILED")
    console.print(f"{ended}: {counted}", soft_wrap=True)
    skips = Counter(one["message"] for one in summary["scenarios"] if one["outcome"] == "skipped")
    for reason, number in skips.most_common():
        console.print(f"skipped: {number}, {reason}", soft_wrap=True, markup=False)
    console.print(_spent(summary["run"]), soft_wrap=True)
    console.print(f"report: {report}", soft_wrap=True)
    raise typer.Exit(code)


def _number_of(name: str, number: int) -> str:
    """`2 mints`, `1 mint`."""
    return f"{number} {_ONE.get(name, name.removesuffix('s')) if number == 1 else name}"


def _spent(run: dict[str, Any]) -> str:
    """What the run took of the machine."""
    ended = ", ".join(f"{number} {how}" for how, number in run["told"].items() if number)
    told = f"told {ended or 'nothing'}"
    told += f"; took {run['elapsed_seconds']:.1f} s"
    if "processor_seconds" in run:
        told += f", {run['processor_seconds']:.1f} s of processor time"
    if run.get("memory_bytes_max"):
        told += f", at most {run['memory_bytes_max'] // 2**20} MiB a process"
    return told


def list_suites() -> None:
    """List the suites that `harness run` can play."""
    from harness.run.selection import suites

    console = Console(highlight=False)
    for name, description in suites().items():
        console.print(f"{name:10} {description}", markup=False)
