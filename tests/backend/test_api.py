"""The reference backend over HTTP, on the real ledger and a real Postgres."""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from solders.keypair import Keypair
from solders.message import Message
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction
from sqlalchemy import text

from harness.players.api import ApiRefusal
from harness.testbed import Testbed

STRANGER = Keypair.from_seed(b"x" * 32)


def call(testbed: Testbed, method: str, path: str, body: Any = None) -> httpx.Response:
    with httpx.Client(verify=False) as client:
        return client.request(method, testbed.backend.base_url + path, json=body, timeout=30)


def code(answer: httpx.Response) -> str:
    assert answer.json()["success"] is False
    return str(answer.json()["error"]["code"])


def rows(testbed: Testbed, table: str) -> int:
    with testbed.engine.connect() as connection:
        return int(connection.execute(text(f"select count(*) from {table}")).scalar_one())


def test_answers_have_the_guides_fields(testbed: Testbed) -> None:
    player = testbed.player()
    nft = player.mint()
    testbed.clock.sleep(12)
    revealed = call(testbed, "POST", f"/reveal/{nft.mint}", {"boxId": testbed.box_id}).json()
    assert revealed["success"] is True
    assert set(revealed["data"]) == {
        "nftMint", "skinName", "skinRarity", "metadataUri", "txSignature",
    }  # fmt: skip
    quote = call(testbed, "GET", f"/buyback/calculate/{nft.mint}").json()
    assert set(quote) == {"nftMint", "skinPrice", "buybackAmount", "buybackAmountLamports"}
    assert quote["buybackAmountLamports"] == str(round(quote["buybackAmount"] * 10**9))
    body = {"nftMint": str(nft.mint), "walletAddress": str(player.pubkey)}
    issued = call(testbed, "POST", "/buyback/request", body).json()
    assert set(issued) == {*quote, "transaction"}
    signed = player.sign(VersionedTransaction.from_bytes(base64.b64decode(issued["transaction"])))
    body["signedTransaction"] = base64.b64encode(bytes(signed)).decode()
    paid = call(testbed, "POST", "/buyback/confirm", body).json()
    assert paid["message"] == "Buyback completed successfully"
    assert set(paid) == {"message", "txSignature", "amountPaid"}
    assert paid["amountPaid"] == quote["buybackAmount"]
    status = call(testbed, "GET", "/buyback/status").json()["data"]
    assert status["buybackEnable"] is True
    assert status["minTreasuryBalance"] == "100000000000"


def test_revealed_twice_is_revealed_once(testbed: Testbed) -> None:
    player = testbed.player()
    nft = player.mint()
    first = player.reveal(nft)
    assert player.reveal(nft) == first
    assert rows(testbed, "user_skins") == 1


def test_many_reveals_at_once_are_one(testbed: Testbed) -> None:
    nft = testbed.player().mint()
    testbed.clock.sleep(12)

    def reveal(_: int) -> httpx.Response:
        return call(testbed, "POST", f"/reveal/{nft.mint}", {"boxId": testbed.box_id})

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(reveal, range(24)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["data"]["txSignature"] for answer in answers}) == 1
    assert rows(testbed, "user_skins") == 1


def test_many_confirms_at_once_pay_once(testbed: Testbed) -> None:
    player = testbed.player()
    nft = player.mint()
    player.reveal(nft)
    signed = player.sign(player.request_buyback(nft))
    before = testbed.balance_lamports(testbed.deployment.treasury)
    body = {
        "nftMint": str(nft.mint),
        "walletAddress": str(player.pubkey),
        "signedTransaction": base64.b64encode(bytes(signed)).decode(),
    }
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda _: call(testbed, "POST", "/buyback/confirm", body), range(16))
        )
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["txSignature"] for answer in answers}) == 1
    assert rows(testbed, "buyback_records") == 1
    paid = before - testbed.balance_lamports(testbed.deployment.treasury)
    assert paid == round(answers[0].json()["amountPaid"] * 10**9)


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        ("/reveal/not-an-address", {"boxId": "mystery-box"}, (422, "INVALID_INPUT")),
        (f"/reveal/{STRANGER.pubkey()}", {}, (422, "INVALID_INPUT")),
        (f"/reveal/{STRANGER.pubkey()}", {"boxId": "golden-box"}, (400, "UNKNOWN_BOX")),
        (f"/reveal/{STRANGER.pubkey()}", {"boxId": "mystery-box"}, (404, "METADATA_NOT_FOUND")),
        ("/buyback/request", {"nftMint": str(STRANGER.pubkey())}, (422, "INVALID_INPUT")),
        (
            "/buyback/request",
            {"nftMint": str(STRANGER.pubkey()), "walletAddress": str(STRANGER.pubkey())},
            (404, "NFT_NOT_FOUND"),
        ),
        (
            "/buyback/confirm",
            {
                "nftMint": str(STRANGER.pubkey()),
                "walletAddress": str(STRANGER.pubkey()),
                "signedTransaction": "@@@",
            },
            (422, "INVALID_INPUT"),
        ),
    ],
)
def test_bad_requests_are_answered_with_their_code(
    testbed: Testbed, path: str, body: Any, expected: tuple[int, str]
) -> None:
    answer = call(testbed, "POST", path, body)
    assert (answer.status_code, code(answer)) == expected
    assert rows(testbed, "user_skins") == 0


def test_the_collection_itself_is_not_a_box(testbed: Testbed) -> None:
    answer = call(
        testbed, "POST", f"/reveal/{testbed.deployment.collection_mint}", {"boxId": testbed.box_id}
    )
    assert code(answer) == "FOREIGN_NFT"


def test_an_unrevealed_box_cannot_be_sold(testbed: Testbed) -> None:
    player = testbed.player()
    nft = player.mint()
    with pytest.raises(ApiRefusal, match="NFT_NOT_FOUND"):
        player.quote(nft)


def test_only_the_issued_message_is_paid(testbed: Testbed) -> None:
    """A player changes the amount, another adds an instruction, a third sends something else."""
    player = testbed.player()
    nft = player.mint()
    player.reveal(nft)
    issued = player.request_buyback(nft)
    data = bytearray(bytes(issued))
    amount = player.quote(nft).lamports.to_bytes(8, "little")
    data[data.index(amount)] ^= 1
    dearer = player.sign(VersionedTransaction.from_bytes(bytes(data)))
    pay = transfer(
        TransferParams(from_pubkey=player.pubkey, to_pubkey=STRANGER.pubkey(), lamports=1)
    )
    blockhash = testbed.client.get_latest_blockhash().value.blockhash
    other = VersionedTransaction(
        Message.new_with_blockhash([pay], player.pubkey, blockhash), [player.keypair]
    )
    for spoiled in (dearer, other):
        with pytest.raises(ApiRefusal, match="TRANSACTION_MISMATCH"):
            player.confirm_buyback(nft, spoiled)
    with pytest.raises(ApiRefusal, match="MISSING_SIGNATURE"):
        player.confirm_buyback(nft, issued)
    assert testbed.exists(nft)
    player.confirm_buyback(nft, player.sign(issued))


def test_a_quote_dies_with_its_blockhash(testbed: Testbed) -> None:
    player = testbed.player()
    nft = player.mint()
    player.reveal(nft)
    signed = player.sign(player.request_buyback(nft))
    testbed.clock.sleep(200 * 0.4)
    with pytest.raises(ApiRefusal, match="QUOTE_EXPIRED"):
        player.confirm_buyback(nft, signed)
    player.sell(nft)


def test_a_sold_nft_cannot_be_sold_again(testbed: Testbed) -> None:
    player = testbed.player()
    nft = player.mint()
    player.reveal(nft)
    player.sell(nft)
    with pytest.raises(ApiRefusal, match="ALREADY_BOUGHT_BACK"):
        player.request_buyback(nft)
