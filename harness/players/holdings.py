"""What a holder can do with an NFT outside the product: give it away, lend it, lock it, burn it.

The product does not know of any of this. A market place, a friend or a mistake does it, and the
economy has to stay right all the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from spl.token.instructions import (
    ApproveParams,
    TransferCheckedParams,
    approve,
    create_idempotent_associated_token_account,
    transfer_checked,
)

from harness.errors import HarnessError
from harness.players.nft import Nft
from harness.submission import Outcome
from programs.addresses import TOKEN, associated_token_address
from programs.token_metadata import client as token_metadata

if TYPE_CHECKING:
    from harness.players.player import Player

# Instructions of Token Metadata, from its published IDL.
_FREEZE_DELEGATED_ACCOUNT = bytes([26])
_BURN_NFT = bytes([29])


def give(owner: Player, nft: Nft, to: Player) -> None:
    """Move the NFT into another player's wallet, as any wallet's "send" does."""
    _do(
        owner,
        "give away",
        nft,
        create_idempotent_associated_token_account(owner.pubkey, to.pubkey, nft.mint),
        transfer_checked(
            TransferCheckedParams(
                program_id=TOKEN,
                source=associated_token_address(owner.pubkey, nft.mint),
                mint=nft.mint,
                dest=associated_token_address(to.pubkey, nft.mint),
                owner=owner.pubkey,
                amount=1,
                decimals=0,
            )
        ),
    )


def delegate(owner: Player, nft: Nft, to: Player) -> None:
    """Allow somebody to move the NFT, as listing it on a market place does."""
    _do(
        owner,
        "delegate",
        nft,
        approve(
            ApproveParams(
                program_id=TOKEN,
                source=associated_token_address(owner.pubkey, nft.mint),
                delegate=to.pubkey,
                owner=owner.pubkey,
                amount=1,
            )
        ),
    )


def freeze(delegated: Player, nft: Nft, owner: Player) -> None:
    """Lock the NFT in its owner's wallet, as an escrowless listing does. By its delegate."""
    accounts = [
        AccountMeta(delegated.pubkey, True, True),
        AccountMeta(associated_token_address(owner.pubkey, nft.mint), False, True),
        AccountMeta(token_metadata.edition_address(nft.mint), False, False),
        AccountMeta(nft.mint, False, False),
        AccountMeta(TOKEN, False, False),
    ]
    freezing = Instruction(token_metadata.PROGRAM_ID, _FREEZE_DELEGATED_ACCOUNT, accounts)
    _do(delegated, "freeze", nft, freezing)


def burn(owner: Player, nft: Nft, collection: Pubkey) -> None:
    """Burn the NFT for nothing, past the buyback."""
    accounts = [
        AccountMeta(token_metadata.metadata_address(nft.mint), False, True),
        AccountMeta(owner.pubkey, True, True),
        AccountMeta(nft.mint, False, True),
        AccountMeta(associated_token_address(owner.pubkey, nft.mint), False, True),
        AccountMeta(token_metadata.edition_address(nft.mint), False, True),
        AccountMeta(TOKEN, False, False),
        AccountMeta(token_metadata.metadata_address(collection), False, True),
    ]
    _do(owner, "burn", nft, Instruction(token_metadata.PROGRAM_ID, _BURN_NFT, accounts))


def _do(player: Player, action: str, nft: Nft, *instructions: Instruction) -> None:
    sent = player.testbed.submit(
        player.name, action, list(instructions), [player.keypair], nft=nft.name
    )
    if sent.outcome is not Outcome.LANDED:
        reason = sent.fault.message if sent.fault else "no reason given"
        raise HarnessError(f"{player.name} could not {action} {nft.name}: {reason}")
