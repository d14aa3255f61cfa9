"""The rows of buybacks: quotes, what they hold back, records. Every change is one statement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Self

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from backend.adapters.database import Database
from backend.domain.payout import LAMPORTS_PER_SOL
from backend.domain.quote import QuoteState

_QUOTE = (
    "q.id, q.nft_mint, q.user_wallet, q.state, q.amount_lamports, q.price_usd, q.sol_usd,"
    " q.message_sha256, q.issued_tx, q.treasury_signed, q.last_valid_block_height, q.expires_at,"
    " q.tx_signature, q.signed_tx"
)
_QUOTE_COLUMNS = 14
_OPEN_BOOK = text(
    "insert into treasury_books (treasury, reserved_lamports, paid_lamports)"
    " select :treasury, coalesce(sum(amount_lamports), 0), 0 from buyback_quotes"
    " where state in ('open', 'signed') on conflict (treasury) do nothing"
)
_SKIN = text(
    "select s.is_burned_back, t.base_price_usd, b.paid_lamports as paid_before,"
    " q.id as live_quote_id"
    " from user_skins s join skin_templates t on t.id = s.skin_template_id"
    " left join treasury_books b on b.treasury = :treasury"
    " left join buyback_quotes q on q.nft_mint = s.nft_mint_address"
    " and q.state in ('open', 'signed')"
    " where s.nft_mint_address = :mint"
)
# Holds the amount back and enters the quote, or does neither.
_ISSUE = text(
    "with held as (update treasury_books set reserved_lamports = reserved_lamports + :amount"
    " where treasury = :treasury and reserved_lamports + paid_lamports - :paid_before + :amount"
    " <= :spendable returning treasury)"
    " insert into buyback_quotes (nft_mint, user_wallet, state, amount_lamports, price_usd,"
    " sol_usd, message_sha256, issued_tx, treasury_signed, last_valid_block_height, created_at,"
    " expires_at, next_check_at) select :mint, :wallet, 'open', :amount, :price_usd, :sol_usd,"
    " :message_sha256, :issued_tx, :treasury_signed, :last_height, :now, :expires_at,"
    " :next_check_at from held returning id"
)
_BY_ID = text(f"select {_QUOTE} from buyback_quotes q where q.id = :id")
# The quote of this very message; failing that the NFT's live one, whose message may be changed if
# the user signs first.
_TO_CONFIRM = text(
    f"select {_QUOTE}, r.tx_signature as paid_signature, r.quote_id as paid_quote_id"
    " from buyback_quotes q left join buyback_records r on r.nft_mint = q.nft_mint"
    " where q.message_sha256 = :digest or (q.nft_mint = :mint and q.state in ('open', 'signed'))"
    " order by q.message_sha256 = :digest desc limit 1"
)
_SIGN = text(
    "update buyback_quotes set state = 'signed', tx_signature = :signature,"
    " signed_tx = :signed_tx, message_sha256 = :digest"
    " where id = :id and state = 'open' returning id"
)
_CLOSE = text(
    "with closed as (update buyback_quotes set state = 'dead', next_check_at = null"
    " where id = :id and state in ('open', 'signed') and (not :unsigned_only or signed_tx is null)"
    " returning amount_lamports)"
    " update treasury_books set reserved_lamports = reserved_lamports"
    " - (select amount_lamports from closed) where treasury = :treasury"
    " and exists (select from closed) returning treasury"
)
# Payment, mark, quote and what it held back: together or not at all, and once.
_RECORD = text(
    "with was as (select id, state, amount_lamports from buyback_quotes"
    " where id = cast(:quote_id as bigint) for update),"
    " closed as (update buyback_quotes q set state = 'paid', tx_signature = :signature,"
    " next_check_at = null from was where q.id = was.id and was.state <> 'paid'"
    " returning case when was.state = 'dead' then 0 else was.amount_lamports end as freed),"
    " marked as (update user_skins set is_burned_back = true, buyback_tx_signature = :signature"
    " where nft_mint_address = :mint),"
    " entered as (insert into buyback_records (nft_mint, user_wallet, amount_paid, tx_signature,"
    " created_at, quote_id) values (:mint, :wallet, :amount_sol, :signature, :now,"
    " cast(:quote_id as bigint))"
    " on conflict (nft_mint) do nothing returning id)"
    " update treasury_books set reserved_lamports = reserved_lamports"
    " - coalesce((select sum(freed) from closed), 0), paid_lamports = paid_lamports"
    " + case when exists (select from entered) then :amount else 0 end"
    " where treasury = :treasury"
)
_BY_MESSAGE = text(f"select {_QUOTE} from buyback_quotes q where q.message_sha256 = :digest")
_CLAIM = text(
    "update buyback_quotes q set next_check_at = :lease_until where id in"
    " (select id from buyback_quotes where next_check_at <= :now order by next_check_at, id"
    f" limit :most for update skip locked) returning {_QUOTE}"
)
_UNSOLD = text(
    "select id, nft_mint_address as nft_mint from user_skins"
    " where not is_burned_back and id > :after order by id limit :most"
)
# Half a record: marked as sold without a payment entered, or the other way round.
_HALVES = text(
    "select s.nft_mint_address as nft_mint from user_skins s"
    " left join buyback_records r on r.nft_mint = s.nft_mint_address"
    " where s.is_burned_back <> (r.id is not null) order by s.id limit :most"
)


class LiveQuote(Exception):
    """Another quote of this NFT was entered first."""


@dataclass(frozen=True)
class Sellable:
    """A revealed NFT: its price, its live quote, and what was paid in all when it was read."""

    is_burned_back: bool
    price_usd: Decimal
    paid_before_lamports: int
    live_quote_id: int | None


@dataclass(frozen=True)
class StoredQuote:
    """A row. Prices and issued bytes are empty in rows older than the second schema."""

    id: int
    nft_mint: str
    user_wallet: str
    state: QuoteState
    amount_lamports: int
    price_usd: Decimal | None
    sol_usd: Decimal | None
    message_sha256: bytes
    issued_tx: bytes | None
    treasury_signed: bool
    last_valid_block_height: int
    expires_at: datetime
    tx_signature: str | None
    signed_tx: bytes | None

    @classmethod
    def read(cls, row: Sequence[Any]) -> Self:
        number, mint, wallet, state, *rest = row[:_QUOTE_COLUMNS]
        return cls(number, mint, wallet, QuoteState(state), *rest)

    def signed(self, signature: str, signed_tx: bytes, digest: bytes) -> Self:
        """As it stands after complete bytes were stored."""
        return replace(
            self, state=QuoteState.SIGNED, tx_signature=signature, signed_tx=signed_tx,
            message_sha256=digest,
        )  # fmt: skip


class BuybackRows:
    """What the buyback service and the reconciler ask the database, for one treasury."""

    def __init__(self, database: Database, treasury: str) -> None:
        self._database = database
        self._treasury = treasury
        self._opened = False

    def skin(self, mint: str) -> Sellable | None:
        self.open_book()
        row = self._database.first(_SKIN, mint=mint, treasury=self._treasury)
        return None if row is None else Sellable(*row)

    def issue(self, **values: object) -> bool:
        """Enter a quote; False if its amount cannot be held back. Raises LiveQuote."""
        try:
            return bool(self._database.rows(_ISSUE, treasury=self._treasury, **values))
        except IntegrityError:
            raise LiveQuote from None

    def quote(self, number: int) -> StoredQuote | None:
        row = self._database.first(_BY_ID, id=number)
        return None if row is None else StoredQuote.read(row)

    def quote_of_message(self, digest: bytes) -> StoredQuote | None:
        row = self._database.first(_BY_MESSAGE, digest=digest)
        return None if row is None else StoredQuote.read(row)

    def to_confirm(
        self, digest: bytes, mint: str
    ) -> tuple[StoredQuote, str | None, int | None] | None:
        """The quote that a message belongs to, with signature and quote of the NFT's payment."""
        row = self._database.first(_TO_CONFIRM, digest=digest, mint=mint)
        return None if row is None else (StoredQuote.read(row), row[-2], row[-1])

    def sign(self, number: int, signature: str, signed_tx: bytes, digest: bytes) -> bool:
        """Store complete bytes before they are sent; False if others were stored first."""
        values = {"signature": signature, "signed_tx": signed_tx, "digest": digest}
        return bool(self._database.rows(_SIGN, id=number, **values))

    def close(self, number: int, *, unsigned_only: bool = False) -> bool:
        """A quote that can never be paid: it is dead and holds nothing back any more."""
        return bool(
            self._database.rows(
                _CLOSE, id=number, treasury=self._treasury, unsigned_only=unsigned_only
            )
        )

    def record(
        self,
        quote_id: int | None,
        *,
        mint: str,
        wallet: str,
        amount_lamports: int,
        signature: str,
        now: datetime,
    ) -> None:
        """Enter a payment that is on the ledger; entered twice, it is there once."""
        self.open_book()
        self._database.rows(
            _RECORD, quote_id=quote_id, mint=mint, wallet=wallet, amount=amount_lamports,
            amount_sol=Decimal(amount_lamports) / LAMPORTS_PER_SOL, signature=signature, now=now,
            treasury=self._treasury,
        )  # fmt: skip

    def open_book(self) -> None:
        """Done by itself at the first use, so that an application can start before its database."""
        if not self._opened:
            self._database.rows(_OPEN_BOOK, treasury=self._treasury)
            self._opened = True

    def claim_due(self, now: datetime, lease_until: datetime, most: int) -> list[StoredQuote]:
        """Live quotes to look after, which no other worker gets until the lease is over."""
        rows = self._database.rows(_CLAIM, now=now, lease_until=lease_until, most=most)
        return [StoredQuote.read(row) for row in rows]

    def unsold(self, after: int, most: int) -> list[tuple[int, str]]:
        """Ids and mints of NFTs that are not marked as sold, by id."""
        rows = self._database.rows(_UNSOLD, after=after, most=most)
        return [(row.id, row.nft_mint) for row in rows]

    def halves(self, most: int) -> list[str]:
        return [row.nft_mint for row in self._database.rows(_HALVES, most=most)]
