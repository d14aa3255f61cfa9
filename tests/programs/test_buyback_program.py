"""The buyback program on the virtual machine: what it pays, and everything it refuses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from harness.ledger.embedded.machine import add_program
from harness.ledger.protocol import ProgramImage
from harness.submission import Submission
from programs import elf
from programs.addresses import associated_token_address, program_data_address
from programs.buyback import client as buyback
from programs.token_metadata import client as token_metadata

SOL = 10**9
MIN_TREASURY = 100 * SOL
AMOUNT = 53_125_000


@dataclass
class Sale:
    """A buyback that a test can spoil before it is sent."""

    economy: Any
    mint: Pubkey

    def instruction(self, amount: int = AMOUNT, **changes: Any) -> Instruction:
        arguments: dict[str, Any] = {
            "user": self.economy.user.pubkey(),
            "treasury": self.economy.treasury.pubkey(),
            "mint": self.mint,
            "collection_mint": self.economy.deployment.collection_mint,
            "amount": amount,
        }
        return buyback.execute_buyback(**{**arguments, **changes})

    def send(self, instruction: Instruction, *signers: Keypair) -> Submission:
        return self.economy.send(
            [instruction], *(signers or (self.economy.user, self.economy.treasury))
        )


@pytest.fixture
def sale(economy: Any) -> Sale:
    return Sale(economy, economy.minted())


def test_pays_exactly_and_burns(economy: Any, sale: Sale) -> None:
    closed = [
        associated_token_address(economy.user.pubkey(), sale.mint),
        token_metadata.metadata_address(sale.mint),
        token_metadata.edition_address(sale.mint),
    ]
    rent = sum(economy.balance(address) for address in closed)
    user, treasury = (
        economy.balance(economy.user.pubkey()),
        economy.balance(economy.treasury.pubkey()),
    )
    sent = sale.send(sale.instruction())
    assert sent.outcome == "landed", sent.logs
    assert economy.balance(economy.treasury.pubkey()) == treasury - AMOUNT
    fee = 10_000
    assert economy.balance(economy.user.pubkey()) == user + AMOUNT + rent - fee
    assert [economy.data(address) for address in closed] == [None, None, None]
    mint = economy.data(sale.mint)
    assert int.from_bytes(mint[36:44], "little") == 0, "no supply is left"
    event = buyback.BuybackExecuted(
        economy.user.pubkey(), sale.mint, economy.treasury.pubkey(), AMOUNT, version=1
    )
    assert buyback.executed(sent.logs) == [event]


def refused(economy: Any, sent: Submission, name: str, before: list[int]) -> None:
    """It was refused by that name, and nobody gained or lost a lamport."""
    assert sent.outcome == "refused"
    assert sent.fault is not None
    assert sent.fault.name == name, sent.logs
    assert holdings(economy) == before


def holdings(economy: Any) -> list[int]:
    return [economy.balance(one.pubkey()) for one in (economy.user, economy.treasury)]


def test_refuses_while_paused(economy: Any, sale: Sale) -> None:
    authority = economy.authority
    pause = buyback.set_enabled(authority=authority.pubkey(), enabled=False)
    assert economy.send([pause], authority).outcome == "landed"
    refused(economy, sale.send(sale.instruction()), "BuybackDisabled", holdings(economy))
    resume = buyback.set_enabled(authority=authority.pubkey(), enabled=True)
    assert economy.send([resume], authority).outcome == "landed"
    assert sale.send(sale.instruction()).outcome == "landed"


@pytest.mark.parametrize("over", [1, 399 * SOL, 2**64 - 1 - 400 * SOL])
def test_refuses_to_go_below_the_minimum(economy: Any, sale: Sale, over: int) -> None:
    spare = economy.balance(economy.treasury.pubkey()) - MIN_TREASURY
    sent = sale.send(sale.instruction(min(spare + over, 2**64 - 1)))
    refused(economy, sent, "InsufficientTreasury", holdings(economy))


def test_pays_down_to_the_minimum_exactly(economy: Any, sale: Sale) -> None:
    spare = economy.balance(economy.treasury.pubkey()) - MIN_TREASURY
    assert sale.send(sale.instruction(spare)).outcome == "landed"
    assert economy.balance(economy.treasury.pubkey()) == MIN_TREASURY


def test_refuses_to_pay_nothing(economy: Any, sale: Sale) -> None:
    refused(economy, sale.send(sale.instruction(0)), "InvalidAmount", holdings(economy))


def test_refuses_another_collection(economy: Any) -> None:
    other = economy.nft(economy.unsized_collection(), verified=True)
    sent = Sale(economy, other).send(Sale(economy, other).instruction())
    refused(economy, sent, "WrongCollection", holdings(economy))


def test_refuses_an_unverified_member(economy: Any) -> None:
    fake = Sale(economy, economy.nft(economy.deployment.collection_mint))
    refused(economy, fake.send(fake.instruction()), "CollectionNotVerified", holdings(economy))


def test_refuses_an_nft_without_collection(economy: Any) -> None:
    plain = Sale(economy, economy.nft(None))
    refused(economy, plain.send(plain.instruction()), "InvalidMetadata", holdings(economy))


def test_refuses_another_treasury(economy: Any, sale: Sale) -> None:
    other = economy.authority
    sent = sale.send(sale.instruction(treasury=other.pubkey()), economy.user, other)
    refused(economy, sent, "WrongTreasury", holdings(economy))


def test_refuses_who_does_not_hold_it(economy: Any, sale: Sale) -> None:
    thief = economy.key()
    economy.ledger.fund(thief.pubkey(), SOL)
    held = associated_token_address(economy.user.pubkey(), sale.mint)
    instruction = sale.instruction(user=thief.pubkey(), token_account=held)
    before = holdings(economy)
    refused(
        economy, sale.send(instruction, thief, economy.treasury), "ConstraintTokenOwner", before
    )


@pytest.mark.parametrize("who", ["user", "treasury"])
def test_both_must_sign(economy: Any, sale: Sale, who: str) -> None:
    missing = getattr(economy, who).pubkey()
    instruction = sale.instruction()
    unsigned = Instruction(
        instruction.program_id,
        instruction.data,
        [
            AccountMeta(meta.pubkey, meta.is_signer and meta.pubkey != missing, meta.is_writable)
            for meta in instruction.accounts
        ],
    )
    signers = [one for one in (economy.user, economy.treasury) if one.pubkey() != missing]
    sent = economy.send([unsigned], economy.authority, *signers)
    refused(economy, sent, "AccountNotSigner", holdings(economy))


def test_only_the_upgrade_authority_initialises(economy: Any) -> None:
    stranger = economy.key()
    economy.ledger.fund(stranger.pubkey(), SOL)
    instruction = initialise(economy, stranger, version=2)
    sent = economy.send([instruction], stranger)
    assert (sent.outcome, sent.fault and sent.fault.name) == ("refused", "Unauthorized")
    assert economy.data(buyback.config_address(2)) is None


def test_a_strangers_own_program_data_does_not_help(economy: Any) -> None:
    """Somebody deploys a program of their own and passes its data for the buyback's."""
    stranger, own = economy.key(), economy.key().pubkey()
    economy.ledger.fund(stranger.pubkey(), SOL)
    image = ProgramImage(own, elf.load("buyback"), stranger.pubkey())
    add_program(economy.ledger.chain.machine, image, slot=0)
    instruction = initialise(economy, stranger, version=2)
    accounts = [
        AccountMeta(program_data_address(own), False, False)
        if meta.pubkey == program_data_address(buyback.PROGRAM_ID)
        else meta
        for meta in instruction.accounts
    ]
    spoiled = Instruction(instruction.program_id, instruction.data, accounts)
    sent = economy.send([spoiled], stranger)
    assert (sent.outcome, sent.fault and sent.fault.name) == ("refused", "WrongProgramData")


def test_versions_stand_side_by_side(economy: Any, sale: Sale) -> None:
    second = initialise(economy, economy.authority, version=2, minimum=0)
    assert economy.send([second], economy.authority).outcome == "landed"
    pause = buyback.set_enabled(authority=economy.authority.pubkey(), enabled=False)
    assert economy.send([pause], economy.authority).outcome == "landed"
    assert sale.send(sale.instruction()).outcome == "refused"
    assert sale.send(sale.instruction(version=2)).outcome == "landed"
    again = economy.send([initialise(economy, economy.authority, version=2)], economy.authority)
    assert again.outcome == "refused", "a configuration is made once"


def initialise(
    economy: Any, authority: Keypair, version: int, minimum: int = MIN_TREASURY
) -> Instruction:
    return buyback.initialize(
        authority=authority.pubkey(),
        treasury=economy.treasury.pubkey(),
        collection_mint=economy.deployment.collection_mint,
        min_treasury_balance=minimum,
        version=version,
    )


@pytest.mark.parametrize(
    "switch",
    [
        lambda who: buyback.set_enabled(authority=who, enabled=False),
        lambda who: buyback.set_min_treasury_balance(authority=who, min_treasury_balance=0),
        lambda who: buyback.set_treasury(authority=who, treasury=who),
        lambda who: buyback.propose_authority(authority=who, new_authority=who),
        lambda who: buyback.accept_authority(new_authority=who),
    ],
    ids=["enabled", "minimum", "treasury", "propose", "accept"],
)
def test_switches_are_the_authoritys(economy: Any, switch: Any) -> None:
    before = economy.data(buyback.config_address())
    sent = economy.send([switch(economy.user.pubkey())], economy.user)
    assert (sent.outcome, sent.fault and sent.fault.name) == ("refused", "Unauthorized")
    assert economy.data(buyback.config_address()) == before


def test_switches_switch(economy: Any) -> None:
    who, other = economy.authority.pubkey(), economy.key().pubkey()
    switches = [
        buyback.set_min_treasury_balance(authority=who, min_treasury_balance=7),
        buyback.set_treasury(authority=who, treasury=other),
        buyback.set_enabled(authority=who, enabled=False),
    ]
    assert economy.send(switches, economy.authority).outcome == "landed"
    config = buyback.Config.parse(economy.data(buyback.config_address()))
    assert (config.min_treasury_balance, config.treasury, config.buyback_enabled) == (
        7,
        other,
        False,
    )


def test_an_offer_can_be_withdrawn(economy: Any) -> None:
    old, new = economy.authority, economy.key()
    economy.ledger.fund(new.pubkey(), SOL)
    for offered in (new.pubkey(), None):
        propose = buyback.propose_authority(authority=old.pubkey(), new_authority=offered)
        assert economy.send([propose], old).outcome == "landed"
    late = economy.send([buyback.accept_authority(new_authority=new.pubkey())], new)
    assert (late.outcome, late.fault and late.fault.name) == ("refused", "Unauthorized")


def test_authority_changes_hands_in_two_steps(economy: Any) -> None:
    old, new = economy.authority, economy.key()
    economy.ledger.fund(new.pubkey(), SOL)
    propose = buyback.propose_authority(authority=old.pubkey(), new_authority=new.pubkey())
    assert economy.send([propose], old).outcome == "landed"
    config = buyback.Config.parse(economy.data(buyback.config_address()))
    assert (config.authority, config.pending_authority) == (old.pubkey(), new.pubkey())
    accept = buyback.accept_authority(new_authority=new.pubkey())
    assert economy.send([accept], new).outcome == "landed"
    config = buyback.Config.parse(economy.data(buyback.config_address()))
    assert (config.authority, config.pending_authority) == (new.pubkey(), None)
    late = economy.send([buyback.set_enabled(authority=old.pubkey(), enabled=False)], old)
    assert late.outcome == "refused"
