"""Whatever kind of NFT and however it is held: it is paid and burnt, or refused by name.

Kinds: plain and programmable, in sized and unsized collections, and prints. Holds: a token account
that is not the associated one, approvals, delegates of every role, locks, freezes, close
authorities.
"""

from __future__ import annotations

from typing import Any

import pytest

from harness.programs import assets
from harness.programs.flows.delegates import ROLES, UTILITY
from harness.programs.flows.editions import print_instruction
from harness.submission import Submission
from programs.buyback import client as buyback
from programs.token_metadata.client import edition_address, metadata_address

AMOUNT = 53_125_000
#: Roles over a holder's token; the others are the update authority's and change nothing here.
TOKEN_ROLES = [role for role in ROLES if not role.record and role.name != "standard"]
SALE = next(role for role in ROLES if role.name == "sale")


@pytest.fixture
def plain(props: Any) -> Any:
    return props.nft(props.economy.deployment.collection_mint)


@pytest.fixture
def programmable(props: Any) -> Any:
    return props.nft(props.economy.deployment.collection_mint, programmable=True)


def holdings(held: Any) -> tuple[int, int]:
    economy = held.economy
    return economy.balance(economy.user.pubkey()), economy.balance(economy.treasury.pubkey())


def paid_and_burnt(held: Any, **changes: Any) -> None:
    """Sells it: the treasury loses the amount to the lamport, and of the NFT nothing is left."""
    economy, before = held.economy, holdings(held)
    gone = [
        changes.get("token_account", held.token),
        metadata_address(held.mint),
        edition_address(held.mint),
        *([held.record] if held.record else []),
    ]
    rent = sum(economy.balance(address) for address in gone)
    sent = held.sell(amount=AMOUNT, **changes)
    assert sent.outcome == "landed", sent.logs
    user, treasury = holdings(held)
    fee = 10_000
    assert treasury == before[1] - AMOUNT
    left = sum(economy.balance(address) for address in gone)  # the edition may keep a fee
    assert user == before[0] + AMOUNT + rent - left - fee
    assert [economy.data(address) for address in gone] == [None] * len(gone)
    assert int.from_bytes(economy.data(held.mint)[36:44], "little") == 0, "no supply is left"
    version = changes.get("version", buyback.CONFIG_VERSION)
    event = buyback.BuybackExecuted(
        economy.user.pubkey(), held.mint, economy.treasury.pubkey(), AMOUNT, version
    )
    assert buyback.executed(sent.logs) == [event]


def refused(held: Any, name: str, **changes: Any) -> Submission:
    """Nothing happens, and the reason has that name."""
    before = holdings(held)
    sent = held.sell(**changes)
    assert (sent.outcome, sent.fault and sent.fault.name) == ("refused", name), sent.logs
    assert holdings(held) == before
    assert held.economy.data(metadata_address(held.mint)) is not None
    return sent


# -- kinds ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["plain", "programmable"])
@pytest.mark.parametrize("size", ["sized", "unsized"])
def test_each_kind_in_each_collection(props: Any, kind: str, size: str) -> None:
    economy, version = props.economy, 1
    collection = economy.deployment.collection_mint
    if size == "unsized":
        collection, version = props.unsized(), 2
        made = buyback.initialize(
            authority=economy.authority.pubkey(),
            treasury=economy.treasury.pubkey(),
            collection_mint=collection,
            min_treasury_balance=0,
            version=version,
        )
        props.do(made)
    held = props.nft(collection, programmable=kind == "programmable")
    paid_and_burnt(held, version=version)


def test_a_sized_collection_is_counted_down(props: Any, plain: Any) -> None:
    label = metadata_address(plain.collection)
    before = props.economy.data(label)
    paid_and_burnt(plain)
    after = props.economy.data(label)
    counted = [at for at in range(len(before)) if before[at] != after[at]]
    assert len(counted) == 1, "one byte of the size"
    assert before[counted[0]] - after[counted[0]] == 1


def test_a_print_is_refused(props: Any) -> None:
    """Prints have no master edition but one of another type, which cannot be read as one."""
    economy = props.economy
    master, copy, user = economy.key(), economy.key(), economy.user
    who = props.payer
    props.do(assets.token(props, master.pubkey(), who, who), keys=(master,))
    collection = economy.deployment.collection_mint
    props.do(assets.label(props, master.pubkey(), who, "Ed", sized=None, member_of=collection))
    props.do(assets.master_edition(props, master.pubkey(), who, 1))
    props.do(assets.token(props, copy.pubkey(), user.pubkey(), who), keys=(copy,))
    props.do(print_instruction(props, master.pubkey(), copy.pubkey(), 1))
    held = props.held(copy.pubkey(), collection)
    refused(held, "BorshIoError")


def test_a_fungible_token_is_refused(props: Any) -> None:
    """One unit of a coin that is in the collection is no NFT: it has no master edition."""
    economy = props.economy
    coin, user, collection = economy.key(), economy.user, economy.deployment.collection_mint
    made = assets.create(props, coin.pubkey(), assets.FUNGIBLE, member_of=collection)
    props.do(made, keys=(coin,))
    props.do(assets.mint_v1(props, coin.pubkey(), user.pubkey(), sealed=False))
    refused(props.held(coin.pubkey(), collection), "AccountNotInitialized")


# -- plain NFTs in strange hands ------------------------------------------------------------------


def test_outside_the_associated_account(plain: Any) -> None:
    elsewhere = plain.moved()
    refused(plain, "NotHolder")
    paid_and_burnt(plain, token_account=elsewhere)


def test_an_approval_changes_nothing_for_the_holder(plain: Any) -> None:
    plain.approve(plain.economy.key().pubkey())
    paid_and_burnt(plain)


def test_an_approved_stranger_cannot_sell(plain: Any) -> None:
    economy, stranger = plain.economy, plain.economy.key()
    economy.ledger.fund(stranger.pubkey(), 10**9)
    plain.approve(stranger.pubkey())
    sale = plain.sale(user=stranger.pubkey(), token_account=plain.token)
    sent = economy.send([sale], stranger, economy.treasury)
    assert (sent.outcome, sent.fault.name) == ("refused", "ConstraintTokenOwner")


def test_what_a_delegate_froze_waits_until_it_is_thawed(plain: Any) -> None:
    delegate = plain.economy.key()
    plain.approve(delegate.pubkey())
    plain.freeze(delegate)
    refused(plain, "TokenFrozen")
    # Naming a record that a plain NFT has not does not get around it.
    refused(plain, "IncorrectOwner", token_record=assets.token_record(plain.mint, plain.token))
    plain.thaw(delegate)
    paid_and_burnt(plain)


def test_a_close_authority_of_somebody_elses_is_refused(plain: Any) -> None:
    plain.close_authority(plain.economy.key().pubkey())
    refused(plain, "ForeignCloseAuthority")


def test_a_close_authority_of_the_holders_own_is_not(plain: Any) -> None:
    plain.close_authority(plain.economy.user.pubkey())
    paid_and_burnt(plain)


# -- programmable NFTs ----------------------------------------------------------------------------


def test_the_record_must_be_there_and_its_own(props: Any, programmable: Any) -> None:
    other = props.nft(programmable.collection, programmable=True)
    refused(programmable, "TokenFrozen", token_record=None)
    refused(programmable, "InvalidTokenRecord", token_record=other.record)
    refused(programmable, "InvalidTokenRecord", token_record=metadata_address(programmable.mint))
    refused(programmable, "IncorrectOwner", token_record=props.economy.treasury.pubkey())
    paid_and_burnt(programmable)


@pytest.mark.parametrize("role", TOKEN_ROLES, ids=[role.name for role in TOKEN_ROLES])
def test_each_delegate(programmable: Any, role: Any) -> None:
    """A role that lists the token is refused by name until revoked; others don't matter."""
    delegate = programmable.economy.key().pubkey()
    programmable.delegate(role, delegate)
    if role == SALE:
        refused(programmable, "IncorrectTokenState")
        programmable.delegate(role, delegate, revoke=True)
    paid_and_burnt(programmable)


def test_what_a_delegate_locked_waits_until_it_is_unlocked(programmable: Any) -> None:
    delegate = programmable.economy.key()
    programmable.delegate(UTILITY, delegate.pubkey())
    programmable.lock("Lock", delegate)
    refused(programmable, "LockedToken")
    programmable.lock("Unlock", delegate)
    paid_and_burnt(programmable)


def test_a_delegate_cannot_sell(programmable: Any) -> None:
    economy, delegate = programmable.economy, programmable.economy.key()
    economy.ledger.fund(delegate.pubkey(), 10**9)
    programmable.delegate(UTILITY, delegate.pubkey())
    sale = programmable.sale(user=delegate.pubkey(), token_account=programmable.token)
    sent = economy.send([sale], delegate, economy.treasury)
    assert (sent.outcome, sent.fault.name) == ("refused", "ConstraintTokenOwner")


def test_the_treasury_can_sell_to_itself_without_loss(props: Any) -> None:
    """User and treasury may be one: then nothing is paid but the fee, and the rent comes back."""
    economy = props.economy
    economy.user = economy.treasury
    held = props.nft(economy.deployment.collection_mint)
    before = economy.balance(economy.treasury.pubkey())
    sent = economy.send([held.sale()], economy.treasury)
    assert sent.outcome == "landed", sent.logs
    assert economy.balance(economy.treasury.pubkey()) > before
    assert economy.data(metadata_address(held.mint)) is None
