"""The promise on the box: the reveal keeps it, and nobody's draws are lost on the way.

Each box type is drawn from end to end and audited. On a pull request the seed is fixed, so that an
honest reveal never fails one by bad luck; the nightly story draws with fresh randomness and looks
at all nights together, with an evidence that any number of looks leaves valid.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from harness.backend_server import reference_roll
from harness.odds.agreement import refuted
from harness.odds.table import RarityTable, guide_table
from harness.testbed import Testbed

#: The promise of every box type that is sold.
BOXES = [guide_table()]

_DRAWS = 40
_BOXES_A_NIGHT = 200
_ROLLS_A_NIGHT = 20_000


@pytest.fixture(autouse=True)
def _statistics() -> None:
    pytest.importorskip("pyarrow", reason="needs the analysis packages: make setup")


@pytest.mark.testbed(items_available=_DRAWS)
def test_the_reveal_keeps_its_promise(testbed: Testbed) -> None:
    """Forty boxes are minted and revealed over HTTP, every third is sold back; the tally of the
    API's answers does not refute the promise, and ledger and database tell the same draws."""
    players = [testbed.player() for _ in range(8)]
    told = []
    for number in range(_DRAWS):
        player = players[number % len(players)]
        nft = player.mint()
        revealed = player.reveal(nft)
        told.append((str(nft.mint), revealed.rarity, revealed.skin_name))
        if number % 3 == 0:
            player.sell(nft)
    machine = str(testbed.deployment.candy_machine)
    assert refuted(told, testbed.ledger.rpc_url, machine, testbed.database_url) == ""


@pytest.mark.nightly
@pytest.mark.parametrize("table", BOXES, ids=lambda table: table.box)
@pytest.mark.testbed(items_available=_BOXES_A_NIGHT)
def test_nights_together_do_not_refute_the_roll(testbed: Testbed, table: RarityTable) -> None:
    """Two hundred boxes are revealed, then twenty thousand rolls are made with the operating
    system's randomness and added to the evidence of the nights before, where ODDS_STATE names a
    folder to keep it in. Nobody repeats a night: the rolls have no seed."""
    from harness.odds.assertions import assert_not_failed, assert_odds
    from harness.odds.monitor import Monitor, Watch, epsilons
    from harness.odds.sources.rolls import draws_from_roll, draws_from_testbed

    assert_odds(draws_from_testbed(testbed, _BOXES_A_NIGHT, table), table)
    watch = Watch(table, 1e-4, epsilons(table, 0.01))
    folder = os.environ.get("ODDS_STATE")
    state = None if folder is None else Path(folder) / f"{table.box}.json"
    monitor = Monitor.load(state, watch) if state and state.exists() else Monitor(watch)
    rolls = draws_from_roll(reference_roll(random.SystemRandom()), _ROLLS_A_NIGHT, table)
    monitor.update(rolls.of(table).tier)
    if state:
        monitor.save(state)
    assert_not_failed(monitor)
