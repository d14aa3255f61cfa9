"""People who wait at the same moment wait together, on a clock that nobody really waits on."""

from __future__ import annotations

from functools import partial

from harness.players.crowd import accepted, at_once
from harness.testbed import Testbed

#: Less than a blockhash lives: whoever has signed before the others wait can still send after it.
_SECONDS_MAX = 50


def test_ten_waits_at_once_are_one(testbed: Testbed) -> None:
    players = [testbed.player() for _ in range(10)]
    began = testbed.clock.now()
    nfts = accepted(at_once([player.mint for player in players]))
    results = at_once([
        partial(player.reveal, nft) for player, nft in zip(players, nfts, strict=True)
    ])  # fmt: skip
    passed = (testbed.clock.now() - began).total_seconds()
    assert len(accepted(results)) == 10, results
    assert testbed.settings.propagation_seconds <= passed < _SECONDS_MAX
