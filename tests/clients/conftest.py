from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.ledger.embedded import START, EmbeddedLedger
from harness.ledger.embedded.running_clock import RunningClock


@pytest.fixture
def ledger() -> Iterator[EmbeddedLedger]:
    """As `harness ledger` starts it: with a clock that runs."""
    with EmbeddedLedger.start(RunningClock(START)) as started:
        yield started
