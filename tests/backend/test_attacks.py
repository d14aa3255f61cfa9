"""Attacks that once got through: what an attacker does, and what must not come of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from backend.adapters.ledger import Ledger
from backend.domain.boxes import read_odds
from backend.domain.errors import (
    LabelTooLong,
    LedgerUnavailable,
    NoTemplate,
    NotTheHolder,
    OutcomeUnknown,
    Refusal,
)
from backend.domain.fairness import Proof, read_choices, repeat_roll
from backend.service import worker
from harness.ledger.embedded import EmbeddedLedger
from harness.ledger.embedded.transport import InProcessProvider
from harness.players.player import Nft, Player
from harness.testbed import Testbed
from programs.buyback import client as buyback
from programs.token_metadata import client as token_metadata
from tests.backend.test_buyback import ask_and_sign, books_are_closed, broadcast, reveal
from tests.backend.test_reveal import (
    broken,
    drawn_but_not_sent,
    rows,
    services_of,
    token_metadata_burn,
)
from tests.harness.ledger.wallets import result


def send_lamports(testbed: Testbed, player: Player, to: Pubkey, lamports: int) -> None:
    pay = transfer(TransferParams(from_pubkey=player.pubkey, to_pubkey=to, lamports=lamports))
    assert testbed.submit("player-1", "pay", [pay], [player.keypair]).receipt is not None


def burn(testbed: Testbed, player: Player, nft: Nft) -> None:
    one = token_metadata_burn(player.pubkey, nft.mint, testbed.deployment.collection_mint)
    assert testbed.submit("player-1", "burn", [one], [player.keypair]).receipt is not None


@pytest.mark.parametrize("found_by", ["quote", "sweep"])
@pytest.mark.parametrize(
    "left",
    ["lamports", pytest.param("byte", marks=pytest.mark.unjudged(reason="lamports from nowhere"))],
)
def test_a_payment_is_found_though_there_is_an_account_where_the_metadata_were(
    testbed: Testbed, found_by: str, left: str
) -> None:
    """Who has sold alone sends lamports to the address; or Token Metadata kept a byte for its fee,
    as newer versions do."""
    player, services = testbed.player(), services_of(testbed)
    nft = reveal(testbed, player)
    broadcast(testbed, ask_and_sign(services, player, nft))
    address = token_metadata.metadata_address(nft.mint)
    if left == "lamports":
        send_lamports(testbed, player, address, 1_000_000)
    else:
        kept = {"lamports": 10**7, "data": "00", "owner": str(token_metadata.PROGRAM_ID)}
        assert isinstance(testbed.ledger, EmbeddedLedger)
        result(testbed.ledger, "surfnet_setAccount", str(address), kept)
    if found_by == "sweep":
        rows(testbed, "update buyback_quotes set next_check_at = null")
        services.worker.sweep()
    else:
        testbed.clock.sleep(31)
        services.worker._settle_quotes()
    books_are_closed(testbed, records=1)


def test_a_stranger_cannot_close_a_quote_by_asking_for_one(testbed: Testbed) -> None:
    player, stranger = testbed.player(), testbed.player()
    services = services_of(testbed, signing_order="user-first")
    nft = reveal(testbed, player)
    signed = ask_and_sign(services, player, nft)
    with pytest.raises(NotTheHolder):
        services.buybacks.request(nft.mint, stranger.pubkey)
    services.buybacks.confirm(nft.mint, player.pubkey, signed)
    books_are_closed(testbed, records=1)


def owe(testbed: Testbed, wallet: Pubkey, lamports: int, number: int) -> None:
    rows(
        testbed,
        "insert into obligations (kind, nft_mint, wallet, amount_lamports, state, created_at)"
        f" values ('reveal', 'nft {number}', '{wallet}', {lamports}, 'approved', now())",
    )


@pytest.mark.unjudged  # a refund leaves the treasury without a sale
def test_refunds_on_their_way_are_not_spent_again(testbed: Testbed) -> None:
    """Two refunds and a quote, each of which the treasury could pay alone; nothing lands for a
    while, so its balance does not show the first."""
    player, services = testbed.player(), services_of(testbed)
    nft = reveal(testbed, player)
    promised = services.buybacks.calculate(nft.mint).buyback_lamports
    owed = max(promised, 200_000_000)
    treasury = testbed.deployment.treasury
    left = testbed.balance_lamports(treasury) - owed - 5_000
    testbed.operator.set_min_treasury(left)
    for number in range(2):
        owe(testbed, player.pubkey, owed, number)
    sent: list[bytes] = []
    with broken("_broadcast", lambda _, signed: sent.append(signed)):
        services.refunds.pay_due()
        with pytest.raises(Refusal, match=r"hold back|insufficient"):
            services.buybacks.request(nft.mint, player.pubkey)
    for one in set(sent):
        testbed.client.send_raw_transaction(one)
    assert testbed.balance_lamports(treasury) >= left
    services.refunds.pay_due()
    states = rows(testbed, "select state from obligations order by state")
    assert states == [("approved",), ("paid",)]
    assert testbed.balance_lamports(treasury) == left
    assert rows(testbed, "select reserved_lamports from treasury_books") == [(0,)]


@pytest.mark.unjudged  # a refund leaves the treasury without a sale
def test_two_refunds_alike_are_two_payments(testbed: Testbed) -> None:
    """To one wallet, of one amount, at one moment: on the ledger the same bytes would land once."""
    player, services = testbed.player(), services_of(testbed)
    for number in range(2):
        owe(testbed, player.pubkey, 200_000_000, number)
    before = player.balance_lamports()
    blockhash = Ledger(testbed.client, testbed.clock).latest_blockhash()
    with broken("latest_blockhash", lambda _: blockhash):
        services.refunds.pay_due()
    assert rows(testbed, "select state from obligations") == [("paid",), ("paid",)]
    assert player.balance_lamports() == before + 400_000_000
    assert rows(testbed, "select count(*) from payout_audit") == [(2,)]


@pytest.mark.unjudged  # a refund leaves the treasury without a sale
def test_refunds_that_cannot_be_paid_do_not_hide_those_that_can(testbed: Testbed) -> None:
    player, services = testbed.player(), services_of(testbed)
    for number in range(6):
        owe(testbed, player.pubkey, 10**15, number)
    owe(testbed, player.pubkey, 1_000_000, 6)
    before = player.balance_lamports()
    for _ in range(60):  # at 5 of 7 a round, in any order
        services.refunds.pay_due()
    assert player.balance_lamports() == before + 1_000_000


@pytest.mark.unjudged  # burnt and not paid for, as judges do not expect
def test_burnt_nfts_do_not_hide_a_sale_behind_them(
    testbed: Testbed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_REPAIRS_MAX", 2)
    player, services = testbed.player(lamports=10**10), services_of(testbed)
    nfts = [reveal(testbed, player) for _ in range(4)]
    for nft in nfts[:3]:
        burn(testbed, player, nft)
    broadcast(testbed, ask_and_sign(services, player, nfts[3]))
    rows(testbed, "update buyback_quotes set next_check_at = null")
    for _ in range(3):
        services.worker.sweep()
    books_are_closed(testbed, records=1)


@pytest.mark.unjudged  # paid at another price than ours
def test_a_quote_is_over_when_its_nft_was_paid_for_otherwise(testbed: Testbed) -> None:
    """Another backend with the same treasury has paid: this one's quote can not be paid any more,
    and holds nothing back."""
    player, services = testbed.player(), services_of(testbed)
    nft = reveal(testbed, player)
    services.buybacks.request(nft.mint, player.pubkey)
    execute = buyback.execute_buyback(
        user=player.pubkey, treasury=testbed.deployment.treasury, mint=nft.mint, amount=1_000_000,
        collection_mint=testbed.deployment.collection_mint,
    )  # fmt: skip
    blockhash = testbed.client.get_latest_blockhash().value.blockhash
    message = Message.new_with_blockhash([execute], player.pubkey, blockhash)
    broadcast(testbed, VersionedTransaction(message, [player.keypair, testbed.treasury_key]))
    testbed.clock.sleep(31)
    services.worker.tick()
    assert rows(testbed, "select amount_paid * 1000000000 from buyback_records") == [(1_000_000,)]
    assert rows(testbed, "select state from buyback_quotes") == [("dead",)]
    assert rows(testbed, "select reserved_lamports from treasury_books") == [(0,)]


def test_a_changed_rate_does_not_change_what_an_issued_quote_says(testbed: Testbed) -> None:
    player = testbed.player()
    nft = reveal(testbed, player)
    first = services_of(testbed).buybacks.request(nft.mint, player.pubkey)
    again = services_of(testbed, buyback_rate="0.5").buybacks.request(nft.mint, player.pubkey)
    assert again == first


def test_a_box_that_is_taken_off_the_list_is_not_given_up(testbed: Testbed) -> None:
    nft, services = testbed.player().mint(), services_of(testbed)
    drawn_but_not_sent(testbed, services, nft)
    renamed = services_of(testbed, box_id="another")
    testbed.clock.sleep(400 * 0.4)
    renamed.worker.tick()
    assert rows(testbed, "select state from reveals") == [("submitted",)]
    services.reveals.reveal(nft.mint, testbed.box_id)


@pytest.mark.parametrize("fair", [False, True])
def test_a_sold_out_tier_gives_nobody_another_roll(testbed: Testbed, fair: bool) -> None:
    """Of two tiers the common one is sold out: who asks often enough must not get the rare one."""
    rows(testbed, "update skin_templates set weight = 0 where rarity = 'Common'")
    machine = str(testbed.deployment.candy_machine)
    odds = {"Common": "0.9", "Legendary": "0.1"}
    boxes = json.dumps([{"id": testbed.box_id, "candy_machine": machine, "odds": odds}])
    services, nft = services_of(testbed, boxes=boxes, provably_fair=fair), testbed.player().mint()
    services.fairness.ensure()
    for number in range(50):
        with pytest.raises(NoTemplate):
            services.reveals.reveal(nft.mint, testbed.box_id, client_seed=f"{number}")


def test_a_label_that_does_not_fit_gives_nobody_another_roll(testbed: Testbed) -> None:
    rows(testbed, "update skin_templates set weapon = repeat('x', 30) where rarity = 'Common'")
    services, nft = services_of(testbed), testbed.player().mint()
    for _ in range(50):
        with pytest.raises(LabelTooLong):
            services.reveals.reveal(nft.mint, testbed.box_id)
    assert rows(testbed, "select * from reveals") == []


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


def test_a_proof_has_the_odds_that_were_rolled_with(testbed: Testbed) -> None:
    """The box has others by the time that the seed is disclosed."""
    machine, player = str(testbed.deployment.candy_machine), testbed.player()
    box = {"id": testbed.box_id, "candy_machine": machine}
    odds = {"Legendary": "0.5", "Common": "0.5"}  # in an order of their own
    before = services_of(testbed, boxes=json.dumps([{**box, "odds": odds}]), provably_fair=True)
    before.fairness.ensure()
    mints = [player.mint().mint for _ in range(4)]
    for mint in mints:
        before.reveals.reveal(mint, testbed.box_id)
    after = services_of(testbed, boxes=json.dumps([box]), provably_fair=True)
    before.fairness.rotate()
    for mint in mints:
        shown = after.fairness.proof(str(mint))
        proof = Proof(
            shown["commitment"], shown["client_seed"], shown["nonce"], read_odds(shown["odds"]),
            read_choices(shown["choices"]),
        )  # fmt: skip
        rolled = repeat_roll(proof, bytes.fromhex(shown["server_seed"]))
        assert rolled == (shown["tier"], shown["template_id"])
