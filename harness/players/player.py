"""A player: a wallet, and the moves that the product offers.

A player mints a mystery box, waits, has it revealed, and keeps or sells it. Each move is a call
that a scenario can tell as a story; what went wrong comes as an exception of its own kind.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from solana.rpc.commitment import Confirmed
from solders.compute_budget import set_compute_unit_price
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import to_bytes_versioned
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from harness.errors import HarnessError
from harness.players import holdings
from harness.players.api import ApiRefusal, Quote, Reveal
from harness.players.messages import with_instructions
from harness.players.nft import Nft
from harness.players.wallets import PLAIN, Declined, Wallet
from harness.submission import BLOCKHASH_SLOTS, COMPUTE_UNITS_LIMIT, Outcome, Submission
from programs.candy_guard import client as candy_guard
from programs.candy_guard.client import MintAccounts
from programs.token_metadata import client as token_metadata

if TYPE_CHECKING:
    from harness.testbed import Testbed

T = TypeVar("T")

_TRIES_MAX = 25
_TRY_AGAIN = ("DATABASE_UNAVAILABLE", "LEDGER_UNAVAILABLE", "OUTCOME_UNKNOWN")
_BOT_TAX_LOG = "Botting is taxed"


class MintFailed(HarnessError):
    """The mint did not happen; the submission says why."""

    def __init__(self, submission: Submission) -> None:
        fault = submission.fault
        super().__init__(
            f"the mint was {submission.outcome}: "
            + (f"{fault.name}: {fault.message}" if fault else "no reason given")
        )
        self.submission = submission


class BotTaxed(MintFailed):
    """The transaction landed as a success, took the bot tax and minted nothing."""


__all__ = ["BotTaxed", "Declined", "MintFailed", "Nft", "Player"]


class Player:
    """One person with one wallet in one testbed."""

    def __init__(
        self, testbed: Testbed, name: str, keypair: Keypair, wallet: Wallet = PLAIN
    ) -> None:
        self.testbed = testbed
        self.name = name
        self.keypair = keypair
        self.wallet = wallet
        #: The backend that this player's page talks to.
        self.api = testbed.api

    @property
    def pubkey(self) -> Pubkey:
        return self.keypair.pubkey()

    def balance_lamports(self) -> int:
        return self.testbed.balance_lamports(self.pubkey)

    def mint(
        self,
        *,
        before: Sequence[Instruction] = (),
        after: Sequence[Instruction] = (),
        machine: MintAccounts | None = None,
        compute_units_limit: int | None = COMPUTE_UNITS_LIMIT,
        pays_destination: bool = True,
    ) -> Nft:
        """Mint one mystery box, as the guide's page does, signed by the player's wallet.

        `before` and `after` are instructions that a bot puts around the mint; `machine` are other
        accounts than the testbed's; without `pays_destination` the account that the payment goes
        to is forgotten. Raises BotTaxed if the transaction landed without an NFT, MintFailed if it
        did not land, Declined if the wallet's owner does not sign.
        """
        bed = self.testbed
        number, keypair = bed.next_nft()
        nft = Nft(keypair.pubkey(), f"nft-{number}")
        bed.book.add(nft.name, nft.mint)
        instruction = candy_guard.mint(
            machine=machine or bed.deployment.machine, payer=self.pubkey, mint=nft.mint
        )
        if not pays_destination:
            accounts = list(instruction.accounts)[: candy_guard.MINT_ACCOUNTS]
            instruction = Instruction(instruction.program_id, instruction.data, accounts)
        sent = bed.submit(
            self.name,
            "mint",
            self.wallet.dress([*before, instruction, *after], self.pubkey),
            [self.keypair, keypair],
            nft=nft.name,
            compute_units_limit=compute_units_limit,
            version0=self.wallet.version0,
            wait_seconds=self.wallet.thinking_seconds,
        )
        if sent.outcome is not Outcome.LANDED:
            raise MintFailed(sent)
        # A taxed bot's transaction is a success too: only the NFT itself proves the mint.
        metadata = bed.account_data(token_metadata.metadata_address(nft.mint))
        if metadata is None or any(_BOT_TAX_LOG in line for line in sent.logs):
            raise BotTaxed(sent)
        bed.minted(nft)
        bed.record_treasury(f"{self.name} minted {nft.name}")
        return nft

    def reveal(self, nft: Nft, *, box_id: str | None = None, wait: bool = True) -> Reveal:
        """Wait for the metadata to spread, then ask the backend to reveal. Raises ApiRefusal."""
        bed = self.testbed
        if wait:
            bed.wait_for_metadata(nft)
        revealed = self.api.reveal(self.name, nft.mint, box_id or bed.box_id)
        bed.record_backend_transaction(
            "reveal", Signature.from_string(revealed.signature), nft.name
        )
        bed.journal.write(
            "reveal",
            nft=nft.name,
            wallet=self.name,
            box=box_id or bed.box_id,
            tier=revealed.rarity,
            skin=revealed.skin_name,
        )
        return revealed

    def quote(self, nft: Nft) -> Quote:
        """What the backend would pay now. Raises ApiRefusal."""
        return self.api.calculate(self.name, nft.mint)

    def request_buyback(self, nft: Nft) -> VersionedTransaction:
        """The buyback transaction that the treasury has signed. Raises ApiRefusal."""
        encoded = self.api.request(self.name, nft.mint, self.pubkey)
        return VersionedTransaction.from_bytes(base64.b64decode(encoded))

    def sell_unsigned(self, nft: Nft) -> VersionedTransaction:
        """Quote and request, up to where the wallet is asked. Raises ApiRefusal."""
        self.quote(nft)
        return self.request_buyback(nft)

    def sign(self, transaction: VersionedTransaction) -> VersionedTransaction:
        """What a wallet does: put this player's signature in its place, and what its habits add.

        Raises Declined if the wallet's owner does not sign.
        """
        if self.wallet.declines:
            raise Declined(f"the owner of {self.wallet.name} declined to sign")
        if self.wallet.thinking_seconds:
            self.testbed.clock.sleep(self.wallet.thinking_seconds)
        if self.wallet.changes_signed:
            transaction = with_instructions(
                transaction, before=[set_compute_unit_price(self.wallet.priority_fee)]
            )
        message = transaction.message
        place = list(message.account_keys).index(self.pubkey)
        signatures = list(transaction.signatures)
        signatures[place] = self.keypair.sign_message(_signed_bytes(transaction))
        return VersionedTransaction.populate(message, signatures)

    def confirm_buyback(self, nft: Nft, signed: VersionedTransaction) -> Signature:
        """Hand the signed transaction in and wait for the payment. Raises ApiRefusal."""
        bed = self.testbed
        encoded = base64.b64encode(bytes(signed)).decode()
        signature = Signature.from_string(
            self.api.confirm(self.name, nft.mint, self.pubkey, encoded)
        )
        bed.record_backend_transaction("buyback", signature, nft.name)
        bed.record_treasury(f"{self.name} sold {nft.name}")
        return signature

    def patiently(self, move: Callable[[], T]) -> T:
        """What a good page does: repeats a call while the backend says that a part of it is away,
        at most once for each connection that may have died."""
        for _ in range(_TRIES_MAX):
            try:
                return move()
            except ApiRefusal as refusal:
                if refusal.code not in _TRY_AGAIN:
                    raise
        return move()

    def sign_in(self) -> None:
        """Sign in with the wallet: the page's calls then carry its token."""
        self.api.sign_in(self.name, self.keypair)

    def give(self, nft: Nft, to: Player) -> None:
        """Move the NFT into another player's wallet."""
        holdings.give(self, nft, to)

    def list_for_sale(self, nft: Nft, market: Player, *, locked: bool = False) -> None:
        """Let a market place move the NFT; `locked`, it is frozen in this wallet meanwhile."""
        holdings.delegate(self, nft, market)
        if locked:
            holdings.freeze(market, nft, self)

    def burn(self, nft: Nft) -> None:
        """Burn the NFT for nothing."""
        holdings.burn(self, nft, self.testbed.deployment.collection_mint)

    def create_foreign_nft(self) -> Nft:
        """An NFT that came from no machine of ours, dressed up like a mystery box."""
        bed = self.testbed
        number, keypair = bed.next_nft()
        nft = Nft(keypair.pubkey(), f"nft-{number}")
        bed.book.add(nft.name, nft.mint)
        creating = token_metadata.create_nft(
            authority=self.pubkey,
            owner=self.pubkey,
            mint=nft.mint,
            name="Mystery Skin #1",
            symbol=bed.config.symbol,
            uri=bed.config.hidden.uri,
            seller_fee_basis_points=0,
            rent_lamports=bed.client.get_minimum_balance_for_rent_exemption(
                token_metadata.MINT_BYTES
            ).value,
        )
        sent = bed.submit(
            self.name, "create an NFT", creating, [self.keypair, keypair], nft=nft.name
        )
        if sent.outcome is not Outcome.LANDED:
            raise MintFailed(sent)
        return nft

    def broadcast(self, nft: Nft, signed: VersionedTransaction) -> Submission:
        """Send a signed buyback past the backend, as wallets with signAndSend do."""
        height = self.testbed.client.get_block_height(Confirmed).value
        sent = self.testbed.send(
            self.name, "buyback", signed, height + BLOCKHASH_SLOTS, nft=nft.name
        )
        if sent.outcome is Outcome.LANDED:
            self.testbed.record_treasury(f"{self.name} sold {nft.name}")
        return sent

    def sell(self, nft: Nft) -> Signature:
        """Quote, request, sign and confirm: the whole sale. Raises ApiRefusal."""
        return self.confirm_buyback(nft, self.sign(self.sell_unsigned(nft)))


def _signed_bytes(transaction: VersionedTransaction) -> bytes:
    """The bytes that signatures cover: the message with its version prefix."""
    return to_bytes_versioned(transaction.message)
