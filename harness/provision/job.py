"""The one-shot job: programs, wallets, machine, buyback and database, then the backend's settings.

Safe to run again: what is there stays. A job that was killed half-way goes on where it stopped.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from solana.rpc.commitment import Confirmed
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from harness.backend_server import prepare_database
from harness.candy_config import CandyConfig
from harness.deployment import Deployment, deploy
from harness.errors import StartError, UsageError
from harness.ledger.bank import Bank
from harness.ledger.cluster import ClusterLedger, provide_programs, require_answer
from harness.ledger.mainnet import refuse_mainnet
from harness.ledger.preloaded import program_images
from harness.provision.keys import KeyFolder
from harness.settings import TestbedSettings
from harness.submission import Submission, sign, submit

BOX_ID = "mystery-box"
_ENVIRONMENT, _ADDRESSES = "backend.env", "deployment.json"


def database_url(environment: Mapping[str, str]) -> str:
    """Where the guide's variables say that the database is. Raises UsageError without a host."""
    if not environment.get("DB_HOST"):
        raise UsageError("--fill-database: DB_HOST is not set")
    user = quote(environment.get("DB_USERNAME", "postgres"), safe="")
    password = quote(environment.get("DB_PASSWORD", ""), safe="")
    place = f"{environment['DB_HOST']}:{environment.get('DB_PORT', '5432')}"
    name = environment.get("DB_DATABASE", "loot")
    return f"postgresql+psycopg://{user}:{password}@{place}/{name}"


class Job:
    """Brings one economy up on the ledger behind `rpc_url`, with the keys of `keys`."""

    def __init__(
        self, keys: KeyFolder, rpc_url: str, config: CandyConfig, settings: TestbedSettings
    ) -> None:
        self._keys = keys
        self._config = config
        self._settings = settings
        self._ledger = ClusterLedger(rpc_url)
        self._client = self._ledger.client()

    def run(self, database_url: str | None) -> Deployment:
        """Do what is still to do. Raises StartError saying what failed."""
        require_answer(self._client, self._ledger.rpc_url)
        refuse_mainnet(self._client)
        authority = self._keys.keypair("authority")
        self._fund("authority", self._settings.authority_lamports)
        self._fund("treasury", self._settings.treasury_lamports)
        provide_programs(self._ledger, program_images(authority.pubkey()), authority)
        deployment = deploy(
            self._config,
            seed=self._keys,
            authority=authority,
            treasury=self._keys.keypair("treasury").pubkey(),
            min_treasury_lamports=self._settings.min_treasury_lamports,
            items_available=self._settings.items_available or self._config.items_available,
            submit=self._submit,
            rent_lamports=lambda size: (
                self._client.get_minimum_balance_for_rent_exemption(size).value
            ),
            done=self._exists,
        )
        if database_url is not None:
            prepare_database(database_url)
        self._keys.write_private(_ENVIRONMENT, self._environment(deployment))
        self._keys.write_private(_ADDRESSES, json.dumps(self._addresses(deployment), indent=2))
        return deployment

    def _fund(self, name: str, lamports: int) -> None:
        """Bring a wallet up to `lamports`, from the bank of genesis. Raises StartError if the bank
        holds less than is missing."""
        address = self._keys.keypair(name).pubkey()
        missing = lamports - self._client.get_balance(address, Confirmed).value
        if missing <= 0:
            return
        key = self._keys.keypair("bank")
        held = self._client.get_balance(key.pubkey(), Confirmed).value
        if held <= missing:
            raise StartError(
                f"the bank holds {held} lamports, and the {name} lacks {missing}: start the ledger "
                f"with {self._keys.folder / 'bank.account.json'}, or send SOL to the address in "
                "bank.address beside it"
            )
        Bank(self._client, self._ledger.clock, key).pay(address, missing)

    def _exists(self, address: Pubkey) -> bool:
        return self._client.get_account_info(address, Confirmed).value is not None

    def _submit(
        self, action: str, instructions: Sequence[Instruction], signers: Sequence[Keypair]
    ) -> Submission:
        transaction, last_height = sign(self._client, instructions, signers)
        return submit(self._client, self._ledger.clock, transaction, last_height)

    def _addresses(self, deployment: Deployment) -> dict[str, Any]:
        """What everybody may know: for players, `harness run --backend` and wallets."""
        names = (
            "candy_machine", "candy_guard", "collection_mint", "buyback_program",
            "buyback_config", "treasury", "authority", "destination",
        )  # fmt: skip
        found: dict[str, Any] = {name: str(getattr(deployment, name)) for name in names}
        return {**found, "box_id": BOX_ID}

    def _environment(self, deployment: Deployment) -> str:
        """The backend's variables that follow from the deployment, keys included, for a shell."""
        values = {
            "BUYBACK_PROGRAM_ID": str(deployment.buyback_program),
            "BUYBACK_CONFIG_VERSION": str(deployment.buyback_config_version),
            "COLLECTION_MINT": str(deployment.collection_mint),
            "CANDY_MACHINE_ID": str(deployment.candy_machine),
            "PLACEHOLDER_URI": self._config.hidden.uri,
            "ADMIN_WALLET_PRIVATE_KEY": json.dumps(list(bytes(self._keys.keypair("treasury")))),
            "ADMIN_PRIVATE_KEY": str(self._keys.keypair("authority")),
        }
        return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in values.items())
