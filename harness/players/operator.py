"""The operator: whoever runs the game and holds the authority over the buyback."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer

from harness.boxes import BoxOnSale, put_on_sale
from harness.errors import HarnessError
from harness.players.nft import Nft
from harness.submission import Outcome
from programs.buyback import client as buyback
from programs.candy_guard import client as candy_guard
from programs.token_metadata import client as token_metadata

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

    def fund_treasury(self, lamports: int) -> None:
        """Put lamports into the treasury."""
        self.testbed.ledger.fund(self.treasury.pubkey(), lamports)
        self.testbed.record_treasury("the operator filled the treasury up")

    def open_on(self, date: datetime) -> None:
        """Let nobody mint before a date."""
        self._guard("set the start date", start_date=date)

    def limit_mints(self, limit: int) -> None:
        """At most so many mints for one wallet."""
        self._guard("limit the mints", mint_limit=candy_guard.MintLimit(1, limit))

    def lift_bot_tax(self) -> None:
        """Guards that refuse with their own error instead of taking the tax."""
        self._guard("lift the bot tax", bot_tax=None)

    def allow_instructions_after_mint(self) -> None:
        """The bot tax without `lastInstruction`."""
        tax = candy_guard.BotTax(self.testbed.config.bot_tax_lamports, last_instruction=False)
        self._guard("switch lastInstruction off", bot_tax=tax)

    def put_on_sale(
        self,
        box_id: str,
        odds: Mapping[str, str],
        *,
        items_available: int,
        mint_price_lamports: int | None = None,
    ) -> BoxOnSale:
        """Sell one more box type, from a machine of its own; see `harness.boxes`."""
        return put_on_sale(
            self.testbed,
            box_id,
            odds,
            items_available=items_available,
            mint_price_lamports=mint_price_lamports,
        )

    def hand_over_metadata(self, nft: Nft, to: Pubkey) -> None:
        """Give the update authority over an NFT's metadata away, as a mistake would."""
        handing = token_metadata.hand_over(
            mint=nft.mint, authority=self.authority.pubkey(), new_authority=to
        )
        self._send("hand the metadata over", handing)

    def rewrite_metadata(self, nft: Nft, name: str, uri: str) -> None:
        """Write the metadata by hand, past the backend."""
        writing = token_metadata.update(
            mint=nft.mint,
            authority=self.authority.pubkey(),
            metadata=self.testbed.metadata(nft),
            name=name,
            uri=uri,
        )
        self._send("rewrite the metadata", writing)

    def _guard(self, action: str, **changes: Any) -> None:
        bed = self.testbed
        machine = bed.deployment.machine
        guards = dataclasses.replace(machine.guards, **changes)
        self._send(
            action,
            candy_guard.update(
                guard=machine.guard, authority=self.authority.pubkey(), guards=guards
            ),
        )
        bed.deployment = dataclasses.replace(
            bed.deployment, machine=dataclasses.replace(machine, guards=guards)
        )

    def _send(self, action: str, instruction: Instruction, *keys: Keypair) -> None:
        sent = self.testbed.submit("operator", action, [instruction], [self.authority, *keys])
        if sent.outcome is not Outcome.LANDED:
            raise HarnessError(
                f"the operator's {action} was {sent.outcome}: "
                f"{sent.fault.message if sent.fault else 'no reason given'}"
            )
