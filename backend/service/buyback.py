"""Buyback: quote an NFT, issue a transaction, take the user's signature, pay once.

Like a cheque that names one NFT and one amount: what comes back is cashed only if it is that
cheque. It is in the book before it leaves the house, its amount is held back until it can no longer
be cashed, and the ledger alone says whether it was.

Two orders. `treasury-first` is the guide's: the treasury signs the exact message, the user adds a
signature. `user-first` is the safer one: the user signs, the message is checked against a short
list of what may be in it, then the treasury signs and the bytes are sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from solders.compute_budget import set_compute_unit_limit
from solders.instruction import Instruction
from solders.message import Message, to_bytes_versioned
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction
from sqlalchemy.exc import IntegrityError

from backend.adapters import buyback_sql as sql
from backend.adapters.ledger import Outcome, message_sha256
from backend.domain import errors as no
from backend.domain.message_rules import Agreed, check_message
from backend.domain.payout import LAMPORTS_PER_SOL, to_lamports
from backend.domain.states import Fate, QuoteState
from backend.service.base import Service, holds, is_label
from programs.addresses import associated_token_address
from programs.buyback import client as buyback
from programs.token_metadata import client as token_metadata

COMPUTE_UNITS_LIMIT = 800_000
#: After the first look; a blockhash lives a minute, so that most quotes need one look.
_CHECK_SECONDS = 30.0
_ISSUES_MAX = 3


@dataclass(frozen=True)
class Quote:
    """What an NFT is worth and what would be paid for it, in lamports."""

    nft_mint: str
    skin_lamports: int
    buyback_lamports: int


@dataclass(frozen=True)
class Issued:
    """A transaction for the user to sign; the treasury has, if it signs first."""

    quote: Quote
    transaction: VersionedTransaction


@dataclass(frozen=True)
class Paid:
    """A buyback that landed."""

    tx_signature: str
    amount_lamports: int


class BuybackService(Service):
    """Quotes, issues and confirms buybacks, and settles those that nobody confirmed."""

    def calculate(self, mint: Pubkey) -> Quote:
        """What would be paid for a revealed NFT now. Raises a Refusal."""
        return self._quote(mint, self._sellable(mint).price_usd, self.price.payout_price())

    def inventory(self, wallet: Pubkey) -> list[dict[str, str]]:
        """The revealed skins that a wallet holds, at most 1,000. Raises LedgerUnavailable."""
        mints = [str(mint) for mint in self.ledger.mints_held_by(wallet)]
        return [row._asdict() for row in self.db.rows(sql.INVENTORY, mints=mints)] if mints else []

    # -- request --------------------------------------------------------------------------------

    def request(self, mint: Pubkey, wallet: Pubkey) -> Issued:
        """A buyback transaction for `wallet` to sign. Raises a Refusal.

        Asked again while the last one can still be paid, gives the same one again: two at once
        would hold back twice what can be paid.
        """
        for _ in range(_ISSUES_MAX):
            skin = self._sellable(mint)
            spendable = self._check_payable(mint, wallet)
            live = None if skin.live_quote_id is None else self._by_id(skin.live_quote_id)
            try:
                if live is None or self._out_of_the_way(live, wallet):
                    return self._issue(mint, wallet, skin, spendable)
                return self._issue_again(wallet, live, spendable)
            except IntegrityError:  # another request's quote was entered first
                continue
        raise no.QuotePending

    def _issue(self, mint: Pubkey, wallet: Pubkey, skin: Any, spendable: int) -> Issued:
        sol_usd = self.price.payout_price()
        quote = self._quote(mint, skin.price_usd, sol_usd)
        if quote.buyback_lamports == 0:
            raise no.NothingToPay
        if quote.buyback_lamports > spendable:
            raise no.InsufficientTreasury
        execute = self._execute(mint, wallet, quote.buyback_lamports)
        blockhash, last_height = self.ledger.latest_blockhash()
        message = Message.new_with_blockhash(
            [set_compute_unit_limit(COMPUTE_UNITS_LIMIT), execute], wallet, blockhash
        )
        count = message.header.num_required_signatures
        transaction = VersionedTransaction.populate(message, [Signature.default()] * count)
        treasury_first = self.settings.signing_order == "treasury-first"
        if treasury_first:
            transaction = self._countersigned(transaction)
        now = self.clock.now()
        if not self.db.rows(
            sql.ISSUE, treasury=self.treasury_address, mint=str(mint), wallet=str(wallet),
            amount=quote.buyback_lamports, price_usd=skin.price_usd, sol_usd=sol_usd,
            digest=message_sha256(transaction), issued_tx=bytes(transaction),
            treasury_signed=treasury_first, last_height=last_height, now=now,
            expires_at=now + timedelta(seconds=self.settings.quote_seconds),
            next_check_at=now + timedelta(seconds=_CHECK_SECONDS),
            paid_before=skin.paid_before, spendable=spendable,
        ):  # fmt: skip
            raise no.InsufficientTreasury("Open quotes hold back what the treasury has to spend")
        return Issued(quote, transaction)

    def _issue_again(self, wallet: Pubkey, live: Any, spendable: int) -> Issued:
        """The live quote once more, if it is this wallet's and would still be paid."""
        if live.user_wallet != str(wallet) or self.clock.now() >= live.expires_at:
            raise no.QuotePending
        if live.amount_lamports > spendable:
            raise no.InsufficientTreasury
        worth = to_lamports(live.price_usd, live.sol_usd)  # the rate may be another by now
        quote = Quote(live.nft_mint, worth, live.amount_lamports)
        return Issued(quote, VersionedTransaction.from_bytes(live.issued_tx))

    def _out_of_the_way(self, live: Any, wallet: Pubkey) -> bool:
        """Whether a live quote has just been closed, because it can not be paid any more."""
        expired = self.clock.now() >= live.expires_at
        if not live.treasury_signed and (expired or live.user_wallet != str(wallet)):
            return self._close(live.id, unsigned_only=True)  # nobody else can cash it
        return expired and self.settle(live).state == QuoteState.DEAD

    def _check_payable(self, mint: Pubkey, wallet: Pubkey) -> int:
        """What the program would refuse, said before anybody signs; lamports to spend."""
        config, balance, (token,) = self.treasury_state(associated_token_address(wallet, mint))
        if not holds(token, wallet):
            raise no.NotTheHolder
        if config is None or not config.buyback_enabled:
            raise no.BuybackDisabled
        return balance - config.min_treasury_balance

    # -- confirm --------------------------------------------------------------------------------

    def confirm(self, mint: Pubkey, wallet: Pubkey, transaction: VersionedTransaction) -> Paid:
        """Send a transaction that was issued and that the user has signed; record the payment.

        Safe to repeat: a buyback that landed is answered again, never paid again. Raises a
        Refusal; after OutcomeUnknown the same call tells more.
        """
        digest = message_sha256(transaction)
        quote = self.db.first(sql.TO_CONFIRM, digest=digest, mint=str(mint))
        if quote is None or (quote.nft_mint, quote.user_wallet) != (str(mint), str(wallet)):
            raise no.TransactionMismatch
        if digest != quote.message_sha256 or not quote.treasury_signed:
            self._check_user_first(quote, mint, wallet, transaction, digest)
        elif not all(transaction.verify_with_results()):
            raise no.MissingSignature
        if quote.paid_signature is not None:
            if quote.paid_quote_id != quote.id:
                raise no.AlreadyBoughtBack
            return Paid(quote.paid_signature, quote.amount_lamports)
        if quote.state == QuoteState.OPEN:
            quote = self._stored(quote, transaction)
        elif quote.state == QuoteState.DEAD:
            raise no.QuoteExpired
        return self._pay(quote)

    def _check_user_first(
        self, quote: Any, mint: Pubkey, wallet: Pubkey, transaction: VersionedTransaction,
        digest: bytes,
    ) -> None:  # fmt: skip
        """The user signed first and may have changed the message: is it still safe to sign?"""
        if quote.treasury_signed:
            raise no.TransactionMismatch
        if quote.state != QuoteState.OPEN and digest != quote.message_sha256:
            raise no.TransactionMismatch("Another message was signed for this quote already")
        issued = VersionedTransaction.from_bytes(quote.issued_tx)
        execute = self._execute(mint, wallet, quote.amount_lamports)
        agreed = Agreed(wallet, self.treasury.pubkey(), execute, issued.message.recent_blockhash)
        check_message(transaction.message, agreed)
        verified = transaction.verify_with_results()
        if not verified[list(transaction.message.account_keys).index(wallet)]:
            raise no.MissingSignature

    def _stored(self, quote: Any, transaction: VersionedTransaction) -> Any:
        """The quote with complete bytes, which are in its row before anybody sends them."""
        if self.clock.now() >= quote.expires_at:
            raise no.QuoteExpired
        if not quote.treasury_signed:
            transaction = self._countersigned(transaction)
        digest = message_sha256(transaction)
        stored = self.db.first(
            sql.SIGN, id=quote.id, signature=str(transaction.signatures[0]),
            signed_tx=bytes(transaction), digest=digest,
        ) or self._by_id(quote.id)  # fmt: skip  # another call was a little faster: its bytes count
        if stored is None or stored.state == QuoteState.DEAD:
            raise no.QuoteExpired
        if stored.message_sha256 != digest:
            raise no.TransactionMismatch("Another message was signed for this quote already")
        return stored

    def _pay(self, quote: Any) -> Paid:
        outcome = self.ledger.send(quote.signed_tx, quote.last_valid_block_height)
        if outcome.fate is Fate.LANDED:
            return self._record(quote)
        # The user may have sent the message under another signature of theirs.
        try:
            stored = self.settle(quote, outcome)
        except no.LedgerUnavailable:
            raise no.OutcomeUnknown from None
        if stored.state == QuoteState.PAID:
            return Paid(stored.tx_signature, stored.amount_lamports)
        if outcome.program_error in no.PROGRAM_REFUSALS:
            raise no.PROGRAM_REFUSALS[outcome.program_error]
        if outcome.fate is Fate.EXPIRED:
            raise no.QuoteExpired
        raise no.OutcomeUnknown if outcome.fate is Fate.UNKNOWN else no.BuybackFailed

    # -- what became of it ----------------------------------------------------------------------

    def settle(self, quote: Any, outcome: Outcome | None = None) -> Any:
        """Ask the ledger about a live quote and write down what it proves; its row."""
        mint = Pubkey.from_string(quote.nft_mint)
        if quote.tx_signature is not None and outcome is None:
            signature = Signature.from_string(quote.tx_signature)
            outcome = self.ledger.fate(signature, quote.last_valid_block_height)
            if outcome.fate is Fate.LANDED:
                self._record(quote)
                return self._by_id(quote.id)
        # Height first: what lands after this question can not be of this quote.
        expired = self.ledger.final().block_height > quote.last_valid_block_height
        gone = not is_label(self.ledger.accounts([token_metadata.metadata_address(mint)])[0])
        if gone:
            self.repair(mint)
        used_up = outcome is not None and outcome.fate is Fate.FAILED
        if gone or expired or used_up:
            self._close(quote.id)  # unless that was its payment
        return self._by_id(quote.id) or quote

    def repair(self, mint: Pubkey) -> bool:
        """Record the payment for an NFT that is gone, if the ledger has one; else False."""
        paid = self.ledger.buyback_of(mint, self.treasury.pubkey(), self.program)
        if paid is None:
            return False
        found = self.db.first(sql.BY_MESSAGE, digest=paid.message_sha256)
        number, user = found and found.id, str(paid.user)
        self._enter(number, str(mint), user, paid.amount_lamports, paid.signature)
        return True

    def _record(self, quote: Any) -> Paid:
        self._enter(
            quote.id, quote.nft_mint, quote.user_wallet, quote.amount_lamports, quote.tx_signature
        )
        return Paid(quote.tx_signature, quote.amount_lamports)

    def _enter(
        self, quote_id: int | None, mint: str, wallet: str, lamports: int, signature: str
    ) -> None:
        """Enter a payment that is on the ledger; entered twice, it is there once."""
        self.warm_up()
        self.db.rows(
            sql.RECORD, quote_id=quote_id, mint=mint, wallet=wallet, amount=lamports,
            amount_sol=Decimal(lamports) / LAMPORTS_PER_SOL, signature=signature,
            now=self.clock.now(), treasury=self.treasury_address,
        )  # fmt: skip

    # -- pieces ---------------------------------------------------------------------------------

    def _by_id(self, number: int) -> Any:
        return self.db.first(sql.BY_ID, id=number)

    def _close(self, number: int, *, unsigned_only: bool = False) -> bool:
        values = {"treasury": self.treasury_address, "unsigned_only": unsigned_only}
        return bool(self.db.rows(sql.CLOSE, id=number, **values))

    def _sellable(self, mint: Pubkey) -> Any:
        self.warm_up()
        skin = self.db.first(sql.SKIN, mint=str(mint), treasury=self.treasury_address)
        if skin is None:
            raise no.NftNotFound
        if skin.is_burned_back:
            raise no.AlreadyBoughtBack
        return skin

    def _quote(self, mint: Pubkey, price_usd: Decimal, sol_usd: Decimal) -> Quote:
        lamports = to_lamports(price_usd, sol_usd, self.settings.buyback_rate)
        return Quote(str(mint), to_lamports(price_usd, sol_usd), lamports)

    def _execute(self, mint: Pubkey, wallet: Pubkey, lamports: int) -> Instruction:
        return buyback.execute_buyback(
            user=wallet, treasury=self.treasury.pubkey(), mint=mint, amount=lamports,
            collection_mint=self.collection, version=self.settings.buyback_config_version,
            program_id=self.program,
        )  # fmt: skip

    def _countersigned(self, transaction: VersionedTransaction) -> VersionedTransaction:
        """With the treasury's signature in its place and everything else as it is."""
        message = transaction.message
        signatures = list(transaction.signatures)
        place = list(message.account_keys).index(self.treasury.pubkey())
        signatures[place] = self.treasury.sign_message(to_bytes_versioned(message))
        return VersionedTransaction.populate(message, signatures)
