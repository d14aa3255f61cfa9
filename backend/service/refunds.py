"""Refunds: what the house owes is noted, decided by a person, and paid once.

The same rules as a buyback: the signed bytes are stored before they are sent, sent again as they
are, and replaced only when the ledger proves that they are dead. Nothing is paid that an operator
did not approve, and nothing that would touch the treasury's minimum or what open quotes hold back.
"""

from __future__ import annotations

from typing import Any

from solders.message import Message
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from backend.adapters import buyback_sql as sql
from backend.domain.states import Fate
from backend.service.base import Service

_DUE_MAX = 5


class Refunds(Service):
    """Obligations and their payment."""

    def pay_due(self) -> int:
        """Pay what was approved; how many obligations there were."""
        due = self.db.rows(sql.OWED, most=_DUE_MAX)
        for owed in due:
            if owed.signed_tx is None or self._send(
                owed.id, owed.signed_tx, owed.last_valid_block_height
            ):
                self._sign_and_send(owed)
        return len(due)

    def _send(self, number: int, signed_tx: bytes, last_height: int) -> bool:
        """Send stored bytes and note that they landed; whether they never can any more."""
        outcome = self.ledger.send(signed_tx, last_height, wait=False)
        if outcome.fate is Fate.LANDED:
            self.db.rows(sql.REFUNDED, id=number, now=self.clock.now())
        return outcome.fate.dead

    def _sign_and_send(self, owed: Any) -> None:
        reserved = self.db.rows(sql.RESERVED, treasury=self.treasury_address)[0].lamports
        config, balance, _ = self.treasury_state()
        left = balance - reserved - owed.amount_lamports
        if config is None or left < config.min_treasury_balance:
            return  # stays due until the treasury is filled up
        payer, to = self.treasury.pubkey(), Pubkey.from_string(owed.wallet)
        pay = transfer(
            TransferParams(from_pubkey=payer, to_pubkey=to, lamports=owed.amount_lamports)
        )
        blockhash, last_height = self.ledger.latest_blockhash()
        message = Message.new_with_blockhash([pay], payer, blockhash)
        transaction = VersionedTransaction(message, [self.treasury])
        if self.db.rows(
            sql.SIGN_REFUND, id=owed.id, signature=str(transaction.signatures[0]),
            signed_tx=bytes(transaction), last_height=last_height,
            old_signature=owed.tx_signature,
        ):  # fmt: skip  # else another process has just signed; its bytes count
            self._send(owed.id, bytes(transaction), last_height)
