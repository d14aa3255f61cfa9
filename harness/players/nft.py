"""An NFT, as players speak of it."""

from __future__ import annotations

from dataclasses import dataclass

from solders.pubkey import Pubkey


@dataclass(frozen=True)
class Nft:
    """A minted NFT. `name` is what journals call it, such as nft-3."""

    mint: Pubkey
    name: str
