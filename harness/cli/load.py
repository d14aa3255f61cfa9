"""`harness load`: let a crowd at the backend, and judge what is left."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console


def load(
    profile: Annotated[
        str, typer.Argument(help="A profile of the project (see --list), or a TOML file.")
    ] = "smoke",
    seed: Annotated[str, typer.Option(help="Gives the same wallets, NFTs and arrivals.")] = "1",
    web: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="Locust's web page on this port of 127.0.0.1."),
    ] = None,
    host: Annotated[
        str | None,
        typer.Option(
            help="A backend that somebody runs, instead of one of our own. Any address: "
            "make sure it is yours."
        ),
    ] = None,
    ledger: Annotated[
        str | None,
        typer.Option(
            help="embedded (default) or validator, in a container; with --host its RPC URL."
        ),
    ] = None,
    database: Annotated[
        str | None, typer.Option(help="embedded (default) or container; not with --host.")
    ] = None,
    deployment: Annotated[
        Path | None,
        typer.Option(help="With --host: what it was set up with, as `harness up --json` prints."),
    ] = None,
    wallet: Annotated[
        Path | None, typer.Option(help="With --host: the key file that pays; else the faucet does.")
    ] = None,
    elsewhere: Annotated[
        int, typer.Option(min=0, max=64, help="With --host: workers on other machines.")
    ] = 0,
    listen: Annotated[
        str | None,
        typer.Option(help="With --elsewhere: ADDRESS:PORT of this machine that they come to."),
    ] = None,
    compare: Annotated[
        Path | None, typer.Option(help="The folder of an earlier run to compare with.")
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the profiles and stop.")] = False,
    runs: Annotated[Path, typer.Option(help="Folder for the results of runs.")] = Path("runs"),
) -> None:
    """Play a load profile against the reference backend, and judge what is left.

    Everything runs on this machine and listens on 127.0.0.1: ledger, Postgres, the backend with
    its own workers, and Locust; with --host only Locust, against a backend that is there. Exit
    codes: 0 all thresholds held, 1 a judge found something wrong, 3 void because the generator was
    the limit, 99 a threshold was crossed.

        harness load smoke
        harness load capacity
        harness load smoke --ledger validator --database container
        harness load smoke --host http://127.0.0.1:4000 --ledger URL --deployment up.json
        harness load my-profile.toml --compare runs/2026-01-02T101500Z
    """
    from harness.errors import UsageError
    from harness.load.economy import Visit, place_of
    from harness.load.locust_process import Elsewhere, address_of, loadtests_folder
    from harness.load.play import LoadRequest, play
    from harness.load.profile import find_profile, profiles_beside, read_profile
    from harness.load.report import compared, write_report

    console, quiet = Console(highlight=False), Console(stderr=True, highlight=False)
    known = profiles_beside(loadtests_folder() / "profiles")
    if list_:
        for name, path in known.items():
            console.print(f"{name:12} {read_profile(path).about}", markup=False, soft_wrap=True)
        return
    path = find_profile(profile, known)
    place = place_of(host, ledger, database, deployment, wallet)
    read = read_profile(path)
    if isinstance(place, Visit) and (read.faults or read.nfts_sold_before):
        raise UsageError(f"{read.name}: faults and nfts_sold_before need a backend of our own")
    others, say = None, partial(quiet.print, markup=False, soft_wrap=True)
    if elsewhere or listen is not None:
        if not (elsewhere and listen and isinstance(place, Visit)):
            raise UsageError("--elsewhere N: goes with --listen ADDRESS:PORT and --host URL")
        others = Elsewhere(elsewhere, *address_of(listen, "--listen"), announce=say)
    earlier = None if compare is None else compared(compare)
    with quiet.status("starting ledger, database and backend ...") as status:

        def tell(what: str, done: int, of: int) -> None:
            if done % 20 == 0 or done == of or what.startswith("load"):
                status.update(f"{what}: {done} of {of}")

        result = play(
            LoadRequest(
                read, path.read_text(encoding="utf-8"), runs, seed, web, place, others, tell
            )
        )
        report = write_report(result, earlier)
    for line in report.lines:
        console.print(line, markup=False, soft_wrap=True)
    console.print(f"report: {report.path}", soft_wrap=True)
    raise typer.Exit(result.exit_code)
