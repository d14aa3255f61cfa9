"""The boxes on sale: which machine sells which, at which odds.

The candy machine puts its own signature on every NFT it mints, as the first creator. That decides
which box an NFT is; what a client calls it is only compared.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from solders.pubkey import Pubkey

from backend.domain.rarity import GUIDE_ODDS, Odds
from programs.candy_machine import client as candy_machine
from programs.token_metadata.client import Metadata

GUIDE_PRICE_LAMPORTS = 200_000_000


@dataclass(frozen=True)
class Box:
    """One kind of box. `price_lamports` is what a box that can never be revealed gives back."""

    id: str
    candy_machine: Pubkey
    placeholder_uri: str
    odds: Odds = GUIDE_ODDS
    price_lamports: int = GUIDE_PRICE_LAMPORTS


class Boxes:
    """All boxes of a backend, by name and by the signature of their machine."""

    def __init__(self, boxes: Sequence[Box]) -> None:
        self._by_id = {box.id: box for box in boxes}
        self._by_signature = {
            candy_machine.authority_address(box.candy_machine): box for box in boxes
        }
        if not boxes or len(self._by_id) != len(self._by_signature):
            raise ValueError("every box needs an id and a candy machine of its own")

    def named(self, box_id: str) -> Box | None:
        return self._by_id.get(box_id)

    def of(self, metadata: Metadata) -> Box | None:
        """The box that an NFT is, by its first creator if that one signed."""
        first = metadata.creators[0] if metadata.creators else None
        return self._by_signature.get(first.address) if first and first.verified else None


def read_boxes(text: str, placeholder_uri: str) -> Boxes:
    """Boxes from a JSON array such as
    [{"id": "gold", "candy_machine": "...", "odds": {"Rare": "0.9", "Epic": "0.1"}}].

    Optional: "odds" (the guide's), "placeholder_uri", "price_lamports". Raises ValueError.
    """
    try:
        return Boxes([
            Box(
                id=str(one["id"]),
                candy_machine=Pubkey.from_string(one["candy_machine"]),
                placeholder_uri=str(one.get("placeholder_uri", placeholder_uri)),
                odds=read_odds(one["odds"]) if "odds" in one else GUIDE_ODDS,
                price_lamports=int(one.get("price_lamports", GUIDE_PRICE_LAMPORTS)),
            )
            for one in json.loads(text)
        ])  # fmt: skip
    except (ValueError, KeyError, TypeError, AttributeError, InvalidOperation) as error:
        raise ValueError(f"not a list of boxes: {type(error).__name__} {error}") from None


def read_odds(shares: Mapping[str, str]) -> Odds:
    """Odds from each tier's share as text. Raises ValueError if they are none."""
    return Odds(tuple((tier, Decimal(share)) for tier, share in shares.items()))
