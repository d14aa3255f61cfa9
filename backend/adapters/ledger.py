"""The ledger, as the backend needs it: read accounts, sign, send, find out what became of it.

A sent transaction has three fates: landed, failed, unknown. Only the signed bytes that were stored
are ever sent, and unknown is settled by asking the ledger until the blockhash has expired.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from solana.exceptions import SolanaRpcException
from solana.rpc.api import Client
from solana.rpc.commitment import Confirmed
from solana.rpc.core import RPCException
from solana.rpc.types import TxOpts
from solders.account import Account
from solders.hash import Hash
from solders.pubkey import Pubkey
from solders.rpc.errors import SendTransactionPreflightFailureMessage
from solders.signature import Signature
from solders.transaction import VersionedTransaction
from solders.transaction_status import TransactionConfirmationStatus

from backend.adapters.clock import Clock
from backend.domain.errors import LedgerUnavailable
from programs.buyback import client as buyback

_POLL_SECONDS = 0.5
_POLLS_MAX = 240  # two minutes: longer than a blockhash lives
# A transaction that is only processed can still be dropped with its fork.
_SEEN_BY_ALL = (
    TransactionConfirmationStatus.Confirmed,
    TransactionConfirmationStatus.Finalized,
)
_CUSTOM_ERROR = re.compile(r"custom program error: 0x([0-9a-f]+)")


class Fate(StrEnum):
    LANDED = "landed"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Outcome:
    """What became of a transaction. `program_error` names an error of the buyback program."""

    fate: Fate
    program_error: str | None = None


class Ledger:
    """A Solana cluster behind an RPC client."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock

    def accounts(self, addresses: Sequence[Pubkey]) -> list[Account | None]:
        """Accounts in the order asked for; None where there is none. One call."""
        try:
            found = self._client.get_multiple_accounts(list(addresses), commitment=Confirmed).value
        except (SolanaRpcException, RPCException):
            raise LedgerUnavailable from None
        return [None if one is None or one.lamports == 0 else one for one in found]

    def account(self, address: Pubkey) -> Account | None:
        return self.accounts([address])[0]

    def latest_blockhash(self) -> tuple[Hash, int]:
        """A blockhash and the last block height at which it is good."""
        try:
            latest = self._client.get_latest_blockhash(Confirmed).value
        except (SolanaRpcException, RPCException):
            raise LedgerUnavailable from None
        return latest.blockhash, latest.last_valid_block_height

    def send(self, transaction: VersionedTransaction, last_valid_block_height: int) -> Outcome:
        """Broadcast stored bytes and settle their fate."""
        options = TxOpts(skip_preflight=False, preflight_commitment=Confirmed)
        try:
            self._client.send_raw_transaction(bytes(transaction), opts=options)
        except RPCException as error:
            refused = _preflight_failure(error)
            if refused is not None:
                return refused
        except SolanaRpcException:
            pass  # no answer is not a no: look on the ledger
        return self.settle(transaction.signatures[0], last_valid_block_height)

    def settle(self, signature: Signature, last_valid_block_height: int) -> Outcome:
        """Ask until the transaction is there or can no longer come."""
        for _ in range(_POLLS_MAX):
            try:
                # Height first: a transaction that lands between the two questions is then seen.
                height = self._client.get_block_height(Confirmed).value
                status = self._client.get_signature_statuses(
                    [signature], search_transaction_history=True
                ).value[0]
                if status is not None and status.confirmation_status in _SEEN_BY_ALL:
                    return Outcome(Fate.LANDED if status.err is None else Fate.FAILED)
                if status is None and height > last_valid_block_height:
                    return Outcome(Fate.FAILED)
            except (SolanaRpcException, RPCException):
                pass
            self._clock.sleep(_POLL_SECONDS)
        return Outcome(Fate.UNKNOWN)


def _preflight_failure(error: RPCException) -> Outcome | None:
    """The outcome of a refusal before broadcast; None if the answer is not a clear no, such as a
    node that is behind or says that it knows the bytes: then the ledger must be asked."""
    detail = error.args[0] if error.args else None
    if not isinstance(detail, SendTransactionPreflightFailureMessage):
        return None
    if "already been processed" in detail.message:
        return None
    code = _CUSTOM_ERROR.search(detail.message)
    name = buyback.errors().get(int(code[1], 16)) if code else None
    return Outcome(Fate.FAILED, name)
