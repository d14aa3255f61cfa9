"""The treasury's side: when it pays, and when it must not."""

from __future__ import annotations

import pytest

from harness.players.api import ApiRefusal
from harness.testbed import Testbed

pytestmark = pytest.mark.smoke


def test_paused_buybacks_are_refused(testbed: Testbed) -> None:
    """The operator pauses buybacks; nobody can sell until they are resumed."""
    player = testbed.player()
    nft = player.mint()
    player.reveal(nft)
    testbed.operator.pause()
    assert testbed.api.status(player.name)["buybackEnable"] is False
    with pytest.raises(ApiRefusal) as refusal:
        player.request_buyback(nft)
    assert refusal.value.code == "BUYBACK_DISABLED"
    testbed.operator.resume()
    player.sell(nft)


def test_a_pause_between_request_and_confirm_holds(testbed: Testbed) -> None:
    """A transaction that the treasury signed before the pause is refused by the program after it,
    and the NFT stays with its owner."""
    player = testbed.player()
    nft = player.mint()
    player.reveal(nft)
    signed = player.sign(player.request_buyback(nft))
    testbed.operator.pause()
    with pytest.raises(ApiRefusal) as refusal:
        player.confirm_buyback(nft, signed)
    assert refusal.value.code == "BUYBACK_DISABLED"
    assert testbed.exists(nft)


def test_the_minimum_balance_is_never_touched(testbed: Testbed) -> None:
    """With the minimum one lamport above what a payout would leave, the sale is refused, by the
    backend and by the program; with exactly as much as it leaves, it goes through."""
    player = testbed.player()
    nft = player.mint()
    player.reveal(nft)
    lamports = player.quote(nft).lamports
    left = testbed.balance_lamports(testbed.deployment.treasury) - lamports
    early = player.sign(player.request_buyback(nft))

    testbed.operator.set_min_treasury(left + 1)
    with pytest.raises(ApiRefusal) as refusal:
        player.request_buyback(nft)
    assert refusal.value.code == "INSUFFICIENT_TREASURY"
    with pytest.raises(ApiRefusal) as refusal:
        player.confirm_buyback(nft, early)
    assert refusal.value.code == "INSUFFICIENT_TREASURY"
    assert testbed.exists(nft)

    testbed.operator.set_min_treasury(left)
    player.sell(nft)
    assert testbed.balance_lamports(testbed.deployment.treasury) == left


def test_a_sale_is_paid_once(testbed: Testbed) -> None:
    """The same signed transaction is handed in twice: the second time is answered like the first
    and pays nothing."""
    player = testbed.player()
    nft = player.mint()
    player.reveal(nft)
    signed = player.sign(player.request_buyback(nft))
    first = player.confirm_buyback(nft, signed)
    balance = player.balance_lamports()
    assert player.confirm_buyback(nft, signed) == first
    assert player.balance_lamports() == balance


def test_somebody_else_cannot_sell_it(testbed: Testbed) -> None:
    """A stranger asks to sell a player's NFT and is refused."""
    owner, stranger = testbed.player(), testbed.player()
    nft = owner.mint()
    owner.reveal(nft)
    with pytest.raises(ApiRefusal) as refusal:
        stranger.request_buyback(nft)
    assert refusal.value.code == "NOT_THE_HOLDER"
    assert testbed.exists(nft)
