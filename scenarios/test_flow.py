"""The product as it is meant: mint, reveal, keep or sell, until the machine is empty."""

from __future__ import annotations

from functools import partial

import pytest

from harness.players.api import ApiRefusal
from harness.players.crowd import accepted, at_once, refused
from harness.players.nft import Nft
from harness.players.player import MintFailed, Player
from harness.settings import TIERS
from harness.testbed import Testbed


@pytest.mark.smoke
@pytest.mark.guide(
    "testing.full-flow", "testing.treasury-decreases", "testing.really-burnt", "do.audit-buybacks"
)
def test_one_life_cycle(testbed: Testbed) -> None:
    """A player mints a box at its price, sees what is in it and sells it back.

    What arrives in the wallet is the quoted amount and the rent of the three accounts that
    burning closes, less the fee of the player's own transaction.
    """
    player = testbed.player()
    places = testbed.deployment
    treasury_before = testbed.balance_lamports(places.treasury)
    earned = testbed.config.mint_price_lamports if places.destination == places.treasury else 0
    nft = player.mint()
    assert testbed.balance_lamports(places.treasury) == treasury_before + earned

    revealed = player.reveal(nft)
    assert revealed.rarity in TIERS

    quote = player.quote(nft)
    before = player.balance_lamports()
    rent = testbed.rent_of(nft)
    player.sell(nft)
    fee = 10_000  # two signatures: the player's and the treasury's
    assert player.balance_lamports() == before + quote.lamports + rent - fee
    treasury = testbed.balance_lamports(places.treasury)
    assert treasury == treasury_before + earned - quote.lamports
    assert not testbed.exists(nft)


@pytest.mark.smoke
@pytest.mark.guide("testing.many-wallets", "testing.full-flow")
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


@pytest.mark.guide("testing.many-wallets", "testing.concurrent-reveals")
def test_many_wallets_at_once(testbed: Testbed) -> None:
    """Ten players mint at the same moment, and wait, reveal and sell at the same moment; each is
    paid what was quoted to them."""

    def reveal_and_sell(player: Player, nft: Nft) -> int:
        player.reveal(nft)
        quoted = player.quote(nft).lamports
        before, rent = player.balance_lamports(), testbed.rent_of(nft)
        player.sell(nft)
        return player.balance_lamports() - (before + quoted + rent - 10_000)

    players = [testbed.player() for _ in range(10)]
    nfts = accepted(at_once([player.mint for player in players]))
    differences = at_once([
        partial(reveal_and_sell, player, nft) for player, nft in zip(players, nfts, strict=True)
    ])  # fmt: skip
    assert differences == [0] * 10


@pytest.mark.needs("virtual clock")
@pytest.mark.guide("testing.full-flow")
def test_a_keeper_sells_after_a_year(testbed: Testbed) -> None:
    """A player keeps a skin for a year, still sees it, and is paid the same when the price is."""
    player = testbed.player()
    nft = player.mint()
    revealed = player.reveal(nft)
    quoted = player.quote(nft).lamports
    testbed.clock.sleep(365 * 24 * 3600)
    assert testbed.metadata(nft).name == revealed.skin_name
    assert player.quote(nft).lamports == quoted
    player.sell(nft)
    assert not testbed.exists(nft)


@pytest.mark.guide("testing.many-wallets")
def test_a_box_given_away_unopened(testbed: Testbed) -> None:
    """A player gives an unopened box to a friend, who opens it, owns what is in it and sells it."""
    player, friend = testbed.player(), testbed.player()
    nft = player.mint()
    player.give(nft, friend)
    friend.reveal(nft)
    with pytest.raises(ApiRefusal) as refusal:
        player.request_buyback(nft)
    assert refusal.value.code == "NOT_THE_HOLDER"
    friend.sell(nft)
    assert not testbed.exists(nft)


@pytest.mark.guide("testing.many-wallets")
def test_a_skin_sold_on_before_the_buyback(testbed: Testbed) -> None:
    """A revealed skin changes hands; the new holder sells it back, the old one can't."""
    player, buyer = testbed.player(), testbed.player()
    nft = player.mint()
    player.reveal(nft)
    player.give(nft, buyer)
    before, rent = buyer.balance_lamports(), testbed.rent_of(nft)
    quoted = buyer.quote(nft).lamports
    with pytest.raises(ApiRefusal) as refusal:
        player.request_buyback(nft)
    assert refusal.value.code == "NOT_THE_HOLDER"
    buyer.sell(nft)
    assert buyer.balance_lamports() == before + quoted + rent - 10_000


@pytest.mark.guide("testing.error-cases", "testing.many-wallets")
@pytest.mark.needs("reference backend")
def test_a_skin_sold_on_between_request_and_confirm(testbed: Testbed) -> None:
    """The player asks for a buyback and gives the skin away before confirming: nothing is paid,
    and the new holder can sell it once the old quote has died."""
    player, buyer = testbed.player(), testbed.player()
    nft = player.mint()
    player.reveal(nft)
    signed = player.sign(player.sell_unsigned(nft))
    player.give(nft, buyer)
    with pytest.raises(ApiRefusal):
        player.confirm_buyback(nft, signed)
    assert testbed.exists(nft)
    testbed.clock.sleep(120)
    testbed.backend.tick()
    buyer.sell(nft)
    assert not testbed.exists(nft)


@pytest.mark.smoke
@pytest.mark.guide("testing.exhaustion")
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


@pytest.mark.guide("testing.exhaustion")
@pytest.mark.testbed(items_available=2)
def test_a_race_for_the_last_box(testbed: Testbed) -> None:
    """One box is left and eight players reach for it at the same moment: exactly one gets it, no
    other pays the price."""
    testbed.player().mint()
    racers = [testbed.player() for _ in range(8)]
    before = [racer.balance_lamports() for racer in racers]
    results = at_once([racer.mint for racer in racers])
    assert len(accepted(results)) == 1
    assert len(refused(results)) == 7
    spent = [was - racer.balance_lamports() for was, racer in zip(before, racers, strict=True)]
    tax_and_fee = testbed.config.bot_tax_lamports + 10_000
    for lamports, result in zip(spent, results, strict=True):
        if isinstance(result, MintFailed):
            assert lamports <= tax_and_fee
        else:
            assert lamports > testbed.config.mint_price_lamports
