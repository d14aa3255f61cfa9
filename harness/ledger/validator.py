"""A real validator in a container: solana-test-validator with the testbed's programs.

The same stage as the embedded ledger's, but with a real orchestra: slots tick by the machine's
clock, a transaction is first processed, then confirmed, then final, and whoever wants to see twelve
seconds pass has to wait for them.
"""

from __future__ import annotations

import json
import shlex
from base64 import b64encode
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from solana.exceptions import SolanaRpcException
from solana.rpc.api import Client
from solana.rpc.async_api import AsyncClient
from solana.rpc.commitment import Confirmed
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from harness.clock import Clock, SystemClock
from harness.containers import Service, ServiceSpec
from harness.ledger.bank import Bank
from harness.ledger.protocol import ProgramImage
from programs.addresses import SYSTEM

#: A public image with solana-test-validator, pinned.
IMAGE = "anzaxyz/agave:v3.1.12"

#: What the bank holds in genesis, in lamports: 100 million SOL.
BANK_LAMPORTS = 10**17

_RPC_PORT, _WEBSOCKET_PORT = 8899, 8900
_TIMEOUT_SECONDS = 30.0
_FIRST_PAYMENT_LAMPORTS = 10**9


class ValidatorLedger:
    """A validator of this run's own. Use as a context manager."""

    kind = "validator"

    def __init__(self, service: Service, bank: Keypair, clock: Clock) -> None:
        self.service = service
        self.clock = clock
        self.rpc_url = f"http://{service.host}:{service.port(_RPC_PORT)}"
        self.ws_url = f"ws://{service.host}:{service.port(_WEBSOCKET_PORT)}"
        self._client = self.client()
        self._bank = Bank(self._client, clock, bank)
        self.funder = bank.pubkey()

    @classmethod
    def start(
        cls,
        *,
        programs: Iterable[ProgramImage],
        bank: Keypair,
        log: Path,
        image: str = IMAGE,
        clock: Clock | None = None,
    ) -> ValidatorLedger:
        """Start a validator and see a first transaction confirmed.

        `bank` is the key of an account that genesis gives BANK_LAMPORTS; it pays for `fund`.
        Raises StartError if engine, image or validator will not start.
        """
        service = Service.start(validator_spec(programs, bank.pubkey(), image), log, _healthy)
        ledger = cls(service, bank, clock or SystemClock())
        try:
            ledger.fund(Keypair().pubkey(), _FIRST_PAYMENT_LAMPORTS)
        except BaseException:
            ledger.close()
            raise
        return ledger

    def client(self) -> Client:
        return Client(self.rpc_url, timeout=_TIMEOUT_SECONDS)

    def async_client(self) -> AsyncClient:
        return AsyncClient(self.rpc_url, timeout=_TIMEOUT_SECONDS)

    def fund(self, address: Pubkey, lamports: int) -> None:
        self._bank.pay(address, lamports)

    def restart(self) -> None:
        """Kill the validator as a power cut would, start it again and wait until it is healthy.

        It comes back on the same ports, with its ledger up to the last blocks that it had written
        down.
        """
        self.service.kill()
        self.service.revive(_healthy)

    def close(self) -> None:
        self.service.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def validator_spec(programs: Iterable[ProgramImage], bank: Pubkey, image: str) -> ServiceSpec:
    """The container: programs and the bank are in its genesis, its ports are its own."""
    files = {"/genesis/bank.json": account_json(bank, BANK_LAMPORTS)}
    arguments = ["--account", str(bank), "/genesis/bank.json"]
    for number, one in enumerate(programs):
        path = f"/genesis/program-{number}.so"
        files[path] = one.elf
        authority = "none" if one.upgrade_authority is None else str(one.upgrade_authority)
        arguments += ["--upgradeable-program", str(one.address), path, authority]
    # It must be told the address of the container's own network interface: 0.0.0.0 makes it
    # panic. Its ledger lies in the container, so that it survives `kill`.
    command = (
        "exec solana-test-validator --quiet --ledger /led --bind-address $(hostname -i) "
        + shlex.join(arguments)
    )
    return ServiceSpec(
        name="validator",
        image=image,
        ports=(_RPC_PORT, _WEBSOCKET_PORT),
        entrypoint=["sh", "-c"],
        command=[command],
        files=files,
    )


def account_json(address: Pubkey, lamports: int) -> bytes:
    """A system account, in the form of `solana account --output json`."""
    account = {
        "lamports": lamports,
        "data": [b64encode(b"").decode(), "base64"],
        "owner": str(SYSTEM),
        "executable": False,
        "rentEpoch": 0,
        "space": 0,
    }
    return json.dumps({"pubkey": str(address), "account": account}).encode()


def _healthy(service: Service) -> bool:
    """Whether it answers getHealth with ok and has confirmed a block after its first."""
    client = Client(f"http://{service.host}:{service.port(_RPC_PORT)}", timeout=5)
    try:
        return client.is_connected() and client.get_block_height(Confirmed).value > 0
    except SolanaRpcException:
        return False
