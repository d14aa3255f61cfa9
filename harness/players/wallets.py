"""Wallets: the software between a player and the ledger, and its habits.

A browser wallet is a clerk with opinions. One adds a tip so that the letter travels faster, one
staples a guard's note to it, one waits for its owner to find the hardware key, one is told to
refuse. What a clerk does to a letter decides whether it is delivered, taxed or returned.

The profiles below model habits that wallets document; they are not the wallets themselves. The
guard's note stands for instructions that wallets append to check balances after a transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from solders.compute_budget import set_compute_unit_price
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from harness.errors import HarnessError

_MEMO = Pubkey.from_string("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr")


class Declined(HarnessError):
    """The wallet's owner said no: nothing was signed, nothing was sent."""


@dataclass(frozen=True)
class Wallet:
    """A wallet's habits."""

    name: str
    #: Messages of the transactions it is given: legacy or v0.
    version0: bool = False
    #: Signs and broadcasts itself, and hands back a signature only.
    sends_itself: bool = False
    #: Micro-lamports a compute unit that it adds on its own; 0 adds nothing.
    priority_fee: int = 0
    #: Appends an instruction of its own to check what the transaction did.
    adds_guard: bool = False
    #: Changes transactions that somebody else has signed already.
    changes_signed: bool = False
    #: How long its owner takes, by the testbed's clock.
    thinking_seconds: float = 0
    declines: bool = False

    def dress(self, instructions: Sequence[Instruction], owner: Pubkey) -> list[Instruction]:
        """What the wallet makes of the instructions that a page hands it.

        Raises Declined if its owner does not want to sign.
        """
        if self.declines:
            raise Declined(f"the owner of {self.name} declined to sign")
        dressed = list(instructions)
        if self.priority_fee:
            dressed.insert(0, set_compute_unit_price(self.priority_fee))
        if self.adds_guard:
            note = Instruction(_MEMO, b"balance guard", [AccountMeta(owner, True, False)])
            dressed.append(note)
        return dressed


PLAIN = Wallet("a plain wallet")

#: signTransaction on legacy messages, nothing added.
LEGACY = Wallet("a legacy wallet")
#: Version 0 messages and a priority fee, as Phantom adds to unsigned transactions.
PHANTOM_LIKE = Wallet("a Phantom-like wallet", version0=True, priority_fee=50_000)
#: signAndSendTransaction: the page gets a signature, the backend never sees the bytes.
SENDING = Wallet("a wallet that sends itself", version0=True, sends_itself=True)
#: Appends an instruction that guards its owner's balances, as Solflare-like wallets may.
GUARDING = Wallet("a wallet with balance guards", version0=True, adds_guard=True)
#: Adds a priority fee even where the treasury has signed.
MEDDLING = Wallet("a meddling wallet", priority_fee=50_000, changes_signed=True)
#: A hardware key that is found and unlocked after 20 seconds: within a blockhash's life.
HARDWARE = Wallet("a hardware wallet", thinking_seconds=20)
#: The same, found after two minutes: beyond it.
SLOW_HARDWARE = Wallet("a slow hardware wallet", thinking_seconds=120)
DECLINING = Wallet("a wallet whose owner declines", declines=True)
