"""What a cluster does, the embedded ledger does: each test names the behaviour."""

from __future__ import annotations

import struct

import pytest
from solana.rpc.core import RPCException
from solana.rpc.types import TxOpts
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from harness.clock import VirtualClock
from harness.ledger.embedded import START, EmbeddedLedger
from harness.ledger.embedded.machine import OFF_ON_MAINNET, add_program
from harness.ledger.protocol import ProgramImage
from programs import elf

SOL = 10**9
PAYER = Keypair.from_seed(b"p" * 32)
OTHER = Keypair.from_seed(b"o" * 32).pubkey()
SKIP_PREFLIGHT = TxOpts(skip_preflight=True)


def paying(ledger: EmbeddedLedger, lamports: int, payer: Keypair = PAYER) -> VersionedTransaction:
    """A signed transfer on the latest blockhash."""
    pay = transfer(TransferParams(from_pubkey=payer.pubkey(), to_pubkey=OTHER, lamports=lamports))
    blockhash = ledger.client().get_latest_blockhash().value.blockhash
    message = Message.new_with_blockhash([pay], payer.pubkey(), blockhash)
    return VersionedTransaction(message, [payer])


def test_a_transfer_lands_and_costs_its_fee(ledger: EmbeddedLedger) -> None:
    ledger.fund(PAYER.pubkey(), SOL)
    client = ledger.client()
    signature = client.send_transaction(paying(ledger, 1000000)).value
    assert client.get_balance(OTHER).value == 1000000
    assert client.get_balance(PAYER.pubkey()).value == SOL - 1000000 - 5000
    status = client.get_signature_statuses([signature]).value[0]
    assert status is not None
    assert status.err is None


def test_a_failed_preflight_leaves_no_trace(ledger: EmbeddedLedger) -> None:
    ledger.fund(PAYER.pubkey(), SOL)
    client, too_much = ledger.client(), paying(ledger, 2 * SOL)
    with pytest.raises(RPCException) as refusal:
        client.send_transaction(too_much)
    assert "custom program error: 0x1" in str(refusal.value)
    assert client.get_balance(PAYER.pubkey()).value == SOL
    assert client.get_signature_statuses([too_much.signatures[0]]).value == [None]


def test_a_failure_without_preflight_lands_and_is_charged(ledger: EmbeddedLedger) -> None:
    ledger.fund(PAYER.pubkey(), SOL)
    client, too_much = ledger.client(), paying(ledger, 2 * SOL)
    client.send_transaction(too_much, SKIP_PREFLIGHT)
    assert client.get_balance(PAYER.pubkey()).value == SOL - 5000
    status = client.get_signature_statuses([too_much.signatures[0]]).value[0]
    assert status is not None
    assert status.err is not None


def test_a_wallet_without_lamports_cannot_send(ledger: EmbeddedLedger) -> None:
    client, poor = ledger.client(), paying(ledger, 1)
    with pytest.raises(RPCException, match="no record of a prior credit"):
        client.send_transaction(poor)
    client.send_transaction(poor, SKIP_PREFLIGHT)  # dropped in silence, as on a cluster
    assert client.get_signature_statuses([poor.signatures[0]]).value == [None]


def test_the_same_transaction_lands_once(ledger: EmbeddedLedger) -> None:
    ledger.fund(PAYER.pubkey(), SOL)
    client, once = ledger.client(), paying(ledger, 1000000)
    client.send_transaction(once)
    with pytest.raises(RPCException, match="already been processed"):
        client.send_transaction(once)
    assert client.get_balance(OTHER).value == 1000000


def test_a_blockhash_lives_150_slots(ledger: EmbeddedLedger) -> None:
    ledger.fund(PAYER.pubkey(), SOL)
    client = ledger.client()
    in_time, late = paying(ledger, 1000000), paying(ledger, 2000000)
    ledger.clock.sleep(150 * 0.4)
    client.send_transaction(in_time)
    with ledger.chain.lock:
        assert not ledger.chain.is_blockhash_valid(late.message.recent_blockhash)
    with pytest.raises(RPCException, match="Blockhash not found"):
        client.send_transaction(late)
    assert client.get_balance(OTHER).value == 1000000


def test_a_blockhash_that_was_never_given_is_unknown(ledger: EmbeddedLedger) -> None:
    ledger.fund(PAYER.pubkey(), SOL)
    pay = transfer(TransferParams(from_pubkey=PAYER.pubkey(), to_pubkey=OTHER, lamports=1000000))
    from solders.hash import Hash

    message = Message.new_with_blockhash([pay], PAYER.pubkey(), Hash(b"x" * 32))
    with pytest.raises(RPCException, match="Blockhash not found"):
        ledger.client().send_transaction(VersionedTransaction(message, [PAYER]))


def test_a_forged_signature_is_refused(ledger: EmbeddedLedger) -> None:
    ledger.fund(PAYER.pubkey(), SOL)
    honest = paying(ledger, 1000000)
    forged = VersionedTransaction.populate(honest.message, [PAYER.sign_message(b"something else")])
    with pytest.raises(RPCException, match="SignatureVerificationFailure"):
        ledger.client().send_transaction(forged)
    assert ledger.client().get_balance(OTHER).value == 0


def test_sleeping_passes_slots_and_time(ledger: EmbeddedLedger) -> None:
    client = ledger.client()
    slot = client.get_slot().value
    time = client.get_block_time(slot).value
    ledger.clock.sleep(12)
    assert client.get_slot().value == slot + 30
    assert client.get_block_time(slot + 30).value == time + 12


def test_same_transactions_same_history() -> None:
    def history() -> list[tuple[object, ...]]:
        with EmbeddedLedger.start(VirtualClock(START)) as ledger:
            ledger.fund(PAYER.pubkey(), SOL)
            for lamports in (1000000, 2000000):
                ledger.client().send_transaction(paying(ledger, lamports))
                ledger.clock.sleep(3)
            return [
                (record.signature, record.slot, record.block_time, record.after_lamports)
                for record in ledger.chain.history.values()
            ]

    first = history()
    assert len(first) == 3
    assert history() == first


def test_history_of_an_address_is_paged_newest_first(ledger: EmbeddedLedger) -> None:
    ledger.fund(PAYER.pubkey(), SOL)
    client = ledger.client()
    sent = [client.send_transaction(paying(ledger, 1000000 + n)).value for n in range(5)]
    listed = [one.signature for one in client.get_signatures_for_address(OTHER).value]
    assert listed == sent[::-1]
    page = client.get_signatures_for_address(OTHER, before=sent[3], limit=2).value
    assert [one.signature for one in page] == [sent[2], sent[1]]


def test_stack_frames_have_gaps_as_on_a_cluster(ledger: EmbeddedLedger) -> None:
    """A program that writes one word past its stack frame faults. Made from the buyback's ELF by
    putting three instructions in the place of its entry point."""
    code = bytearray(elf.load("buyback"))
    entry = struct.unpack_from("<Q", code, 24)[0]
    past_the_frame = struct.pack("<BBhi", 0x7A, 10, 8, 1)  # *(u64 *)(r10 + 8) = 1
    succeed = struct.pack("<BBhi", 0xB7, 0, 0, 0) + struct.pack("<BBhi", 0x95, 0, 0, 0)
    address = Keypair.from_seed(b"g" * 32).pubkey()

    def run(instructions: bytes, at: Pubkey) -> list[str]:
        patched = bytes(code[:entry]) + instructions + bytes(code[entry + len(instructions) :])
        add_program(ledger.chain.machine, ProgramImage(at, patched), slot=0)
        call = Instruction(at, b"", [AccountMeta(PAYER.pubkey(), True, True)])
        blockhash = ledger.client().get_latest_blockhash().value.blockhash
        message = Message.new_with_blockhash([call], PAYER.pubkey(), blockhash)
        sent = VersionedTransaction(message, [PAYER])
        ledger.client().send_transaction(sent, SKIP_PREFLIGHT)
        return list(ledger.chain.history[sent.signatures[0]].execution.logs)

    ledger.fund(PAYER.pubkey(), SOL)
    control = run(succeed, address)
    assert control[-1].endswith("success"), control
    logs = run(past_the_frame + succeed, Keypair.from_seed(b"h" * 32).pubkey())
    assert "Access violation" in logs[-1], logs


def test_clients_can_read_which_features_are_active(ledger: EmbeddedLedger) -> None:
    client = ledger.client()
    on, off = "7axKe5BTYBDD87ftzWbk5DfzWMGyRvqmWTduuo22Yaqy", OFF_ON_MAINNET["enable_loader_v4"]
    active = client.get_account_info(Pubkey.from_string(on)).value
    assert active is not None
    assert str(active.owner) == "Feature111111111111111111111111111111111111"
    assert active.data == b"\x01" + bytes(8)
    assert client.get_account_info(Pubkey.from_string(off)).value is None
