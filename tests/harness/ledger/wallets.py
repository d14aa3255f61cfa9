"""What the ledger's tests share: keys, ready transactions, raw calls."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Sequence
from typing import Any

from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.system_program import CreateAccountParams, TransferParams, create_account, transfer
from solders.transaction import VersionedTransaction

from harness.ledger.embedded import EmbeddedLedger
from harness.ledger.embedded.dispatch import dispatch
from programs.addresses import ASSOCIATED_TOKEN, SYSTEM, TOKEN

SOL = 10**9
PAYER = Keypair.from_seed(b"p" * 32)
OTHER = Keypair.from_seed(b"o" * 32).pubkey()
MINT = Keypair.from_seed(b"m" * 32)
MEMO = Pubkey.from_string("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr")


def pay(lamports: int, payer: Keypair = PAYER) -> Instruction:
    """From a payer to OTHER."""
    return transfer(TransferParams(from_pubkey=payer.pubkey(), to_pubkey=OTHER, lamports=lamports))


def rpc(ledger: EmbeddedLedger, method: str, *params: Any) -> Any:
    """The whole answer to one call, as a node would send it."""
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
    return json.loads(dispatch(ledger.chain, json.dumps(body)))


def result(ledger: EmbeddedLedger, method: str, *params: Any) -> Any:
    answer = rpc(ledger, method, *params)
    assert "result" in answer, answer
    return answer["result"]


def signed(
    ledger: EmbeddedLedger,
    instructions: Sequence[Instruction],
    signers: Sequence[Keypair] = (PAYER,),
) -> VersionedTransaction:
    """A transaction on the latest blockhash; the first signer pays."""
    blockhash, _ = ledger.chain.latest_blockhash()
    message = Message.new_with_blockhash(list(instructions), signers[0].pubkey(), blockhash)
    return VersionedTransaction(message, list(signers))


def send(
    ledger: EmbeddedLedger,
    instructions: Sequence[Instruction],
    signers: Sequence[Keypair] = (PAYER,),
) -> str:
    """Sign, send, and expect it to land. The signature."""
    sent = signed(ledger, instructions, signers)
    answer = rpc(ledger, "sendTransaction", encoded(sent), {"encoding": "base64"})
    assert "result" in answer, answer
    return str(answer["result"])


def encoded(transaction: VersionedTransaction) -> str:
    return base64.b64encode(bytes(transaction)).decode()


def memo(text: str) -> Instruction:
    return Instruction(MEMO, text.encode(), [AccountMeta(PAYER.pubkey(), True, True)])


def associated(owner: Pubkey, mint: Pubkey, program: Pubkey = TOKEN) -> Pubkey:
    seeds = [bytes(owner), bytes(program), bytes(mint)]
    return Pubkey.find_program_address(seeds, ASSOCIATED_TOKEN)[0]


def new_token(
    ledger: EmbeddedLedger, *, decimals: int, amount: int, program: Pubkey = TOKEN
) -> tuple[Pubkey, Pubkey]:
    """A mint of PAYER's and its associated account with an amount: mint, account."""
    mint, payer = MINT.pubkey(), PAYER.pubkey()
    holder = associated(payer, mint, program)
    rent = ledger.chain.machine.minimum_balance_for_rent_exemption(82)
    created = create_account(
        CreateAccountParams(
            from_pubkey=payer, to_pubkey=mint, lamports=rent, space=82, owner=program
        )
    )
    initialised = Instruction(
        program,
        bytes([20, decimals]) + bytes(payer) + b"\x00",
        [AccountMeta(mint, False, True)],
    )
    opened = Instruction(
        ASSOCIATED_TOKEN,
        b"\x01",
        [
            AccountMeta(payer, True, True),
            AccountMeta(holder, False, True),
            AccountMeta(payer, False, False),
            AccountMeta(mint, False, False),
            AccountMeta(SYSTEM, False, False),
            AccountMeta(program, False, False),
        ],
    )
    minted = Instruction(
        program,
        b"\x07" + struct.pack("<Q", amount),
        [
            AccountMeta(mint, False, True),
            AccountMeta(holder, False, True),
            AccountMeta(payer, True, False),
        ],
    )
    send(ledger, [created, initialised, opened, minted], [PAYER, MINT])
    return mint, holder
