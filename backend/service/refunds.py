"""Refunds: what the house owes is noted, decided by a person, and paid once.

The same rules as a buyback: the signed bytes are stored before they are sent, sent again as they
are, and replaced only when the ledger proves that they are dead. Nothing is paid that an operator
did not approve, and nothing that would touch the treasury's minimum or what open quotes hold back.
"""

from __future__ import annotations

from typing import Any

from solders.compute_budget import set_compute_unit_limit
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
        self.warm_up()
        due = self.db.rows(sql.OWED, treasury=self.treasury_address, most=_DUE_MAX)
        for owed in due:
            if owed.signed_tx is None or self._send(owed):
                self._sign_and_send(owed)
        return len(due)

    def _send(self, owed: Any) -> bool:
        """Send stored bytes and note that they landed; whether they never can any more."""
        outcome = self.ledger.send(owed.signed_tx, owed.last_valid_block_height, wait=False)
        if outcome.fate is Fate.LANDED:
            now, treasury = self.clock.now(), self.treasury_address
            self.db.rows(sql.REFUNDED, id=owed.id, treasury=treasury, now=now)
        return outcome.fate.dead

    def _sign_and_send(self, owed: Any) -> None:
        config, balance, _ = self.treasury_state()
        if config is None:
            return
        payer, to = self.treasury.pubkey(), Pubkey.from_string(owed.wallet)
        pay = TransferParams(from_pubkey=payer, to_pubkey=to, lamports=owed.amount_lamports)
        blockhash, last_height = self.ledger.latest_blockhash()
        # Units enough and of its own: two refunds alike would be one transaction, and paid once.
        units = set_compute_unit_limit(10_000 + owed.id % 100_000)
        message = Message.new_with_blockhash([units, transfer(pay)], payer, blockhash)
        transaction = VersionedTransaction(message, [self.treasury])
        signed = self.db.first(
            sql.SIGN_REFUND, id=owed.id, signature=str(transaction.signatures[0]),
            signed_tx=bytes(transaction), last_height=last_height,
            old_signature=owed.tx_signature, treasury=self.treasury_address,
            paid_before=owed.paid_before, spendable=balance - config.min_treasury_balance,
        )  # fmt: skip
        if signed is not None:  # else the treasury has too little, or another process was faster
            self._send(signed)
