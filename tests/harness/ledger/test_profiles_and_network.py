"""surfnet_* methods about the whole network: profiles, supply, reset, streams, interfaces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from solders.account import Account
from solders.compute_budget import set_compute_unit_limit
from solders.keypair import Keypair

from harness.clock import VirtualClock
from harness.ledger.embedded import START, EmbeddedLedger
from harness.ledger.embedded.chain import Chain
from harness.ledger.embedded.fork import RemoteAccounts
from harness.ledger.embedded.machine import add_program
from harness.ledger.embedded.profile import PROFILES_MAX
from harness.ledger.protocol import ProgramImage
from programs import elf
from programs.addresses import SYSTEM
from tests.harness.ledger.wallets import (
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

WALLET = str(PAYER.pubkey())
IDL = {"address": str(OTHER), "metadata": {"name": "box", "version": "1"}, "instructions": []}


def changes(profile: dict[str, Any]) -> dict[str, Any]:
    return {
        address: state.get("accountChange", {}).get("type", state["type"])
        for address, state in profile["transactionProfile"]["accountStates"].items()
    }


def test_a_profile_tells_what_a_transaction_would_change_and_changes_nothing(
    rich: EmbeddedLedger,
) -> None:
    tried = encoded(signed(rich, [pay(SOL)]))
    profile = result(rich, "surfnet_profileTransaction", tried, "first")["value"]
    assert changes(profile) == {WALLET: "update", str(OTHER): "create", str(SYSTEM): "readonly"}
    before, after = (
        one["lamports"]
        for one in profile["transactionProfile"]["accountStates"][WALLET]["accountChange"]["data"]
    )
    assert before - after == SOL + 5000
    assert profile["transactionProfile"]["computeUnitsConsumed"] == 150
    assert profile["transactionProfile"]["logMessages"][0] == f"Program {SYSTEM} invoke [1]"
    assert profile["transactionProfile"]["errorMessage"] is None
    assert profile["readonlyAccountStates"][str(SYSTEM)]["executable"]
    assert result(rich, "getBalance", str(OTHER))["value"] == 0
    again = result(rich, "surfnet_getTransactionProfile", profile["key"])["value"]
    assert again == profile


def test_profiles_are_found_by_tag_and_failures_say_why(rich: EmbeddedLedger) -> None:
    for lamports, tag in ((SOL, "a"), (99 * SOL, "a"), (2 * SOL, "b")):
        tried = encoded(signed(rich, [pay(lamports)]))
        result(rich, "surfnet_profileTransaction", tried, tag, {"encoding": "base64"})
    good, bad = result(rich, "surfnet_getProfileResultsByTag", "a", {"encoding": "base64"})["value"]
    assert good["transactionProfile"]["errorMessage"] is None
    assert "custom program error: 0x1" in bad["transactionProfile"]["errorMessage"]
    assert set(changes(bad).values()) == {"unchanged", "readonly"}
    states = good["transactionProfile"]["accountStates"]
    assert states[str(OTHER)]["accountChange"]["data"]["data"] == ["", "base64"]
    assert result(rich, "surfnet_getProfileResultsByTag", "c")["value"] is None
    assert result(rich, "surfnet_getTransactionProfile", "no such key")["value"] is None
    depth = rpc(rich, "surfnet_getTransactionProfile", "x", {"depth": "deep"})
    assert depth["error"]["code"] == -32602


def test_a_profile_tells_of_an_account_that_would_be_closed(rich: EmbeddedLedger) -> None:
    everything = rich.chain.machine.get_balance(PAYER.pubkey()) - 5000
    tried = encoded(signed(rich, [pay(everything)]))
    profile = result(rich, "surfnet_profileTransaction", tried)["value"]
    assert changes(profile)[WALLET] == "delete"
    state = profile["transactionProfile"]["accountStates"][WALLET]
    assert state["accountChange"]["data"]["lamports"] == everything + 5000


def test_no_more_than_a_thousand_profiles_are_kept(rich: EmbeddedLedger) -> None:
    keys = []
    for number in range(PROFILES_MAX + 5):
        tried = encoded(signed(rich, [set_compute_unit_limit(1000 + number)]))
        keys.append(result(rich, "surfnet_profileTransaction", tried, "t")["value"]["key"])
    assert len(set(keys)) == len(keys)
    assert [one.key for one in rich.chain.profiles.tagged("t")] == keys[5:]


def test_supply_is_what_it_was_set_to(rich: EmbeddedLedger) -> None:
    real = result(rich, "getSupply")["value"]
    result(rich, "surfnet_setSupply", {"total": 10**15, "non_circulating_accounts": [WALLET]})
    told = result(rich, "getSupply")["value"]
    assert told == real | {"total": 10**15, "nonCirculatingAccounts": [WALLET]}
    result(rich, "surfnet_setSupply", {"circulating": 7, "non_circulating": 8})
    short = result(rich, "getSupply", {"excludeNonCirculatingAccountsList": True})["value"]
    assert short == {"total": 10**15, "circulating": 7, "nonCirculating": 8,
                     "nonCirculatingAccounts": []}  # fmt: skip
    wrong = rpc(rich, "surfnet_setSupply", {"non_circulating_accounts": ["x"]})
    assert wrong["error"]["code"] == -32602


def test_a_reset_goes_back_to_the_opening_and_keeps_programs_and_history() -> None:
    program = Keypair.from_seed(b"r" * 32).pubkey()
    chain = Chain(VirtualClock(START), [ProgramImage(program, elf.load("buyback"))])
    with EmbeddedLedger.serve(chain) as ledger:
        opened = dict(chain.machine.accounts)
        ledger.fund(PAYER.pubkey(), SOL)
        signature = send(ledger, [pay(SOL // 2)])
        add_program(chain.machine, ProgramImage(program, b"other"), slot=0)
        slot = chain.slot
        result(ledger, "surfnet_resetNetwork")
        assert dict(chain.machine.accounts) == opened
        assert chain.slot >= slot
        assert result(ledger, "getTransaction", signature)["slot"] > 0
        ledger.fund(PAYER.pubkey(), SOL)
        send(ledger, [memo("afterwards everything works")])


def test_what_was_there_on_opening_comes_back_by_account_too() -> None:
    chain = Chain(VirtualClock(START))
    chain.machine.set_account(OTHER, Account(7, b"", SYSTEM))
    chain.open()
    with EmbeddedLedger.serve(chain) as ledger:
        result(ledger, "surfnet_setAccount", str(OTHER), {"lamports": 9})
        result(ledger, "surfnet_resetAccount", str(OTHER))
        assert result(ledger, "getBalance", str(OTHER))["value"] == 7


def test_a_streamed_account_follows_its_own_cluster(rich: EmbeddedLedger, tmp_path: Path) -> None:
    source = RemoteAccounts(rich.rpc_url, tmp_path)
    with EmbeddedLedger.serve(Chain(VirtualClock(START), source=source)) as fork:
        for address in (WALLET, str(OTHER)):
            result(fork, "getBalance", address)
        result(fork, "surfnet_streamAccount", str(OTHER))
        send(rich, [pay(SOL)])
        assert result(fork, "getBalance", str(OTHER))["value"] == SOL
        assert result(fork, "getBalance", WALLET)["value"] == 10 * SOL, "this one is not streamed"
        result(fork, "surfnet_streamAccounts", [{"pubkey": WALLET, "includeOwnedAccounts": True}])
        listed = result(fork, "surfnet_getStreamedAccounts")["value"]["accounts"]
        assert listed == [
            {"pubkey": str(OTHER), "includeOwnedAccounts": False},
            {"pubkey": WALLET, "includeOwnedAccounts": True},
        ]
        assert result(fork, "getBalance", WALLET)["value"] == 9 * SOL - 5000
        send(fork, [pay(SOL)])
        assert fork.chain.machine.get_balance(OTHER) == 2 * SOL
        assert result(fork, "getBalance", str(OTHER))["value"] == SOL, "its own cluster says so"
    source.close()


def test_an_offline_account_is_never_asked_for(rich: EmbeddedLedger) -> None:
    source = RemoteAccounts(rich.rpc_url)
    with EmbeddedLedger.serve(Chain(VirtualClock(START), source=source)) as fork:
        result(fork, "surfnet_offlineAccount", WALLET)
        assert result(fork, "getBalance", WALLET)["value"] == 0
        result(fork, "surfnet_streamAccount", WALLET)
        assert result(fork, "getBalance", WALLET)["value"] == 0
    source.close()


def test_a_reset_fork_asks_its_cluster_again(rich: EmbeddedLedger) -> None:
    source = RemoteAccounts(rich.rpc_url)
    with EmbeddedLedger.serve(Chain(VirtualClock(START), source=source)) as fork:
        result(fork, "surfnet_setAccount", WALLET, {"lamports": 0})
        assert result(fork, "getBalance", WALLET)["value"] == 0
        result(fork, "surfnet_resetNetwork")
        assert result(fork, "getBalance", WALLET)["value"] == 10 * SOL
    source.close()


def test_interfaces_hold_from_their_slot_on(rich: EmbeddedLedger) -> None:
    later = IDL | {"metadata": {"name": "box", "version": "2"}}
    slot = rich.chain.slot
    result(rich, "surfnet_registerIdl", IDL)
    result(rich, "surfnet_registerIdl", later, slot + 100)
    assert result(rich, "surfnet_getActiveIdl", str(OTHER))["value"] == IDL
    assert result(rich, "surfnet_getActiveIdl", str(OTHER), slot + 100)["value"] == later
    assert result(rich, "surfnet_getActiveIdl", WALLET)["value"] is None
    if slot:
        assert result(rich, "surfnet_getActiveIdl", str(OTHER), slot - 1)["value"] is None
    assert rpc(rich, "surfnet_registerIdl", {"address": 5})["error"]["code"] == -32602
