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

from solders.compute_budget import set_compute_unit_limit
from solders.instruction import Instruction
from solders.message import Message, to_bytes_versioned
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from backend.adapters.buyback_rows import BuybackRows, LiveQuote, Sellable, StoredQuote
from backend.adapters.clock import Clock
from backend.adapters.ledger import Ledger, Outcome, message_sha256
from backend.domain.errors import (
    PROGRAM_REFUSALS,
    AlreadyBoughtBack,
    BuybackDisabled,
    BuybackFailed,
    InsufficientTreasury,
    LedgerUnavailable,
    MissingSignature,
    NftNotFound,
    NothingToPay,
    NotTheHolder,
    OutcomeUnknown,
    QuoteExpired,
    QuotePending,
    TransactionMismatch,
)
from backend.domain.fate import Fate
from backend.domain.message_rules import Agreed, check_message
from backend.domain.payout import to_lamports
from backend.domain.price import SolPrice
from backend.domain.quote import QuoteState, headroom_lamports
from backend.service.holding import holds
from backend.settings import Settings
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


@dataclass(frozen=True)
class Status:
    enabled: bool
    min_treasury_lamports: int
    treasury_lamports: int
    rate: Decimal
    sol_usd: Decimal


class BuybackService:
    """Quotes, issues and confirms buybacks, and settles those that nobody confirmed."""

    def __init__(
        self,
        settings: Settings,
        rows: BuybackRows,
        ledger: Ledger,
        clock: Clock,
        price: SolPrice,
    ) -> None:
        self._settings = settings
        self._rows = rows
        self._ledger = ledger
        self._clock = clock
        self._price = price
        self._treasury = settings.treasury()
        self._treasury_first = settings.signing_order == "treasury-first"
        self._program = Pubkey.from_string(settings.buyback_program_id)
        self._collection = Pubkey.from_string(settings.collection_mint)
        self._version = settings.buyback_config_version
        self._config = buyback.config_address(self._version, self._program)

    def warm_up(self) -> None:
        """What would otherwise be done by the first request. Optional."""
        self._rows.open_book()

    def status(self) -> Status:
        """Whether buybacks are on and what the treasury holds."""
        config, treasury = self._ledger.accounts([self._config, self._treasury.pubkey()])
        if config is None:
            raise BuybackDisabled("The buyback program has no configuration yet")
        parsed = buyback.Config.parse(bytes(config.data))
        return Status(
            enabled=parsed.buyback_enabled,
            min_treasury_lamports=parsed.min_treasury_balance,
            treasury_lamports=0 if treasury is None else treasury.lamports,
            rate=self._settings.buyback_rate,
            sol_usd=self._price.payout_price(),
        )

    def calculate(self, mint: Pubkey) -> Quote:
        """What would be paid for a revealed NFT now. Raises a Refusal."""
        return self._quote(mint, self._sellable(mint).price_usd, self._price.payout_price())

    # -- request --------------------------------------------------------------------------------

    def request(self, mint: Pubkey, wallet: Pubkey) -> Issued:
        """A buyback transaction for `wallet` to sign. Raises a Refusal.

        Asked again while the last one can still be paid, gives the same one again: two at once
        would hold back twice what can be paid.
        """
        for _ in range(_ISSUES_MAX):
            skin = self._sellable(mint)
            live = None if skin.live_quote_id is None else self._rows.quote(skin.live_quote_id)
            try:
                if live is None or self._out_of_the_way(live, wallet):
                    return self._issue(mint, wallet, skin)
                return self._issue_again(mint, wallet, live)
            except LiveQuote:  # another request was a little faster
                continue
        raise QuotePending

    def _issue(self, mint: Pubkey, wallet: Pubkey, skin: Sellable) -> Issued:
        sol_usd = self._price.payout_price()
        quote = self._quote(mint, skin.price_usd, sol_usd)
        if quote.buyback_lamports == 0:
            raise NothingToPay
        balance, minimum = self._check_payable(mint, wallet)
        spendable = headroom_lamports(balance, minimum, 0, 0)
        if quote.buyback_lamports > spendable:
            raise InsufficientTreasury
        execute = self._execute(mint, wallet, quote.buyback_lamports)
        blockhash, last_height = self._ledger.latest_blockhash()
        message = Message.new_with_blockhash(
            [set_compute_unit_limit(COMPUTE_UNITS_LIMIT), execute], wallet, blockhash
        )
        count = message.header.num_required_signatures
        transaction = VersionedTransaction.populate(message, [Signature.default()] * count)
        if self._treasury_first:
            transaction = self._countersigned(transaction)
        now = self._clock.now()
        held = self._rows.issue(
            mint=str(mint),
            wallet=str(wallet),
            amount=quote.buyback_lamports,
            price_usd=skin.price_usd,
            sol_usd=sol_usd,
            message_sha256=message_sha256(transaction),
            issued_tx=bytes(transaction),
            treasury_signed=self._treasury_first,
            last_height=last_height,
            now=now,
            expires_at=now + timedelta(seconds=self._settings.quote_seconds),
            next_check_at=now + timedelta(seconds=_CHECK_SECONDS),
            paid_before=skin.paid_before_lamports,
            spendable=spendable,
        )
        if not held:
            raise InsufficientTreasury("Open quotes hold back what the treasury has to spend")
        return Issued(quote, transaction)

    def _issue_again(self, mint: Pubkey, wallet: Pubkey, live: StoredQuote) -> Issued:
        """The live quote once more, if it is this wallet's and would still be paid."""
        if live.user_wallet != str(wallet):
            self._check_payable(mint, wallet)
            raise QuotePending
        if live.issued_tx is None or self._clock.now() >= live.expires_at:
            raise QuotePending
        balance, minimum = self._check_payable(mint, wallet)
        if balance - live.amount_lamports < minimum:
            raise InsufficientTreasury
        assert live.price_usd is not None
        assert live.sol_usd is not None
        return Issued(
            self._quote(mint, live.price_usd, live.sol_usd),
            VersionedTransaction.from_bytes(live.issued_tx),
        )

    def _out_of_the_way(self, live: StoredQuote, wallet: Pubkey) -> bool:
        """Whether a live quote has just been closed, because it can not be paid any more."""
        expired = self._clock.now() >= live.expires_at
        if not live.treasury_signed and (expired or live.user_wallet != str(wallet)):
            return self._rows.close(live.id, unsigned_only=True)  # nobody else can cash it
        return expired and self.settle(live) is QuoteState.DEAD

    def _check_payable(self, mint: Pubkey, wallet: Pubkey) -> tuple[int, int]:
        """What the program would refuse, said before anybody signs; balance and minimum."""
        config, treasury, token = self._ledger.accounts(
            [self._config, self._treasury.pubkey(), associated_token_address(wallet, mint)]
        )
        if not holds(token, wallet):
            raise NotTheHolder
        parsed = None if config is None else buyback.Config.parse(bytes(config.data))
        if parsed is None or not parsed.buyback_enabled:
            raise BuybackDisabled
        return 0 if treasury is None else treasury.lamports, parsed.min_treasury_balance

    # -- confirm --------------------------------------------------------------------------------

    def confirm(self, mint: Pubkey, wallet: Pubkey, transaction: VersionedTransaction) -> Paid:
        """Send a transaction that was issued and that the user has signed; record the payment.

        Safe to repeat: a buyback that landed is answered again, never paid again. Raises a
        Refusal; after OutcomeUnknown the same call tells more.
        """
        digest = message_sha256(transaction)
        found = self._rows.to_confirm(digest, str(mint))
        if found is None:
            raise TransactionMismatch
        quote, paid_signature, paid_quote_id = found
        if (quote.nft_mint, quote.user_wallet) != (str(mint), str(wallet)):
            raise TransactionMismatch
        if digest != quote.message_sha256 or not quote.treasury_signed:
            self._check_user_first(quote, mint, wallet, transaction, digest)
        elif not all(transaction.verify_with_results()):
            raise MissingSignature
        if paid_signature is not None:
            if paid_quote_id != quote.id:
                raise AlreadyBoughtBack
            return Paid(paid_signature, quote.amount_lamports)
        if quote.state is QuoteState.OPEN:
            quote = self._stored(quote, transaction)
        elif quote.state is QuoteState.DEAD:
            raise QuoteExpired
        return self._pay(quote)

    def _check_user_first(
        self,
        quote: StoredQuote,
        mint: Pubkey,
        wallet: Pubkey,
        transaction: VersionedTransaction,
        digest: bytes,
    ) -> None:
        """The user signed first and may have changed the message: is it still safe to sign?"""
        if quote.treasury_signed or quote.issued_tx is None:
            raise TransactionMismatch
        if quote.state is not QuoteState.OPEN and digest != quote.message_sha256:
            raise TransactionMismatch("Another message was signed for this quote already")
        issued = VersionedTransaction.from_bytes(quote.issued_tx)
        agreed = Agreed(
            user=wallet,
            treasury=self._treasury.pubkey(),
            execute=self._execute(mint, wallet, quote.amount_lamports),
            blockhash=issued.message.recent_blockhash,
        )
        check_message(transaction.message, agreed)
        verified = transaction.verify_with_results()
        if not verified[list(transaction.message.account_keys).index(wallet)]:
            raise MissingSignature

    def _stored(self, quote: StoredQuote, transaction: VersionedTransaction) -> StoredQuote:
        """The quote with complete bytes, which are in its row before anybody sends them."""
        if self._clock.now() >= quote.expires_at:
            raise QuoteExpired
        if not quote.treasury_signed:
            transaction = self._countersigned(transaction)
        signature, digest = str(transaction.signatures[0]), message_sha256(transaction)
        signed_tx = bytes(transaction)
        if self._rows.sign(quote.id, signature, signed_tx, digest):
            return quote.signed(signature, signed_tx, digest)
        stored = self._rows.quote(quote.id)  # another call was a little faster: its bytes count
        if stored is None or stored.state is QuoteState.DEAD:
            raise QuoteExpired
        if stored.message_sha256 != digest:
            raise TransactionMismatch("Another message was signed for this quote already")
        return stored

    def _pay(self, quote: StoredQuote) -> Paid:
        assert quote.signed_tx is not None
        outcome = self._ledger.send(quote.signed_tx, quote.last_valid_block_height)
        if outcome.fate is Fate.LANDED:
            return self._record(quote, quote.user_wallet, str(quote.tx_signature))
        # The user may have sent the message under another signature of theirs.
        try:
            state = self.settle(quote, outcome)
        except LedgerUnavailable:
            raise OutcomeUnknown from None
        if state is QuoteState.PAID:
            stored = self._rows.quote(quote.id)
            assert stored is not None
            return Paid(str(stored.tx_signature), stored.amount_lamports)
        if outcome.program_error in PROGRAM_REFUSALS:
            raise PROGRAM_REFUSALS[outcome.program_error]
        if outcome.fate is Fate.EXPIRED:
            raise QuoteExpired
        raise OutcomeUnknown if outcome.fate is Fate.UNKNOWN else BuybackFailed

    # -- what became of it ----------------------------------------------------------------------

    def settle(self, quote: StoredQuote, outcome: Outcome | None = None) -> QuoteState:
        """Ask the ledger about a live quote and write down what it proves."""
        mint = Pubkey.from_string(quote.nft_mint)
        if quote.tx_signature is not None and outcome is None:
            signature = Signature.from_string(quote.tx_signature)
            outcome = self._ledger.fate(signature, quote.last_valid_block_height)
            if outcome.fate is Fate.LANDED:
                self._record(quote, quote.user_wallet, quote.tx_signature)
                return QuoteState.PAID
        # Height first: what lands after this question can not be of this quote.
        expired = self._ledger.final_height() > quote.last_valid_block_height
        gone = self._ledger.accounts([token_metadata.metadata_address(mint)])[0] is None
        if gone and self.repair(mint):
            stored = self._rows.quote(quote.id)
            return quote.state if stored is None else stored.state
        used_up = outcome is not None and outcome.fate is Fate.FAILED
        if gone or expired or used_up:
            self._rows.close(quote.id)
            return QuoteState.DEAD
        return quote.state

    def repair(self, mint: Pubkey) -> bool:
        """Record the payment for an NFT that is gone, if the ledger has one; else False."""
        payment = self._ledger.buyback_of(mint, self._treasury.pubkey(), self._program)
        if payment is None:
            return False
        quote = self._rows.quote_of_message(payment.message_sha256)
        self._rows.record(
            None if quote is None else quote.id,
            mint=str(mint),
            wallet=str(payment.user),
            amount_lamports=payment.amount_lamports,
            signature=payment.signature,
            now=self._clock.now(),
        )
        return True

    def _record(self, quote: StoredQuote, wallet: str, signature: str) -> Paid:
        self._rows.record(
            quote.id,
            mint=quote.nft_mint,
            wallet=wallet,
            amount_lamports=quote.amount_lamports,
            signature=signature,
            now=self._clock.now(),
        )
        return Paid(signature, quote.amount_lamports)

    # -- pieces ---------------------------------------------------------------------------------

    def _sellable(self, mint: Pubkey) -> Sellable:
        skin = self._rows.skin(str(mint))
        if skin is None:
            raise NftNotFound
        if skin.is_burned_back:
            raise AlreadyBoughtBack
        return skin

    def _quote(self, mint: Pubkey, price_usd: Decimal, sol_usd: Decimal) -> Quote:
        lamports = to_lamports(price_usd, sol_usd, self._settings.buyback_rate)
        return Quote(str(mint), to_lamports(price_usd, sol_usd), lamports)

    def _execute(self, mint: Pubkey, wallet: Pubkey, lamports: int) -> Instruction:
        return buyback.execute_buyback(
            user=wallet,
            treasury=self._treasury.pubkey(),
            mint=mint,
            collection_mint=self._collection,
            amount=lamports,
            version=self._version,
            program_id=self._program,
        )

    def _countersigned(self, transaction: VersionedTransaction) -> VersionedTransaction:
        """With the treasury's signature in its place and everything else as it is."""
        message = transaction.message
        signatures = list(transaction.signatures)
        place = list(message.account_keys).index(self._treasury.pubkey())
        signatures[place] = self._treasury.sign_message(to_bytes_versioned(message))
        return VersionedTransaction.populate(message, signatures)
