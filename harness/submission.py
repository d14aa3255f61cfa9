"""Sending a transaction and finding out what became of it.

A letter that is posted has three fates: delivered, returned, or nobody knows yet. A submission
therefore ends as landed, failed (on the ledger), refused (before it got there) or unknown, and
unknown is settled by asking the ledger, never by guessing. The signed bytes exist before the
first broadcast and only those bytes are ever sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from solana.exceptions import SolanaRpcException
from solana.rpc.api import Client
from solana.rpc.commitment import Confirmed
from solana.rpc.core import RPCException
from solana.rpc.types import TxOpts
from solders.compute_budget import set_compute_unit_limit
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import Message, MessageV0
from solders.rpc.errors import SendTransactionPreflightFailureMessage
from solders.signature import Signature
from solders.transaction import VersionedTransaction
from solders.transaction_status import TransactionConfirmationStatus

from harness.clock import Clock
from harness.receipt import Fault, Receipt, fault_from, read_receipt

COMPUTE_UNITS_LIMIT = 800_000  # the guide's setting for mints and buybacks
BLOCKHASH_SLOTS = 150  # how long a transaction can land after its blockhash
_POLL_SECONDS = 0.4
_POLLS_MAX = 400  # 160 s: longer than any blockhash lives
_READS_MAX = 20
#: A transaction that is only processed can still be dropped with its fork.
SEEN_BY_ALL = (
    TransactionConfirmationStatus.Confirmed,
    TransactionConfirmationStatus.Finalized,
)


class Outcome(StrEnum):
    LANDED = "landed"
    FAILED = "failed"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Submission:
    """What became of one signed transaction. `receipt` is there if it is on the ledger."""

    transaction: VersionedTransaction
    outcome: Outcome
    fault: Fault | None
    logs: tuple[str, ...]
    receipt: Receipt | None

    @property
    def signature(self) -> Signature:
        return self.transaction.signatures[0]


def sign(
    client: Client,
    instructions: Sequence[Instruction],
    signers: Sequence[Keypair],
    *,
    compute_units_limit: int | None = COMPUTE_UNITS_LIMIT,
    version0: bool = False,
) -> tuple[VersionedTransaction, int]:
    """Build and sign a transaction on the latest blockhash; the first signer pays.

    Returns it with the last block height at which it can land. `version0` makes the message one of
    version 0, without lookup tables, instead of a legacy one.
    """
    latest = client.get_latest_blockhash(Confirmed).value
    budget = [] if compute_units_limit is None else [set_compute_unit_limit(compute_units_limit)]
    payer, wanted = signers[0].pubkey(), [*budget, *instructions]
    message = (
        MessageV0.try_compile(payer, wanted, [], latest.blockhash)
        if version0
        else Message.new_with_blockhash(wanted, payer, latest.blockhash)
    )
    return VersionedTransaction(message, list(signers)), latest.last_valid_block_height


def submit(
    client: Client,
    clock: Clock,
    transaction: VersionedTransaction,
    last_valid_block_height: int,
    *,
    skip_preflight: bool = False,
) -> Submission:
    """Broadcast a signed transaction and settle its fate on the ledger."""
    options = TxOpts(skip_preflight=skip_preflight, preflight_commitment=Confirmed)
    try:
        client.send_raw_transaction(bytes(transaction), opts=options)
    except RPCException as error:
        return _refused(transaction, error)
    except SolanaRpcException:
        pass  # no answer: it may have arrived all the same, so look for it
    return settle(client, clock, transaction, last_valid_block_height)


def settle(
    client: Client, clock: Clock, transaction: VersionedTransaction, last_valid_block_height: int
) -> Submission:
    """Wait until the transaction is on the ledger or can no longer get there."""
    signature = transaction.signatures[0]
    for _ in range(_POLLS_MAX):
        status = client.get_signature_statuses([signature]).value[0]
        if status is not None and status.confirmation_status in SEEN_BY_ALL:
            return _landed(client, clock, transaction)
        if client.get_block_height(Confirmed).value > last_valid_block_height:
            break
        clock.sleep(_POLL_SECONDS)
    late = client.get_signature_statuses([signature], search_transaction_history=True).value[0]
    if late is not None:
        return _landed(client, clock, transaction)
    fault = Fault("Unknown", "not on the ledger after its blockhash expired")
    return Submission(transaction, Outcome.UNKNOWN, fault, (), None)


def _landed(client: Client, clock: Clock, transaction: VersionedTransaction) -> Submission:
    receipt = await_receipt(client, clock, transaction.signatures[0])
    if receipt is not None:
        outcome = Outcome.LANDED if receipt.fault is None else Outcome.FAILED
        return Submission(transaction, outcome, receipt.fault, receipt.logs, receipt)
    fault = Fault("Unknown", "has a status on the ledger, but the ledger does not show it")
    return Submission(transaction, Outcome.UNKNOWN, fault, (), None)


def await_receipt(client: Client, clock: Clock, signature: Signature) -> Receipt | None:
    """The receipt of a transaction that is said to have landed; None if it does not appear."""
    for _ in range(_READS_MAX):
        receipt = read_receipt(client, signature)
        if receipt is not None:
            return receipt
        clock.sleep(_POLL_SECONDS)
    return None


def _refused(transaction: VersionedTransaction, error: RPCException) -> Submission:
    detail = error.args[0] if error.args else None
    if isinstance(detail, SendTransactionPreflightFailureMessage):
        logs = tuple(detail.data.logs or ())
        return Submission(
            transaction, Outcome.REFUSED, fault_from(detail.data.err, logs), logs, None
        )
    message = getattr(detail, "message", str(detail))
    return Submission(transaction, Outcome.REFUSED, Fault("RpcError", message), (), None)
