"""surfnet_* methods, snapshots and forks: what a test ledger can do and a cluster cannot."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from harness.clock import VirtualClock
from harness.errors import UsageError
from harness.ledger.embedded import START, EmbeddedLedger
from harness.ledger.embedded import snapshot as snapshots
from harness.ledger.embedded.chain import Chain
from harness.ledger.embedded.fork import RemoteAccounts, clone_into
from harness.ledger.embedded.history import History
from harness.ledger.embedded.machine import add_program
from harness.ledger.embedded.running_clock import RunningClock
from harness.ledger.embedded.storage import account_to_json, read_account_file
from harness.ledger.protocol import ProgramImage
from programs import elf
from programs.addresses import program_data_address
from tests.harness.ledger.wallets import (
    OTHER,
    PAYER,
    SOL,
    associated,
    memo,
    new_token,
    pay,
    result,
    rpc,
    send,
)

WALLET = str(PAYER.pubkey())
PROGRAM = Keypair.from_seed(b"d" * 32).pubkey()


# -- surfnet ------------------------------------------------------------------------------------


def test_an_account_is_made_and_changed_field_by_field(rich: EmbeddedLedger) -> None:
    update = {"lamports": 5, "data": "c0ffee", "owner": str(PROGRAM)}
    assert result(rich, "surfnet_setAccount", str(OTHER), update)["value"] is None
    result(rich, "surfnet_setAccount", str(OTHER), {"lamports": 7})
    shown = result(rich, "getAccountInfo", str(OTHER), {"encoding": "base64"})["value"]
    assert (shown["lamports"], shown["owner"]) == (7, str(PROGRAM))
    assert shown["data"] == ["wP/u", "base64"]
    result(rich, "surfnet_resetAccount", str(OTHER))
    assert result(rich, "getAccountInfo", str(OTHER))["value"] is None
    assert rpc(rich, "surfnet_setAccount", str(OTHER), {"data": "xyz"})["error"]["code"] == -32602


def test_an_edit_is_what_the_next_transaction_sees(rich: EmbeddedLedger) -> None:
    send(rich, [pay(SOL)])
    result(rich, "surfnet_setAccount", WALLET, {"lamports": 2 * SOL})
    send(rich, [pay(SOL)])
    assert rich.chain.machine.get_balance(PAYER.pubkey()) == SOL - 5000


def test_a_token_account_is_made_and_moves_tokens(rich: EmbeddedLedger) -> None:
    mint, _ = new_token(rich, decimals=0, amount=1)
    update = {"amount": 500, "delegate": WALLET, "delegatedAmount": 20, "state": "frozen"}
    result(rich, "surfnet_setTokenAccount", str(OTHER), str(mint), update)
    address = str(associated(OTHER, mint))
    shown = result(rich, "getAccountInfo", address, {"encoding": "jsonParsed"})["value"]
    info = shown["data"]["parsed"]["info"]
    assert (info["tokenAmount"]["amount"], info["state"]) == ("500", "frozen")
    assert (info["delegate"], info["delegatedAmount"]["amount"]) == (WALLET, "20")
    mine = result(rich, "getTokenAccountsByDelegate", WALLET, {"mint": str(mint)},
                  {"encoding": "base64"})  # fmt: skip
    assert [one["pubkey"] for one in mine["value"]] == [address]
    result(rich, "surfnet_setTokenAccount", str(OTHER), str(mint), {"delegate": "null"})
    mine = result(rich, "getTokenAccountsByDelegate", WALLET, {"mint": str(mint)},
                  {"encoding": "base64"})  # fmt: skip
    assert mine["value"] == []


def test_time_goes_forward_only(rich: EmbeddedLedger) -> None:
    slot = rich.chain.slot
    told = result(rich, "surfnet_timeTravel", {"absoluteSlot": slot + 1000})
    assert told["absoluteSlot"] == slot + 1000
    assert result(rich, "surfnet_timeTravel", {"absoluteEpoch": 2})["epoch"] == 2
    moment = datetime(2030, 1, 1, tzinfo=UTC)
    result(rich, "surfnet_timeTravel", {"absoluteTimestamp": int(moment.timestamp() * 1000)})
    assert rich.clock.now() == moment
    back = rpc(rich, "surfnet_timeTravel", {"absoluteSlot": 1})["error"]
    assert back["code"] == -32602
    assert "past slot" in back["message"]
    send(rich, [memo("afterwards everything works")])


def test_a_running_clock_pauses_and_resumes() -> None:
    clock = RunningClock(START)
    with EmbeddedLedger.serve(Chain(clock)) as ledger:
        result(ledger, "surfnet_pauseClock")
        stood = clock.now()
        assert clock.paused
        assert clock.now() == stood
        clock.sleep(12)
        assert (clock.now() - stood).total_seconds() == 12
        result(ledger, "surfnet_resumeClock")
        assert not clock.paused
        while clock.now() == stood:  # it runs: this ends
            pass


def test_a_program_is_cloned_written_and_given_away(rich: EmbeddedLedger) -> None:
    code = elf.load("buyback")
    address = Keypair.from_seed(b"e" * 32).pubkey()
    add_program(rich.chain.machine, ProgramImage(PROGRAM, code, PAYER.pubkey()), slot=0)
    result(rich, "surfnet_cloneProgramAccount", str(PROGRAM), str(address))
    copied = rich.chain.account(program_data_address(address))
    assert copied is not None
    assert copied.data[45:] == code
    result(rich, "surfnet_setProgramAuthority", str(address), str(OTHER))
    shown = result(rich, "getAccountInfo", str(program_data_address(address)),
                   {"encoding": "jsonParsed"})  # fmt: skip
    assert shown["value"]["data"]["parsed"]["info"]["authority"] == str(OTHER)
    fresh = Keypair.from_seed(b"f" * 32).pubkey()
    half = len(code) // 2
    result(rich, "surfnet_writeProgram", str(fresh), code[:half].hex(), 0)
    result(rich, "surfnet_writeProgram", str(fresh), code[half:].hex(), half)
    written = rich.chain.account(program_data_address(fresh))
    assert written is not None
    assert written.data[45:] == code


def test_local_signatures_and_export(rich: EmbeddedLedger) -> None:
    signature = send(rich, [memo("see")])
    listed = result(rich, "surfnet_getLocalSignatures", 1)["value"]
    assert [one["signature"] for one in listed] == [signature]
    only = {"filter": {"includeAccounts": [WALLET]}}
    exported = result(rich, "surfnet_exportSnapshot", only)["value"]
    assert list(exported) == [WALLET]
    assert exported[WALLET]["lamports"] == rich.chain.machine.get_balance(PAYER.pubkey())


def test_cheats_can_be_left_out() -> None:
    with EmbeddedLedger.serve(Chain(VirtualClock(START), cheats=False)) as ledger:
        answer = rpc(ledger, "surfnet_setAccount", WALLET, {"lamports": 1})
        assert answer["error"]["code"] == -32601


# -- snapshots ----------------------------------------------------------------------------------


def test_a_restored_ledger_goes_on_as_the_saved_one(rich: EmbeddedLedger, tmp_path: Path) -> None:
    mint, holder = new_token(rich, decimals=2, amount=100)
    signature = send(rich, [pay(SOL), memo("kept")])
    rich.clock.sleep(1000)
    path = tmp_path / "state.ledger"
    snapshots.save(rich.chain, path)
    assert [one.name for one in tmp_path.iterdir()] == ["state.ledger"]

    chain = Chain(VirtualClock(START))
    snapshots.restore(chain, path)
    with EmbeddedLedger.serve(chain) as again:
        for method, *params in (
            ("getSlot",), ("getLatestBlockhash",), ("getEpochInfo",), ("getTransactionCount",),
            ("getBalance", WALLET), ("getTokenSupply", str(mint)),
            ("getTransaction", signature, "jsonParsed"), ("getSignaturesForAddress", WALLET),
            ("getAccountInfo", str(holder), {"encoding": "base64"}),
        ):  # fmt: skip
            assert result(again, method, *params) == result(rich, method, *params), method
        assert send(again, [pay(SOL)]) == send(rich, [pay(SOL)])
        assert result(again, "getBalance", WALLET) == result(rich, "getBalance", WALLET)


@pytest.mark.parametrize(
    "content",
    [b"", b"no gzip", gzip.compress(b"{}"), gzip.compress(b"not json"), gzip.compress(b"[1]\n")],
    ids=["empty", "no gzip", "no header", "no JSON", "a list"],
)
def test_a_broken_snapshot_is_said_and_changes_nothing(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "broken"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="broken"):
        snapshots.restore(Chain(VirtualClock(START)), path)


def test_a_snapshot_cut_short_is_refused(rich: EmbeddedLedger, tmp_path: Path) -> None:
    path = tmp_path / "cut"
    snapshots.save(rich.chain, path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(UsageError, match="not a whole snapshot"):
        snapshots.restore(Chain(VirtualClock(START)), path)


# -- history on disk ----------------------------------------------------------------------------


def test_history_beyond_its_limit_is_found_on_disk(rich: EmbeddedLedger) -> None:
    rich.chain.history.close()
    history = History(memory_records_max=600)
    sent = []
    for number in range(900):
        sent.append(send(rich, [memo(f"number {number}")]))
        history.add(rich.chain.history[rich.chain.history.latest(1)[0].signature])
    assert len(history) == 900
    assert len(history._recent) <= 600
    everything = [str(record.signature) for record in history.values()]
    assert everything == sent
    old = rich.chain.history.get(history.latest(900)[-1].signature)
    assert old is not None
    assert history.get(old.signature) == old, "what comes from disk is what went there"
    first = next(iter(history.values()))
    assert rich.chain.history.get(first.signature) == first
    assert history.in_slot(first.slot) == [first]
    paged = history.of_account(PAYER.pubkey(), before=None, until=None, limit=1000)
    assert [str(record.signature) for record in paged] == sent[::-1]
    middle = history.of_account(
        PAYER.pubkey(), before=paged[400].signature, until=paged[700].signature, limit=1000
    )
    assert [one.signature for one in middle] == [one.signature for one in paged[401:700]]
    history.close()


# -- forks --------------------------------------------------------------------------------------


def test_a_fork_fetches_once_keeps_on_disk_and_writes_here_only(
    rich: EmbeddedLedger, tmp_path: Path
) -> None:
    mint, holder = new_token(rich, decimals=2, amount=100)
    source = RemoteAccounts(rich.rpc_url, tmp_path)
    with EmbeddedLedger.serve(Chain(VirtualClock(START), source=source)) as fork:
        assert result(fork, "getBalance", WALLET) ["value"] == rich.chain.machine.get_balance(
            PAYER.pubkey()
        )  # fmt: skip
        fetched = source.fetched
        result(fork, "getBalance", WALLET)
        assert source.fetched == fetched
        send(fork, [pay(SOL)])
        assert fork.chain.machine.get_balance(OTHER) == SOL
        assert rich.chain.machine.get_balance(OTHER) == 0, "nothing goes back"
        supply = result(fork, "getTokenSupply", str(mint))
        assert supply["value"]["amount"] == "100"
    source.close()
    rich.close()  # the other cluster is gone: the cache knows all that was asked for
    offline = RemoteAccounts(rich.rpc_url, tmp_path)
    with EmbeddedLedger.serve(Chain(VirtualClock(START), source=offline)) as fork:
        assert result(fork, "getTokenSupply", str(mint))["value"] == supply["value"]
        assert offline.fetched == 0
        answer = rpc(fork, "getBalance", str(holder))
        assert answer["error"]["code"] == -32603
        assert "accounts come from" in answer["error"]["message"]
    offline.close()


def test_a_fork_runs_the_other_clusters_programs(rich: EmbeddedLedger) -> None:
    add_program(rich.chain.machine, ProgramImage(PROGRAM, elf.load("buyback")), slot=0)
    source = RemoteAccounts(rich.rpc_url)
    chain = Chain(VirtualClock(START), source=source)
    with EmbeddedLedger.serve(chain) as fork:
        from solders.instruction import Instruction

        from tests.harness.ledger.wallets import encoded, signed

        sent = encoded(signed(fork, [Instruction(PROGRAM, b"", [])]))
        answer = rpc(fork, "sendTransaction", sent, {"encoding": "base64"})
        logs = answer["error"]["data"]["logs"]
        assert logs[0] == f"Program {PROGRAM} invoke [1]"
        assert "DeclaredProgramIdMismatch" in logs[1], "the program ran and refused by name"
    source.close()


def test_accounts_and_programs_are_cloned_by_name(rich: EmbeddedLedger) -> None:
    code = elf.load("buyback")
    add_program(rich.chain.machine, ProgramImage(PROGRAM, code), slot=0)
    chain = Chain(VirtualClock(START))
    clone_into(chain, [PAYER.pubkey(), PROGRAM], rich.rpc_url, None)
    assert chain.machine.get_balance(PAYER.pubkey()) == 10 * SOL
    copied = chain.account(program_data_address(PROGRAM))
    assert copied is not None
    assert copied.data[45:] == code
    with pytest.raises(UsageError, match="no account"):
        clone_into(chain, [Pubkey(b"\x07" * 32)], rich.rpc_url, None)
    with pytest.raises(UsageError, match="cannot clone"):
        clone_into(chain, [PAYER.pubkey()], "http://127.0.0.1:9", None)


def test_account_files_are_those_of_the_solana_tools(rich: EmbeddedLedger, tmp_path: Path) -> None:
    held = rich.chain.account(PAYER.pubkey())
    assert held is not None
    path = tmp_path / "account.json"
    path.write_text(json.dumps(account_to_json(PAYER.pubkey(), held)))
    assert read_account_file(path) == (PAYER.pubkey(), held)
    path.write_text('{"pubkey": "x"}')
    with pytest.raises(UsageError, match="is not an account file"):
        read_account_file(path)
