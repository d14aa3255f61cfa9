"""Real time: commitment levels, expiry by slots, lost bytes, restarts of validator and database."""

from __future__ import annotations

import json
from typing import Any

import pytest
from solana.rpc.commitment import Commitment, Confirmed, Finalized, Processed
from solana.rpc.types import TxOpts
from solders.signature import Signature
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction
from solders.transaction_status import TransactionConfirmationStatus
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from harness.containers.restart import restart_database, restart_ledger
from harness.players.api import ApiRefusal, Reveal
from harness.players.nft import Nft
from harness.players.player import Player
from harness.submission import BLOCKHASH_SLOTS, Outcome, sign, submit
from harness.testbed import Testbed

_LAMPORTS = 1_000_000
_POLL_SECONDS = 0.2
_POLLS_MAX = 600
_MESSAGES_MAX = 50
_TRIES_MAX = 30  # more than the connections of a pool
_ANSWER_SECONDS_MAX = 30


def _payment(testbed: Testbed, player: Player) -> tuple[VersionedTransaction, int]:
    """A signed payment to the treasury that nobody has sent, and the last height for it."""
    move = transfer(
        TransferParams(
            from_pubkey=player.pubkey, to_pubkey=testbed.deployment.treasury, lamports=_LAMPORTS
        )
    )
    return sign(testbed.client, [move], [player.keypair])


def _send(testbed: Testbed, transaction: VersionedTransaction) -> Signature:
    options = TxOpts(skip_preflight=True, preflight_commitment=Confirmed)
    return testbed.client.send_raw_transaction(bytes(transaction), opts=options).value


def _balance(testbed: Testbed, level: Commitment) -> int:
    return testbed.client.get_balance(testbed.deployment.treasury, level).value


def test_a_transaction_climbs_through_the_commitment_levels(testbed: Testbed) -> None:
    """A payment is processed, then confirmed, then final, never the other way; what a level shows
    follows: the balance read at `finalized` changes last."""
    player = testbed.player()
    before = _balance(testbed, Confirmed)  # what is final now is some thirty slots old
    transaction, _ = _payment(testbed, player)
    signature = _send(testbed, transaction)
    order = (
        TransactionConfirmationStatus.Processed,
        TransactionConfirmationStatus.Confirmed,
        TransactionConfirmationStatus.Finalized,
    )
    seen: list[int] = []
    for _ in range(_POLLS_MAX):
        status = testbed.client.get_signature_statuses([signature]).value[0]
        if status is not None and status.confirmation_status is not None:
            seen.append(order.index(status.confirmation_status))
        if seen and seen[-1] == 2:
            break
        testbed.clock.sleep(_POLL_SECONDS)
    assert seen[-1] == 2
    assert seen == sorted(seen)
    assert _balance(testbed, Finalized) == before + _LAMPORTS
    slots = [testbed.client.get_slot(one).value for one in (Finalized, Confirmed, Processed)]
    assert slots == sorted(slots)


def test_a_reveal_waits_for_the_metadata_to_spread(testbed: Testbed) -> None:
    """Twelve seconds of the ledger's time pass between mint and reveal, as the page waits."""
    player = testbed.player()
    nft = player.mint()
    minted = testbed.clock.now()
    player.reveal(nft)
    waited = (testbed.clock.now() - minted).total_seconds()
    assert waited >= testbed.settings.propagation_seconds


def test_a_blockhash_expires_after_its_slots(testbed: Testbed) -> None:
    """A payment is signed and kept back until its blockhash has died. It is refused then, and
    nothing was paid."""
    player = testbed.player()
    transaction, last_height = _payment(testbed, player)
    before = _balance(testbed, Confirmed)
    _outlive(testbed, last_height)
    sent = submit(testbed.client, testbed.clock, transaction, last_height)
    assert sent.outcome is Outcome.REFUSED
    assert sent.fault is not None
    assert sent.fault.name == "BlockhashNotFound"
    assert _balance(testbed, Confirmed) == before


def test_a_quote_dies_with_its_blockhash(testbed: Testbed) -> None:
    """A sale is signed and kept back until its blockhash has died. Backend and ledger refuse it;
    the skin is still there, and is free for a new quote, which is paid."""
    player = testbed.player()
    nft = player.mint()
    player.reveal(nft)
    signed = player.sign(player.request_buyback(nft))
    _outlive(testbed, testbed.client.get_block_height(Confirmed).value + BLOCKHASH_SLOTS)
    with pytest.raises(ApiRefusal) as refusal:
        player.confirm_buyback(nft, signed)
    assert refusal.value.code == "QUOTE_EXPIRED"
    sent = player.broadcast(nft, signed)
    assert sent.outcome is Outcome.REFUSED
    assert testbed.exists(nft)
    player.sell(nft)
    assert not testbed.exists(nft)


def test_lost_bytes_are_sent_again_and_land_once(testbed: Testbed) -> None:
    """The first broadcast is lost on the way. The same bytes, sent again three times, are one
    transaction and one payment."""
    player = testbed.player()
    transaction, last_height = _payment(testbed, player)
    before = _balance(testbed, Confirmed)
    assert testbed.client.get_signature_statuses([transaction.signatures[0]]).value == [None]
    for _ in range(2):
        _send(testbed, transaction)
    sent = submit(testbed.client, testbed.clock, transaction, last_height, skip_preflight=True)
    assert sent.outcome is Outcome.LANDED
    assert _balance(testbed, Confirmed) == before + _LAMPORTS


@pytest.mark.needs("containers")
def test_a_listener_connects_again_after_a_restart(testbed: Testbed) -> None:
    """A page listens for its payment when the validator is killed. Its connection breaks; it
    connects again, listens again and is told."""
    player = testbed.player()
    with connect(testbed.ledger.ws_url) as listener:
        _subscribe(listener, "slotSubscribe", [])
        assert _notice(listener)["method"] == "slotNotification"
        restart_ledger(testbed)
        with pytest.raises(ConnectionClosed):
            _listen_on(listener)
    transaction, _ = _payment(testbed, player)
    with connect(testbed.ledger.ws_url) as listener:
        signature = str(transaction.signatures[0])
        _subscribe(listener, "signatureSubscribe", [signature, {"commitment": "confirmed"}])
        _send(testbed, transaction)
        told = _notice(listener)
    assert told["method"] == "signatureNotification"
    assert told["params"]["result"]["value"] == {"err": None}


@pytest.mark.needs("containers")
def test_the_validator_is_killed_between_the_steps(testbed: Testbed) -> None:
    """kill -9 of the validator after the mint and after the reveal: each time it comes back with
    what was final, and the economy goes on.

    What was only confirmed can be lost with the one validator that confirmed it, as with a fork.
    """
    player = testbed.player()
    nft = player.mint()
    _wait_until_final(testbed)
    restart_ledger(testbed)
    assert testbed.exists(nft)
    revealed = player.reveal(nft, wait=False)
    _wait_until_final(testbed)
    restart_ledger(testbed)
    assert testbed.metadata(nft).name == revealed.skin_name
    player.sell(nft)
    assert not testbed.exists(nft)


@pytest.mark.needs("containers")
def test_the_database_is_killed_between_the_steps(testbed: Testbed) -> None:
    """kill -9 of Postgres after the reveal and after the sale: no reveal and no payment is lost,
    and none happens twice. Whoever asks meanwhile is told to try again."""
    player = testbed.player()
    nft = player.mint()
    revealed = player.reveal(nft, wait=False)
    restart_database(testbed)
    assert _reveal_again(player, nft) == revealed
    player.sell(nft)
    restart_database(testbed)
    assert not testbed.exists(nft)


def _outlive(testbed: Testbed, last_height: int) -> None:
    """Return once a transaction of that last height can land nowhere, or the polls are used up."""
    for _ in range(_POLLS_MAX):
        if testbed.client.get_block_height(Finalized).value > last_height:
            return
        testbed.clock.sleep(1)


def _wait_until_final(testbed: Testbed) -> None:
    """Return once all that is confirmed now is final."""
    slot = testbed.client.get_slot(Confirmed).value
    for _ in range(_POLLS_MAX):
        if testbed.client.get_slot(Finalized).value >= slot:
            return
        testbed.clock.sleep(_POLL_SECONDS)
    raise AssertionError("the ledger makes nothing final any more")


def _reveal_again(player: Player, nft: Nft) -> Reveal:
    """Ask as a page does: again, as long as the answer is that the database does not answer."""
    for _ in range(_TRIES_MAX):
        try:
            return player.reveal(nft, wait=False)
        except ApiRefusal as refusal:
            if refusal.code != "DATABASE_UNAVAILABLE":
                raise
            player.testbed.clock.sleep(1)
    raise AssertionError("the backend does not find its database again")


def _subscribe(listener: Connection, method: str, parameters: list[Any]) -> None:
    request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
    listener.send(json.dumps(request))
    assert "result" in json.loads(listener.recv(timeout=_ANSWER_SECONDS_MAX))


def _listen_on(listener: Connection) -> None:
    for _ in range(_MESSAGES_MAX):
        listener.recv(timeout=_ANSWER_SECONDS_MAX)


def _notice(listener: Connection) -> dict[str, Any]:
    return dict(json.loads(listener.recv(timeout=_ANSWER_SECONDS_MAX)))
