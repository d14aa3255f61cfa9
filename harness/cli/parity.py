"""`harness parity`: the same suite on the embedded ledger and on a validator, compared."""

from __future__ import annotations

import os
import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from harness.seeds import DEFAULT_SEED

_UNEXPLAINED_SHOWN_MAX = 20


def parity(
    suite: Annotated[
        str, typer.Argument(help="What to play; `harness suites` lists them.")
    ] = "smoke",
    seed: Annotated[str, typer.Option(help="The same on both.")] = DEFAULT_SEED,
    testbed: Annotated[
        Path | None,
        typer.Option(help="A testbed.toml; propagation_seconds = 0 saves real waiting."),
    ] = None,
    keyword: Annotated[
        str | None, typer.Option("-k", help="Only scenarios whose name matches, as in pytest.")
    ] = None,
    image: Annotated[
        str | None, typer.Option(help="The validator's image. Default: a pinned public one.")
    ] = None,
    rpc_only: Annotated[
        bool, typer.Option("--rpc-only", help="Compare the RPC's answers, play no suite.")
    ] = False,
    write: Annotated[
        Path | None, typer.Option(help="Write the page there, such as docs/parity.md.")
    ] = None,
    runs: Annotated[Path, typer.Option(help="Folder for the results of runs.")] = Path("runs"),
) -> None:
    """Find every difference between the embedded ledger and solana-test-validator.

    Needs Docker. Exit code 1 if a difference is not on the list of known ones.

    ```
    harness parity
    harness parity flow --seed 7 --write docs/parity.md
    harness parity --rpc-only
    ```
    """
    from harness.containers import require_engine
    from harness.ledger.validator import IMAGE
    from harness.parity.compare import Comparison, compare_runs
    from harness.parity.difference import read_known, sort_out
    from harness.parity.report import as_markdown
    from harness.parity.rpc import ask_all, compare_answers, options_of
    from harness.run.folder import new_run_folder
    from harness.run.runner import RunRequest, play

    console = Console(highlight=False)
    known = read_known()
    require_engine()
    ledgers = {"embedded": "embedded", "validator": f"validator={image or IMAGE}"}
    folder = new_run_folder(runs, datetime.now(UTC))
    found = Comparison()
    if not rpc_only:
        played = {}
        for name, ledger in ledgers.items():
            console.print(f"playing {suite} on {name} ...")
            _, report = play(
                RunRequest(
                    suite=suite, seed=seed, runs=folder / name, testbed_settings=testbed,
                    ledger=ledger, keyword=keyword, keep_accounts=True,
                )
            )  # fmt: skip
            played[name] = report.parent
        found = compare_runs(played["embedded"], played["validator"])
    console.print("asking every RPC method on both ...")
    embedded, validator = (
        ask_all(options_of(seed, folder / f"rpc-{name}", ledger))
        for name, ledger in ledgers.items()
    )
    rpc = compare_answers(embedded, validator)
    counted, differences = found.counted + rpc.counted, found.differences + rpc.differences
    explained, unexplained = sort_out(differences, known)
    words = ["harness", "parity", suite, "--seed", seed, *(["--rpc-only"] if rpc_only else [])]
    words += [] if keyword is None else ["-k", keyword]
    words += [] if testbed is None else ["--testbed", testbed.name]
    page = as_markdown(shlex.join(words), image or IMAGE, counted, (explained, unexplained))
    target = write or folder / "parity.md"
    part = target.with_name(target.name + ".part")
    part.write_text(page, encoding="utf-8")
    os.replace(part, target)
    for name, number in sorted(counted.items()):
        console.print(f"{name:40} {number:>9,}")
    for difference in unexplained[:_UNEXPLAINED_SHOWN_MAX]:
        console.print(f"{difference.where}: {difference.what}: {difference.shown()}", markup=False)
    number = sum(len(one) for _, one in explained)
    console.print(f"{number} differences explained, {len(unexplained)} not; page: {target}")
    raise typer.Exit(1 if unexplained else 0)
