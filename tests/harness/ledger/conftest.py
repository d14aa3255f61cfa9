from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.ledger.embedded import EmbeddedLedger
from tests.harness.ledger.wallets import PAYER, SOL


@pytest.fixture
def ledger() -> Iterator[EmbeddedLedger]:
    with EmbeddedLedger.start() as started:
        yield started


@pytest.fixture
def rich(ledger: EmbeddedLedger) -> EmbeddedLedger:
    """A ledger on which the payer has ten SOL."""
    ledger.fund(PAYER.pubkey(), 10 * SOL)
    return ledger
