"""Who holds an NFT, by the bytes of an SPL token account."""

from __future__ import annotations

from solders.account import Account
from solders.pubkey import Pubkey

from programs.addresses import TOKEN

_OWNER, _AMOUNT = slice(32, 64), slice(64, 72)


def holds(token: Account | None, owner: Pubkey | None) -> bool:
    """Whether a token account holds one token of its mint for `owner`."""
    if token is None or owner is None or token.owner != TOKEN:
        return False
    data = bytes(token.data)
    return data[_OWNER] == bytes(owner) and int.from_bytes(data[_AMOUNT], "little") == 1
