"""Buybacks when something goes wrong: what was promised, what was paid, what the books say."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
from solana.exceptions import SolanaRpcException
from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from backend.adapters import buyback_sql as sql
from backend.adapters import ledger
from backend.domain.errors import (
    AlreadyBoughtBack,
    InsufficientTreasury,
    MissingSignature,
    OutcomeUnknown,
    PriceTooOld,
    QuoteExpired,
    QuotePending,
    Refusal,
    TransactionMismatch,
)
from backend.service.buyback import Paid
from backend.service.wiring import Services
from harness.players.player import Nft, Player
from harness.testbed import Testbed
from programs.buyback import client as buyback
from tests.backend.test_reveal import rows, services_of, token_metadata_burn

STRANGER = Keypair.from_seed(b"x" * 32)
QUOTE_DEAD_SECONDS = 70


def reveal(testbed: Testbed, player: Player) -> Nft:
    nft = player.mint()
    player.reveal(nft)
    return nft


def ask_and_sign(services: Services, player: Player, nft: Nft) -> VersionedTransaction:
    return player.sign(services.buybacks.request(nft.mint, player.pubkey).transaction)


def broadcast(testbed: Testbed, transaction: VersionedTransaction) -> None:
    testbed.client.send_raw_transaction(bytes(transaction))


def books_are_closed(testbed: Testbed, *, records: int) -> None:
    """Nothing is held back, and every record has its mark and its quote."""
    assert rows(testbed, "select reserved_lamports from treasury_books") == [(0,)]
    assert rows(testbed, "select count(*) from buyback_records") == [(records,)]
    assert rows(testbed, "select count(*) from user_skins where is_burned_back") == [(records,)]
    assert rows(testbed, "select count(*) from buyback_quotes where state = 'paid'") == [(records,)]


def test_a_sale_that_the_user_broadcast_alone_is_found(testbed: Testbed) -> None:
    """The player never confirms: the worker finds the payment on the ledger and enters it."""
    player, services = testbed.player(), services_of(testbed)
    nft = reveal(testbed, player)
    broadcast(testbed, ask_and_sign(services, player, nft))
    assert rows(testbed, "select * from buyback_records") == []
    testbed.clock.sleep(31)
    services.worker.tick()
    books_are_closed(testbed, records=1)


def test_a_payment_is_found_behind_many_later_transactions(
    testbed: Testbed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anybody can name a mint in transactions of his own; its history is read page by page."""
    player, services = testbed.player(), services_of(testbed)
    nft = reveal(testbed, player)
    broadcast(testbed, ask_and_sign(services, player, nft))
    for lamports in range(1, 5):
        pay = TransferParams(from_pubkey=player.pubkey, to_pubkey=player.pubkey, lamports=lamports)
        one = transfer(pay)
        named = [*one.accounts, AccountMeta(nft.mint, False, False)]
        spam = Instruction(one.program_id, bytes(one.data), named)
        assert testbed.submit("player-1", "spam", [spam], [player.keypair]).receipt is not None
    testbed.clock.sleep(31)
    monkeypatch.setattr(ledger, "_HISTORY_PAGE", 2)
    monkeypatch.setattr(ledger, "_HISTORY_PAGES_MAX", 2)
    assert not services.buybacks.repair(nft.mint)
    monkeypatch.setattr(ledger, "_HISTORY_PAGES_MAX", 3)
    services.worker.tick()
    books_are_closed(testbed, records=1)


def test_confirming_what_was_broadcast_already_is_answered_as_paid(testbed: Testbed) -> None:
    player, services = testbed.player(), services_of(testbed)
    nft = reveal(testbed, player)
    signed = ask_and_sign(services, player, nft)
    broadcast(testbed, signed)
    paid = services.buybacks.confirm(nft.mint, player.pubkey, signed)
    assert paid.tx_signature == str(signed.signatures[0])
    assert services.buybacks.confirm(nft.mint, player.pubkey, signed) == paid
    books_are_closed(testbed, records=1)


def test_a_payment_under_another_signature_of_the_user_is_found(testbed: Testbed) -> None:
    """A signer need not be deterministic: what landed may bear another signature than what was
    stored. The NFT's history has it."""
    player, services = testbed.player(), services_of(testbed)
    nft = reveal(testbed, player)
    signed = ask_and_sign(services, player, nft)
    broadcast(testbed, signed)
    other = str(STRANGER.sign_message(b"another"))
    rows(testbed, f"update buyback_quotes set state = 'signed', tx_signature = '{other}'")
    testbed.clock.sleep(31)
    services.worker.tick()
    records = rows(testbed, "select tx_signature from buyback_records")
    assert records == [(str(signed.signatures[0]),)]
    books_are_closed(testbed, records=1)


def test_a_payment_that_landed_after_its_quote_was_given_up_is_found(testbed: Testbed) -> None:
    player, services = testbed.player(), services_of(testbed)
    nft = reveal(testbed, player)
    signed = ask_and_sign(services, player, nft)
    rows(testbed, "update buyback_quotes set state = 'dead', next_check_at = null")
    rows(testbed, "update treasury_books set reserved_lamports = 0")
    broadcast(testbed, signed)
    assert services.worker.sweep() == 1
    books_are_closed(testbed, records=1)
    with pytest.raises(AlreadyBoughtBack):
        services.buybacks.calculate(nft.mint)


@pytest.mark.parametrize(
    "loss",
    [
        "delete from buyback_records",
        "update user_skins set is_burned_back = false, buyback_tx_signature = null",
        "delete from buyback_records; delete from buyback_quotes",
    ],
)
def test_half_a_record_is_made_whole(testbed: Testbed, loss: str) -> None:
    """Rows are lost, as by a restored backup; the ledger says what they were."""
    player, services = testbed.player(), services_of(testbed)
    nft = reveal(testbed, player)
    player.sell(nft)
    before = rows(testbed, "select nft_mint, user_wallet, amount_paid, tx_signature from "
                  "buyback_records")  # fmt: skip
    rows(testbed, loss)
    services.worker.sweep()
    assert rows(testbed, "select nft_mint, user_wallet, amount_paid, tx_signature from "
                "buyback_records") == before  # fmt: skip
    assert rows(testbed, "select is_burned_back from user_skins") == [(True,)]


@pytest.mark.unjudged  # burnt and not paid for, as judges do not expect
def test_who_burns_an_nft_is_owed_nothing(testbed: Testbed) -> None:
    player, services = testbed.player(), services_of(testbed)
    nft = reveal(testbed, player)
    services.buybacks.request(nft.mint, player.pubkey)
    burn = token_metadata_burn(player.pubkey, nft.mint, testbed.deployment.collection_mint)
    assert testbed.submit("player-1", "burn", [burn], [player.keypair]).receipt is not None
    assert services.worker.sweep() == 0
    testbed.clock.sleep(31)
    services.worker.tick()
    books_are_closed(testbed, records=0)
    assert rows(testbed, "select * from obligations") == []


def test_open_quotes_together_never_promise_more_than_there_is(testbed: Testbed) -> None:
    """Six players ask at once for what the treasury could pay to some of them."""
    players = [testbed.player() for _ in range(6)]
    nfts = [reveal(testbed, player) for player in players]
    services = services_of(testbed)
    prices = [services.buybacks.calculate(nft.mint).buyback_lamports for nft in nfts]
    balance = testbed.balance_lamports(testbed.deployment.treasury)
    spendable = sum(prices) // 2
    testbed.operator.set_min_treasury(balance - spendable)

    def ask(number: int) -> int:
        try:
            services.buybacks.request(nfts[number].mint, players[number].pubkey)
        except InsufficientTreasury:
            return 0
        return prices[number]

    with ThreadPoolExecutor(6) as pool:
        promised = list(pool.map(ask, range(6)))
    assert 0 < sum(promised) <= spendable
    refused = [price for price, given in zip(prices, promised, strict=True) if not given]
    assert refused
    assert min(refused) > spendable - sum(promised)
    assert rows(testbed, "select reserved_lamports from treasury_books") == [(sum(promised),)]
    testbed.clock.sleep(QUOTE_DEAD_SECONDS)  # nobody cashed: the promises are over
    services.worker.tick()
    books_are_closed(testbed, records=0)
    late = promised.index(0)
    if prices[late] <= spendable:
        services.buybacks.request(nfts[late].mint, players[late].pubkey)


def test_a_quote_holds_its_amount_until_its_blockhash_is_dead(testbed: Testbed) -> None:
    """The quote is over after twenty seconds, but the user could still broadcast what the treasury
    signed: nothing is released and no second quote given until that is impossible."""
    player, services = testbed.player(), services_of(testbed, quote_seconds=20)
    nft = reveal(testbed, player)
    signed = ask_and_sign(services, player, nft)
    assert ask_and_sign(services, player, nft) == signed  # asked again: the same
    testbed.clock.sleep(32)
    services.worker.tick()
    with pytest.raises(QuoteExpired):
        services.buybacks.confirm(nft.mint, player.pubkey, signed)
    with pytest.raises(QuotePending):
        services.buybacks.request(nft.mint, player.pubkey)
    held = rows(testbed, "select reserved_lamports from treasury_books")[0][0]
    assert held == services.buybacks.calculate(nft.mint).buyback_lamports
    testbed.clock.sleep(60)
    again = ask_and_sign(services, player, nft)
    assert again != signed
    services.buybacks.confirm(nft.mint, player.pubkey, again)
    books_are_closed(testbed, records=1)


def test_an_unknown_outcome_is_told_and_paid_once(testbed: Testbed) -> None:
    """The ledger takes the bytes and then does not answer any more."""
    player, services = testbed.player(), services_of(testbed)
    nft = reveal(testbed, player)
    signed = ask_and_sign(services, player, nft)
    before = testbed.balance_lamports(testbed.deployment.treasury)

    def away(*_: Any, **__: Any) -> Any:
        raise SolanaRpcException(OSError("no route"), away, None, None)

    with pytest.MonkeyPatch.context() as patch:
        for method in ("get_signature_statuses", "get_epoch_info"):
            patch.setattr(type(testbed.client), method, away)
        with pytest.raises(Refusal) as refusal:
            services.buybacks.confirm(nft.mint, player.pubkey, signed)
    assert refusal.value.code == OutcomeUnknown.code
    paid = services.buybacks.confirm(nft.mint, player.pubkey, signed)
    left = testbed.balance_lamports(testbed.deployment.treasury)
    assert before - left == paid.amount_lamports
    books_are_closed(testbed, records=1)


def test_without_a_good_price_nothing_is_promised(testbed: Testbed) -> None:
    player, services = testbed.player(), services_of(testbed)
    nft = reveal(testbed, player)

    class Old:
        def payout_price(self) -> Decimal:
            raise PriceTooOld

    services.buybacks.price = Old()
    for ask in (
        lambda: services.buybacks.calculate(nft.mint),
        lambda: services.buybacks.request(nft.mint, player.pubkey),
    ):
        with pytest.raises(PriceTooOld):
            ask()
    assert rows(testbed, "select * from buyback_quotes") == []


# -- the user signs first --------------------------------------------------------------------------


def signed_by_user(
    testbed: Testbed,
    player: Player,
    issued: VersionedTransaction,
    before: tuple[Instruction, ...] = (),
    after: tuple[Instruction, ...] = (),
    payer: Pubkey | None = None,
) -> VersionedTransaction:
    """What a wallet hands back that put instructions around the issued ones."""
    message = issued.message
    execute = buyback.execute_buyback(
        user=player.pubkey,
        treasury=testbed.deployment.treasury,
        mint=message.account_keys[message.instructions[-1].accounts[3]],
        collection_mint=testbed.deployment.collection_mint,
        amount=int.from_bytes(bytes(message.instructions[-1].data)[8:16], "little"),
    )
    changed = Message.new_with_blockhash(
        [set_compute_unit_limit(600_000), *before, execute, *after],
        payer or player.pubkey,
        message.recent_blockhash,
    )
    empty = [issued.signatures[0]] * changed.header.num_required_signatures
    return player.sign(VersionedTransaction.populate(changed, empty))


def test_user_first_pays_what_the_wallet_changed_harmlessly(testbed: Testbed) -> None:
    """The wallet adds a priority fee; the treasury signs only now, and once."""
    player, services = testbed.player(), services_of(testbed, signing_order="user-first")
    nft = reveal(testbed, player)
    issued = services.buybacks.request(nft.mint, player.pubkey).transaction
    assert set(issued.signatures) == {issued.signatures[0]}  # nobody has signed
    with pytest.raises(MissingSignature):
        services.buybacks.confirm(nft.mint, player.pubkey, issued)
    fee = signed_by_user(testbed, player, issued, before=(set_compute_unit_price(1000),))
    paid = services.buybacks.confirm(nft.mint, player.pubkey, fee)
    assert services.buybacks.confirm(nft.mint, player.pubkey, fee) == paid
    books_are_closed(testbed, records=1)


def test_user_first_signs_nothing_that_could_cost_more(testbed: Testbed) -> None:
    player, services = testbed.player(), services_of(testbed, signing_order="user-first")
    nft = reveal(testbed, player)
    issued = services.buybacks.request(nft.mint, player.pubkey).transaction
    treasury = testbed.deployment.treasury
    steal = transfer(TransferParams(from_pubkey=treasury, to_pubkey=player.pubkey, lamports=1))
    for spoiled in (
        signed_by_user(testbed, player, issued, after=(steal,)),
        signed_by_user(testbed, player, issued, payer=treasury),
    ):
        with pytest.raises(TransactionMismatch):
            services.buybacks.confirm(nft.mint, player.pubkey, spoiled)
    good = player.sign(issued)
    services.buybacks.confirm(nft.mint, player.pubkey, good)
    other = signed_by_user(testbed, player, issued, before=(set_compute_unit_price(1),))
    with pytest.raises(TransactionMismatch):
        services.buybacks.confirm(nft.mint, player.pubkey, other)
    books_are_closed(testbed, records=1)


@pytest.mark.parametrize("order", ["treasury-first", "user-first"])
def test_no_mangled_transaction_is_more_than_refused(testbed: Testbed, order: str) -> None:
    """Four hundred times some bytes of the signed transaction are changed, cut or put in: the
    answer is a refusal, and neither the books nor the ledger change."""
    player, services = testbed.player(), services_of(testbed, signing_order=order)
    nft = reveal(testbed, player)
    whole = ask_and_sign(services, player, nft)
    signed = bytes(whole)
    treasury = testbed.deployment.treasury
    before = rows(testbed, "select * from buyback_quotes"), testbed.balance_lamports(treasury)
    generator, refused = testbed.seed.generator("mangler"), 0
    for _ in range(400):
        data = bytearray(signed)
        for _ in range(generator.randint(1, 3)):
            place = generator.randrange(len(data))
            kind = generator.randrange(4)
            if kind == 0:
                del data[place : place + generator.randint(1, 40)]
            elif kind == 1:
                data[place:place] = bytes([generator.randrange(256)])
            else:
                data[place] = generator.randrange(256)
        try:
            mangled = VersionedTransaction.from_bytes(bytes(data))
        except ValueError:
            continue  # the API answers INVALID_INPUT
        # What stands where the treasury will sign does not matter if the user signs first.
        matters = slice(0, 1) if order == "user-first" else slice(None)
        if mangled.message == whole.message and (
            mangled.signatures[matters] == whole.signatures[matters]
        ):
            continue
        with pytest.raises(Refusal):
            services.buybacks.confirm(nft.mint, player.pubkey, mangled)
        refused += 1
    assert refused > 100
    after = rows(testbed, "select * from buyback_quotes"), testbed.balance_lamports(treasury)
    assert after == before


def test_user_first_has_no_free_option(testbed: Testbed) -> None:
    """Only the user has signed, so a quote is over when it says so, and another wallet that has
    got the NFT need not wait for it."""
    player = testbed.player()
    services = services_of(testbed, signing_order="user-first", quote_seconds=20)
    nft = reveal(testbed, player)
    signed = ask_and_sign(services, player, nft)
    with pytest.raises(Exception, match="SignatureVerificationFailure"):
        broadcast(testbed, signed)
    testbed.clock.sleep(21)
    with pytest.raises(QuoteExpired):
        services.buybacks.confirm(nft.mint, player.pubkey, signed)
    paid = services.buybacks.confirm(nft.mint, player.pubkey, ask_and_sign(services, player, nft))
    assert isinstance(paid, Paid)
    books_are_closed(testbed, records=1)


# -- refunds ---------------------------------------------------------------------------------------


@pytest.mark.unjudged  # a refund leaves the treasury without a sale
def test_a_refund_is_paid_once_and_only_when_approved(testbed: Testbed) -> None:
    player, services = testbed.player(), services_of(testbed)
    owed = 200_000_000
    rows(
        testbed,
        "insert into obligations (kind, nft_mint, amount_lamports, state, created_at)"
        f" values ('reveal', '{STRANGER.pubkey()}', {owed}, 'open', now())",
    )
    before = player.balance_lamports()
    services.worker.tick()
    assert player.balance_lamports() == before

    def approve(wallet: str | None) -> bool:
        return bool(services.refunds.db.rows(sql.DECIDE, id=1, state="approved", wallet=wallet))

    assert not approve(None)  # to whom?
    assert approve(str(player.pubkey))
    assert not approve(str(player.pubkey))  # decided already
    balance = testbed.balance_lamports(testbed.deployment.treasury)
    testbed.operator.set_min_treasury(balance - owed + 1)
    services.worker.tick()
    assert player.balance_lamports() == before  # never below the minimum
    testbed.operator.set_min_treasury(1)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: services_of(testbed).refunds.pay_due(), range(4)))
    services.worker.tick()
    assert player.balance_lamports() == before + owed
    assert rows(testbed, "select state from obligations") == [("paid",)]
