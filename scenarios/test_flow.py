"""The product as it is meant: mint, reveal, keep or sell, until the machine is empty."""

from __future__ import annotations

import pytest

from harness.players.player import MintFailed
from harness.settings import TIERS
from harness.testbed import Testbed

pytestmark = pytest.mark.smoke


def test_one_life_cycle(testbed: Testbed) -> None:
    """A player mints a box for 0.2 SOL, sees what is in it and sells it back.

    What arrives in the wallet is the quoted amount and the rent of the three accounts that
    burning closes, less the fee of the player's own transaction.
    """
    player = testbed.player()
    treasury_before = testbed.balance_lamports(testbed.deployment.treasury)
    nft = player.mint()
    assert testbed.balance_lamports(testbed.deployment.treasury) == treasury_before + 200_000_000

    revealed = player.reveal(nft)
    assert revealed.rarity in TIERS

    quote = player.quote(nft)
    before = player.balance_lamports()
    rent = testbed.rent_of(nft)
    player.sell(nft)
    fee = 10_000  # two signatures: the player's and the treasury's
    assert player.balance_lamports() == before + quote.lamports + rent - fee


def test_several_players_sell_or_keep(testbed: Testbed) -> None:
    """Six players open twelve boxes; every other one is sold, the rest are kept.

    Kept NFTs show their skin on the ledger, sold ones are gone.
    """
    players = [testbed.player() for _ in range(6)]
    kept, sold = [], []
    for round_ in range(2):
        for number, player in enumerate(players):
            nft = player.mint()
            revealed = player.reveal(nft)
            if (number + round_) % 2:
                player.sell(nft)
                sold.append(nft)
            else:
                kept.append((nft, revealed))
    for nft, revealed in kept:
        assert testbed.metadata(nft).name == revealed.skin_name
    assert all(not testbed.exists(nft) for nft in sold)
    assert (len(kept), len(sold)) == (6, 6)


@pytest.mark.testbed(items_available=3)
def test_the_machine_sells_out(testbed: Testbed) -> None:
    """Three boxes are for sale and three are sold; the fourth buyer gets none and loses no SOL
    beyond the fee of asking and the bot tax."""
    players = [testbed.player() for _ in range(4)]
    for player in players[:3]:
        player.reveal(player.mint())
    late = players[3]
    before = late.balance_lamports()
    with pytest.raises(MintFailed):
        late.mint()
    assert before - late.balance_lamports() <= testbed.config.bot_tax_lamports + 10_000
