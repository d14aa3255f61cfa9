"""The wallet that pays for everybody's first lamports, on ledgers that run in real time."""

from __future__ import annotations

from solana.rpc.api import Client
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer

from harness.clock import Clock
from harness.errors import StartError
from harness.submission import Outcome, sign, submit

_TRIES_MAX = 3


class Bank:
    """Pays out of one wallet, by transfers that the ledger shows."""

    def __init__(self, client: Client, clock: Clock, keypair: Keypair) -> None:
        self._client = client
        self._clock = clock
        self._keypair = keypair
        self._payments = 0

    def pay(self, address: Pubkey, lamports: int) -> None:
        """Pay and wait until it landed. Raises StartError if it does not."""
        move = transfer(
            TransferParams(from_pubkey=self._keypair.pubkey(), to_pubkey=address, lamports=lamports)
        )
        for _ in range(_TRIES_MAX):
            self._payments += 1
            # The unit limit differs each time, so that two equal payments in a slot are two.
            transaction, last_height = sign(
                self._client, [move], [self._keypair],
                compute_units_limit=10_000 + self._payments % 1_000_000,
            )  # fmt: skip
            sent = submit(self._client, self._clock, transaction, last_height)
            if sent.outcome is Outcome.LANDED:
                return
            if sent.outcome is Outcome.FAILED:
                break
        reason = sent.fault.message if sent.fault else "no reason given"
        raise StartError(f"funding a wallet with {lamports} lamports was {sent.outcome}: {reason}")
