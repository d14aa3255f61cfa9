"""Metaplex Candy Machine Core, for machines with hidden settings.

With hidden settings every item looks alike until it is revealed: the machine only counts. Layouts:
the published crate mpl-candy-machine-core 3.0.1 and its IDL beside this file.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from borsh_construct import U8, U16, U32, U64, Bool, CStruct, Option, String, Vec
from construct import Bytes, ConstructError
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from solders.system_program import CreateAccountParams, create_account

from programs.addresses import INSTRUCTIONS_SYSVAR, SYSTEM
from programs.token_metadata import client as token_metadata

PROGRAM_ID = Pubkey.from_string("CndyV3LdqHUfDLmE5naZjVN8rBZz4tqhdefbAnjHG3JR")

#: Size of a machine with hidden settings, whatever the number of items (constants.rs,
#: HIDDEN_SECTION): it reserves room for the longest texts and the most creators.
ACCOUNT_BYTES = (
    (8 + 8 + 3 * 32 + 8)  # discriminator, version and features, three addresses, items redeemed
    + (8 + 14 + 2 + 8 + 1)  # items available, symbol, royalty, maximum supply, mutability
    + (4 + 5 * 34)  # creators
    + (1 + 36 + 4 + 204 + 4 + 1)  # configuration lines
    + (1 + 36 + 204 + 32)  # hidden settings
)

_NFT = 0  # Token Metadata's token standard
_INITIALIZE_V2 = sha256(b"global:initialize_v2").digest()[:8]
_DISCRIMINATOR = sha256(b"account:CandyMachine").digest()[:8]

_Creator = CStruct("address" / Bytes(32), "verified" / Bool, "percentage_share" / U8)
_ConfigLines = CStruct(
    "prefix_name" / String,
    "name_length" / U32,
    "prefix_uri" / String,
    "uri_length" / U32,
    "is_sequential" / Bool,
)
_Hidden = CStruct("name" / String, "uri" / String, "hash" / Bytes(32))
_Data = CStruct(
    "items_available" / U64,
    "symbol" / String,
    "seller_fee_basis_points" / U16,
    "max_supply" / U64,
    "is_mutable" / Bool,
    "creators" / Vec(_Creator),
    "config_line_settings" / Option(_ConfigLines),
    "hidden_settings" / Option(_Hidden),
)
_CandyMachine = CStruct(
    "discriminator" / Bytes(8),
    "version" / U8,
    "token_standard" / U8,
    "features" / Bytes(6),
    "authority" / Bytes(32),
    "mint_authority" / Bytes(32),
    "collection_mint" / Bytes(32),
    "items_redeemed" / U64,
    "data" / _Data,
)


@dataclass(frozen=True)
class Creator:
    address: Pubkey
    share_percent: int


@dataclass(frozen=True)
class HiddenSettings:
    """What every item shows before its reveal. `$ID$` and `$ID+1$` stand for its number."""

    name: str
    uri: str
    hash: bytes


@dataclass(frozen=True)
class MachineSettings:
    """What a machine is made with."""

    items_available: int
    symbol: str
    seller_fee_basis_points: int
    is_mutable: bool
    creators: tuple[Creator, ...]
    hidden: HiddenSettings


@dataclass(frozen=True)
class CandyMachine:
    """A machine's account. `mint_authority` is the guard once one is wrapped around it."""

    authority: Pubkey
    mint_authority: Pubkey
    collection_mint: Pubkey
    items_redeemed: int
    items_available: int
    symbol: str
    hidden: HiddenSettings | None

    @classmethod
    def parse(cls, data: bytes) -> CandyMachine:
        """Read a machine's account. Raises ValueError if the bytes are something else."""
        if data[:8] != _DISCRIMINATOR:
            raise ValueError("not a candy machine: wrong discriminator")
        try:
            raw = _CandyMachine.parse(data)
        except (ConstructError, UnicodeDecodeError) as error:
            raise ValueError(f"not a candy machine: {type(error).__name__}") from None
        hidden = raw.data.hidden_settings
        return cls(
            authority=Pubkey(raw.authority),
            mint_authority=Pubkey(raw.mint_authority),
            collection_mint=Pubkey(raw.collection_mint),
            items_redeemed=raw.items_redeemed,
            items_available=raw.data.items_available,
            symbol=raw.data.symbol.rstrip("\0"),
            hidden=hidden
            and HiddenSettings(hidden.name.rstrip("\0"), hidden.uri.rstrip("\0"), hidden.hash),
        )


def authority_address(machine: Pubkey) -> Pubkey:
    """The machine's own signature, by which it mints and verifies."""
    return Pubkey.find_program_address([b"candy_machine", bytes(machine)], PROGRAM_ID)[0]


def initialize(
    *,
    machine: Pubkey,
    authority: Pubkey,
    collection_mint: Pubkey,
    settings: MachineSettings,
    rent_lamports: int,
) -> list[Instruction]:
    """Create a machine for plain NFTs. Signed by `authority`, who pays and owns the collection,
    and by `machine`. `rent_lamports` is the rent of ACCOUNT_BYTES."""
    own = authority_address(machine)
    data = _Data.build(
        {
            "items_available": settings.items_available,
            "symbol": settings.symbol,
            "seller_fee_basis_points": settings.seller_fee_basis_points,
            "max_supply": 0,
            "is_mutable": settings.is_mutable,
            "creators": [
                {
                    "address": bytes(creator.address),
                    "verified": False,
                    "percentage_share": creator.share_percent,
                }
                for creator in settings.creators
            ],
            "config_line_settings": None,
            "hidden_settings": {
                "name": settings.hidden.name,
                "uri": settings.hidden.uri,
                "hash": settings.hidden.hash,
            },
        }
    )
    absent = AccountMeta(PROGRAM_ID, False, False)
    delegate = token_metadata.collection_delegate_address(collection_mint, authority, own)
    return [
        create_account(
            CreateAccountParams(
                from_pubkey=authority,
                to_pubkey=machine,
                lamports=rent_lamports,
                space=ACCOUNT_BYTES,
                owner=PROGRAM_ID,
            )
        ),
        Instruction(
            PROGRAM_ID,
            _INITIALIZE_V2 + data + bytes([_NFT]),
            [
                AccountMeta(machine, False, True),
                AccountMeta(own, False, True),
                AccountMeta(authority, False, False),
                AccountMeta(authority, True, True),
                absent,  # rule set
                AccountMeta(token_metadata.metadata_address(collection_mint), False, True),
                AccountMeta(collection_mint, False, False),
                AccountMeta(token_metadata.edition_address(collection_mint), False, False),
                AccountMeta(authority, True, True),
                AccountMeta(delegate, False, True),
                AccountMeta(token_metadata.PROGRAM_ID, False, False),
                AccountMeta(SYSTEM, False, False),
                AccountMeta(INSTRUCTIONS_SYSVAR, False, False),
                absent,  # authorisation rules program
                absent,  # authorisation rules
            ],
        ),
    ]
