"""What a transaction costs, how large it may be, and what must hold when it ends."""

from __future__ import annotations

import base64
import struct
from typing import Any

from solders.account import Account
from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from harness.clock import VirtualClock
from harness.ledger.embedded import START, EmbeddedLedger
from harness.ledger.embedded.chain import Chain
from harness.ledger.embedded.commitment import Lags
from programs.addresses import COMPUTE_BUDGET, SYSTEM
from tests.harness.ledger.wallets import (
    MEMO,
    OTHER,
    PAYER,
    SOL,
    encoded,
    memo,
    pay,
    result,
    rpc,
    send,
    signed,
)

RENT_OF_NOTHING = 890_880  # the least a system account may hold
POOR = Keypair.from_seed(b"q" * 32)
B64 = {"encoding": "base64"}
SKIP = {"encoding": "base64", "skipPreflight": True}


def loaded_bytes_limit(size: int) -> Instruction:
    return Instruction(COMPUTE_BUDGET, b"\x04" + struct.pack("<I", size), [])


def error_of(ledger: EmbeddedLedger, *instructions: Instruction, payer: Keypair = PAYER) -> Any:
    answer = rpc(ledger, "sendTransaction", encoded(signed(ledger, instructions, [payer])), B64)
    return answer["error"].get("data", {}).get("err") if "error" in answer else None


def balance(ledger: EmbeddedLedger, address: Pubkey) -> int:
    return ledger.chain.machine.get_balance(address)


# -- fees ---------------------------------------------------------------------------------------


def test_the_priority_fee_is_the_limit_times_the_price_rounded_up(rich: EmbeddedLedger) -> None:
    before = balance(rich, PAYER.pubkey())
    budget = [set_compute_unit_limit(100_001), set_compute_unit_price(15)]
    asked = signed(rich, [*budget, pay(SOL)])
    message = base64.b64encode(bytes(asked.message)).decode()
    assert result(rich, "getFeeForMessage", message)["value"] == 5000 + 2
    signature = result(rich, "sendTransaction", encoded(asked), B64)
    assert balance(rich, PAYER.pubkey()) == before - SOL - 5002
    assert result(rich, "getTransaction", signature, "json")["meta"]["fee"] == 5002


def test_a_failed_transaction_pays_its_priority_fee_too(rich: EmbeddedLedger) -> None:
    before = balance(rich, PAYER.pubkey())
    budget = [set_compute_unit_limit(100_000), set_compute_unit_price(1_000_000)]
    sent = encoded(signed(rich, [*budget, pay(100 * SOL)]))
    assert "error" in rpc(rich, "sendTransaction", sent, B64)
    assert balance(rich, PAYER.pubkey()) == before
    result(rich, "sendTransaction", sent, SKIP)
    assert balance(rich, PAYER.pubkey()) == before - 105_000


def test_who_cannot_pay_the_priority_fee_sends_nothing(rich: EmbeddedLedger) -> None:
    rich.fund(POOR.pubkey(), SOL)
    budget = [set_compute_unit_limit(1_000_000), set_compute_unit_price(1_000_000_000)]
    assert error_of(rich, *budget, payer=POOR) == "InsufficientFundsForFee"
    assert balance(rich, POOR.pubkey()) == SOL


def test_a_missing_program_costs_the_fee(rich: EmbeddedLedger) -> None:
    before = balance(rich, PAYER.pubkey())
    nothing = Instruction(OTHER, b"", [])
    assert error_of(rich, nothing) == "ProgramAccountNotFound"
    sent = signed(rich, [nothing])
    result(rich, "sendTransaction", encoded(sent), SKIP)
    assert balance(rich, PAYER.pubkey()) == before - 5000
    status = result(rich, "getSignatureStatuses", [str(sent.signatures[0])])["value"][0]
    assert status["err"] == "ProgramAccountNotFound"


def test_a_token_account_cannot_pay_fees(rich: EmbeddedLedger) -> None:
    rich.chain.machine.set_account(POOR.pubkey(), Account(SOL, b"", MEMO, False, 0))
    assert error_of(rich, pay(1, POOR), payer=POOR) == "InvalidAccountForFee"


# -- rent ---------------------------------------------------------------------------------------


def test_a_new_wallet_needs_the_rent_of_an_empty_account(rich: EmbeddedLedger) -> None:
    rent = {"InsufficientFundsForRent": {"account_index": 1}}
    assert error_of(rich, pay(RENT_OF_NOTHING - 1)) == rent
    assert error_of(rich, pay(RENT_OF_NOTHING)) is None


def test_a_payer_may_empty_itself_but_not_nearly(rich: EmbeddedLedger) -> None:
    rich.fund(POOR.pubkey(), SOL)
    nearly = pay(SOL - 5000 - 1, POOR)
    rent = {"InsufficientFundsForRent": {"account_index": 0}}
    assert error_of(rich, nearly, payer=POOR) == rent
    assert balance(rich, POOR.pubkey()) == SOL
    assert error_of(rich, pay(SOL - 5000, POOR), payer=POOR) is None
    assert result(rich, "getAccountInfo", str(POOR.pubkey()))["value"] is None


def test_an_account_below_rent_may_shrink_but_not_grow(rich: EmbeddedLedger) -> None:
    rich.chain.machine.set_account(OTHER, Account(1000, b"", SYSTEM, False, 0))
    rent = {"InsufficientFundsForRent": {"account_index": 1}}
    assert error_of(rich, pay(1)) == rent
    assert error_of(rich, pay(RENT_OF_NOTHING)) is None


# -- limits -------------------------------------------------------------------------------------


def test_a_transaction_has_1232_bytes(rich: EmbeddedLedger) -> None:
    room = 1232 - len(bytes(signed(rich, [memo("")]))) - 1  # a length above 127 takes a byte more
    fits = signed(rich, [Instruction(MEMO, b"x" * room, [])])
    size = len(bytes(fits))
    assert size < 1232
    largest = signed(rich, [Instruction(MEMO, b"x" * (room + 1232 - size), [])])
    assert len(bytes(largest)) == 1232
    result(rich, "sendTransaction", encoded(largest), SKIP)
    assert result(rich, "getTransaction", str(largest.signatures[0]), "json") is not None
    over = signed(rich, [Instruction(MEMO, b"x" * (room + 1233 - size), [])])
    answer = rpc(rich, "sendTransaction", encoded(over), B64)
    assert answer["error"]["code"] == -32602
    assert "too large: 1233 bytes (max: 1232 bytes)" in answer["error"]["message"]


def test_compute_units_are_limited(rich: EmbeddedLedger) -> None:
    assert error_of(rich, set_compute_unit_limit(500), memo("hello")) == {
        "InstructionError": [1, "ProgramFailedToComplete"]
    }
    assert error_of(rich, set_compute_unit_limit(200_000), memo("hello")) is None


def test_a_budget_is_set_once(rich: EmbeddedLedger) -> None:
    twice = [set_compute_unit_limit(10_000), set_compute_unit_limit(20_000)]
    assert error_of(rich, *twice) == {"DuplicateInstruction": 1}


def test_loaded_account_data_is_limited(rich: EmbeddedLedger) -> None:
    code = rich.chain.account(MEMO)
    assert code is not None
    enough = len(code.data) + 22  # and the compute budget program's own
    for limit, error in ((enough - 1, "MaxLoadedAccountsDataSizeExceeded"), (enough, None)):
        asked = [loaded_bytes_limit(limit), memo(str(limit))]
        assert error_of(rich, *asked) == error
    simulated = result(rich, "simulateTransaction", encoded(signed(rich, asked)), B64)
    assert simulated["value"]["loadedAccountsDataSize"] == enough


def test_a_transaction_locks_64_accounts_and_has_64_instructions(rich: EmbeddedLedger) -> None:
    # Nothing this large fits into a packet without tables, so the runtime is asked directly.
    others = [Keypair.from_seed(bytes([n + 1]) * 32).pubkey() for n in range(64)]
    many = Instruction(MEMO, b"", [AccountMeta(one, False, False) for one in others])
    refused = rich.chain.process(signed(rich, [many]))
    assert refused.error == "TooManyAccountLocks"
    refused = rich.chain.process(signed(rich, [Instruction(MEMO, b"", [])] * 65))
    assert refused.error == "SanitizeFailure"


def test_an_ed25519_precompile_checks_its_signature(rich: EmbeddedLedger) -> None:
    program = Pubkey.from_string("Ed25519SigVerify111111111111111111111111111")

    def verify(said: bytes, text: bytes) -> Instruction:
        signature = PAYER.sign_message(said)
        offsets = struct.pack("<7H", 48, 0xFFFF, 16, 0xFFFF, 112, len(text), 0xFFFF)
        body = bytes(PAYER.pubkey()) + bytes(signature) + text
        return Instruction(program, bytes([1, 0]) + offsets + body, [])

    before = balance(rich, PAYER.pubkey())
    assert error_of(rich, verify(b"this", b"this")) is None
    assert balance(rich, PAYER.pubkey()) == before - 10_000, "its signature is paid for, too"
    wrong = error_of(rich, verify(b"this", b"that"))
    assert wrong is not None
    assert wrong["InstructionError"][0] == 0


# -- slots, sysvars and commitment --------------------------------------------------------------


def sysvar(ledger: EmbeddedLedger, name: str) -> Any:
    shown = result(ledger, "getAccountInfo", name, {"encoding": "jsonParsed"})
    return shown["value"]["data"]["parsed"]["info"]


def test_sysvars_move_with_the_clock(rich: EmbeddedLedger) -> None:
    clock = "SysvarC1ock11111111111111111111111111111111"
    hashes = "SysvarS1otHashes111111111111111111111111111"
    recent = "SysvarRecentB1ockHashes11111111111111111111"
    first = sysvar(rich, clock)
    rich.clock.sleep(400)
    second = sysvar(rich, clock)
    assert second["slot"] == first["slot"] + 1000
    assert second["unixTimestamp"] == first["unixTimestamp"] + 400
    slot = second["slot"]
    listed = sysvar(rich, hashes)
    assert [one["slot"] for one in listed] == list(range(slot - 1, slot - 513, -1))
    block = result(rich, "getBlock", slot - 1, {"transactionDetails": "none"})
    assert listed[0]["hash"] == block["blockhash"]
    newest = result(rich, "getLatestBlockhash")["value"]["blockhash"]
    entries = sysvar(rich, recent)
    assert entries[0]["blockhash"] == newest
    assert len(entries) == 150


def test_an_epoch_passes(rich: EmbeddedLedger) -> None:
    rich.clock.sleep(432_000 * 0.4)
    assert result(rich, "getEpochInfo")["epoch"] == 1


def test_statuses_of_the_last_300_slots_need_no_search(rich: EmbeddedLedger) -> None:
    signature = send(rich, [memo("old")])

    def status(**options: bool) -> object:
        return result(rich, "getSignatureStatuses", [signature], options)["value"][0]

    rich.clock.sleep(290 * 0.4)
    assert status() is not None
    rich.clock.sleep(20 * 0.4)
    assert status() is None
    assert status(searchTransactionHistory=True) is not None


def test_levels_agree_at_once_unless_told_to_lag(rich: EmbeddedLedger) -> None:
    send(rich, [pay(SOL)])
    for level in ("processed", "confirmed", "finalized"):
        value = result(rich, "getBalance", str(OTHER), {"commitment": level})
        assert value["value"] == SOL


def test_a_ledger_can_let_levels_lag_as_on_a_cluster() -> None:
    chain = Chain(VirtualClock(START), lags=Lags(confirmed_slots=2, finalized_slots=32))
    with EmbeddedLedger.serve(chain) as ledger:
        ledger.fund(PAYER.pubkey(), 10 * SOL)
        ledger.clock.sleep(40)
        signature = send(ledger, [pay(SOL)])

        def seen(level: str) -> tuple[int, object, object]:
            options = {"commitment": level}
            shown = result(ledger, "getBalance", str(OTHER), options)
            sent = None
            if level != "processed":
                sent = result(ledger, "getTransaction", signature, options)
            return shown["value"], sent and sent["slot"], shown["context"]["slot"]

        slot = chain.slot
        assert seen("processed")[0] == SOL
        assert seen("confirmed") == (0, None, slot - 2)
        status = result(ledger, "getSignatureStatuses", [signature])["value"][0]
        assert (status["confirmationStatus"], status["confirmations"]) == ("processed", 1)
        ledger.clock.sleep(0.4)
        assert seen("confirmed")[:2] == (SOL, slot - 1)
        assert seen("finalized")[:2] == (0, None)
        ledger.clock.sleep(30 * 0.4)
        assert seen("finalized")[:2] == (SOL, slot - 1)
        status = result(ledger, "getSignatureStatuses", [signature])["value"][0]
        assert (status["confirmationStatus"], status["confirmations"]) == ("finalized", None)
        older = result(ledger, "getLatestBlockhash", {"commitment": "finalized"})
        assert older["value"]["blockhash"] == str(chain.blockhash(chain.slot - 32))
        assert older["value"]["lastValidBlockHeight"] == chain.slot - 32 + 150


# -- simulation ---------------------------------------------------------------------------------


def test_a_simulation_shows_accounts_and_changes_nothing(rich: EmbeddedLedger) -> None:
    blockhash = Hash(b"x" * 32)
    message = Message.new_with_blockhash([pay(SOL), memo("m")], PAYER.pubkey(), blockhash)
    sent = encoded(VersionedTransaction.populate(message, [PAYER.sign_message(b"not this")]))
    stale = result(rich, "simulateTransaction", sent, B64)["value"]
    assert stale["err"] == "BlockhashNotFound"
    options = {
        "encoding": "base64", "replaceRecentBlockhash": True, "innerInstructions": True,
        "accounts": {"encoding": "base64", "addresses": [str(OTHER), str(POOR.pubkey())]},
    }  # fmt: skip
    shown = result(rich, "simulateTransaction", sent, options)["value"]
    assert shown["err"] is None
    assert shown["accounts"][0]["lamports"] == SOL
    assert shown["accounts"][1] is None
    assert shown["replacementBlockhash"]["blockhash"] == str(rich.chain.latest_blockhash()[0])
    assert shown["unitsConsumed"] > 0
    assert balance(rich, OTHER) == 0
    forged = rpc(rich, "simulateTransaction", sent, {"encoding": "base64", "sigVerify": True})
    assert "error" in forged or forged["result"]["value"]["err"] == "BlockhashNotFound"


def test_prices_of_recent_slots_are_told(rich: EmbeddedLedger) -> None:
    send(rich, [set_compute_unit_price(777), pay(SOL)])
    slot = rich.chain.slot - 1
    told = result(rich, "getRecentPrioritizationFees", [str(OTHER)])
    assert {"slot": slot, "prioritizationFee": 777} in told
    others = result(rich, "getRecentPrioritizationFees", [str(POOR.pubkey())])
    assert all(one["prioritizationFee"] == 0 for one in others)
