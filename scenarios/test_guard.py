"""The guard in front of the machine: who is let through, and what trying costs."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest
from solders.compute_budget import set_compute_unit_price
from solders.instruction import Instruction
from solders.system_program import TransferParams, transfer

from harness.players.player import BotTaxed, MintFailed, Player
from harness.players.wallets import GUARDING, PHANTOM_LIKE
from harness.testbed import Testbed


def _own_instruction(bot: Player) -> Instruction:
    """An instruction that has nothing to do with minting."""
    return transfer(
        TransferParams(
            from_pubkey=bot.pubkey, to_pubkey=bot.testbed.deployment.authority, lamports=1
        )
    )


def _turned_away(bed: Testbed) -> type[MintFailed]:
    """What whom the guards refuse meets: the tax, or on a machine without one an error."""
    return BotTaxed if bed.config.bot_tax_lamports else MintFailed


@pytest.mark.smoke
@pytest.mark.guide("testing.error-cases")
def test_a_bot_is_taxed(testbed: Testbed) -> None:
    """A bot puts an instruction of its own after the mint. The transaction succeeds, takes the
    bot tax and mints nothing: a success that is none."""
    tax = testbed.bot_tax_lamports
    bot = testbed.player()
    before = bot.balance_lamports()
    with pytest.raises(BotTaxed):
        bot.mint(after=[_own_instruction(bot)])
    fee, sent = 10_000, 1
    assert before - bot.balance_lamports() == tax + fee + sent


@pytest.mark.needs("operator")
def test_without_last_instruction_more_may_follow(testbed: Testbed) -> None:
    """The operator switches `lastInstruction` off: an instruction after the mint is then no
    reason for the tax."""
    testbed.operator.allow_instructions_after_mint()
    player = testbed.player()
    nft = player.mint(after=[_own_instruction(player)])
    assert testbed.holds(player, nft)


@pytest.mark.guide("testing.wallet-adapters")
def test_a_wallet_that_appends_a_guard_is_taxed(testbed: Testbed) -> None:
    """An honest player uses a wallet that appends an instruction to check balances: the guard
    takes that for a bot, and the page must say so rather than show a success."""
    tax = testbed.bot_tax_lamports
    player = testbed.player(wallet=GUARDING)
    before = player.balance_lamports()
    with pytest.raises(BotTaxed):
        player.mint()
    assert before - player.balance_lamports() == tax + 10_000


@pytest.mark.guide("testing.wallet-adapters")
def test_a_priority_fee_is_no_reason_for_the_tax(testbed: Testbed) -> None:
    """A wallet puts a priority fee before the mint: the player gets the box."""
    player = testbed.player(wallet=PHANTOM_LIKE)
    nft = player.mint(before=[set_compute_unit_price(1)] if not player.wallet.priority_fee else [])
    assert testbed.holds(player, nft)


@pytest.mark.smoke
@pytest.mark.guide("testing.error-cases")
def test_a_poor_wallet_mints_nothing(testbed: Testbed) -> None:
    """A wallet with half the price is taxed or turned away, and its price is not paid."""
    poor = testbed.player(lamports=testbed.config.mint_price_lamports // 2)
    till_before = testbed.balance_lamports(testbed.deployment.destination)
    with pytest.raises(MintFailed):
        poor.mint()
    assert testbed.balance_lamports(testbed.deployment.destination) == till_before


@pytest.mark.needs("operator")
@pytest.mark.guide("issues.missing-remaining-account")
def test_a_forgotten_destination_is_missing_remaining_account(testbed: Testbed) -> None:
    """The page forgets the account that solPayment pays to. Without a bot tax the guard says
    MissingRemainingAccount; with it, the tax is taken and nothing is minted."""
    player = testbed.player()
    with pytest.raises(_turned_away(testbed)):
        player.mint(pays_destination=False)
    testbed.operator.lift_bot_tax()
    with pytest.raises(MintFailed) as failed:
        player.mint(pays_destination=False)
    fault = failed.value.submission.fault
    assert fault is not None
    assert fault.name == "MissingRemainingAccount"
    player.mint()


@pytest.mark.guide("issues.compute-budget")
def test_too_small_a_compute_budget(testbed: Testbed) -> None:
    """A page that asks for 100,000 compute units runs out of them and mints nothing; with the
    guide's 800,000 the same mint goes through."""
    player = testbed.player()
    before = player.balance_lamports()
    with pytest.raises(MintFailed) as failed:
        player.mint(compute_units_limit=100_000)
    fault = failed.value.submission.fault
    assert fault is not None
    assert "exceeded" in fault.message
    assert before - player.balance_lamports() <= 10_000
    player.mint(compute_units_limit=800_000)


@pytest.mark.needs("operator", "virtual clock")
@pytest.mark.guide("testing.error-cases")
def test_before_the_go_live_date(testbed: Testbed) -> None:
    """The start is tomorrow: who comes early is taxed, who comes after it gets a box."""
    testbed.operator.open_on(testbed.clock.now() + timedelta(days=1))
    early = testbed.player()
    with pytest.raises(_turned_away(testbed)):
        early.mint()
    testbed.clock.sleep(24 * 3600 + 1)
    assert testbed.holds(early, early.mint())


@pytest.mark.guide("testing.error-cases")
def test_another_collection_than_the_machines(testbed: Testbed) -> None:
    """A mint that names another collection gets no NFT into ours, nor out of the machine."""
    player = testbed.player()
    foreign = player.create_foreign_nft()
    elsewhere = dataclasses.replace(
        testbed.deployment.machine,
        collection_mint=foreign.mint,
        collection_update_authority=player.pubkey,
    )
    till_before = testbed.balance_lamports(testbed.deployment.destination)
    with pytest.raises(MintFailed):
        player.mint(machine=elsewhere)
    assert testbed.balance_lamports(testbed.deployment.destination) == till_before


@pytest.mark.needs("operator")
@pytest.mark.guide("dont.unlimited-minting")
def test_a_mint_limit_holds(testbed: Testbed) -> None:
    """Two boxes a wallet: the third mint of the same wallet is taxed, another wallet's is not."""
    testbed.operator.limit_mints(2)
    greedy, modest = testbed.player(), testbed.player()
    greedy.mint()
    greedy.mint()
    with pytest.raises(_turned_away(testbed)):
        greedy.mint()
    modest.mint()


@pytest.mark.guide("testing.error-cases", "dont.trust-client")
def test_paying_oneself_instead_of_the_treasury(testbed: Testbed) -> None:
    """A player names an own wallet as the destination of the payment: no box for that."""
    player = testbed.player()
    guards = testbed.deployment.machine.guards
    assert guards.sol_payment is not None
    mine = dataclasses.replace(guards.sol_payment, destination=player.pubkey)
    machine = dataclasses.replace(
        testbed.deployment.machine, guards=dataclasses.replace(guards, sol_payment=mine)
    )
    till_before = testbed.balance_lamports(testbed.deployment.destination)
    with pytest.raises(MintFailed):
        player.mint(machine=machine)
    assert testbed.balance_lamports(testbed.deployment.destination) == till_before
