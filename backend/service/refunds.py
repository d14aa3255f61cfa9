"""Refunds: what the house owes is noted, decided by a person, and paid once.

The same rules as a buyback: the signed bytes are stored before they are sent, sent again as they
are, and replaced only when the ledger proves that they are dead. Nothing is paid that an operator
did not approve, and nothing that would touch the treasury's minimum or what open quotes hold back.
"""

from __future__ import annotations

from solders.message import Message
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from backend.adapters.clock import Clock
from backend.adapters.ledger import Ledger
from backend.adapters.obligation_rows import Obligation, ObligationRows
from backend.domain.fate import Fate
from backend.settings import Settings
from programs.buyback import client as buyback

_DUE_MAX = 5


class Refunds:
    """Obligations and their payment."""

    def __init__(
        self, settings: Settings, rows: ObligationRows, ledger: Ledger, clock: Clock
    ) -> None:
        self.rows = rows
        self._ledger = ledger
        self._clock = clock
        self._treasury = settings.treasury()
        self._config = buyback.config_address(
            settings.buyback_config_version, Pubkey.from_string(settings.buyback_program_id)
        )

    def pay_due(self) -> int:
        """Pay what was approved; how many obligations there were."""
        due = self.rows.due(_DUE_MAX)
        for owed in due:
            self._pay(owed)
        return len(due)

    def _pay(self, owed: Obligation) -> None:
        if owed.signed_tx is not None:
            assert owed.last_valid_block_height is not None
            outcome = self._ledger.send(owed.signed_tx, owed.last_valid_block_height, wait=False)
            if outcome.fate is Fate.LANDED:
                self.rows.paid(owed.id, self._clock.now())
            if not outcome.fate.dead:
                return
        self._sign_and_send(owed)

    def _sign_and_send(self, owed: Obligation) -> None:
        assert owed.wallet is not None
        reserved = self.rows.reserved_lamports(str(self._treasury.pubkey()))
        config, treasury = self._ledger.accounts([self._config, self._treasury.pubkey()])
        if config is None or treasury is None:
            return
        minimum = buyback.Config.parse(bytes(config.data)).min_treasury_balance
        if treasury.lamports - reserved - owed.amount_lamports < minimum:
            return  # stays due until the treasury is filled up
        pay = transfer(
            TransferParams(
                from_pubkey=self._treasury.pubkey(),
                to_pubkey=Pubkey.from_string(owed.wallet),
                lamports=owed.amount_lamports,
            )
        )
        blockhash, last_height = self._ledger.latest_blockhash()
        message = Message.new_with_blockhash([pay], self._treasury.pubkey(), blockhash)
        transaction = VersionedTransaction(message, [self._treasury])
        signature: Signature = transaction.signatures[0]
        if not self.rows.sign(owed, str(signature), bytes(transaction), last_height):
            return  # another process has just signed; its bytes count
        outcome = self._ledger.send(bytes(transaction), last_height, wait=False)
        if outcome.fate is Fate.LANDED:
            self.rows.paid(owed.id, self._clock.now())
