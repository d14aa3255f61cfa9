"""The treasury's book, in whatever order quotes and refunds are promised, paid and given up.

The statements themselves, in a real Postgres, against a ledger that is a number.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import text

from backend.adapters import buyback_sql as sql
from backend.adapters.database import Database, migrate, open_engine
from harness.database import EmbeddedPostgres

_MIN, _FEE, _NOW = 100_000, 5000, datetime(2026, 1, 1, tzinfo=UTC)
_NUMBERS = itertools.count()
_ANEW = text("truncate treasury_books, buyback_records, buyback_quotes, obligations")
_OWE = text("""
    insert into obligations (kind, nft_mint, wallet, amount_lamports, state, created_at)
    values ('reveal', :mint, 'w', :amount, 'approved', now()) returning id""")
_BOOK = text(
    "select reserved_lamports, paid_lamports from treasury_books where treasury = :treasury"
)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with EmbeddedPostgres.start(tmp_path / "log") as server:
        url = server.create_database("books")
        migrate(url)
        engine = open_engine(url)
        yield Database(engine)
        engine.dispose()


class TreasuryBook(RuleBasedStateMachine):
    """Promises are made on a balance that was read before anything else happened in between."""

    def __init__(self, database: Database) -> None:
        super().__init__()
        self.database, self.treasury = database, "the treasury"
        database.rows(_ANEW)
        database.rows(sql.OPEN_BOOK, treasury=self.treasury)
        self.balance = 600_000
        #: Amounts by the number of quote and refund.
        self.quotes: dict[int, int] = {}
        self.refunds: dict[int, int] = {}
        self.somebody_reads()

    def book(self) -> tuple[int, int]:
        reserved, paid = self.database.first(_BOOK, treasury=self.treasury)
        return reserved, paid

    @rule()
    def somebody_reads(self) -> None:
        self.read = {
            "paid_before": self.book()[1], "spendable": self.balance - _MIN,
            "treasury": self.treasury,
        }  # fmt: skip

    @rule(amount=st.sampled_from([1, 5_000, 150_000, 400_000]))
    def a_quote_is_issued_on_that_reading(self, amount: int) -> None:
        number = next(_NUMBERS)
        issued = self.database.rows(
            sql.ISSUE, mint=f"m{number}", wallet="w", amount=amount, price_usd=1, sol_usd=1,
            digest=b"%d" % number, issued_tx=b"", treasury_signed=True, last_height=1, now=_NOW,
            expires_at=_NOW, next_check_at=_NOW, **self.read,
        )  # fmt: skip
        self.quotes |= {row.id: amount for row in issued}

    @rule(amount=st.sampled_from([1, 5_000, 150_000, 400_000]))
    def a_refund_is_signed_on_that_reading(self, amount: int) -> None:
        number = next(_NUMBERS)
        owed = self.database.first(_OWE, mint=f"m{number}", amount=amount).id
        signed = self.database.rows(
            sql.SIGN_REFUND, id=owed, signature=f"s{number}", signed_tx=b"", last_height=1,
            old_signature=None, **self.read,
        )  # fmt: skip
        self.refunds |= {row.id: amount for row in signed}

    @rule()
    def a_quote_is_cashed(self) -> None:
        for number, amount in list(self.quotes.items())[:1]:
            self.balance -= self.quotes.pop(number)
            self.database.rows(
                sql.RECORD, quote_id=number, mint=f"q{number}", wallet="w", amount=amount,
                amount_sol=Decimal(amount) / 10**9, signature=f"q{number}", now=_NOW,
                treasury=self.treasury,
            )  # fmt: skip

    @rule()
    def a_quote_dies(self) -> None:
        for number in list(self.quotes)[:1]:
            del self.quotes[number]
            self.database.rows(sql.CLOSE, id=number, treasury=self.treasury, unsigned_only=False)

    @rule()
    def a_refund_lands(self) -> None:
        for number in list(self.refunds)[:1]:
            self.balance -= self.refunds.pop(number) + _FEE
            self.database.rows(sql.REFUNDED, id=number, treasury=self.treasury, now=_NOW)

    @invariant()
    def all_could_be_paid_at_once(self) -> None:
        promised = sum(self.quotes.values()) + sum(one + _FEE for one in self.refunds.values())
        assert self.balance - promised >= _MIN
        assert self.book()[0] == promised


def test_all_that_is_promised_can_be_paid_at_once(database: Database) -> None:
    run_state_machine_as_test(
        lambda: TreasuryBook(database),
        settings=settings(max_examples=60, stateful_step_count=30, deadline=None),
    )
