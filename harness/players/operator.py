"""The operator: whoever runs the game and holds the authority over the buyback."""

from __future__ import annotations

from typing import TYPE_CHECKING

from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.system_program import TransferParams, transfer

from harness.errors import HarnessError
from harness.submission import Outcome
from programs.buyback import client as buyback

if TYPE_CHECKING:
    from harness.testbed import Testbed


class Operator:
    """Administers the buyback program and the treasury by ordinary transactions."""

    def __init__(self, testbed: Testbed, authority: Keypair, treasury: Keypair) -> None:
        self.testbed = testbed
        self.authority = authority
        self.treasury = treasury

    def pause(self) -> None:
        """Switch buybacks off."""
        self._send("pause", self._set_enabled(False))

    def resume(self) -> None:
        """Switch buybacks on again."""
        self._send("resume", self._set_enabled(True))

    def set_min_treasury(self, lamports: int) -> None:
        """Set the balance that the treasury never pays below."""
        self._send(
            "set the minimum",
            buyback.set_min_treasury_balance(
                authority=self.authority.pubkey(),
                min_treasury_balance=lamports,
                version=self.testbed.deployment.buyback_config_version,
            ),
        )
        self.testbed.min_treasury_lamports = lamports
        self.testbed.record_treasury("the operator set the minimum")

    def withdraw(self, lamports: int) -> None:
        """Move lamports out of the treasury, to the authority's wallet."""
        move = transfer(
            TransferParams(
                from_pubkey=self.treasury.pubkey(),
                to_pubkey=self.authority.pubkey(),
                lamports=lamports,
            )
        )
        self._send("withdraw", move, self.treasury)
        self.testbed.record_treasury("the operator withdrew")

    def _set_enabled(self, enabled: bool) -> Instruction:
        return buyback.set_enabled(
            authority=self.authority.pubkey(),
            enabled=enabled,
            version=self.testbed.deployment.buyback_config_version,
        )

    def _send(self, action: str, instruction: Instruction, *keys: Keypair) -> None:
        sent = self.testbed.submit("operator", action, [instruction], [self.authority, *keys])
        if sent.outcome is not Outcome.LANDED:
            raise HarnessError(
                f"the operator's {action} was {sent.outcome}: "
                f"{sent.fault.message if sent.fault else 'no reason given'}"
            )
