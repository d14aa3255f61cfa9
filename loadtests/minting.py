"""Minting on the ledger, for journeys: the player's wallet and an RPC, no backend."""

from __future__ import annotations

from solana.rpc.api import Client
from solana.rpc.commitment import Confirmed
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from harness.clock import SystemClock
from harness.errors import UsageError
from harness.load.plan import Plan
from harness.submission import Outcome, sign, submit
from loadtests.recorder import Recorder
from programs.candy_guard import client as candy_guard
from programs.token_metadata import client as token_metadata

_TIMEOUT_SECONDS = 30.0


class Minting:
    """Mints mystery boxes and writes down which, for the judges."""

    def __init__(self, plan: Plan, recorder: Recorder) -> None:
        self._client = Client(plan.rpc_url, timeout=_TIMEOUT_SECONDS)
        self._clock = SystemClock()
        self._recorder = recorder
        self._plan = plan
        self._machine: candy_guard.MintAccounts | None = None

    def mint(self, wallet: Keypair) -> tuple[Pubkey | None, str]:
        """Mint one box; the NFT's address, or None and why not."""
        nft = Keypair()
        if self._machine is None:
            self._machine = self._read_machine()
        instruction = candy_guard.mint(
            machine=self._machine, payer=wallet.pubkey(), mint=nft.pubkey()
        )
        transaction, last_height = sign(self._client, [instruction], [wallet, nft])
        # Written before it is sent: whatever happens after, the judges know of it.
        self._recorder.write_mint(str(nft.pubkey()))
        sent = submit(self._client, self._clock, transaction, last_height)
        if sent.outcome is not Outcome.LANDED:
            return None, sent.fault.name if sent.fault else sent.outcome.value
        metadata = token_metadata.metadata_address(nft.pubkey())
        if self._client.get_account_info(metadata, Confirmed).value is None:
            return None, "BotTaxed"
        return nft.pubkey(), ""

    def _read_machine(self) -> candy_guard.MintAccounts:
        """The machine's accounts; its guards as the ledger has them."""
        guard = Pubkey.from_string(self._plan.candy_guard)
        account = self._client.get_account_info(guard, Confirmed).value
        if account is None:
            raise UsageError(f"there is no candy guard at {self._plan.rpc_url}")
        return candy_guard.MintAccounts(
            machine=Pubkey.from_string(self._plan.candy_machine),
            guard=guard,
            collection_mint=Pubkey.from_string(self._plan.collection_mint),
            collection_update_authority=Pubkey.from_string(self._plan.authority),
            guards=candy_guard.Guards.parse(bytes(account.data)),
        )
