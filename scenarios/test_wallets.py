"""Wallets with habits: what each makes of a mint and of a sale, and that nothing is ever lost."""

from __future__ import annotations

import pytest

from harness.players.api import ApiRefusal
from harness.players.player import Declined, MintFailed
from harness.players.wallets import (
    DECLINING,
    HARDWARE,
    LEGACY,
    MEDDLING,
    PHANTOM_LIKE,
    PLAIN,
    SENDING,
    SLOW_HARDWARE,
    Wallet,
)
from harness.testbed import Testbed

pytestmark = pytest.mark.guide("testing.wallet-adapters")


@pytest.mark.parametrize(
    "wallet", [LEGACY, PHANTOM_LIKE, HARDWARE], ids=["legacy", "phantom-like", "hardware"]
)
def test_a_whole_life_with_the_wallet(testbed: Testbed, wallet: Wallet) -> None:
    """A player with such a wallet mints, opens and sells; what is paid is what was quoted."""
    player = testbed.player(wallet=wallet)
    nft = player.mint()
    player.reveal(nft)
    quoted, rent = player.quote(nft).lamports, testbed.rent_of(nft)
    before = player.balance_lamports()
    player.sell(nft)
    assert player.balance_lamports() == before + quoted + rent - 10_000


@pytest.mark.needs("reference backend")
def test_a_wallet_that_sends_itself(testbed: Testbed) -> None:
    """The wallet signs and broadcasts the sale itself and hands back a signature only. The money
    arrives, and the backend's worker finds the payment and enters it."""
    player = testbed.player(wallet=SENDING)
    nft = player.mint()
    player.reveal(nft)
    quoted, rent = player.quote(nft).lamports, testbed.rent_of(nft)
    before = player.balance_lamports()
    player.broadcast(nft, player.sign(player.sell_unsigned(nft)))
    assert player.balance_lamports() == before + quoted + rent - 10_000
    testbed.clock.sleep(60)
    testbed.backend.tick()
    with pytest.raises(ApiRefusal) as refusal:
        player.quote(nft)
    assert refusal.value.code == "ALREADY_BOUGHT_BACK"


def test_a_wallet_that_meddles_with_a_signed_transaction(testbed: Testbed) -> None:
    """The wallet adds a priority fee to what the treasury has signed, which voids that signature:
    refused, nothing lost, and another wallet sells the skin."""
    player = testbed.player(wallet=MEDDLING)
    nft = player.mint()
    player.reveal(nft)
    with pytest.raises(ApiRefusal) as refusal:
        player.sell(nft)
    assert refusal.value.code == "TRANSACTION_MISMATCH"
    assert testbed.exists(nft)
    player.wallet = PLAIN
    player.sell(nft)


@pytest.mark.needs("virtual clock")
def test_a_hardware_wallet_that_is_too_slow(testbed: Testbed) -> None:
    """The key is found after two minutes, when the blockhash has died: no mint, no sale, and
    nothing but time is lost. Asked again, and quicker, both go through."""
    player = testbed.player(wallet=SLOW_HARDWARE)
    before = player.balance_lamports()
    with pytest.raises(MintFailed):
        player.mint()
    assert player.balance_lamports() == before
    player.wallet = HARDWARE
    nft = player.mint()
    player.reveal(nft)
    player.wallet = SLOW_HARDWARE
    with pytest.raises(ApiRefusal) as refusal:
        player.sell(nft)
    assert refusal.value.code == "QUOTE_EXPIRED"
    assert testbed.exists(nft)
    player.wallet = HARDWARE
    testbed.backend.tick()
    player.sell(nft)


def test_a_user_who_declines(testbed: Testbed) -> None:
    """The wallet asks, its owner says no: nothing was sent, nothing is spent, nothing is stuck."""
    player = testbed.player(wallet=DECLINING)
    before = player.balance_lamports()
    with pytest.raises(Declined):
        player.mint()
    assert player.balance_lamports() == before
    player.wallet = PLAIN
    nft = player.mint()
    player.reveal(nft)
    player.wallet = DECLINING
    with pytest.raises(Declined):
        player.sell(nft)
    assert testbed.exists(nft)
    player.wallet = PLAIN
    player.sell(nft)


@pytest.mark.needs("reference backend")
def test_a_wallet_that_disconnects_midway(testbed: Testbed) -> None:
    """The player signs the sale and the page loses the wallet before it can confirm. The skin
    stays, its quote dies by itself, and the next day it is sold."""
    player = testbed.player()
    nft = player.mint()
    player.reveal(nft)
    player.sign(player.sell_unsigned(nft))
    testbed.clock.sleep(24 * 3600)
    testbed.backend.tick()
    assert testbed.exists(nft)
    player.sell(nft)
    assert not testbed.exists(nft)
