"""What the judges look at: the ledger's transactions and the database's rows, read once.

The transactions are found by asking the ledger for the history of every wallet and NFT that the
run knows, not by trusting what players or backend say they sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from solana.rpc.api import Client
from solana.rpc.commitment import Confirmed
from solders.pubkey import Pubkey
from solders.signature import Signature
from sqlalchemy import Engine, text

from harness.address_book import AddressBook
from harness.candy_config import LAMPORTS_PER_SOL
from harness.checks.order import in_order
from harness.errors import HarnessError
from harness.market import Terms
from harness.receipt import Receipt, read_receipt
from harness.settings import TestbedSettings
from programs.buyback import client as buyback

_PAGE = 1000  # the most that getSignaturesForAddress gives at once
_PAGES_MAX = 100
_QUOTE_SECONDS_MAX = 120  # no blockhash, and so no signed quote, lives longer
_ACCOUNTS_PER_CALL = 100  # the most that getMultipleAccounts takes


@dataclass(frozen=True)
class UserSkin:
    """A row of `user_skins` with its template. `mint` is the NFT's address as text."""

    mint: str
    skin_name: str
    tier: str
    price_usd: Decimal
    is_burned_back: bool
    buyback_signature: str | None


@dataclass(frozen=True)
class BuybackRecord:
    """A row of `buyback_records`. `paid_lamports` is the row's amount in lamports."""

    mint: str
    wallet: str
    paid_lamports: int
    signature: str
    paid_at: datetime


@dataclass(frozen=True)
class Seller:
    """A candy machine, where its price goes, and what it takes."""

    candy_machine: Pubkey
    destination: Pubkey
    mint_price_lamports: int
    bot_tax_lamports: int
    items_redeemed_before: int = 0


@dataclass(frozen=True)
class Machine:
    """The addresses and prices by which a run's transactions are judged."""

    candy_machine: Pubkey
    collection_mint: Pubkey
    destination: Pubkey
    treasury: Pubkey
    mint_price_lamports: int
    bot_tax_lamports: int
    #: All that may pay; empty for `treasury` alone.
    treasuries: tuple[Pubkey, ...] = ()
    #: Every version of the buyback program that is in use.
    buyback_programs: tuple[Pubkey, ...] = (buyback.PROGRAM_ID,)
    #: Boxes sold before the run, by a machine that was there before it.
    items_redeemed_before: int = 0
    #: Machines of further box types.
    others: tuple[Seller, ...] = ()

    @property
    def sellers(self) -> tuple[Seller, ...]:
        """Every candy machine, this one first."""
        return (
            Seller(
                self.candy_machine, self.destination, self.mint_price_lamports,
                self.bot_tax_lamports, self.items_redeemed_before,
            ),
            *self.others,
        )  # fmt: skip

    def pays(self, address: Pubkey) -> bool:
        """Whether buybacks may be paid from this address."""
        return address == self.treasury or address in self.treasuries


@dataclass(frozen=True)
class Evidence:
    """Everything a judge may look at. Receipts are in the order of the ledger."""

    client: Client
    book: AddressBook
    settings: TestbedSettings
    machine: Machine
    receipts: tuple[Receipt, ...]
    user_skins: tuple[UserSkin, ...]
    buyback_records: tuple[BuybackRecord, ...]
    log_text: str
    secrets: tuple[str, ...]
    #: Every SOL price and rate that was in force, oldest first.
    terms: tuple[Terms, ...] = ()
    #: Whether the backend's tables were read; a foreign backend hides them, and then only the
    #: ledger speaks.
    has_books: bool = True

    def name(self, address: Pubkey | str) -> str:
        """The run's name for an address."""
        known = address if isinstance(address, Pubkey) else Pubkey.from_string(address)
        return self.book.name(known)

    def in_force(self, paid_at: datetime) -> list[Terms]:
        """The terms under which a payment may have been quoted: those of its moment, and those
        that a quote which still lived then can have had."""
        earliest = paid_at - timedelta(seconds=_QUOTE_SECONDS_MAX)
        ends = [later.since for later in self.terms[1:]] + [None]
        return [
            terms
            for terms, end in zip(self.terms, ends, strict=True)
            if (end is None or end >= earliest) and (terms.since <= paid_at or len(ends) == 1)
        ]

    def rows(self) -> list[dict[str, object]]:
        """What the backend's books say of each NFT, for the journal: names for addresses, money in
        lamports, US dollars as text."""
        paid = {row.mint: row for row in self.buyback_records}
        told: list[dict[str, object]] = []
        for skin in self.user_skins:
            record = paid.get(skin.mint)
            told.append({
                "nft": self.name(skin.mint), "skin": skin.skin_name, "tier": skin.tier,
                "price_usd": str(skin.price_usd), "is_burned_back": skin.is_burned_back,
                "paid_lamports": record and record.paid_lamports,
                "paid_to": record and self.name(record.wallet),
            })  # fmt: skip
        return sorted(told, key=lambda row: str(row["nft"]))

    def account_data(self, addresses: list[Pubkey]) -> dict[Pubkey, bytes | None]:
        """The bytes of many accounts; None for one that does not exist or was closed."""
        found: dict[Pubkey, bytes | None] = {}
        for start in range(0, len(addresses), _ACCOUNTS_PER_CALL):
            part = addresses[start : start + _ACCOUNTS_PER_CALL]
            answer = self.client.get_multiple_accounts(part, commitment=Confirmed).value
            for address, account in zip(part, answer, strict=True):
                closed = account is None or account.lamports == 0
                found[address] = None if account is None or closed else bytes(account.data)
        return found

    def lamports(self, addresses: list[Pubkey]) -> dict[Pubkey, int]:
        """The balances of many accounts; 0 for one that does not exist."""
        found: dict[Pubkey, int] = {}
        for start in range(0, len(addresses), _ACCOUNTS_PER_CALL):
            part = addresses[start : start + _ACCOUNTS_PER_CALL]
            answer = self.client.get_multiple_accounts(part, commitment=Confirmed).value
            for address, account in zip(part, answer, strict=True):
                found[address] = 0 if account is None else account.lamports
        return found


def gather(
    *,
    client: Client,
    book: AddressBook,
    settings: TestbedSettings,
    machine: Machine,
    engine: Engine | None,
    log_text: str,
    secrets: tuple[str, ...],
    first_slot: int = 0,
    terms: tuple[Terms, ...] = (),
) -> Evidence:
    """Read ledger and database. `engine` is None where a foreign backend hides its database.

    What was on the ledger before `first_slot` is none of this run's doing and is left out.
    """
    watched = list(book.named("player-").values()) + list(book.named("nft-").values())
    watched += [*book.named("authority").values()]
    watched += [seller.candy_machine for seller in machine.sellers]
    watched += [machine.treasury, *machine.treasuries]
    return Evidence(
        client=client,
        book=book,
        settings=settings,
        machine=machine,
        receipts=read_receipts(client, watched, first_slot),
        user_skins=() if engine is None else read_user_skins(engine),
        buyback_records=() if engine is None else read_buyback_records(engine),
        log_text=log_text,
        secrets=secrets,
        terms=terms,
        has_books=engine is not None,
    )


def read_receipts(
    client: Client, addresses: list[Pubkey], first_slot: int = 0
) -> tuple[Receipt, ...]:
    """Every transaction of the ledger's history that touches one of the addresses, in order."""
    slots: dict[Signature, int] = {}
    for address in dict.fromkeys(addresses):
        before: Signature | None = None
        for _ in range(_PAGES_MAX):
            page = client.get_signatures_for_address(
                address, before=before, limit=_PAGE, commitment=Confirmed
            ).value
            slots.update(
                (entry.signature, entry.slot) for entry in page if entry.slot >= first_slot
            )
            if len(page) < _PAGE or page[-1].slot < first_slot:
                break
            before = page[-1].signature
    receipts = []
    for signature in in_order(client, slots):
        receipt = read_receipt(client, signature)
        if receipt is None:
            raise HarnessError(
                "the ledger lists a transaction in an account's history but does not show it; "
                "judge again once it has caught up"
            )
        receipts.append(receipt)
    return tuple(receipts)


def read_user_skins(engine: Engine) -> tuple[UserSkin, ...]:
    """The backend's inventory, straight from its tables."""
    query = text(
        "select u.nft_mint_address, t.weapon || ' | ' || t.skin_name, t.rarity, t.base_price_usd,"
        " u.is_burned_back, u.buyback_tx_signature"
        " from user_skins u join skin_templates t on t.id = u.skin_template_id order by u.id"
    )
    with engine.connect() as connection:
        return tuple(
            UserSkin(row[0], row[1], row[2], Decimal(row[3]), row[4], row[5])
            for row in connection.execute(query)
        )


def read_buyback_records(engine: Engine) -> tuple[BuybackRecord, ...]:
    """The backend's record of payouts, straight from its table."""
    query = text(
        "select nft_mint, user_wallet, amount_paid, tx_signature, created_at"
        " from buyback_records order by id"
    )
    with engine.connect() as connection:
        return tuple(
            BuybackRecord(row[0], row[1], int(row[2] * LAMPORTS_PER_SOL), row[3], row[4])
            for row in connection.execute(query)
        )
