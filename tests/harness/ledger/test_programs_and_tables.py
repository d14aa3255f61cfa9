"""Programs deployed and upgraded, lookup tables and nonces made, by ordinary transactions."""

from __future__ import annotations

import base64
import struct

import pytest
from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import Message, MessageV0
from solders.pubkey import Pubkey
from solders.system_program import (
    AdvanceNonceAccountParams,
    advance_nonce_account,
    create_nonce_account,
)
from solders.transaction import VersionedTransaction

from harness.ledger.embedded import EmbeddedLedger
from harness.ledger.embedded.nonces import durable_nonce
from programs import elf
from programs.addresses import SYSTEM, program_data_address
from tests.harness.ledger.loader import close, deploy, extend, upgrade, write_buffer
from tests.harness.ledger.wallets import (
    OTHER,
    PAYER,
    SOL,
    encoded,
    pay,
    result,
    rpc,
    send,
    signed,
)

TABLES = Pubkey.from_string("AddressLookupTab1e1111111111111111111111111")
PROGRAM = Keypair.from_seed(b"d" * 32)
NONCE = Keypair.from_seed(b"n" * 32)
B64 = {"encoding": "base64"}


@pytest.fixture
def rich(ledger: EmbeddedLedger) -> EmbeddedLedger:
    ledger.fund(PAYER.pubkey(), 100 * SOL)
    ledger.fund(OTHER, SOL)
    return ledger


# -- the upgradeable loader ---------------------------------------------------------------------


def program_that(*instructions: bytes) -> bytes:
    """The buyback's ELF with other instructions at its entry point."""
    code = bytearray(elf.load("buyback"))
    entry = struct.unpack_from("<Q", code, 24)[0]
    patch = b"".join(instructions)
    code[entry : entry + len(patch)] = patch
    return bytes(code)


def returns(number: int) -> tuple[bytes, bytes]:
    """`r0 = number; exit`"""
    return struct.pack("<BBhi", 0xB7, 0, 0, number), struct.pack("<BBhi", 0x95, 0, 0, 0)


def call(program: Pubkey) -> Instruction:
    return Instruction(program, b"", [AccountMeta(PAYER.pubkey(), True, False)])


def error_of(ledger: EmbeddedLedger, *instructions: Instruction) -> object:
    """The error of a transaction whose preflight is refused; None if it lands."""
    answer = rpc(ledger, "sendTransaction", encoded(signed(ledger, instructions)), B64)
    return answer["error"]["data"]["err"] if "error" in answer else None


def test_a_program_is_deployed_run_upgraded_extended_and_closed(rich: EmbeddedLedger) -> None:
    program, code = PROGRAM.pubkey(), program_that(*returns(0))
    deploy(rich, PROGRAM, write_buffer(rich, code, b"1"), len(code))
    assert error_of(rich, call(program)) is None
    shown = result(rich, "getAccountInfo", str(program), {"encoding": "jsonParsed"})
    assert shown["value"]["executable"] is True
    assert shown["value"]["data"]["parsed"] == {
        "type": "program", "info": {"programData": str(program_data_address(program))},
    }  # fmt: skip
    held = rich.chain.account(program_data_address(program))
    assert held is not None
    assert held.data[45:] == code

    bigger = write_buffer(rich, program_that(*returns(7)) + bytes(900), b"2")
    too_small = error_of(rich, upgrade(program, bigger))
    assert too_small == {"InstructionError": [0, "AccountDataTooSmall"]}
    assert error_of(rich, extend(program, 900)) is None
    assert error_of(rich, call(program)) is None, "longer, but the same"
    assert error_of(rich, upgrade(program, bigger)) is None
    assert error_of(rich, call(program)) == {"InstructionError": [0, {"Custom": 7}]}

    before = rich.chain.machine.get_balance(PAYER.pubkey())
    assert error_of(rich, close(program)) is None
    assert rich.chain.machine.get_balance(PAYER.pubkey()) > before
    assert error_of(rich, call(program)) == "InvalidProgramForExecution"
    assert rich.chain.machine.panics == 0


def test_only_the_authority_upgrades(rich: EmbeddedLedger) -> None:
    code = program_that(*returns(0))
    deploy(rich, PROGRAM, write_buffer(rich, code, b"1"), len(code))
    thief = Keypair.from_seed(b"t" * 32)
    rich.fund(thief.pubkey(), SOL)
    asked = upgrade(PROGRAM.pubkey(), write_buffer(rich, b"anything", b"2"))
    accounts = [*asked.accounts[:6], AccountMeta(thief.pubkey(), True, False)]
    stolen = Instruction(asked.program_id, asked.data, accounts)
    answer = rpc(rich, "sendTransaction", encoded(signed(rich, [stolen], [thief])), B64)
    assert answer["error"]["data"]["err"] == {"InstructionError": [0, "IncorrectAuthority"]}


def test_a_program_that_is_no_program_is_refused(rich: EmbeddedLedger) -> None:
    with pytest.raises(AssertionError, match="invalid account data for instruction"):
        deploy(rich, PROGRAM, write_buffer(rich, b"not an ELF" * 50, b"1"), 1000)


# -- address lookup tables ----------------------------------------------------------------------


def new_table(ledger: EmbeddedLedger, addresses: list[Pubkey], slot: int | None = None) -> Pubkey:
    slot = ledger.chain.slot - 1 if slot is None else slot
    seeds = [bytes(PAYER.pubkey()), struct.pack("<Q", slot)]
    table, bump = Pubkey.find_program_address(seeds, TABLES)
    accounts = [
        AccountMeta(table, False, True),
        AccountMeta(PAYER.pubkey(), True, False),
        AccountMeta(PAYER.pubkey(), True, True),
        AccountMeta(SYSTEM, False, False),
    ]
    listed = struct.pack("<IQ", 2, len(addresses)) + b"".join(bytes(one) for one in addresses)
    created = Instruction(TABLES, struct.pack("<IQB", 0, slot, bump), accounts)
    send(ledger, [created, Instruction(TABLES, listed, accounts)])
    return table


def test_a_version_0_transaction_takes_accounts_from_a_table(rich: EmbeddedLedger) -> None:
    table = new_table(rich, [OTHER])
    shown = result(rich, "getAccountInfo", str(table), {"encoding": "jsonParsed"})
    assert shown["value"]["data"]["parsed"]["info"]["addresses"] == [str(OTHER)]
    blockhash, _ = rich.chain.latest_blockhash()
    message = MessageV0.try_compile(
        PAYER.pubkey(), [pay(1_000_000)], [AddressLookupTableAccount(table, [OTHER])], blockhash
    )
    sent = VersionedTransaction(message, [PAYER])
    signature = result(rich, "sendTransaction", encoded(sent), B64)
    assert rich.chain.machine.get_balance(OTHER) == SOL + 1_000_000
    assert rpc(rich, "getTransaction", signature, "json")["error"]["code"] == -32015
    options = {"encoding": "json", "maxSupportedTransactionVersion": 0}
    shown = result(rich, "getTransaction", signature, options)
    assert shown["version"] == 0
    assert shown["meta"]["loadedAddresses"] == {"writable": [str(OTHER)], "readonly": []}
    assert shown["meta"]["postBalances"][2] == SOL + 1_000_000
    parsed = result(rich, "getTransaction", signature, options | {"encoding": "jsonParsed"})
    assert parsed["transaction"]["message"]["accountKeys"][2] == {
        "pubkey": str(OTHER), "signer": False, "source": "lookupTable", "writable": True,
    }  # fmt: skip


def test_a_table_can_be_derived_from_the_slot_that_the_cluster_names(rich: EmbeddedLedger) -> None:
    new_table(rich, [OTHER], result(rich, "getSlot", {"commitment": "finalized"}))
    slot = rich.chain.slot
    with pytest.raises(AssertionError, match="is not a recent slot"):
        new_table(rich, [OTHER], slot + 1)


def test_a_table_that_is_not_there_or_too_short_is_refused(rich: EmbeddedLedger) -> None:
    blockhash, _ = rich.chain.latest_blockhash()
    nowhere = Keypair.from_seed(b"x" * 32).pubkey()
    for table, listed, error in (
        (nowhere, [OTHER], "AddressLookupTableNotFound"),
        (new_table(rich, [PAYER.pubkey()]), [nowhere, OTHER], "InvalidAddressLookupTableIndex"),
    ):
        message = MessageV0.try_compile(
            PAYER.pubkey(), [pay(1)], [AddressLookupTableAccount(table, listed)], blockhash
        )
        sent = encoded(VersionedTransaction(message, [PAYER]))
        assert rpc(rich, "sendTransaction", sent, B64)["error"]["data"]["err"] == error


# -- durable nonces -----------------------------------------------------------------------------


def new_nonce(ledger: EmbeddedLedger) -> Hash:
    made = create_nonce_account(PAYER.pubkey(), NONCE.pubkey(), PAYER.pubkey(), 1_500_000)
    send(ledger, list(made), [PAYER, NONCE])
    return nonce_value(ledger)


def nonce_value(ledger: EmbeddedLedger) -> Hash:
    shown = result(ledger, "getAccountInfo", str(NONCE.pubkey()), {"encoding": "jsonParsed"})
    parsed = shown["value"]["data"]["parsed"]
    assert parsed["type"] == "initialized"
    assert parsed["info"]["authority"] == str(PAYER.pubkey())
    return Hash.from_string(parsed["info"]["blockhash"])


def durable(value: Hash, *instructions: Instruction) -> VersionedTransaction:
    stamped = advance_nonce_account(
        AdvanceNonceAccountParams(nonce_pubkey=NONCE.pubkey(), authorized_pubkey=PAYER.pubkey())
    )
    message = Message.new_with_blockhash([stamped, *instructions], PAYER.pubkey(), value)
    return VersionedTransaction(message, [PAYER])


def test_a_durable_transaction_outlives_every_blockhash_and_lands_once(
    rich: EmbeddedLedger,
) -> None:
    value = new_nonce(rich)
    sent = durable(value, pay(1_000_000))
    rich.clock.sleep(24 * 3600)
    slot = rich.chain.latest_blockhash()[1] - 150
    result(rich, "sendTransaction", encoded(sent), B64)
    assert rich.chain.machine.get_balance(OTHER) == SOL + 1_000_000
    assert nonce_value(rich) == Hash(durable_nonce(rich.chain.blockhash(slot)))
    again = durable(value, pay(2_000_000))
    answer = rpc(rich, "sendTransaction", encoded(again), B64)
    assert answer["error"]["data"]["err"] == "BlockhashNotFound"


def test_a_failed_durable_transaction_pays_and_uses_the_nonce_up(rich: EmbeddedLedger) -> None:
    value = new_nonce(rich)
    before = rich.chain.machine.get_balance(PAYER.pubkey())
    failing = durable(value, pay(1_000_000 * SOL))
    refused = rpc(rich, "sendTransaction", encoded(failing), B64)
    assert refused["error"]["code"] == -32002
    assert nonce_value(rich) == value, "a preflight leaves the nonce alone"
    result(rich, "sendTransaction", encoded(failing), B64 | {"skipPreflight": True})
    assert nonce_value(rich) != value
    assert rich.chain.machine.get_balance(PAYER.pubkey()) == before - 5000


def test_a_durable_message_has_a_fee(rich: EmbeddedLedger) -> None:
    sent = durable(new_nonce(rich), pay(1_000_000))
    message = base64.b64encode(bytes(sent.message)).decode()
    assert result(rich, "getFeeForMessage", message)["value"] == 5000
    result(rich, "sendTransaction", encoded(sent), B64)
    assert result(rich, "getFeeForMessage", message)["value"] is None


def test_a_nonce_needs_its_authority(rich: EmbeddedLedger) -> None:
    value = new_nonce(rich)
    thief = Keypair.from_seed(b"t" * 32)
    rich.fund(thief.pubkey(), SOL)
    stamped = advance_nonce_account(
        AdvanceNonceAccountParams(nonce_pubkey=NONCE.pubkey(), authorized_pubkey=thief.pubkey())
    )
    message = Message.new_with_blockhash([stamped], thief.pubkey(), value)
    sent = encoded(VersionedTransaction(message, [thief]))
    assert rpc(rich, "sendTransaction", sent, B64)["error"]["data"]["err"] == "BlockhashNotFound"
