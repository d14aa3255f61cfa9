"""Buyback: quote an NFT, have the treasury sign for it, take the user's signature, pay.

The order is the guide's: the treasury signs first, bound to one exact message. What comes back is
accepted only if it is that message, byte for byte. The signed bytes are stored before they are
sent, so that after any crash the ledger can be asked what became of them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from decimal import Decimal

from solders.compute_budget import set_compute_unit_limit
from solders.message import Message, to_bytes_versioned
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from backend.adapters.clock import Clock
from backend.adapters.ledger import Fate, Ledger, Outcome
from backend.adapters.tables import BuybackQuote, BuybackRecord, UserSkin
from backend.domain.errors import (
    PROGRAM_REFUSALS,
    AlreadyBoughtBack,
    BuybackDisabled,
    BuybackFailed,
    InsufficientTreasury,
    MissingSignature,
    NftNotFound,
    NothingToPay,
    NotTheHolder,
    QuoteExpired,
    TransactionMismatch,
)
from backend.domain.payout import LAMPORTS_PER_SOL, to_lamports
from backend.domain.price import SolPrice
from backend.settings import Settings
from programs.addresses import associated_token_address
from programs.buyback import client as buyback

COMPUTE_UNITS_LIMIT = 800_000
_TOKEN_AMOUNT = slice(64, 72)


@dataclass(frozen=True)
class Quote:
    """What an NFT is worth and what would be paid for it, in lamports."""

    nft_mint: str
    skin_lamports: int
    buyback_lamports: int


@dataclass(frozen=True)
class Issued:
    """A transaction that the treasury has signed and the user has not."""

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
    """Quotes, issues and confirms buybacks."""

    def __init__(
        self,
        settings: Settings,
        sessions: sessionmaker[Session],
        ledger: Ledger,
        clock: Clock,
        price: SolPrice,
    ) -> None:
        self._settings = settings
        self._sessions = sessions
        self._ledger = ledger
        self._clock = clock
        self._price = price
        self._treasury = settings.treasury()
        self._program = Pubkey.from_string(settings.buyback_program_id)
        self._collection = Pubkey.from_string(settings.collection_mint)
        self._version = settings.buyback_config_version
        self._config = buyback.config_address(self._version, self._program)

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
        with self._sessions() as session:
            return self._quote(_revealed(session, mint))

    def request(self, mint: Pubkey, wallet: Pubkey) -> Issued:
        """A buyback transaction signed by the treasury, for `wallet` to sign. Raises a Refusal."""
        with self._sessions() as session:
            quote = self._quote(_revealed(session, mint))
            self._check_payable(mint, wallet, quote.buyback_lamports)
            transaction, last_height = self._issue(mint, wallet, quote.buyback_lamports)
            session.add(
                BuybackQuote(
                    nft_mint=str(mint),
                    user_wallet=str(wallet),
                    amount_lamports=quote.buyback_lamports,
                    message_sha256=_fingerprint(transaction),
                    last_valid_block_height=last_height,
                    created_at=self._clock.now(),
                )
            )
            session.commit()
            return Issued(quote, transaction)

    def confirm(self, mint: Pubkey, wallet: Pubkey, transaction: VersionedTransaction) -> Paid:
        """Send a transaction that was issued and that the user has signed; record the payment.

        Safe to repeat: a buyback that landed is answered again, never paid again.
        """
        with self._sessions() as session:
            issued = session.scalar(
                select(BuybackQuote)
                .where(BuybackQuote.message_sha256 == _fingerprint(transaction))
                .with_for_update()
            )
            if issued is None or (issued.nft_mint, issued.user_wallet) != (str(mint), str(wallet)):
                raise TransactionMismatch
            if not all(transaction.verify_with_results()):
                raise MissingSignature
            record = _record_of(session, str(mint))
            if record is not None:
                if record.tx_signature != str(transaction.signatures[0]):
                    raise AlreadyBoughtBack
                return Paid(record.tx_signature, issued.amount_lamports)
            if issued.signed_tx is None:
                issued.tx_signature = str(transaction.signatures[0])
                issued.signed_tx = bytes(transaction)
                session.commit()
            outcome = self._ledger.send(
                VersionedTransaction.from_bytes(issued.signed_tx), issued.last_valid_block_height
            )
            if outcome.fate is not Fate.LANDED:
                raise self._refusal(outcome, issued)
            self._record(session, issued)
            return Paid(str(issued.tx_signature), issued.amount_lamports)

    def _quote(self, skin: UserSkin) -> Quote:
        price, sol_usd = skin.template.base_price_usd, self._price.payout_price()
        lamports = to_lamports(price, sol_usd, self._settings.buyback_rate)
        return Quote(skin.nft_mint_address, to_lamports(price, sol_usd), lamports)

    def _check_payable(self, mint: Pubkey, wallet: Pubkey, lamports: int) -> None:
        """What the program would refuse, said before anybody signs."""
        if lamports == 0:
            raise NothingToPay
        config, treasury, token = self._ledger.accounts(
            [self._config, self._treasury.pubkey(), associated_token_address(wallet, mint)]
        )
        if token is None or int.from_bytes(bytes(token.data)[_TOKEN_AMOUNT], "little") != 1:
            raise NotTheHolder
        parsed = None if config is None else buyback.Config.parse(bytes(config.data))
        if parsed is None or not parsed.buyback_enabled:
            raise BuybackDisabled
        balance = 0 if treasury is None else treasury.lamports
        if balance - lamports < parsed.min_treasury_balance:
            raise InsufficientTreasury

    def _issue(
        self, mint: Pubkey, wallet: Pubkey, lamports: int
    ) -> tuple[VersionedTransaction, int]:
        """The transaction with the treasury's signature in place and the user's still empty."""
        execute = buyback.execute_buyback(
            user=wallet,
            treasury=self._treasury.pubkey(),
            mint=mint,
            collection_mint=self._collection,
            amount=lamports,
            version=self._version,
            program_id=self._program,
        )
        blockhash, last_height = self._ledger.latest_blockhash()
        message = Message.new_with_blockhash(
            [set_compute_unit_limit(COMPUTE_UNITS_LIMIT), execute], wallet, blockhash
        )
        signatures = [Signature.default()] * message.header.num_required_signatures
        place = list(message.account_keys).index(self._treasury.pubkey())
        signatures[place] = self._treasury.sign_message(to_bytes_versioned(message))
        return VersionedTransaction.populate(message, signatures), last_height

    def _refusal(self, outcome: Outcome, issued: BuybackQuote) -> Exception:
        if outcome.program_error in PROGRAM_REFUSALS:
            return PROGRAM_REFUSALS[outcome.program_error]()
        _, height = self._ledger.latest_blockhash()
        return QuoteExpired() if height - 150 > issued.last_valid_block_height else BuybackFailed()

    def _record(self, session: Session, issued: BuybackQuote) -> None:
        """Mark the NFT as burned back and enter the payment, together or not at all; once."""
        session.refresh(issued, with_for_update=True)  # one at a time
        if _record_of(session, issued.nft_mint) is not None:
            return
        skin = _revealed(session, Pubkey.from_string(issued.nft_mint))
        skin.is_burned_back = True
        skin.buyback_tx_signature = issued.tx_signature
        session.add(
            BuybackRecord(
                nft_mint=issued.nft_mint,
                user_wallet=issued.user_wallet,
                amount_paid=Decimal(issued.amount_lamports) / LAMPORTS_PER_SOL,
                tx_signature=str(issued.tx_signature),
                created_at=self._clock.now(),
            )
        )
        session.commit()


def _revealed(session: Session, mint: Pubkey) -> UserSkin:
    skin = session.scalar(select(UserSkin).where(UserSkin.nft_mint_address == str(mint)))
    if skin is None or skin.revealed_at is None:
        raise NftNotFound
    if skin.is_burned_back:
        raise AlreadyBoughtBack
    return skin


def _record_of(session: Session, mint: str) -> BuybackRecord | None:
    return session.scalar(select(BuybackRecord).where(BuybackRecord.nft_mint == mint))


def _fingerprint(transaction: VersionedTransaction) -> bytes:
    """SHA-256 of the message: what signatures cover."""
    return hashlib.sha256(to_bytes_versioned(transaction.message)).digest()
