"""The guard in front of the machine: who is let through, and what trying costs."""

from __future__ import annotations

import pytest
from solders.system_program import TransferParams, transfer

from harness.players.player import BotTaxed, MintFailed
from harness.testbed import Testbed

pytestmark = pytest.mark.smoke


def test_a_bot_is_taxed(testbed: Testbed) -> None:
    """A bot puts an instruction of its own after the mint. The transaction succeeds, takes
    0.02 SOL and mints nothing: a success that is none."""
    bot = testbed.player()
    extra = transfer(
        TransferParams(from_pubkey=bot.pubkey, to_pubkey=testbed.deployment.treasury, lamports=1)
    )
    before = bot.balance_lamports()
    with pytest.raises(BotTaxed):
        bot.mint(after=[extra])
    fee, sent = 10_000, 1
    assert before - bot.balance_lamports() == 20_000_000 + fee + sent


def test_a_poor_wallet_mints_nothing(testbed: Testbed) -> None:
    """A wallet with half the price is taxed or turned away, and the treasury gets nothing."""
    poor = testbed.player(lamports=100_000_000)
    treasury_before = testbed.balance_lamports(testbed.deployment.treasury)
    with pytest.raises(MintFailed):
        poor.mint()
    assert testbed.balance_lamports(testbed.deployment.treasury) == treasury_before
