"""Every method of the RPC, called as clients call it, gives an answer that solders' types read.

The types are those of Solana's own client library, so a field that is missing or of the wrong kind
makes the answer an error here.
"""

from __future__ import annotations

import base64
import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from solders.rpc import responses
from solders.system_program import TransferParams, transfer

from harness.ledger.embedded import EmbeddedLedger
from harness.ledger.embedded.dispatch import METHODS
from harness.ledger.embedded.machine import TOKEN_2022
from programs.addresses import TOKEN
from tests.harness.ledger.wallets import (
    MINT,
    OTHER,
    PAYER,
    SOL,
    associated,
    encoded,
    memo,
    new_token,
    rpc,
    send,
    signed,
)

MINT_ADDRESS = str(MINT.pubkey())
HOLDER = str(associated(PAYER.pubkey(), MINT.pubkey()))
LOADER = "BPFLoader2111111111111111111111111111111111"
WALLET = str(PAYER.pubkey())


@pytest.fixture(scope="module")
def ledger() -> Iterator[EmbeddedLedger]:
    with EmbeddedLedger.start() as started:
        started.fund(PAYER.pubkey(), 10 * SOL)
        new_token(started, decimals=2, amount=12345)
        pay = transfer(
            TransferParams(from_pubkey=PAYER.pubkey(), to_pubkey=OTHER, lamports=1_000_000)
        )
        send(started, [pay, memo("hello")])
        yield started


#: Method, parameters, the type of solders that reads the answer (None where solders has none).
CALLS: list[tuple[str, tuple[Any, ...], Any]] = [
    ("getAccountInfo", (WALLET, {"encoding": "base64"}), responses.GetAccountInfoResp),
    ("getAccountInfo", (WALLET, {"encoding": "base64+zstd"}), responses.GetAccountInfoResp),
    ("getAccountInfo", (WALLET, {"encoding": "base58"}), responses.GetAccountInfoResp),
    ("getAccountInfo", (WALLET,), responses.GetAccountInfoResp),
    ("getAccountInfo", (HOLDER, {"encoding": "jsonParsed"}),
     responses.GetAccountInfoJsonParsedResp),
    ("getAccountInfo", (MINT_ADDRESS, {"encoding": "jsonParsed"}),
     responses.GetAccountInfoJsonParsedResp),
    ("getBalance", (WALLET,), responses.GetBalanceResp),
    ("getBlock", (3, {"encoding": "json", "maxSupportedTransactionVersion": 0}),
     responses.GetBlockResp),
    ("getBlock", (3, {"encoding": "jsonParsed", "maxSupportedTransactionVersion": 0}),
     responses.GetBlockResp),
    ("getBlock", (3, {"encoding": "base64", "maxSupportedTransactionVersion": 0}),
     responses.GetBlockResp),
    ("getBlock", (3, {"transactionDetails": "accounts", "maxSupportedTransactionVersion": 0}),
     responses.GetBlockResp),
    ("getBlock", (3, {"transactionDetails": "signatures", "rewards": False}),
     responses.GetBlockResp),
    ("getBlockCommitment", (3,), responses.GetBlockCommitmentResp),
    ("getBlockHeight", (), responses.GetBlockHeightResp),
    ("getBlockProduction", (), responses.GetBlockProductionResp),
    ("getBlockTime", (2,), responses.GetBlockTimeResp),
    ("getBlocks", (1, 3), responses.GetBlocksResp),
    ("getBlocksWithLimit", (1, 2), responses.GetBlocksWithLimitResp),
    ("getClusterNodes", (), responses.GetClusterNodesResp),
    ("getEpochInfo", (), responses.GetEpochInfoResp),
    ("getEpochSchedule", (), responses.GetEpochScheduleResp),
    ("getFeeForMessage", ("MESSAGE",), responses.GetFeeForMessageResp),
    ("getFirstAvailableBlock", (), responses.GetFirstAvailableBlockResp),
    ("getGenesisHash", (), responses.GetGenesisHashResp),
    ("getHealth", (), responses.GetHealthResp),
    ("getIdentity", (), responses.GetIdentityResp),
    ("getInflationGovernor", (), responses.GetInflationGovernorResp),
    ("getInflationRate", (), responses.GetInflationRateResp),
    ("getInflationReward", ([WALLET],), responses.GetInflationRewardResp),
    ("getLargestAccounts", (), responses.GetLargestAccountsResp),
    ("getLatestBlockhash", (), responses.GetLatestBlockhashResp),
    ("getLeaderSchedule", (None, {"identity": WALLET}), responses.GetLeaderScheduleResp),
    ("getMaxRetransmitSlot", (), responses.GetMaxRetransmitSlotResp),
    ("getMaxShredInsertSlot", (), responses.GetMaxShredInsertSlotResp),
    ("getMinimumBalanceForRentExemption", (82,), responses.GetMinimumBalanceForRentExemptionResp),
    ("getMultipleAccounts", ([WALLET, str(OTHER), HOLDER], {"encoding": "base64"}),
     responses.GetMultipleAccountsResp),
    ("getMultipleAccounts", ([HOLDER, MINT_ADDRESS], {"encoding": "jsonParsed"}),
     responses.GetMultipleAccountsJsonParsedResp),
    ("getProgramAccounts", (str(TOKEN), {"encoding": "base64", "filters": [{"dataSize": 165}]}),
     responses.GetProgramAccountsResp),
    ("getProgramAccounts", (str(TOKEN), {"encoding": "jsonParsed"}),
     responses.GetProgramAccountsJsonParsedResp),
    ("getProgramAccounts", (str(TOKEN), {"encoding": "base64", "withContext": True}),
     responses.GetProgramAccountsWithContextResp),
    ("getRecentPerformanceSamples", (2,), responses.GetRecentPerformanceSamplesResp),
    ("getRecentPrioritizationFees", ([WALLET],), None),
    ("getSignatureStatuses", (["SIGNATURE"], {"searchTransactionHistory": True}),
     responses.GetSignatureStatusesResp),
    ("getSignaturesForAddress", (WALLET, {"limit": 2}), responses.GetSignaturesForAddressResp),
    ("getSlot", (), responses.GetSlotResp),
    ("getSlotLeader", (), responses.GetSlotLeaderResp),
    ("getSlotLeaders", (1, 3), responses.GetSlotLeadersResp),
    ("getStakeMinimumDelegation", (), None),
    ("getSupply", (), responses.GetSupplyResp),
    ("getTokenAccountBalance", (HOLDER,), responses.GetTokenAccountBalanceResp),
    ("getTokenAccountsByDelegate", (WALLET, {"programId": str(TOKEN)}, {"encoding": "base64"}),
     responses.GetTokenAccountsByDelegateResp),
    ("getTokenAccountsByOwner", (WALLET, {"mint": MINT_ADDRESS}, {"encoding": "base64"}),
     responses.GetTokenAccountsByOwnerResp),
    ("getTokenAccountsByOwner", (WALLET, {"programId": str(TOKEN)}, {"encoding": "jsonParsed"}),
     responses.GetTokenAccountsByOwnerJsonParsedResp),
    ("getTokenLargestAccounts", (MINT_ADDRESS,), responses.GetTokenLargestAccountsResp),
    ("getTokenSupply", (MINT_ADDRESS,), responses.GetTokenSupplyResp),
    ("getTransaction", ("SIGNATURE", "json"), responses.GetTransactionResp),
    ("getTransaction", ("SIGNATURE", {"encoding": "jsonParsed"}), responses.GetTransactionResp),
    ("getTransaction",
     ("SIGNATURE", {"encoding": "base64", "maxSupportedTransactionVersion": 0}),
     responses.GetTransactionResp),
    ("getTransaction", ("SIGNATURE", {"encoding": "base58"}), responses.GetTransactionResp),
    ("getTransactionCount", (), responses.GetTransactionCountResp),
    ("getVersion", (), responses.GetVersionResp),
    ("getVoteAccounts", (), responses.GetVoteAccountsResp),
    ("isBlockhashValid", ("BLOCKHASH",), responses.IsBlockhashValidResp),
    ("minimumLedgerSlot", (), responses.MinimumLedgerSlotResp),
    ("requestAirdrop", (WALLET, SOL), responses.RequestAirdropResp),
    ("sendTransaction", ("TRANSACTION", {"encoding": "base64"}), responses.SendTransactionResp),
    ("simulateTransaction",
     ("TRANSACTION", {"encoding": "base64", "sigVerify": True, "innerInstructions": True,
                      "accounts": {"encoding": "base64", "addresses": [WALLET]}}),
     responses.SimulateTransactionResp),
    ("simulateTransaction",
     ("TRANSACTION", {"encoding": "base64", "replaceRecentBlockhash": True}),
     responses.SimulateTransactionResp),
]  # fmt: skip
#: Answered with an error that a node gives too: there are no snapshots to serve.
REFUSED = {"getHighestSnapshotSlot"}


def filled(ledger: EmbeddedLedger, value: Any) -> Any:
    """A parameter with the words in capitals replaced by the real thing."""
    if isinstance(value, list):
        return [filled(ledger, one) for one in value]
    if value == "SIGNATURE":
        return str(next(iter(reversed(list(ledger.chain.history.values())))).signature)
    if value == "BLOCKHASH":
        return str(ledger.chain.latest_blockhash()[0])
    if value == "MESSAGE":
        return base64.b64encode(bytes(signed(ledger, [memo("fee")]).message)).decode()
    if value == "TRANSACTION":
        return encoded(signed(ledger, [memo("one more")]))
    return value


@pytest.mark.parametrize(("method", "params", "kind"), CALLS, ids=lambda value: str(value)[:48])
def test_solders_reads_the_answer(
    ledger: EmbeddedLedger, method: str, params: tuple[Any, ...], kind: Any
) -> None:
    answer = rpc(ledger, method, *(filled(ledger, one) for one in params))
    assert "result" in answer, answer
    if kind is not None:
        read = kind.from_json(json.dumps(answer))
        assert isinstance(read, kind), read


def test_no_method_is_left_out() -> None:
    called = {method for method, _, _ in CALLS}
    surfnet = {method for method in METHODS if method.startswith("surfnet_")}
    assert called | REFUSED == set(METHODS) - surfnet


@pytest.mark.parametrize("method", ["getConfirmedBlock", "getFees", "noSuchMethod"])
def test_others_are_named_and_refused(ledger: EmbeddedLedger, method: str) -> None:
    error = rpc(ledger, method)["error"]
    assert error == {"code": -32601, "message": f"Method not found: {method}"}


def test_a_refused_preflight_has_the_standard_shape(ledger: EmbeddedLedger) -> None:
    pay = transfer(
        TransferParams(from_pubkey=PAYER.pubkey(), to_pubkey=OTHER, lamports=1_000_000 * SOL)
    )
    sent = encoded(signed(ledger, [memo("before"), pay]))
    answer = rpc(ledger, "sendTransaction", sent, {"encoding": "base64"})
    error = answer["error"]
    assert error["code"] == -32002
    assert error["message"] == (
        "Transaction simulation failed: Error processing Instruction 1: custom program error: 0x1"
    )
    assert error["data"]["err"] == {"InstructionError": [1, {"Custom": 1}]}
    assert error["data"]["unitsConsumed"] > 0
    assert error["data"]["logs"][-1].endswith("failed: custom program error: 0x1")
    assert set(error["data"]) == {
        "accounts", "err", "innerInstructions", "loadedAccountsDataSize", "logs", "returnData",
        "unitsConsumed",
    }  # fmt: skip
    read = responses.SendTransactionResp.from_json(json.dumps(answer))
    assert type(read).__name__ == "SendTransactionPreflightFailureMessage"


def test_instructions_are_shown_in_words(ledger: EmbeddedLedger) -> None:
    listed = rpc(ledger, "getSignaturesForAddress", MINT_ADDRESS)["result"]
    made = listed[-1]["signature"]
    shown = rpc(ledger, "getTransaction", made, "jsonParsed")["result"]
    message = shown["transaction"]["message"]
    assert [
        (one["program"], one["parsed"]["type"]) for one in message["instructions"]
    ] == [
        ("system", "createAccount"),
        ("spl-token", "initializeMint2"),
        ("spl-associated-token-account", "createIdempotent"),
        ("spl-token", "mintTo"),
    ]  # fmt: skip
    assert message["instructions"][3]["parsed"]["info"] == {
        "mint": MINT_ADDRESS, "account": HOLDER, "amount": "12345", "mintAuthority": WALLET,
    }  # fmt: skip
    inner = shown["meta"]["innerInstructions"]
    assert [one["parsed"]["type"] for one in inner[0]["instructions"]] == [
        "getAccountDataSize", "createAccount", "initializeImmutableOwner", "initializeAccount3",
    ]  # fmt: skip
    assert message["accountKeys"][0] == {
        "pubkey": WALLET, "signer": True, "source": "transaction", "writable": True,
    }  # fmt: skip
    assert shown["meta"]["postTokenBalances"][0]["uiTokenAmount"] == {
        "uiAmount": 123.45, "decimals": 2, "amount": "12345", "uiAmountString": "123.45",
    }  # fmt: skip


def test_accounts_are_shown_in_words(ledger: EmbeddedLedger) -> None:
    def parsed(address: str) -> Any:
        answer = rpc(ledger, "getAccountInfo", address, {"encoding": "jsonParsed"})
        return answer["result"]["value"]["data"]

    holder = parsed(HOLDER)
    assert holder["program"] == "spl-token"
    assert holder["space"] == 165
    assert holder["parsed"] == {
        "type": "account",
        "info": {
            "mint": MINT_ADDRESS, "owner": WALLET, "isNative": False, "state": "initialized",
            "tokenAmount": {
                "uiAmount": 123.45, "decimals": 2, "amount": "12345", "uiAmountString": "123.45",
            },
        },
    }  # fmt: skip
    assert parsed(MINT_ADDRESS)["parsed"]["info"]["supply"] == "12345"
    clock = parsed("SysvarC1ock11111111111111111111111111111111")
    assert clock["parsed"]["info"]["slot"] == ledger.chain.slot
    assert parsed(WALLET) == ["", "base64"]


def test_a_token_2022_account_shows_its_extensions() -> None:
    with EmbeddedLedger.start() as ledger:
        ledger.fund(PAYER.pubkey(), 10 * SOL)
        _, holder = new_token(ledger, decimals=0, amount=1, program=TOKEN_2022)
        answer = rpc(ledger, "getAccountInfo", str(holder), {"encoding": "jsonParsed"})
        data = answer["result"]["value"]["data"]
        assert data["program"] == "spl-token-2022"
        assert data["parsed"]["info"]["extensions"] == [{"extension": "immutableOwner"}]
        owned = rpc(ledger, "getTokenAccountsByOwner", WALLET, {"programId": str(TOKEN_2022)},
                    {"encoding": "jsonParsed"})  # fmt: skip
        assert [one["pubkey"] for one in owned["result"]["value"]] == [str(holder)]


def test_program_accounts_are_all_there_filtered_and_sliced(ledger: EmbeddedLedger) -> None:
    def found(**options: Any) -> Any:
        return rpc(ledger, "getProgramAccounts", str(TOKEN), {"encoding": "base64", **options})

    everything = found()["result"]
    assert {one["pubkey"] for one in everything} >= {MINT_ADDRESS, HOLDER}
    assert "So11111111111111111111111111111111111111112" in {one["pubkey"] for one in everything}
    mine = [{"memcmp": {"offset": 32, "bytes": WALLET}}, {"dataSize": 165}]
    only = found(filters=mine, dataSlice={"offset": 64, "length": 8})["result"]
    assert [one["pubkey"] for one in only] == [HOLDER]
    assert base64.b64decode(only[0]["account"]["data"][0]) == (12345).to_bytes(8, "little")
    assert only[0]["account"]["space"] == 165
    too_long_for_base58 = rpc(ledger, "getProgramAccounts", LOADER)
    assert too_long_for_base58["error"]["code"] == -32602


def test_stored_zstandard_frames_are_what_they_say() -> None:
    from harness.ledger.embedded.zstandard import stored

    for size in (0, 1, 131072, 131073, 400_000):
        data = bytes(index % 251 for index in range(size))
        frame = stored(data)
        assert frame[:4] == bytes.fromhex("28b52ffd")
        assert int.from_bytes(frame[5:13], "little") == size
        at, unpacked, last = 13, b"", False
        while not last:
            header = int.from_bytes(frame[at : at + 3], "little")
            last, kind, length = bool(header & 1), header >> 1 & 3, header >> 3
            assert kind == 0
            unpacked += frame[at + 3 : at + 3 + length]
            at += 3 + length
        assert unpacked == data
        assert at == len(frame)


def test_a_context_slot_that_is_not_reached_is_an_error(ledger: EmbeddedLedger) -> None:
    answer = rpc(ledger, "getBalance", WALLET, {"minContextSlot": 10**9})
    assert answer["error"]["code"] == -32016
    assert answer["error"]["data"] == {"contextSlot": ledger.chain.slot}


def test_a_memo_is_listed_with_its_transaction(ledger: EmbeddedLedger) -> None:
    listed = rpc(ledger, "getSignaturesForAddress", str(OTHER))["result"]
    assert listed[0]["memo"] == "[5] hello"


def test_cross_origin_requests_are_allowed(ledger: EmbeddedLedger) -> None:
    request = urllib.request.Request(ledger.rpc_url, method="OPTIONS")
    with urllib.request.urlopen(request) as answer:
        assert answer.headers["access-control-allow-origin"] == "*"
