"""What a worker holds does not grow with the scenarios that it has played."""

from __future__ import annotations

import gc
import weakref

from harness.ledger.embedded import EmbeddedLedger
from harness.run.session import RunSession


def test_a_testbed_that_was_closed_is_gone(run_session: RunSession) -> None:
    """Ledger, backend and connection pool of a scenario go with it: nobody remembers them."""
    left = []
    for name in ("one", "two"):
        with run_session.testbed(name, title="a life") as bed:
            player = bed.player()
            nft = player.mint()
            player.reveal(nft)
            player.sell(nft)
            assert isinstance(bed.ledger, EmbeddedLedger)
            left += [weakref.ref(one) for one in (bed, bed.ledger.chain, bed.engine, bed.backend)]
        del bed, player
    gc.collect()
    assert [type(one()).__name__ for one in left if one() is not None] == []
