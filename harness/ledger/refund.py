"""Giving back what is left: from the wallets of a scenario to the one that paid for it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from solana.exceptions import SolanaRpcException
from solana.rpc.api import Client
from solana.rpc.commitment import Confirmed
from solana.rpc.core import RPCException
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer

from harness.clock import Clock
from harness.submission import Outcome, sign, submit

_FEE_LAMPORTS = 5_000  # one signature, no priority fee


def give_back(client: Client, clock: Clock, wallets: Sequence[Keypair], to: Pubkey) -> int:
    """Empty each wallet into `to`; the lamports that arrived.

    A wallet that cannot be emptied is told on stderr and the others still are: its key was made
    for this scenario and is not kept.
    """
    arrived = 0
    for wallet in wallets:
        try:
            arrived += _empty(client, clock, wallet, to)
        except (SolanaRpcException, RPCException) as error:
            reason = type(error.__cause__ or error).__name__
            _tell(f"a wallet's rest could not be given back ({reason})")
    return arrived


def _empty(client: Client, clock: Clock, wallet: Keypair, to: Pubkey) -> int:
    left = client.get_balance(wallet.pubkey(), Confirmed).value - _FEE_LAMPORTS
    if left <= 0:
        return 0
    move = transfer(TransferParams(from_pubkey=wallet.pubkey(), to_pubkey=to, lamports=left))
    transaction, last_height = sign(client, [move], [wallet])
    sent = submit(client, clock, transaction, last_height)
    if sent.outcome is not Outcome.LANDED:
        _tell(f"{left} lamports of a wallet were not given back ({sent.outcome})")
        return 0
    return left


def _tell(line: str) -> None:
    Console(stderr=True, highlight=False).print(line, markup=False, soft_wrap=True)
