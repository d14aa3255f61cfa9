"""A ledger that somebody else runs, behind an RPC URL: a test validator, Surfpool, devnet.

Like playing on a rented pitch: its clock is the world's, its grass shows earlier games, and nobody
takes it away after the match.
"""

from __future__ import annotations

import json
import secrets
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
from harness.ledger.bank import Bank
from harness.ledger.mainnet import refuse_mainnet
from harness.ledger.protocol import ProgramImage
from harness.ledger.upload import Uploader
from harness.programs.sets import PROGRAMS
from harness.seeds import Seed
from programs.addresses import program_data_address
from programs.buyback import client as buyback
from programs.loader.client import ProgramData

_TIMEOUT_SECONDS = 30.0
_AIRDROP_TRIES_MAX = 8
_AIRDROP_WAIT_SECONDS_MAX = 20.0
_POLL_SECONDS = 0.4
_POLLS_MAX = 100
_ACCOUNTS_PER_CALL = 100  # the most that getMultipleAccounts takes
_VERSIONS = 256
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_AUTHORITY_SENTENCE = "mystery-box testbed: authority on shared ledgers of one machine"
_DEPLOY_LAMPORTS = 10 * 10**9


class ClusterLedger:
    """Any Solana RPC. Use as a context manager; leaving it stops nothing."""

    kind = "cluster"

    def __init__(self, url: str, clock: Clock | None = None, wallet: Keypair | None = None) -> None:
        """`wallet` pays for `fund`; without one the faucet does."""
        self.rpc_url = url
        self.ws_url = websocket_url(url)
        self.clock: Clock = clock or SystemClock()
        self._client = self.client()
        self._wallet = wallet
        self.funder = None if wallet is None else wallet.pubkey()

    def client(self) -> Client:
        return Client(self.rpc_url, timeout=_TIMEOUT_SECONDS)

    def async_client(self) -> AsyncClient:
        return AsyncClient(self.rpc_url, timeout=_TIMEOUT_SECONDS)

    def fund(self, address: Pubkey, lamports: int) -> None:
        if self._wallet is None:
            self._ask_faucet(address, lamports)
        elif address != self._wallet.pubkey():
            Bank(self._client, self.clock, self._wallet).pay(address, lamports)

    def _ask_faucet(self, address: Pubkey, lamports: int) -> None:
        """A faucet refuses now and then; asked again, up to a limit."""
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
            f"the faucet behind {place(self.rpc_url)} did not give {lamports} lamports ({reason}); "
            "give a funded key with --wallet FILE"
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
    shared = True

    def __init__(self, url: str, wallet: Path | None = None, mainnet_asked: int = 0) -> None:
        """`mainnet_asked` counts the flags by which a person means mainnet-beta; two are needed.

        Raises UsageError for a URL without a host or a file that is no key.
        """
        self._url = url
        self._mainnet_asked = mainnet_asked
        host = urlsplit(url).hostname
        if not host:
            raise UsageError(f"--ledger {place(url)}: names no host")
        self._wallet = None if wallet is None else read_key(wallet)
        self._local = host in _LOOPBACK

    def new_clock(self) -> Clock:
        return SystemClock()

    def keys(self, scenario: Seed) -> Seed:
        return scenario.child(secrets.token_hex(8))

    def authority(self, scenario: Seed) -> Keypair:
        if self._wallet is not None:
            return self._wallet
        if not self._local:
            raise UsageError(
                f"--ledger {place(self._url)}: is not this machine; give the key file that pays "
                "and may upgrade the buyback program there with --wallet FILE"
            )
        return local_authority()

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
        ledger = self.visit(clock)
        provide_programs(ledger, images, self.authority(scenario))
        return ledger

    def visit(self, clock: Clock) -> ClusterLedger:
        """The ledger as it is found, with nothing deployed.

        Raises UsageError if nobody would pay there or mainnet-beta was not asked for twice,
        StartError if no Solana RPC answers.
        """
        if self._wallet is None and not self._local:
            raise UsageError(
                f"--ledger {place(self._url)}: is not this machine; give the key file that pays "
                "there with --wallet FILE"
            )
        ledger = ClusterLedger(self._url, clock, self._wallet)
        require_answer(ledger.client(), self._url)
        refuse_mainnet(ledger.client(), self._mainnet_asked)
        return ledger


def local_authority() -> Keypair:
    """Who deploys on a shared ledger of this machine. Anybody can know the key; fund it nowhere
    else."""
    return Seed(_AUTHORITY_SENTENCE).keypair("authority")


def require_answer(client: Client, url: str) -> None:
    """Raises StartError if no Solana RPC answers."""
    try:
        client.get_slot(Confirmed)
    except (SolanaRpcException, RPCException) as error:
        reason = str(error) or type(error.__cause__ or error).__name__
        raise StartError(f"no Solana RPC answers at {place(url)}: {reason[:200]}") from None


def provide_programs(
    ledger: ClusterLedger, images: Sequence[ProgramImage], authority: Keypair
) -> None:
    """See that the programs are there; deploy the buyback program if it is the only one missing.

    Raises StartError naming what is missing, or whose key is needed.
    """
    client = ledger.client()
    addresses = [image.address for image in images]
    found = client.get_multiple_accounts(addresses, commitment=Confirmed).value
    missing = {
        image.address: image
        for image, account in zip(images, found, strict=True)
        if account is None or not account.executable
    }
    ours = missing.pop(buyback.PROGRAM_ID, None)
    if missing:
        names = ", ".join(one.name for one in PROGRAMS if one.address in missing)
        raise StartError(
            f"the ledger at {place(ledger.rpc_url)} lacks {names}; docs/docker.md says what to do"
        )
    if ours is not None:
        ledger.fund(authority.pubkey(), _DEPLOY_LAMPORTS)
        uploader = Uploader(client, ledger.clock, authority)
        uploader.deploy(buyback.local_keypair(), ours.elf)
    else:
        _assert_upgradable(client, ledger.rpc_url, authority.pubkey())


def _assert_upgradable(client: Client, url: str, authority: Pubkey) -> None:
    """Only the upgrade authority may create a configuration."""
    account = client.get_account_info(program_data_address(buyback.PROGRAM_ID), Confirmed).value
    data = None if account is None else ProgramData.parse(bytes(account.data))
    if data is None or data.upgrade_authority != authority:
        raise StartError(
            f"the buyback program at {place(url)} has another upgrade authority; give its key file "
            "with --wallet FILE, or play against the backend that runs there: --backend URL"
        )


def free_config_version(client: Client) -> int:
    """The first version of the buyback's configuration that nobody has made yet.

    Raises StartError if all 256 are taken.
    """
    addresses = [buyback.config_address(version) for version in range(_VERSIONS)]
    for start in range(buyback.CONFIG_VERSION, _VERSIONS, _ACCOUNTS_PER_CALL):
        part = addresses[start : start + _ACCOUNTS_PER_CALL]
        for number, account in enumerate(
            client.get_multiple_accounts(part, commitment=Confirmed).value
        ):
            if account is None:
                return start + number
    raise StartError("all configurations of the buyback program are taken; start a fresh ledger")


def read_key(path: Path) -> Keypair:
    """A key file as `solana-keygen` writes it. Raises UsageError; shows nothing of the file."""
    try:
        return Keypair.from_bytes(bytes(json.loads(path.read_text(encoding="ascii"))))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, TypeError):
        raise UsageError(f"{path}: is no key file (a JSON array of 64 numbers)") from None


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
