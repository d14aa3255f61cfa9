"""Which ledger a run plays on, from what a person wrote: embedded, validator or a URL.

A source is a door: opened for each scenario, behind it stands a ledger for that scenario alone (or,
behind a URL, the one that everybody shares).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from solders.keypair import Keypair

from harness.clock import Clock, SystemClock, VirtualClock
from harness.errors import UsageError
from harness.ledger.embedded import START, EmbeddedLedger
from harness.ledger.protocol import Ledger, ProgramImage
from harness.seeds import Seed

HELP = "embedded, validator (in a container; validator=IMAGE names another) or an RPC URL."


class LedgerSource(Protocol):
    """Opens the ledgers of a run. `kind` is embedded, validator or cluster.

    `shared` tells a ledger that has seen earlier runs: keys must be new there, and what was on it
    before is none of this run's doing.
    """

    kind: str
    shared: bool

    def new_clock(self) -> Clock:
        """The clock of one scenario: virtual or the machine's."""
        ...

    def keys(self, scenario: Seed) -> Seed:
        """The seed of a scenario's keys: its own, or on a shared ledger one never used before."""
        ...

    def authority(self, scenario: Seed) -> Keypair:
        """The key that deploys, and may upgrade the buyback program."""
        ...

    def open(
        self,
        *,
        clock: Clock,
        images: Sequence[ProgramImage],
        scenario: Seed,
        log: Path,
        rpc_port: int,
    ) -> AbstractContextManager[Ledger]:
        """A ledger with the programs of `images` on it. Raises StartError."""
        ...


class EmbeddedSource:
    """A ledger in this process for each scenario."""

    kind = "embedded"
    shared = False

    def new_clock(self) -> Clock:
        return VirtualClock(START)

    def keys(self, scenario: Seed) -> Seed:
        return scenario

    def authority(self, scenario: Seed) -> Keypair:
        return scenario.keypair("authority")

    def open(
        self,
        *,
        clock: Clock,
        images: Sequence[ProgramImage],
        scenario: Seed,
        log: Path,
        rpc_port: int,
    ) -> EmbeddedLedger:
        return EmbeddedLedger.start(clock=clock, programs=images, port=rpc_port)


class ValidatorSource:
    """A validator in a container of its own for each scenario."""

    kind = "validator"
    shared = False

    def __init__(self, image: str | None = None) -> None:
        self._image = image

    def new_clock(self) -> Clock:
        return SystemClock()

    def keys(self, scenario: Seed) -> Seed:
        return scenario

    def authority(self, scenario: Seed) -> Keypair:
        return scenario.keypair("authority")

    def open(
        self,
        *,
        clock: Clock,
        images: Sequence[ProgramImage],
        scenario: Seed,
        log: Path,
        rpc_port: int,
    ) -> AbstractContextManager[Ledger]:
        from harness.ledger.validator import IMAGE, ValidatorLedger

        if rpc_port:
            raise UsageError("--rpc-port: a validator in a container takes any free port")
        return ValidatorLedger.start(
            programs=images,
            bank=scenario.keypair("bank"),
            log=log,
            image=self._image or IMAGE,
            clock=clock,
        )


def ledger_source(written: str, wallet: Path | None = None, mainnet_asked: int = 0) -> LedgerSource:
    """What `--ledger` means; `wallet` is the key file that pays and deploys behind a URL,
    `mainnet_asked` how many flags say that mainnet-beta is meant.

    Raises UsageError for what it cannot mean.
    """
    kind, _, image = written.partition("=")
    is_url = urlsplit(written).scheme in ("http", "https")
    if wallet is not None and not is_url:
        raise UsageError(f"--wallet: pays on a ledger behind a URL; --ledger is {written}")
    if written == "embedded":
        return EmbeddedSource()
    if kind == "validator" and (image or "=" not in written):
        return ValidatorSource(image or None)
    if is_url:
        from harness.ledger.cluster import ClusterSource

        return ClusterSource(written, wallet, mainnet_asked)
    raise UsageError(f"--ledger {written}: must be {HELP[:-1]}")
