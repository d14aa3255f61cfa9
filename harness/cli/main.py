"""`harness`: the command line. Each command lives in a module of its own and is named here."""

from __future__ import annotations

import errno
import io
import os
import signal
import sys

import typer
from rich.console import Console
from rich.markup import escape

from harness.cli import (
    bench,
    bench_containers,
    bench_load,
    compare,
    doctor,
    ledger,
    load,
    load_worker,
    odds,
    parity,
    programs,
    provision,
    run,
    scenarios,
    treasury,
    treasury_real,
    treasury_rules,
    up,
    validity,
)
from harness.errors import EXIT_FAILED, HarnessError, StartError, UsageError
from harness.extras import missing_extra
from harness.proxies import spare_loopback

app = typer.Typer(
    name="harness",
    help=(
        "Testbed for an NFT mystery-box economy on Solana.\n\n"
        "Start with `harness run`: players mint, reveal and sell back on real programs, a real "
        "database and a real HTTP backend, and independent judges look at what is left.\n\n"
        "Exit codes: 0 passed, 1 a scenario or check failed, 2 wrong usage, 3 the environment "
        "would not start, 99 a threshold was crossed, 130 interrupted."
    ),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
app.command("run")(run.run)
app.command("suites")(run.list_suites)
app.command("scenarios")(scenarios.scenarios)
app.command("compare")(compare.compare)
app.command("up")(up.up)
app.command("ledger")(ledger.ledger)
app.command("doctor")(doctor.doctor)
app.command("bench")(bench.bench)
app.command("bench-load")(bench_load.bench_load)
app.command("bench-docker")(bench_containers.bench_docker)
app.command("load")(load.load)
app.command("load-worker")(load_worker.load_worker)
app.add_typer(programs.app, name="programs")
app.command("parity")(parity.parity)
app.add_typer(provision.app, name="provision")
app.command("validity")(validity.validity)
app.add_typer(odds.app)
for command in (
    treasury_rules.stress,
    treasury_rules.reserve,
    treasury_rules.frontier,
    treasury_rules.sensitivity,
):
    treasury.app.command()(command)
treasury.app.command("replay")(treasury_real.replay)
treasury.app.command("calibrate")(treasury_real.calibrate)
treasury.app.command("adversary")(treasury_real.adversary)
app.add_typer(treasury.app, name="treasury")


def main() -> None:
    """Entry point: turns every error of the harness into one line and an exit code."""
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):  # an arrow in a log of Latin-1 is no reason to fail
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    console = Console(stderr=True, highlight=False)
    # Who runs a gate for others, such as CI, cancels with SIGTERM: the same end as Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    spare_loopback()
    try:
        _run()
    except HarnessError as error:
        console.print(f"[red]harness:[/red] {escape(str(error))}", soft_wrap=True)
        for line in error.log_lines if isinstance(error, StartError) else ():
            console.print(f"  [dim]{escape(line)}[/dim]", soft_wrap=True)
        sys.exit(error.exit_code)


def _open_closed_streams() -> None:
    """Let streams that whoever started us has closed lead nowhere. Else the next file gets their
    number: once the lock on the database's data, which a child then has not, and is swept away."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            number = os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8"))


def _run() -> None:
    try:
        try:
            app()
        finally:
            sys.stdout.flush()  # here, not after all that could still be said about it
    except ModuleNotFoundError as error:
        told = missing_extra(error)
        if told is None:
            raise
        raise told from None
    except BrokenPipeError:  # who reads has seen enough, such as head
        _let_go_of_stdout()
        sys.exit(EXIT_FAILED)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        _let_go_of_stdout()
        where = error.filename or "stdout or a file of results"
        raise UsageError(f"{where}: cannot be written ({error.strerror})") from None


def _let_go_of_stdout() -> None:
    """Drop what stdout holds and does not get rid of, lest Python try once more at the very end."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
