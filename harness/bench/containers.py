"""How much slower real slots are: the core suite on the embedded ledger and on a validator.

A race between a film that is watched and one that is lived through. Both play the same scenarios
with the same seed in one run, so that only their ratio is told. Whole life cycles are measured
apart, in one testbed that is up already: a suite's wall time is mostly the start of its testbeds.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from solders.keypair import Keypair

from harness.database import EmbeddedPostgres
from harness.database.container import ContainerPostgres
from harness.errors import HarnessError
from harness.ledger.embedded import EmbeddedLedger
from harness.ledger.preloaded import program_images
from harness.ledger.validator import ValidatorLedger
from harness.run.runner import RunRequest, play
from harness.run.session import RunOptions, RunSession

#: Enough for a steady figure; a validator's cycle takes some fifteen seconds.
_CYCLES = {"embedded": 50, "validator": 4}


@dataclass(frozen=True)
class Side:
    """One side of the race. Seconds are this machine's, of this run.

    `cycles_a_second` includes the guide's 12 s between mint and reveal, which only the validator
    really waits; `unwaited_cycles_a_second` leaves them out on both.
    """

    suite_seconds: float
    cycles_a_second: float
    unwaited_cycles_a_second: float
    ledger_start_seconds: float
    database_start_seconds: float


@dataclass(frozen=True)
class ContainerFigures:
    """Both sides, and validator against embedded as ratios."""

    embedded: Side
    validator: Side
    suite_ratio: float
    cycles_ratio: float
    unwaited_cycles_ratio: float
    start_ratio: float


def measure_containers(suite: str, seed: str, folder: Path) -> ContainerFigures:
    """Play the suite on both. Raises HarnessError if it does not pass, StartError if a part will
    not start."""
    embedded = _side(suite, seed, folder, "embedded", "embedded")
    validator = _side(suite, seed, folder, "validator", "container")
    return ContainerFigures(
        embedded=embedded,
        validator=validator,
        suite_ratio=validator.suite_seconds / embedded.suite_seconds,
        cycles_ratio=embedded.cycles_a_second / validator.cycles_a_second,
        unwaited_cycles_ratio=embedded.unwaited_cycles_a_second
        / validator.unwaited_cycles_a_second,
        start_ratio=(validator.ledger_start_seconds + validator.database_start_seconds)
        / (embedded.ledger_start_seconds + embedded.database_start_seconds),
    )


def _side(suite: str, seed: str, folder: Path, ledger: str, database: str) -> Side:
    runs = folder / ledger
    started = time.perf_counter()
    code, report = play(
        RunRequest(suite=suite, seed=seed, runs=runs, ledger=ledger, database=database)
    )
    seconds = time.perf_counter() - started
    if code != 0:
        raise HarnessError(f"bench: {suite} on {ledger} ended with {code}; see {report}")
    waited, unwaited = _cycles(seed, folder, ledger, database)
    return Side(
        suite_seconds=seconds,
        cycles_a_second=waited,
        unwaited_cycles_a_second=unwaited,
        ledger_start_seconds=_start_of_ledger(ledger, folder),
        database_start_seconds=_start_of_database(database, folder),
    )


def _cycles(seed: str, folder: Path, ledger: str, database: str) -> tuple[float, float]:
    """Boxes minted, revealed and sold a second, one after another; with and without the wait."""
    cycles = _CYCLES[ledger]
    (folder / "logs").mkdir(exist_ok=True)
    session = RunSession(RunOptions(seed=seed, folder=folder, ledger=ledger, database=database))
    try:
        with session.testbed(f"cycles-{ledger}", title="whole life cycles") as bed:
            player = bed.player(lamports=2 * cycles * 10**9)
            rates = []
            for wait in (True, False):
                started = time.perf_counter()
                for _ in range(cycles):
                    nft = player.mint()
                    player.reveal(nft, wait=wait)
                    player.sell(nft)
                rates.append(cycles / (time.perf_counter() - started))
    finally:
        session.close()
    return rates[0], rates[1]


def _start_of_ledger(kind: str, folder: Path) -> float:
    programs = program_images(Keypair().pubkey())
    started = time.perf_counter()
    if kind == "embedded":
        with EmbeddedLedger.start(programs=programs):
            return time.perf_counter() - started
    log = folder / "start-of-validator.log"
    with ValidatorLedger.start(programs=programs, bank=Keypair(), log=log):
        return time.perf_counter() - started


def _start_of_database(kind: str, folder: Path) -> float:
    started = time.perf_counter()
    log = folder / f"start-of-{kind}-postgres.log"
    server = EmbeddedPostgres.start(log) if kind == "embedded" else ContainerPostgres.start(log)
    seconds = time.perf_counter() - started
    server.close()
    return seconds
