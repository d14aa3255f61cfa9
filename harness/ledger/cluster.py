"""A ledger that somebody else runs, behind an RPC URL: a test validator, Surfpool, devnet.

Like playing on a rented pitch: its clock is the world's, its grass shows earlier games, and nobody
takes it away after the match.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit, urlunsplit

from solana.exceptions import SolanaRpcException
from solana.rpc.api import Client
from solana.rpc.async_api import AsyncClient
from solana.rpc.commitment import Confirmed
from solana.rpc.core import RPCException
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from harness.clock import Clock, SystemClock
from harness.errors import StartError, UsageError
from harness.ledger.protocol import ProgramImage
from harness.programs.sets import PROGRAMS
from harness.seeds import Seed

_TIMEOUT_SECONDS = 30.0
_AIRDROP_TRIES_MAX = 8
_AIRDROP_WAIT_SECONDS_MAX = 20.0
_POLL_SECONDS = 0.4
_POLLS_MAX = 100


class ClusterLedger:
    """Any Solana RPC. Use as a context manager; leaving it stops nothing."""

    kind = "cluster"

    def __init__(self, url: str, clock: Clock | None = None) -> None:
        self.rpc_url = url
        self.ws_url = websocket_url(url)
        self.clock: Clock = clock or SystemClock()
        self._client = self.client()

    def client(self) -> Client:
        return Client(self.rpc_url, timeout=_TIMEOUT_SECONDS)

    def async_client(self) -> AsyncClient:
        return AsyncClient(self.rpc_url, timeout=_TIMEOUT_SECONDS)

    def fund(self, address: Pubkey, lamports: int) -> None:
        """Ask the cluster's faucet. It refuses now and then; asked again, up to a limit."""
        before = self._client.get_balance(address, Confirmed).value
        reason = "no answer"
        for attempt in range(_AIRDROP_TRIES_MAX):
            try:
                self._client.request_airdrop(address, lamports, Confirmed)
            except (RPCException, SolanaRpcException) as error:
                reason = str(error).splitlines()[0][:200] or type(error).__name__
                self.clock.sleep(min(2.0**attempt, _AIRDROP_WAIT_SECONDS_MAX))
                continue
            for _ in range(_POLLS_MAX):
                if self._client.get_balance(address, Confirmed).value >= before + lamports:
                    return
                self.clock.sleep(_POLL_SECONDS)
            reason = "its transaction did not land"
        raise StartError(
            f"the faucet behind {place(self.rpc_url)} did not give {lamports} lamports: {reason}"
        )

    def close(self) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class ClusterSource:
    """One ledger for all scenarios of a run; each has its own buyback configuration on it."""

    kind = "cluster"

    def __init__(self, url: str) -> None:
        self._url = url
        parts = urlsplit(url)
        if not parts.hostname:
            raise UsageError(f"--ledger {place(url)}: names no host")

    def new_clock(self) -> Clock:
        return SystemClock()

    def authority(self, run: Seed, scenario: Seed) -> Keypair:
        return run.keypair("authority")

    def open(
        self,
        *,
        clock: Clock,
        images: Sequence[ProgramImage],
        scenario: Seed,
        log: Path,
        rpc_port: int,
    ) -> ClusterLedger:
        if rpc_port:
            raise UsageError("--rpc-port: a ledger behind a URL has its own")
        ledger = ClusterLedger(self._url, clock)
        require_programs(ledger.client(), self._url)
        return ledger


def require_programs(client: Client, url: str) -> None:
    """Raises StartError if the RPC does not answer or a program is not there."""
    try:
        found = client.get_multiple_accounts(
            [program.address for program in PROGRAMS], commitment=Confirmed
        ).value
    except (SolanaRpcException, RPCException) as error:
        reason = str(error) or type(error.__cause__ or error).__name__
        raise StartError(f"no Solana RPC answers at {place(url)}: {reason[:200]}") from None
    missing = [
        program.name
        for program, account in zip(PROGRAMS, found, strict=True)
        if account is None or not account.executable
    ]
    if missing:
        raise StartError(
            f"the ledger at {place(url)} lacks {', '.join(missing)}; docs/docker.md says what to do"
        )


def websocket_url(url: str) -> str:
    """Where a cluster's websocket is: the next port, or the same place if no port is named."""
    parts = urlsplit(url)
    scheme = "wss" if parts.scheme == "https" else "ws"
    host = parts.hostname or ""
    netloc = f"{host}:{parts.port + 1}" if parts.port else parts.netloc
    return urlunsplit((scheme, netloc, parts.path, parts.query, ""))


def place(url: str) -> str:
    """A URL without its user, path and query, where API keys are."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")
