"""What the ledger says about one transaction: the till receipt.

A receipt is read back from the ledger by signature, never taken from whoever sent the
transaction. It says what the transaction cost, whom it changed by how much, which programs ran
and how far they came.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from solana.rpc.api import Client
from solana.rpc.commitment import Confirmed
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction
from solders.transaction_status import InstructionErrorBorshIO

from harness.address_book import AddressBook
from harness.ledger.fees import budget_of
from programs.errors import program_error

PACKET_BYTES_MAX = 1232

_INVOKED = re.compile(r"^Program (\w+) invoke \[(\d+)\]$")
_NAMED = re.compile(r"^Program log: (?:Instruction: |IX: )(.+)$")
_CONSUMED = re.compile(r"^Program (\w+) consumed (\d+) of \d+ compute units$")
_ENDED = re.compile(r"^Program (\w+) (?:success|failed: (.*))$")
_ANCHOR_ERROR = re.compile(r"Error Code: (\w+)\. Error Number: \d+\. Error Message: (.*)")
_CUSTOM_ERROR = re.compile(r"custom program error: (0x[0-9a-f]+)")


@dataclass(frozen=True)
class Fault:
    """Why a transaction failed. `name` is stable (an Anchor error's name, or the runtime's
    error); `message` is for a person."""

    name: str
    message: str


@dataclass(frozen=True)
class InstructionRun:
    """One top-level instruction as the program log shows it."""

    program: Pubkey
    name: str
    compute_units: int | None


@dataclass(frozen=True)
class Receipt:
    """One transaction as the ledger has it."""

    signature: Signature
    slot: int
    fault: Fault | None
    fee_lamports: int
    size_bytes: int
    compute_units: int
    compute_units_limit: int
    accounts: tuple[Pubkey, ...]
    signers: tuple[Pubkey, ...]
    before_lamports: tuple[int, ...]
    after_lamports: tuple[int, ...]
    logs: tuple[str, ...]
    instructions: tuple[InstructionRun, ...] = field(default=())

    @property
    def deltas(self) -> dict[Pubkey, int]:
        """Change in lamports of every account whose balance changed."""
        changed = zip(self.accounts, self.before_lamports, self.after_lamports, strict=True)
        return {account: after - before for account, before, after in changed if after != before}

    def ran(self, program: Pubkey, name: str) -> bool:
        """Whether a top-level instruction of that program and name was run."""
        return any(run.program == program and run.name == name for run in self.instructions)

    def as_journal(self, book: AddressBook) -> dict[str, Any]:
        """The receipt as JSON values with names for addresses."""
        return {
            "slot": self.slot,
            "error": self.fault and {"name": self.fault.name, "message": self.fault.message},
            "fee_lamports": self.fee_lamports,
            "size_bytes": self.size_bytes,
            "compute_units": self.compute_units,
            "compute_units_limit": self.compute_units_limit,
            "signers": [book.name(signer) for signer in self.signers],
            "deltas": {book.name(account): delta for account, delta in self.deltas.items()},
            "instructions": [
                {
                    "program": book.name(run.program),
                    "name": run.name,
                    "compute_units": run.compute_units,
                }
                for run in self.instructions
            ],
            "logs": redacted_logs(self.logs, book),
        }


def redacted_logs(logs: tuple[str, ...] | list[str], book: AddressBook) -> list[str]:
    """Program logs with names for addresses and without raw event data (it holds addresses)."""
    return [book.redact(line) for line in logs if not line.startswith("Program data: ")]


def read_receipt(client: Client, signature: Signature) -> Receipt | None:
    """Read one transaction from the ledger; None if the ledger does not have it."""
    answer = client.get_transaction(
        signature, encoding="base64", commitment=Confirmed, max_supported_transaction_version=0
    ).value
    if answer is None:
        return None
    transaction = answer.transaction.transaction
    meta = answer.transaction.meta
    if not isinstance(transaction, VersionedTransaction) or meta is None:
        raise ValueError("the ledger answered getTransaction without base64 bytes or meta")
    message = transaction.message
    accounts = list(message.account_keys)
    if meta.loaded_addresses is not None:
        accounts += [*meta.loaded_addresses.writable, *meta.loaded_addresses.readonly]
    logs = tuple(meta.log_messages or ())
    return Receipt(
        signature=signature,
        slot=answer.slot,
        fault=None if meta.err is None else fault_from(meta.err, logs),
        fee_lamports=meta.fee,
        size_bytes=len(bytes(transaction)),
        compute_units=meta.compute_units_consumed or 0,
        compute_units_limit=budget_of(message).units_limit,
        accounts=tuple(accounts),
        signers=tuple(accounts[: message.header.num_required_signatures]),
        before_lamports=tuple(meta.pre_balances),
        after_lamports=tuple(meta.post_balances),
        logs=logs,
        instructions=runs_from(logs),
    )


def fault_from(err: object, logs: tuple[str, ...] | list[str]) -> Fault:
    """Name a failure: an Anchor error or a known program's by its name, else the runtime's."""
    for line in logs:
        if found := _ANCHOR_ERROR.search(line):
            return Fault(found[1], found[2])
    # The first program to fail is the one that refused; its callers follow.
    refused = next((ended for line in logs if (ended := _ENDED.match(line)) and ended[2]), None)
    code = _CUSTOM_ERROR.search(refused[2]) if refused else None
    if refused and code and (known := program_error(refused[1], int(code[1], 16))):
        return Fault(known.name, known.message)
    if isinstance(getattr(err, "err", None), InstructionErrorBorshIO):
        return Fault("BorshIoError", "an account holds something else than the program expects")
    if refused:
        return Fault(f"Custom({code[1]})" if code else refused[2], refused[2])
    if "(" in str(err) or "{" in str(err):  # an error with fields
        return Fault(type(err).__name__.removeprefix("TransactionError"), str(err))
    return Fault(str(err).rsplit(".", maxsplit=1)[-1], str(err))


def runs_from(logs: tuple[str, ...] | list[str]) -> tuple[InstructionRun, ...]:
    """The top-level instructions of a program log, in order."""
    runs: list[InstructionRun] = []
    program, name, units, depth = Pubkey.default(), "", None, 0
    for line in logs:
        if invoked := _INVOKED.match(line):
            depth = int(invoked[2])
            if depth == 1:
                program, name, units = Pubkey.from_string(invoked[1]), "", None
        elif depth == 1 and not name and (named := _NAMED.match(line)):
            name = named[1]
        elif depth == 1 and (consumed := _CONSUMED.match(line)):
            units = int(consumed[2])
        elif _ENDED.match(line):
            if depth == 1:
                runs.append(InstructionRun(program, name, units))
            depth = max(depth - 1, 0)
    return tuple(runs)
