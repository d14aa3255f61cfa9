"""A sale that never dies: durable nonces in place of a blockhash, and why nobody gets one."""

from __future__ import annotations

import pytest
from solders.hash import Hash
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.system_program import (
    AdvanceNonceAccountParams,
    CreateAccountParams,
    InitializeNonceAccountParams,
    advance_nonce_account,
    create_account,
    initialize_nonce_account,
)

from harness.players.api import ApiRefusal
from harness.players.messages import instructions_of, rebuilt
from harness.players.player import Player
from harness.submission import Outcome
from harness.testbed import Testbed
from programs.addresses import SYSTEM

_NONCE_BYTES = 80
_VALUE = slice(40, 72)  # of a nonce account: after version, state and authority


@pytest.mark.guide("do.validate-inputs", "dont.trust-client")
def test_a_durable_nonce_instead_of_a_blockhash(testbed: Testbed) -> None:
    """A cheat swaps the blockhash for one that never dies, to keep the sale as an option on the
    price: it is another message than the one that was signed, and no good to anybody."""
    player = testbed.player()
    nft = player.mint()
    player.reveal(nft)
    honest = player.request_buyback(nft)
    eternal = rebuilt(honest, instructions_of(honest), Hash.new_unique())
    with pytest.raises(ApiRefusal) as refusal:
        player.confirm_buyback(nft, player.sign(eternal))
    assert refusal.value.code == "TRANSACTION_MISMATCH"
    assert player.broadcast(nft, player.sign(eternal)).outcome is Outcome.REFUSED
    assert testbed.exists(nft)


def _nonce_account(player: Player) -> tuple[Pubkey, Hash]:
    """A nonce account of the player's own on the ledger, and the value it holds."""
    bed = player.testbed
    account: Keypair = bed.seed.keypair("nonce account")
    rent = bed.client.get_minimum_balance_for_rent_exemption(_NONCE_BYTES).value
    make = create_account(
        CreateAccountParams(
            from_pubkey=player.pubkey, to_pubkey=account.pubkey(), lamports=rent,
            space=_NONCE_BYTES, owner=SYSTEM,
        )
    )  # fmt: skip
    begin = initialize_nonce_account(
        InitializeNonceAccountParams(nonce_pubkey=account.pubkey(), authority=player.pubkey)
    )
    keys = [player.keypair, account]
    sent = bed.submit(player.name, "make a nonce account", [make, begin], keys)
    assert sent.outcome is Outcome.LANDED, sent.fault
    data = bed.account_data(account.pubkey())
    assert data is not None
    return account.pubkey(), Hash(data[_VALUE])


@pytest.mark.needs("reference backend")
@pytest.mark.guide("do.validate-inputs", "dont.trust-client", "testing.error-cases")
@pytest.mark.parametrize(
    "order", ["treasury-first", "user-first"], ids=["treasury first", "user first"]
)
def test_a_nonce_account_keeps_a_sale_alive(testbed: Testbed, order: str) -> None:
    """A cheat makes a real nonce account, puts its value in place of the blockhash and its advance
    first. The backend signs and sends no such sale, the ledger takes none without the treasury,
    also an hour later; the honest sale goes through."""
    testbed.backend.restart(signing_order=order)
    player = testbed.player()
    nft = player.mint()
    player.reveal(nft)
    account, value = _nonce_account(player)
    honest = player.request_buyback(nft)
    advance = advance_nonce_account(
        AdvanceNonceAccountParams(nonce_pubkey=account, authorized_pubkey=player.pubkey)
    )
    eternal = player.sign(rebuilt(honest, [advance, *instructions_of(honest)], value))
    treasury = testbed.balance_lamports(testbed.deployment.treasury)
    for wait_seconds in (0, 3600):
        testbed.clock.sleep(wait_seconds)
        with pytest.raises(ApiRefusal) as refusal:
            player.confirm_buyback(nft, eternal)
        assert refusal.value.code == "TRANSACTION_MISMATCH"
        assert player.broadcast(nft, eternal).outcome is Outcome.REFUSED
    assert testbed.exists(nft)
    assert testbed.balance_lamports(testbed.deployment.treasury) == treasury
    testbed.backend.tick()
    player.sell(nft)
