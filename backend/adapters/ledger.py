"""The ledger, as the backend needs it: read accounts, send stored bytes, prove what became of them.

Only the signed bytes that were stored are ever sent, and sent again: the cluster takes a message
once, whoever repeats it. A transaction is dead only if the cluster's final height has passed its
blockhash's and a look into the whole history, made after that, does not find it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from solana.exceptions import SolanaRpcException
from solana.rpc.api import Client
from solana.rpc.commitment import Confirmed, Finalized
from solana.rpc.core import RPCException
from solana.rpc.types import TokenAccountOpts, TxOpts
from solders.account import Account
from solders.errors import SerdeJSONError
from solders.hash import Hash
from solders.message import to_bytes_versioned
from solders.pubkey import Pubkey
from solders.rpc.errors import SendTransactionPreflightFailureMessage
from solders.signature import Signature
from solders.transaction import VersionedTransaction
from solders.transaction_status import (
    InstructionErrorCustom,
    TransactionConfirmationStatus,
    TransactionErrorInstructionError,
)

from backend.adapters.clock import Clock
from backend.domain.errors import LedgerUnavailable
from backend.domain.states import Fate
from programs.addresses import TOKEN
from programs.buyback import client as buyback

_POLL_SECONDS = 0.5
_POLLS_MAX = 60  # half a minute; then the outcome is unknown and the worker goes on
_POLLS_PER_BROADCAST = 4
_HISTORY_PAGE, _HISTORY_PAGES_MAX = 200, 10
_CUSTOM_ERROR = re.compile(r"custom program error: 0x([0-9a-f]+)")
_EXECUTE = hashlib.sha256(b"global:execute_buyback").digest()[:8]
_UNREACHABLE = (SolanaRpcException, RPCException, SerdeJSONError)  # the last: not in its form


@dataclass(frozen=True)
class Outcome:
    """What became of a transaction. `program_error` names an error of the buyback program."""

    fate: Fate
    program_error: str | None = None


@dataclass(frozen=True)
class Payment:
    """A buyback as the ledger has it."""

    signature: str
    user: Pubkey
    paid_by: Pubkey
    amount_lamports: int
    message_sha256: bytes


@dataclass(frozen=True)
class Ledger:
    """A Solana cluster behind an RPC client."""

    client: Client
    clock: Clock

    def accounts(self, addresses: Sequence[Pubkey]) -> list[Account | None]:
        """Accounts in the order asked for; None where there is none. One call, at most 100."""
        found = self._ask(self.client.get_multiple_accounts, list(addresses), Confirmed).value
        return [None if one is None or one.lamports == 0 else one for one in found]

    def mints_held_by(self, owner: Pubkey) -> list[Pubkey]:
        """The mints of which a wallet holds exactly one token."""
        tokens = TokenAccountOpts(program_id=TOKEN)
        found = self._ask(self.client.get_token_accounts_by_owner, owner, tokens, Confirmed).value
        datas = [bytes(one.account.data) for one in found]
        return [Pubkey(data[:32]) for data in datas if int.from_bytes(data[64:72], "little") == 1]

    def latest_blockhash(self) -> tuple[Hash, int]:
        """A blockhash and the last block height at which it is good."""
        latest = self._ask(self.client.get_latest_blockhash, Confirmed).value
        return latest.blockhash, latest.last_valid_block_height

    def send(self, signed_tx: bytes, last_valid_block_height: int, *, wait: bool = True) -> Outcome:
        """Broadcast stored bytes, again and again for half a minute, until their fate is known."""
        signature = VersionedTransaction.from_bytes(signed_tx).signatures[0]
        refused, polls = self._broadcast(signed_tx), _POLLS_MAX if wait else 0
        for poll in range(polls + 1):
            if poll > 0:
                self.clock.sleep(_POLL_SECONDS)
                if poll % _POLLS_PER_BROADCAST == 0:
                    self._broadcast(signed_tx)
            outcome = self.fate(signature, last_valid_block_height)
            if outcome.fate is not Fate.UNKNOWN:
                break
            if refused is not None:
                return refused
        return outcome

    def fate(self, signature: Signature, last_valid_block_height: int) -> Outcome:
        """What the ledger can prove about a transaction now: never REFUSED."""
        try:
            outcome = self._status(signature)
            if outcome is None and (final := self.final()).block_height > last_valid_block_height:
                # Asked once more after the height: it may have landed between the two questions.
                outcome = self._status(signature, final.absolute_slot) or Outcome(Fate.EXPIRED)
        except LedgerUnavailable:
            outcome = None
        return outcome or Outcome(Fate.UNKNOWN)

    def final(self) -> Any:
        """The height that no fork can take back, and its slot."""
        return self._ask(self.client.get_epoch_info, Finalized).value

    def buyback_of(self, mint: Pubkey, treasury: Pubkey, program: Pubkey) -> Payment | None:
        """The buyback of an NFT that our treasury signed, in the newest 2,000 entries of the NFT's
        history: whoever names the mint in transactions of his own can lengthen that."""
        before: Signature | None = None
        for _ in range(_HISTORY_PAGES_MAX):
            entries = self._ask(
                self.client.get_signatures_for_address, mint, before=before,
                limit=_HISTORY_PAGE, commitment=Confirmed,
            ).value  # fmt: skip
            for entry in entries:
                payment = None if entry.err else self._payment_in(entry.signature, mint, program)
                if payment is not None and payment.paid_by == treasury:
                    return payment
            if len(entries) < _HISTORY_PAGE:
                return None
            before = entries[-1].signature
        return None

    def _payment_in(self, signature: Signature, mint: Pubkey, program: Pubkey) -> Payment | None:
        found = self._ask(
            self.client.get_transaction, signature, encoding="base64", commitment=Confirmed,
            max_supported_transaction_version=0,
        ).value  # fmt: skip
        return found and _payment(found.transaction.transaction, mint, program)

    def _status(self, signature: Signature, slot: int = 0) -> Outcome | None:
        """What is known at `slot` or later. Raises LedgerUnavailable for a node that is behind."""
        ask = self.client.get_signature_statuses
        answer = self._ask(ask, [signature], search_transaction_history=True)
        if answer.context.slot < slot:
            raise LedgerUnavailable
        status = answer.value[0]
        if status is None or status.confirmation_status == TransactionConfirmationStatus.Processed:
            return None
        if status.err is None:
            return Outcome(Fate.LANDED)
        return Outcome(Fate.FAILED, _program_error(status.err))

    def _broadcast(self, signed_tx: bytes) -> Outcome | None:
        """Send; the outcome if a node said a clear no. No answer is not a no."""
        options = TxOpts(skip_preflight=False, preflight_commitment=Confirmed)
        try:
            self.client.send_raw_transaction(signed_tx, opts=options)
        except RPCException as error:
            return _preflight_failure(error)
        except _UNREACHABLE:
            pass
        return None

    def _ask(self, method: Any, *arguments: Any, **options: Any) -> Any:
        try:
            return method(*arguments, **options)
        except _UNREACHABLE:
            raise LedgerUnavailable from None


def message_sha256(transaction: VersionedTransaction) -> bytes:
    """SHA-256 of the message: of what signatures cover."""
    return hashlib.sha256(to_bytes_versioned(transaction.message)).digest()


def _preflight_failure(error: RPCException) -> Outcome | None:
    """The outcome of a refusal before broadcast; None if the answer is not a clear no, such as a
    node that is behind or says that it knows the bytes: then the ledger must be asked."""
    detail = error.args[0] if error.args else None
    if not isinstance(detail, SendTransactionPreflightFailureMessage):
        return None
    if "already been processed" in detail.message:
        return None
    code = _CUSTOM_ERROR.search(detail.message)
    return Outcome(Fate.REFUSED, buyback.errors().get(int(code[1], 16)) if code else None)


def _program_error(error: object) -> str | None:
    if isinstance(error, TransactionErrorInstructionError) and isinstance(
        error.err, InstructionErrorCustom
    ):
        return buyback.errors().get(error.err.code)
    return None


def _payment(transaction: object, mint: Pubkey, program: Pubkey) -> Payment | None:
    """Read from the instruction that its treasury signed, not from logs: those can be forged by
    any program and cut short by any caller."""
    if not isinstance(transaction, VersionedTransaction):
        return None
    message = transaction.message
    keys = list(message.account_keys)
    signers = keys[: message.header.num_required_signatures]
    for one in message.instructions:
        data = bytes(one.data)
        if keys[one.program_id_index] != program or data[:8] != _EXECUTE:
            continue
        named = [keys[index] for index in bytes(one.accounts)[:4] if index < len(keys)]
        if len(named) < 4:  # looked up in a table, which no transaction of ours does
            continue
        user, paid_by, _, burnt = named
        if paid_by in signers and burnt == mint:
            amount = int.from_bytes(data[8:16], "little")
            signature, digest = str(transaction.signatures[0]), message_sha256(transaction)
            return Payment(signature, user, paid_by, amount, digest)
    return None
