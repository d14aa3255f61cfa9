"""`harness programs`: which bytes run, what a cluster has deployed, and whether two sets agree."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

app = typer.Typer(
    help=(
        "The on-chain programs: list, fetch from a cluster, verify, compare.\n\n"
        "A set of programs is `committed` (built from published sources), `fetched` (what a "
        "cluster has deployed) or a folder with ELFs. `harness run --programs SET` and "
        "`pytest --programs SET` play on it."
    ),
    no_args_is_help=True,
    rich_markup_mode="markdown",
)

_Url = Annotated[
    str, typer.Option(help="JSON-RPC of the cluster. A key in it is never stored or printed.")
]
_Set = Annotated[str, typer.Option("--programs", help="committed, fetched or a folder with ELFs.")]


@app.command("list")
def list_programs(programs: _Set = "committed") -> None:
    """List a set's programs: address, size, SHA-256 and origin.

    ```
    harness programs list
    harness programs list --programs fetched
    ```
    """
    from harness.programs.sets import PROGRAMS, open_set

    chosen = open_set(programs)
    table = Table(box=None, pad_edge=False)
    for title in ("program", "address", "bytes", "sha256", "from"):
        table.add_column(title, overflow="fold", justify="right" if title == "bytes" else "left")
    for program in PROGRAMS:
        size, checksum = len(chosen.elves[program.name]), chosen.sha256(program.name)
        origin = chosen.origins[program.name]
        table.add_row(program.name, str(program.address), f"{size:,}", checksum, origin)
    _print(table)


@app.command("fetch")
def fetch_programs(
    url: _Url,
    out: Annotated[
        Path | None, typer.Option(help="Folder. Default: where `--programs fetched` looks.")
    ] = None,
    accept_changes: Annotated[
        bool, typer.Option(help="Take bytes that differ from those of the lock file.")
    ] = False,
) -> None:
    """Dump the deployed programs of a cluster, with a lock file of their SHA-256.

    Reads the upgradeable loader's programs (their programdata) and the older loaders'. If the
    folder has a lock file and the cluster now runs other bytes, that is told and nothing is
    written: exit code 1.

    ```
    harness programs fetch --url https://api.mainnet-beta.solana.com
    harness run all --programs fetched
    ```
    """
    from harness.programs.fetch import cluster, fetch, store
    from harness.programs.lock import LOCK_FILE
    from harness.programs.sets import FETCHED_FOLDER

    folder = out or FETCHED_FOLDER
    with cluster(url) as client, Console(stderr=True).status("reading ...") as status:
        found = fetch(client, status.update)
    lock = store(found, folder, accept_changes=accept_changes)
    console = Console(highlight=False)
    for one in lock.programs:
        when = "" if one.slot is None else f", deployed in slot {one.slot}"
        console.print(f"{one.name:15} {one.sha256}  {one.bytes:,} bytes{when}", soft_wrap=True)
    for name in found.missing:
        console.print(f"{name:15} is not deployed there; the committed one will stand in for it")
    console.print(f"cluster {lock.genesis_hash}, slot {lock.slot}: {folder / LOCK_FILE}",
                  soft_wrap=True)  # fmt: skip


@app.command("verify")
def verify(url: _Url, programs: _Set = "committed") -> None:
    """Compare what a cluster has deployed with a set, by SHA-256. Exit code 1 if they differ.

    ```
    harness programs verify --url http://127.0.0.1:8899
    harness programs verify --url https://api.mainnet-beta.solana.com --programs fetched
    ```
    """
    from harness.programs.fetch import cluster, deviations, fetch
    from harness.programs.sets import open_set

    chosen = open_set(programs)
    with cluster(url) as client, Console(stderr=True).status("reading ...") as status:
        found = fetch(client, status.update)
    console = Console(highlight=False)
    differing = deviations(found, chosen)
    for line in differing:
        console.print(line, soft_wrap=True)
    if differing:
        raise typer.Exit(1)
    console.print(f"all {len(chosen.elves)} programs are those of {chosen.choice}")


@app.command("compare")
def compare_programs(
    folder: Annotated[str, typer.Argument(help="A folder with ELFs, or `fetched`.")],
    reference: Annotated[
        str, typer.Option("--with", help="What to compare with: committed, fetched or a folder.")
    ] = "committed",
    flow: Annotated[
        list[str] | None, typer.Option("--flow", help="Only this flow; may be given repeatedly.")
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write all results to this file.")
    ] = None,
) -> None:
    """Play the same transactions on two sets of programs and compare all they do, step by step.

    Compared are each step's result or error, return data and, of every account it names, owner,
    lamports and bytes. Compute units are shown as a ratio and not compared. Exit code 1 if
    anything differs.

    ```
    harness programs compare fetched
    harness programs compare my-build --with fetched
    harness programs compare my-build --flow buyback --json differences.json
    ```
    """
    from harness.programs.compare import compare
    from harness.programs.report import print_report, write_report
    from harness.programs.sets import open_set

    first, second = open_set(reference), open_set(folder)
    with Console(stderr=True).status("playing ...") as status:
        comparison = compare(first, second, tuple(flow or ()), status.update)
    if json_file is not None:
        write_report(comparison, json_file)
    print_report(comparison, Console(highlight=False))
    if not comparison.equal:
        raise typer.Exit(1)


def _print(table: Table) -> None:
    """In full, however narrow the terminal or the pipe is."""
    Console(highlight=False, width=200).print(table)
