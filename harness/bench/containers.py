"""How much slower real slots are: the core suite on the embedded ledger and on a validator.

A race between a film that is watched and one that is lived through. Both play the same scenarios
with the same seed in one run, so that only their ratio is told.
"""

from __future__ import annotations

import json
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


@dataclass(frozen=True)
class Side:
    """One side of the race. Seconds are this machine's, of this run."""

    suite_seconds: float
    cycles: int
    cycles_a_second: float
    ledger_start_seconds: float
    database_start_seconds: float


@dataclass(frozen=True)
class ContainerFigures:
    """Both sides, and validator against embedded as ratios."""

    embedded: Side
    validator: Side
    suite_ratio: float
    cycles_ratio: float
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
    counted = json.loads(report.with_name("summary.json").read_text(encoding="utf-8"))["counted"]
    cycles = int(counted["buybacks"])  # each is a box minted, revealed and sold
    return Side(
        suite_seconds=seconds,
        cycles=cycles,
        cycles_a_second=cycles / seconds,
        ledger_start_seconds=_start_of_ledger(ledger, folder),
        database_start_seconds=_start_of_database(database, folder),
    )


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
