"""`harness odds`: what a reveal promises, and whether it keeps it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from harness.cli import odds_ahead
from harness.cli.odds_options import Alpha, Box, Json, Odds, Prices, Table, chosen_tables, only_one
from harness.cli.runs_folder import Runs

if TYPE_CHECKING:
    from harness.odds.draws import Draws
    from harness.odds.table import RarityTable

app = typer.Typer(
    name="odds",
    help=(
        "Prove or refute a rarity table, with known error rates.\n\n"
        "A SOURCE is draws.csv, draws.parquet, a run's journal.jsonl, a postgresql:// URL of a "
        "backend's database, an RPC URL (http...) with --machine, `roll` (the reference backend's "
        "roll alone) or `testbed` (real mints, revealed over HTTP). Columns: tier (or rarity), and "
        "where known time, mint, wallet, box, skin, number, paid_lamports.\n\n"
        "Exit code 99 if a promise is refuted."
    ),
    no_args_is_help=True,
    rich_markup_mode="markdown",
)

_Reject = Annotated[
    bool, typer.Option("--reject", help="Count bad rows and leave them out instead of stopping.")
]
_Draws = Annotated[int, typer.Option(min=1, help="How many, for roll and testbed.")]
_Seed = Annotated[
    str, typer.Option(help="Of roll, testbed and Monte Carlo; `random` draws fresh ones.")
]
_Machine = Annotated[str | None, typer.Option(help="The candy machine's address, for a ledger.")]


_SUSPECTS_SHOWN = 5

app.command("plan")(odds_ahead.plan)
app.command("value")(odds_ahead.value)


@app.command()
def audit(
    source: Annotated[str, typer.Argument(help="Where the draws are, see `harness odds --help`.")],
    table: Table = None,
    odds: Odds = None,
    box: Box = None,
    alpha: Alpha = 0.01,
    epsilon: Annotated[
        float | None, typer.Option(help="Also ask whether every tier is this close.")
    ] = None,
    shift: Annotated[
        str | None, typer.Option(help="Report the most powerful test against this, too.")
    ] = None,
    draws: _Draws = 1000,
    seed: _Seed = "1",
    machine: _Machine = None,
    prices: Prices = None,
    reject: _Reject = False,
    runs: Runs = Path("runs"),
) -> None:
    """Test recorded or fresh draws against the promise; leave a certificate. Exit 99 if refuted.

    ```
    harness odds audit draws.parquet
    harness odds audit runs/2026-11-22T101500Z/journal.jsonl --epsilon 0.05
    harness odds audit testbed --draws 200
    harness odds audit testbed --table boxes.toml --box gold
    harness odds audit postgresql://user@db/loot --table boxes.toml --alpha 0.001
    harness odds audit https://api.devnet.solana.com --machine 5WDR...T1h --prices skins.csv
    ```
    """
    from harness.errors import EXIT_PASSED, EXIT_THRESHOLD
    from harness.odds.assertions import counted
    from harness.odds.audit import audit as run_audit
    from harness.odds.certificate import write_certificate
    from harness.odds.draws import draws_in_words
    from harness.odds.table import parse_shares
    from harness.run.folder import new_run_folder

    tables = chosen_tables(table, odds, box)
    shifted = None
    if shift is not None:
        changes = dict(parse_shares(shift))
        shifted = {name: one.shifted(changes) for name, one in tables.items()}
    drawn = _open(source, tables, draws, seed, machine, prices, reject)
    found = run_audit(drawn, tables, alpha=alpha, epsilon=epsilon, alternative=shifted,
                      seed=_number(seed))  # fmt: skip
    now = datetime.now(UTC)
    page = write_certificate(found, new_run_folder(runs, now), now)
    console = Console(highlight=False)
    for one in found.boxes:
        counts = counted(one.table, one.counts)
        console.print(
            f"{one.table.box}: {one.outcome}, {draws_in_words(one.n)}: {counts}", soft_wrap=True
        )
        for reason in one.rejected:
            console.print(f"  {reason.test.name}: adjusted p {reason.p_adjusted:.3g}, "
                          f"{reason.test.method}", soft_wrap=True)  # fmt: skip
        if shifted is not None and one.described:
            best = one.described[-1]
            console.print(f"  {best.name}, no part of the verdict: p {best.p_value:.3g}, "
                          f"{best.method}", soft_wrap=True)  # fmt: skip
        for wallet in one.suspects[:_SUSPECTS_SHOWN]:
            console.print(
                f"  {wallet.wallet}: {wallet.seen} {wallet.tier} of {wallet.draws}, "
                f"{wallet.expected:.1f} expected, adjusted p {wallet.p_adjusted:.3g} (false "
                f"discovery rate {alpha:g}, {len(one.suspects)} such wallets)", soft_wrap=True,
                markup=False,
            )  # fmt: skip
    for between in found.differing:
        told = f"{between.test.detail}: adjusted p {between.p_adjusted:.3g}"
        console.print(f"boxes of one promise differ: {told}", soft_wrap=True, markup=False)
    for why, number in found.rejected_rows.items():
        console.print(f"left out: {number:,} rows, {why}", soft_wrap=True)
    console.print(f"certificate: {page}", soft_wrap=True)
    raise typer.Exit(EXIT_THRESHOLD if found.refuted else EXIT_PASSED)


@app.command()
def monitor(
    source: Annotated[str, typer.Argument(help="Draws, oldest first; may grow between calls.")],
    state: Annotated[Path, typer.Option(help="JSON file that remembers; made if missing.")],
    table: Table = None,
    odds: Odds = None,
    box: Box = None,
    alpha: Alpha = 0.01,
    epsilon: Annotated[float, typer.Option(help="How close every tier must be to hold.")] = 0.02,
    shift: Annotated[
        str | None, typer.Option(help="What to notice fastest, such as legendary=0.02.")
    ] = None,
    draws: _Draws = 1000,
    seed: _Seed = "1",
    machine: _Machine = None,
    prices: Prices = None,
    reject: _Reject = False,
    as_json: Json = False,
) -> None:
    """Watch draws as they come, and look as often as you like. Exit 99 once the promise fails.

    Says `fails`, `holds within epsilon`, or how many more draws are expected until either.

    ```
    harness odds monitor draws.csv --state odds.json --shift legendary=0.02
    ```
    """
    from harness.errors import EXIT_PASSED, EXIT_THRESHOLD, UsageError
    from harness.odds.draws import draws_in_words
    from harness.odds.monitor import Monitor, Watch, epsilons
    from harness.odds.table import parse_shares

    tables = chosen_tables(table, odds, box)
    if len(tables) != 1:
        raise UsageError("a monitor watches one box; name it with --box")
    (one,) = tables.values()
    shifted = None if shift is None else one.shifted(dict(parse_shares(shift))).probabilities
    watch = Watch(one, alpha, epsilons(one, epsilon), None if shifted is None else tuple(shifted))
    watched = Monitor.load(state, watch) if state.exists() else Monitor(watch)
    drawn = _open(source, tables, draws, seed, machine, prices, reject)
    new = watched.follow(drawn.of(one))
    watched.save(state)
    verdict = watched.verdict()
    if as_json:
        typer.echo(json.dumps({"decision": verdict.decision, "draws": verdict.n, "new": new,
                               "decided_at": verdict.decided_at, "log_e": verdict.log_e,
                               "low": verdict.low, "high": verdict.high,
                               "more_if_kept": verdict.more_if_kept,
                               "more_if_as_seen": verdict.more_if_as_seen}))  # fmt: skip
    else:
        console = Console(highlight=False)
        console.print(f"{one.box}: {verdict} ({draws_in_words(verdict.n)}, {new:,} new, e-value "
                      f"{verdict.e_value:.3g})", soft_wrap=True)  # fmt: skip
        for place, tier in enumerate(one.tiers):
            console.print(f"  {tier:12} {verdict.low[place]:.4f} to {verdict.high[place]:.4f}, "
                          f"promised {one.probabilities[place]:.4f}")  # fmt: skip
    raise typer.Exit(EXIT_THRESHOLD if verdict.decision == "fails" else EXIT_PASSED)


@app.command()
def compare(
    first: Annotated[str, typer.Argument(help="A SOURCE.")],
    second: Annotated[str | None, typer.Argument(help="Another; or split one with --at.")] = None,
    at: Annotated[
        str | None, typer.Option(help="Compare before and after this ISO 8601 time.")
    ] = None,
    table: Table = None,
    odds: Odds = None,
    box: Box = None,
    alpha: Alpha = 0.01,
    draws: _Draws = 1000,
    seed: _Seed = "1",
    machine: _Machine = None,
    prices: Prices = None,
    reject: _Reject = False,
    as_json: Json = False,
) -> None:
    """Whether two backends or two periods have the same odds. Exit 99 if they differ.

    ```
    harness odds compare old.csv new.csv
    harness odds compare draws.parquet --at 2026-11-01T00:00:00Z
    ```
    """
    import numpy as np

    from harness.errors import EXIT_PASSED, EXIT_THRESHOLD, UsageError
    from harness.odds.compare import compare as run_compare

    tables = chosen_tables(table, odds, box)
    one = only_one(tables)
    if (second is None) == (at is None):
        raise UsageError("compare two sources, or split one with --at TIME")
    sources = [first] if second is None else [first, second]
    read = [_open(name, tables, draws, seed, machine, prices, reject).of(one) for name in sources]
    if at is not None:
        from harness.odds.compare import split_at

        tallies, names = split_at(read[0], at), (f"before {at}", f"from {at}")
    else:
        tallies, names = (read[0].counts, read[1].counts), (first, str(second))
    found = run_compare(*tallies, one.tiers, alpha=alpha, names=names,
                        rng=np.random.default_rng(_number(seed)))  # fmt: skip
    if as_json:
        typer.echo(json.dumps(found.as_dict()))
    else:
        console = Console(highlight=False)
        told = "differ" if found.differs else "do not differ detectably"
        p = "not tested" if found.test.p_value is None else f"p {found.test.p_value:.3g}"
        console.print(f"{names[0]} and {names[1]} {told}: {p}, {found.test.method}", soft_wrap=True)
        for tier in found.changes:
            console.print(f"  {tier.tier:12} {tier.first:.4f} {tier.second:.4f}  change "
                          f"{tier.change_low:+.4f} to {tier.change_high:+.4f}")  # fmt: skip
    raise typer.Exit(EXIT_THRESHOLD if found.differs else EXIT_PASSED)


@app.command()
def raw(
    generator: Annotated[str, typer.Argument(help="system, seeded, or a file of bytes.")],
    tool: Annotated[str, typer.Option(help="dieharder, practrand, or stdout.")] = "dieharder",
    mebibytes: Annotated[int, typer.Option(min=1, max=1_048_576, help="How much to pour.")] = 256,
    seed: Annotated[str, typer.Option(help="Of the seeded generator.")] = "1",
    arguments: Annotated[
        str | None, typer.Option(help='Instead of the default ones: "-d 0 -g 200".')
    ] = None,
    runs: Runs = Path("runs"),
) -> None:
    """Pour a generator's raw output into a program made to judge it. Exit 99 if it fails.

    ```
    harness odds raw system --tool dieharder --arguments "-d 0 -g 200"
    harness odds raw seeded --tool stdout --mebibytes 64 | RNG_test stdin32
    ```
    """
    import shlex
    import sys

    from harness.errors import EXIT_PASSED, EXIT_THRESHOLD, UsageError
    from harness.odds.raw import judge, stream
    from harness.run.folder import new_run_folder

    size = mebibytes << 20
    chunks = stream(generator, size, seed)
    if tool == "stdout":
        for chunk in chunks:
            sys.stdout.buffer.write(chunk)
        return
    if tool not in ("dieharder", "practrand"):
        raise UsageError(f"--tool must be dieharder, practrand or stdout, is {tool!r}")
    found = judge("dieharder" if tool == "dieharder" else "practrand", chunks, size,
                  tuple(shlex.split(arguments or "")))  # fmt: skip
    report = new_run_folder(runs, datetime.now(UTC)) / "raw.txt"
    report.write_text(found.report, encoding="utf-8")
    console = Console(highlight=False)
    for line in (*found.failed, *found.weak):
        console.print(line, markup=False, soft_wrap=True)
    said = "FAILED" if found.failed else "passed"
    console.print(f"{said}: {found.command}, {found.bytes_read:,} bytes poured, "
                  f"{len(found.weak)} weak; report: {report}", soft_wrap=True)  # fmt: skip
    raise typer.Exit(EXIT_THRESHOLD if found.failed else EXIT_PASSED)


def _open(
    source: str,
    tables: dict[str, RarityTable],
    draws: int,
    seed: str,
    machine: str | None,
    prices: Path | None,
    reject: bool,
) -> Draws:
    from harness.odds.sources.named import SourceOptions, open_source

    skins = {}
    if prices is not None:
        from harness.odds.value import read_prices  # with Solana's client: 60 MB

        skins = dict(read_prices(prices))
    quiet = source != "testbed"  # the others are done before a bar could be read
    with Progress(console=Console(stderr=True), transient=True, disable=quiet) as progress:
        task = progress.add_task("draws", total=draws)
        options = SourceOptions(
            draws=draws,
            seed=None if seed == "random" else seed,
            machine=machine,
            skins={skin: tier for tier, listed in skins.items() for skin in listed},
            strict=not reject,
            keep_mints=False,  # no command shows them
            told=lambda done: progress.update(task, completed=done),
        )
        return open_source(source, tables, options)


def _number(seed: str) -> int:
    """A seed's text as a number for Monte Carlo p-values, which need repeating, not secrecy."""
    import zlib

    return int(seed) if seed.isdecimal() else zlib.crc32(seed.encode())
