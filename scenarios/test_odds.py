"""The promise on the box: the reveal keeps it, and nobody's draws are lost on the way.

Each box type is drawn from end to end and audited against its own odds. On a pull request the seed
is fixed, so that an honest reveal never fails one by bad luck; the nightly story draws with fresh
randomness and looks at all nights together, with an evidence that any number of looks leaves valid.
"""

from __future__ import annotations

import os
import random
from dataclasses import replace
from pathlib import Path

import pytest

from harness.backend_server import reference_roll
from harness.boxes import BoxOnSale, guide_box
from harness.odds.agreement import BoxTold, refuted
from harness.odds.table import RarityTable, guide_table
from harness.players.api import ApiRefusal
from harness.testbed import Testbed

pytestmark = pytest.mark.needs("analysis")

GOLDEN_ODDS = {"Rare": "0.60", "Epic": "0.30", "Legendary": "0.10"}
GOLDEN = RarityTable("golden-box", GOLDEN_ODDS)
#: The promise of every box type that is sold.
BOXES = [guide_table(), GOLDEN]

_GOLDEN_LAMPORTS = 500_000_000
_PLAYERS = 8
_DRAWS = 40
_BOXES_A_NIGHT = 200
_ROLLS_A_NIGHT = 20_000


def on_sale(testbed: Testbed, table: RarityTable, items: int) -> BoxOnSale:
    """The box type that a table promises: the guide's, or one more that the operator sells."""
    if table.box == testbed.box_id:
        return guide_box(testbed)
    return testbed.operator.put_on_sale(
        table.box, GOLDEN_ODDS, items_available=items, mint_price_lamports=_GOLDEN_LAMPORTS
    )


def told(testbed: Testbed, box: BoxOnSale, count: int) -> BoxTold:
    """`count` boxes are minted and revealed over HTTP by eight players, every third is sold."""
    purse = box.purse_lamports(count // _PLAYERS + 1)
    players = [testbed.player(lamports=purse) for _ in range(_PLAYERS)]
    draws = []
    for number in range(count):
        player = players[number % len(players)]
        nft = player.mint(machine=box.machine)
        revealed = player.reveal(nft, box_id=box.id)
        draws.append((str(nft.mint), revealed.rarity, revealed.skin_name))
        if number % 3 == 0:
            player.sell(nft)
    return BoxTold(box.id, box.odds, str(box.machine.machine), draws)


@pytest.mark.testbed(items_available=_DRAWS)
def test_the_reveal_keeps_its_promise(testbed: Testbed) -> None:
    """Forty boxes are minted and revealed over HTTP, every third is sold back; the tally of the
    API's answers does not refute the promise, and ledger and database tell the same draws."""
    draws = told(testbed, guide_box(testbed), _DRAWS)
    assert refuted([draws], testbed.ledger.rpc_url, testbed.database_url) == ""


@pytest.mark.needs("operator", "reference backend")
@pytest.mark.testbed(items_available=_DRAWS)
def test_two_box_types_keep_a_promise_each(testbed: Testbed) -> None:
    """The operator sells a golden box from a second machine, at its own price and odds. Forty of
    each are revealed: no tally refutes its own promise, and golden draws refute the plain one.
    Whoever asks for a plain box to be opened as a golden one is refused, and opens it as it is."""
    plain, golden = on_sale(testbed, BOXES[0], _DRAWS), on_sale(testbed, GOLDEN, _DRAWS)
    cheat = testbed.player()
    nft = cheat.mint(machine=plain.machine)
    with pytest.raises(ApiRefusal) as refusal:
        cheat.reveal(nft, box_id=golden.id)
    assert refusal.value.code == "UNKNOWN_BOX"
    opened = cheat.reveal(nft, box_id=plain.id)
    boxes = [told(testbed, plain, _DRAWS - 1), told(testbed, golden, _DRAWS)]
    first = (str(nft.mint), opened.rarity, opened.skin_name)
    boxes[0] = replace(boxes[0], draws=[first, *boxes[0].draws])
    assert {tier for _, tier, _ in boxes[1].draws} <= set(GOLDEN.tiers)
    assert refuted(boxes, testbed.ledger.rpc_url, testbed.database_url) == ""
    mistaken = [boxes[0], replace(boxes[1], odds=plain.odds)]
    assert "refuted by" in refuted(mistaken, testbed.ledger.rpc_url, testbed.database_url)


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

    box = on_sale(testbed, table, _BOXES_A_NIGHT)
    assert_odds(draws_from_testbed(testbed, _BOXES_A_NIGHT, table, box=box), table)
    watch = Watch(table, 1e-4, epsilons(table, 0.01))
    folder = os.environ.get("ODDS_STATE")
    state = None if folder is None else Path(folder) / f"{table.box}.json"
    monitor = Monitor.load(state, watch) if state and state.exists() else Monitor(watch)
    roll = reference_roll(random.SystemRandom(), box.odds)
    monitor.update(draws_from_roll(roll, _ROLLS_A_NIGHT, table).of(table).tier)
    if state:
        monitor.save(state)
    assert_not_failed(monitor)
