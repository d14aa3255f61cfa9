"""Mints, token accounts and their metadata: the props of the conformance flows."""

from __future__ import annotations

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from solders.system_program import CreateAccountParams, create_account

from harness.programs.borsh import creators, flag, option, text, u8, u16, u64
from harness.programs.interface import METADATA, Signed
from harness.programs.stage import Stage
from programs.addresses import ASSOCIATED_TOKEN, SYSTEM, TOKEN, associated_token_address
from programs.token_metadata.client import (
    MINT_BYTES,
    PROGRAM_ID,
    edition_address,
    metadata_address,
)

#: Token standards of Token Metadata.
NON_FUNGIBLE, FUNGIBLE, PROGRAMMABLE = 0, 2, 4

_PRINT_SUPPLY_ZERO = b"\0"


def mint_account(stage: Stage, mint: Pubkey, authority: Pubkey) -> list[Instruction]:
    """A mint without decimals that `authority` may mint and freeze."""
    return [
        create_account(
            CreateAccountParams(
                from_pubkey=stage.payer,
                to_pubkey=mint,
                lamports=stage.rent(MINT_BYTES),
                space=MINT_BYTES,
                owner=TOKEN,
            )
        ),
        Instruction(  # InitializeMint2
            TOKEN,
            b"\x14\0" + bytes(authority) + b"\1" + bytes(authority),
            [AccountMeta(mint, False, True)],
        ),
    ]


def token_account(stage: Stage, owner: Pubkey, mint: Pubkey) -> Instruction:
    """The owner's associated token account."""
    return Instruction(
        ASSOCIATED_TOKEN,
        b"",
        [
            AccountMeta(stage.payer, True, True),
            AccountMeta(associated_token_address(owner, mint), False, True),
            AccountMeta(owner, False, False),
            AccountMeta(mint, False, False),
            AccountMeta(SYSTEM, False, False),
            AccountMeta(TOKEN, False, False),
        ],
    )


def mint_to(mint: Pubkey, owner: Pubkey, authority: Pubkey, amount: int = 1) -> Instruction:
    """Tokens into the owner's associated account."""
    return Instruction(
        TOKEN,
        b"\7" + u64(amount),
        [
            AccountMeta(mint, False, True),
            AccountMeta(associated_token_address(owner, mint), False, True),
            AccountMeta(authority, True, False),
        ],
    )


def token(
    stage: Stage, mint: Pubkey, owner: Pubkey, authority: Pubkey, amount: int = 1
) -> list[Instruction]:
    """A new mint with tokens in the owner's account."""
    return [
        *mint_account(stage, mint, authority),
        token_account(stage, owner, mint),
        mint_to(mint, owner, authority, amount),
    ]


def label(
    stage: Stage,
    mint: Pubkey,
    authority: Pubkey,
    name: str,
    *,
    uri: str = "https://c",
    sized: bool | None = True,
    member_of: Pubkey | None = None,
) -> Instruction:
    """Metadata; a sized collection's if `sized`."""
    data = text(name) + text("SYM") + text(uri) + u16(500)
    data += option(creators((authority, True, 100)))
    data += option(None if member_of is None else flag(False) + bytes(member_of))
    data += option(None) + flag(True)  # uses, mutable
    data += option(b"\0" + u64(0) if sized else None)
    return METADATA(
        "CreateMetadataAccountV3",
        data,
        metadata=metadata_address(mint),
        mint=mint,
        mint_authority=authority,
        payer=stage.payer,
        update_authority=Signed(authority),
    )


def master_edition(
    stage: Stage, mint: Pubkey, authority: Pubkey, prints_max: int | None = 0
) -> Instruction:
    """Seals a mint; at most `prints_max` prints can be made of it, None for any number."""
    return METADATA(
        "CreateMasterEditionV3",
        option(None if prints_max is None else u64(prints_max)),
        edition=edition_address(mint),
        mint=mint,
        update_authority=authority,
        mint_authority=authority,
        payer=stage.payer,
        metadata=metadata_address(mint),
    )


def collection(stage: Stage, mint: Pubkey, authority: Pubkey, *, sized: bool = True) -> None:
    """Plays the making of a collection, in three steps."""
    stage.step("collection: mint", token(stage, mint, authority, authority))
    stage.step("collection: label", label(stage, mint, authority, "Coll", sized=sized))
    stage.step("collection: master edition", master_edition(stage, mint, authority))


def create(
    stage: Stage,
    mint: Pubkey,
    standard: int = NON_FUNGIBLE,
    *,
    name: str = "N",
    uses: int | None = None,
    decimals: int = 0,
    member_of: Pubkey | None = None,
) -> Instruction:
    """Token Metadata's own Create (V1): mint, metadata and edition at once. The payer is
    authority and creator."""
    data = text(name) + text("SYM") + text("https://u") + u16(500)
    data += option(creators((stage.payer, True, 100)))
    data += flag(False) + flag(True) + u8(standard)  # sold before, mutable
    data += option(None if member_of is None else flag(False) + bytes(member_of))
    data += option(None if uses is None else u8(1) + u64(uses) + u64(uses))
    data += option(None) + option(None)  # collection details, rule set
    fungible = standard == FUNGIBLE
    data += option(u8(decimals)) + option(None if fungible else _PRINT_SUPPLY_ZERO)
    edition = {} if fungible else {"master_edition": edition_address(mint)}
    return METADATA(
        "Create",
        b"\0" + data,
        metadata=metadata_address(mint),
        mint=Signed(mint),
        authority=stage.payer,
        payer=stage.payer,
        update_authority=Signed(stage.payer),
        **edition,
    )


def token_record(mint: Pubkey, token_account_address: Pubkey) -> Pubkey:
    """Where a programmable NFT's state in one token account is kept."""
    seeds = [b"metadata", bytes(PROGRAM_ID), bytes(mint), b"token_record"]
    return Pubkey.find_program_address([*seeds, bytes(token_account_address)], PROGRAM_ID)[0]


def mint_v1(
    stage: Stage,
    mint: Pubkey,
    owner: Pubkey,
    *,
    amount: int = 1,
    programmable: bool = False,
    sealed: bool = True,
    authority: Pubkey | None = None,
) -> Instruction:
    """Token Metadata's own Mint (V1) into the owner's associated account."""
    held = associated_token_address(owner, mint)
    optional = {"master_edition": edition_address(mint)} if sealed else {}
    if programmable:
        optional["token_record"] = token_record(mint, held)
    return METADATA(
        "Mint",
        b"\0" + u64(amount) + option(None),
        token=held,
        token_owner=owner,
        metadata=metadata_address(mint),
        mint=mint,
        authority=authority or stage.payer,
        payer=stage.payer,
        **optional,
    )


def transfer_v1(
    stage: Stage,
    mint: Pubkey,
    source: Pubkey,
    destination: Pubkey,
    *,
    amount: int = 1,
    programmable: bool = False,
    sealed: bool = True,
    authority: Pubkey | None = None,
) -> Instruction:
    """Token Metadata's own Transfer (V1) between associated accounts."""
    out, into = (associated_token_address(one, mint) for one in (source, destination))
    optional = {"edition": edition_address(mint)} if sealed else {}
    if programmable:
        optional["owner_token_record"] = token_record(mint, out)
        optional["destination_token_record"] = token_record(mint, into)
    return METADATA(
        "Transfer",
        b"\0" + u64(amount) + option(None),
        token=out,
        token_owner=source,
        destination=into,
        destination_owner=destination,
        mint=mint,
        metadata=metadata_address(mint),
        authority=authority or source,
        payer=stage.payer,
        **optional,
    )


def burn_v1(
    mint: Pubkey,
    owner: Pubkey,
    *,
    amount: int = 1,
    programmable: bool = False,
    authority: Pubkey | None = None,
    collection_mint: Pubkey | None = None,
    sealed: bool = True,
    **others: Pubkey,
) -> Instruction:
    """Token Metadata's own Burn (V1) from the owner's associated account."""
    held = associated_token_address(owner, mint)
    optional = dict(others)
    if sealed:
        optional["edition"] = edition_address(mint)
    if programmable:
        optional["token_record"] = token_record(mint, held)
    if collection_mint is not None:
        optional["collection_metadata"] = metadata_address(collection_mint)
    return METADATA(
        "Burn",
        b"\0" + u64(amount),
        authority=authority or owner,
        metadata=metadata_address(mint),
        mint=mint,
        token=held,
        **optional,
    )
