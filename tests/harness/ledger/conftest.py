from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.ledger.embedded import EmbeddedLedger


@pytest.fixture
def ledger() -> Iterator[EmbeddedLedger]:
    with EmbeddedLedger.start() as started:
        yield started
