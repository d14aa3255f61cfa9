"""`harness ledger`: a local Solana RPC by itself, for any client, wallet or backend."""

from __future__ import annotations

import json
import re
import signal
import threading
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.ledger.embedded.chain import Chain
    from harness.ledger.embedded.record import TransactionRecord

_WAKE_SECONDS = 0.5
_DEFAULT_PORT = 8899
#: Whole lamports, fewer than 2^64 of them.
_SOL = re.compile(r"(?=\.?\d)\d{0,10}(\.\d{0,9})?", re.ASCII)


def ledger(
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="RPC and websocket; 0 takes any free port.")
    ] = _DEFAULT_PORT,
    program: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ADDRESS=FILE", help="A program's ELF, put under an address. Repeatable."
        ),
    ] = None,
    programs: Annotated[
        str | None,
        typer.Option(
            help="Token Metadata, Candy Machine, Candy Guard and the buyback at their addresses: "
            "`committed`, `fetched` or a folder with ELFs."
        ),
    ] = None,
    authority: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS", help="Who may initialise and upgrade the buyback of --programs."
        ),
    ] = None,
    account: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ADDRESS=FILE",
            help="An account from a JSON file of `solana account --output json`; `-` or nothing "
            "for ADDRESS takes the file's own. Repeatable.",
        ),
    ] = None,
    clone: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ADDRESS", help="Copy an account, with its code if a program, from --url."
        ),
    ] = None,
    url: Annotated[
        str | None, typer.Option(help="The cluster that --clone and --fork read from.")
    ] = None,
    fork: Annotated[
        bool, typer.Option("--fork", help="Fetch every account from --url when first needed.")
    ] = False,
    cache: Annotated[
        Path | None,
        typer.Option(help="Keep what was fetched in this folder, and look there first."),
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(help="Start from this file if it is there; save to it on stopping."),
    ] = None,
    fund: Annotated[
        list[str] | None,
        typer.Option(metavar="ADDRESS=SOL", help="Give a wallet SOL at the start. Repeatable."),
    ] = None,
    still: Annotated[
        bool,
        typer.Option(
            "--still", help="Let time stand still between transactions (repeatable runs)."
        ),
    ] = False,
    lag: Annotated[
        str,
        typer.Option(help="Slots that `confirmed` and `finalized` lag, as on a cluster: 1,32."),
    ] = "0,0",
    as_json: Annotated[
        bool, typer.Option("--json", help="A line of JSON when ready and for each transaction.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="Show no transactions, whatever the output is.")
    ] = False,
) -> None:
    """Run a local Solana ledger until a signal: real programs, nothing to wait for.

    Listens on 127.0.0.1 only. Shows each transaction with its instructions and logs in a
    terminal; into a pipe only what --json prints.

        harness ledger
        harness ledger --fund 6vA...=100 --state my.ledger
        harness ledger --programs committed --authority 6vA... --fund 6vA...=100
        harness ledger --program BuyB...=buyback.so --account -=oracle.json --port 0 --json
        harness ledger --clone metaqb...s1x --url https://api.mainnet-beta.solana.com
        harness ledger --fork --url https://api.devnet.solana.com --cache .accounts
    """
    if (clone or fork) and url is None:
        raise UsageError("--clone and --fork read from a cluster: name it with --url")
    if authority is not None and programs is None:
        raise UsageError("--authority is the buyback's of --programs: name those, too")
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with ExitStack() as stack:
        chain = _chain(url, cache, fork, still, lag, stack)
        if state is not None:
            from harness.ledger.embedded.snapshot import check_place, restore

            check_place(state)
            if state.exists():
                restore(chain, state)
        if programs is not None:
            _add_economy(chain, programs, authority)
        _fill(chain, program or [], account or [], clone or [], url, cache)
        chain.open()
        started = _serve(chain, port, fund or [], stack)
        show = _printer(as_json, quiet)
        if show is not None:
            chain.listeners.append(show)
        _announce(as_json, started)
        while not stop.wait(_WAKE_SECONDS):
            pass
        if state is not None:
            from harness.ledger.embedded.snapshot import save

            with chain.lock:
                save(chain, state)


def _chain(
    url: str | None, cache: Path | None, fork: bool, still: bool, lag: str, stack: ExitStack
) -> Chain:
    from datetime import UTC, datetime

    from harness.clock import VirtualClock
    from harness.ledger.embedded.chain import START, Chain
    from harness.ledger.embedded.commitment import Lags
    from harness.ledger.embedded.rpc_error import RpcError
    from harness.ledger.embedded.running_clock import RunningClock

    try:
        confirmed, finalized = (int(part) for part in lag.split(","))
        lags = Lags(confirmed, finalized)
    except ValueError as error:
        raise UsageError(f"--lag takes two numbers such as 1,32, not {lag!r} ({error})") from None
    source = None
    if fork and url is not None:
        from harness.ledger.embedded.fork import RemoteAccounts

        source = RemoteAccounts(url, cache)
        stack.callback(source.close)
    clock = VirtualClock(START) if still else RunningClock(datetime.now(UTC))
    try:
        return Chain(clock, source=source, lags=lags)
    except RpcError as error:
        raise UsageError(f"cannot fork: {error.message}; look at --url") from None


def _add_economy(chain: Chain, programs: str, authority: str | None) -> None:
    """The programs of every testbed, where they are not there already."""
    from harness.ledger.embedded.machine import add_program
    from harness.ledger.preloaded import program_images
    from harness.programs.sets import open_set

    owner = None if authority is None else _address(authority)
    for image in program_images(owner, open_set(programs)):
        if chain.account(image.address) is None:
            add_program(chain.machine, image, slot=0)


def _fill(
    chain: Chain,
    programs: list[str],
    accounts: list[str],
    clones: list[str],
    url: str | None,
    cache: Path | None,
) -> None:
    """Programs, accounts and copies that were asked for."""
    from harness.ledger.embedded.machine import add_program
    from harness.ledger.embedded.storage import read_account_file
    from harness.ledger.protocol import ProgramImage

    for text in accounts:
        name, _, file = text.rpartition("=")
        address, held = read_account_file(Path(file))
        chain.machine.set_account(address if name in ("", "-") else _address(name), held)
    for text in programs:
        name, equals, file = text.partition("=")
        if not equals:
            raise UsageError(f"--program takes ADDRESS=FILE, not {text!r}")
        try:
            elf = Path(file).read_bytes()
        except OSError as error:
            raise UsageError(f"cannot read the program {file}: {error.strerror}") from None
        if elf[:4] != b"\x7fELF":
            raise UsageError(f"{file} is not an ELF file; name the .so that the build made")
        add_program(chain.machine, ProgramImage(_address(name), elf), slot=0)
    if clones and url is not None:
        from harness.ledger.embedded.fork import clone_into

        clone_into(chain, [_address(one) for one in clones], url, cache)


def _address(text: str) -> Any:
    from solders.pubkey import Pubkey

    try:
        return Pubkey.from_string(text)
    except ValueError:
        raise UsageError(f"{text!r} is not an address: 32 bytes in base58") from None


def _serve(chain: Chain, port: int, funds: list[str], stack: ExitStack) -> Any:
    from harness.ledger.embedded import EmbeddedLedger

    wallets = []
    for text in funds:
        name, _, amount = text.partition("=")
        if not _SOL.fullmatch(amount):
            raise UsageError(f"--fund takes ADDRESS=SOL such as 2.5 or 0.000000001, not {text!r}")
        wallets.append((_address(name), int(Decimal(amount) * 10**9)))
    started = stack.enter_context(EmbeddedLedger.serve(chain, port=port))
    for address, lamports in wallets:
        started.fund(address, lamports)
    return started


def _printer(as_json: bool, quiet: bool) -> Any:
    """What prints a transaction; None where nobody watches."""
    import sys

    if quiet or not (as_json or sys.stdout.isatty()):
        return None
    from harness.ledger.embedded.console import lines, summary

    def show(record: TransactionRecord) -> None:
        if as_json:
            typer.echo(json.dumps({"transaction": summary(record)}))
        else:
            typer.echo("\n".join(lines(record)))

    return show


def _announce(as_json: bool, started: Any) -> None:
    if as_json:
        typer.echo(json.dumps({"rpc_url": started.rpc_url, "ws_url": started.ws_url}))
        return
    typer.echo(f"rpc        {started.rpc_url}\nwebsocket  {started.ws_url}\nready; Ctrl-C stops it")
