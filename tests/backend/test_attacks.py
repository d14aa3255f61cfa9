"""Attacks that once got through: what an attacker does, and what must not come of it."""

from __future__ import annotations

from typing import Any

import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from backend.domain.errors import (
    LedgerUnavailable,
    OutcomeUnknown,
)
from harness.ledger.embedded.transport import InProcessProvider
from harness.testbed import Testbed
from tests.backend.test_buyback import ask_and_sign, books_are_closed, reveal
from tests.backend.test_reveal import (
    rows,
    services_of,
)


def owe(testbed: Testbed, wallet: Pubkey, lamports: int, number: int) -> None:
    rows(
        testbed,
        "insert into obligations (kind, nft_mint, wallet, amount_lamports, state, created_at)"
        f" values ('reveal', 'nft {number}', '{wallet}', {lamports}, 'approved', now())",
    )


@pytest.mark.unjudged  # a refund leaves the treasury without a sale
def test_a_node_that_is_behind_proves_no_death(testbed: Testbed) -> None:
    """A refund landed; of two nodes behind one address one knows the height, the other, asked for
    the history, has not seen that block yet."""
    player, services = testbed.player(), services_of(testbed)
    owe(testbed, player.pubkey, 200_000_000, 1)
    before = player.balance_lamports()
    behind = testbed.client.get_signature_statuses([Keypair().sign_message(b"")])
    services.refunds.pay_due()
    rows(testbed, "update obligations set state = 'paying'")
    testbed.clock.sleep(400 * 0.4)

    def status(*_: Any, **__: Any) -> Any:
        return behind

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(testbed.client), "get_signature_statuses", status)
        for _ in range(2):
            services.refunds.pay_due()
    services.refunds.pay_due()
    assert player.balance_lamports() == before + 200_000_000


def test_garbage_of_the_rpc_is_no_answer(testbed: Testbed) -> None:
    """A provider's page with status 200 instead of JSON."""
    player, services = testbed.player(), services_of(testbed)
    nft = reveal(testbed, player)
    signed = ask_and_sign(services, player, nft)

    def page(_: Any, __: Any, parser: Any) -> Any:
        return parser.from_json("<html>busy</html>")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(InProcessProvider, "make_request", page)
        for ask in (
            lambda: services.buybacks.request(nft.mint, player.pubkey),
            lambda: services.buybacks.confirm(nft.mint, player.pubkey, signed),
            services.worker.sweep,
        ):
            with pytest.raises((LedgerUnavailable, OutcomeUnknown)):
                ask()
    services.buybacks.confirm(nft.mint, player.pubkey, signed)
    books_are_closed(testbed, records=1)
