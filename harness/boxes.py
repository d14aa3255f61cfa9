"""Box types: the guide's one, and others beside it, each from a candy machine of its own.

A second counter in the same shop: other odds, another price, the same skins and the same till. The
machine signs every box that it sells, and by that signature the backend knows which odds to roll.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from harness.deployment import deploy_machine
from harness.errors import StartError
from harness.settings import PROMISED_ODDS
from harness.submission import Outcome
from programs.candy_guard.client import MintAccounts

if TYPE_CHECKING:
    from harness.testbed import Testbed

_RENT_LAMPORTS = 30_000_000  # of an NFT's accounts, and fees
_SPARE_LAMPORTS = 100_000_000


@dataclass(frozen=True)
class BoxOnSale:
    """One box type: the name that a reveal asks for, the accounts that a mint needs, what it costs,
    and each tier's share as text, as a promise is written."""

    id: str
    machine: MintAccounts
    odds: Mapping[str, str]
    mint_price_lamports: int
    items_available: int

    def purse_lamports(self, count: int) -> int:
        """What a wallet needs for so many of them: their price, and more than rent and fees."""
        return (self.mint_price_lamports + _RENT_LAMPORTS) * count + _SPARE_LAMPORTS


def guide_box(bed: Testbed) -> BoxOnSale:
    """What the testbed's first machine sells."""
    return BoxOnSale(
        bed.box_id,
        bed.deployment.machine,
        {tier: str(share) for tier, share in PROMISED_ODDS.items()},
        bed.config.mint_price_lamports,
        bed.config.items_available,
    )


def put_on_sale(
    bed: Testbed,
    box_id: str,
    odds: Mapping[str, str],
    *,
    items_available: int,
    mint_price_lamports: int | None = None,
) -> BoxOnSale:
    """Set up a candy machine for one more box type and restart the backend with all of them.

    The box costs what the first one does unless `mint_price_lamports` says otherwise; its tiers are
    the catalogue's. Raises StartError if a transaction fails, ValueError for a name that is taken.
    """
    first = guide_box(bed)
    if box_id in {one.id for one in (first, *bed.other_boxes)}:
        raise ValueError(f"a box {box_id!r} is on sale already")
    price = first.mint_price_lamports if mint_price_lamports is None else mint_price_lamports
    operator = bed.operator.authority

    def step(
        action: str, account: Pubkey, instructions: Sequence[Instruction], *keys: Keypair
    ) -> None:
        # before its first transaction is written down: "create the candy machine", "add the .."
        bed.book.add(f"the {action.partition(' the ')[2]} of {box_id}", account)
        sent = bed.submit("operator", f"{box_id}: {action}", instructions, [operator, *keys])
        if sent.outcome is not Outcome.LANDED:
            reason = sent.fault.message if sent.fault else "no reason given"
            raise StartError(f"{box_id}: {action} was {sent.outcome}: {reason}", [*sent.logs[-8:]])

    machine = deploy_machine(
        dataclasses.replace(bed.config, mint_price_lamports=price),
        seed=bed.seed,
        owner=bed.deployment.authority,
        destination=bed.deployment.destination,
        collection_mint=bed.deployment.collection_mint,
        items_available=items_available,
        step=step,
        rent_lamports=lambda size: bed.client.get_minimum_balance_for_rent_exemption(size).value,
        name=box_id,
    )
    box = BoxOnSale(box_id, machine, dict(odds), price, items_available)
    bed.other_boxes.append(box)
    bed.journal.write("box", box=box_id, odds=dict(odds), mint_price_lamports=price)
    bed.backend.restart(
        boxes=json.dumps([_variable(first), *(_variable(one) for one in bed.other_boxes)])
    )
    return box


def _variable(box: BoxOnSale) -> dict[str, Any]:
    """A box in the backend's variable BOXES."""
    return {
        "id": box.id,
        "candy_machine": str(box.machine.machine),
        "odds": dict(box.odds),
        "price_lamports": box.mint_price_lamports,
    }
